"""The same sound, recorded elsewhere: pitch, colour, band limits, room, compression, overdrive and noise, at random.

A soundfont is dry, clean and always the same; these are what lies between it and a recording.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from engine.backbones.mel import HOP, RATE
from engine.backbones.pocket.network import FRAMES

WINDOW = FRAMES * HOP
"""Samples of one training window."""
BEFORE = 8192
"""Samples heard before the window, so that a room still rings from them; also the longest room response."""
SPAN = WINDOW + BEFORE
LONGEST = next_fast_len(int(SPAN * 2 ** (3 / 12)) + 1)
"""Samples of a take that `OtherRecordings` may ask for."""

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Odds:
    """How often each change happens, 0..1."""

    pitch: float = 0.5
    colour: float = 0.8
    band: float = 0.25
    room: float = 0.5
    squeeze: float = 0.25
    drive: float = 0.15
    noise: float = 0.35


def room(rng: np.random.Generator) -> NDArray[np.complex64]:
    """The spectrum (SPAN / 2 + 1,) of a room: the direct sound, then noise that decays, its treble sooner than its bass.

    Reverberation time 0.1 to 1.2 s, direct to reverberant -4 to 18 dB.
    """
    time_s = np.arange(BEFORE) / RATE
    t60_s = float(np.exp(rng.uniform(np.log(0.1), np.log(1.2))))
    tail, bright = np.zeros(BEFORE), rng.uniform(0.2, 0.9)
    for share, quicker in ((1 - bright, 1.0), (bright, rng.uniform(1.0, 3.0))):
        grain = rng.standard_normal(BEFORE)
        if quicker == 1.0:
            grain = np.convolve(grain, np.ones(8) / 8**0.5, "same")  # the bass half
        tail += share * grain * 10 ** (-3 * time_s * quicker / t60_s)
    tail[: int(rng.uniform(0.001, 0.02) * RATE)] = 0  # before the first reflection
    response = tail / max(np.sqrt((tail**2).sum()), 1e-9) * 10 ** (-rng.uniform(-4, 18) / 20)
    response[0] = 1
    return np.asarray(rfft(response.astype(np.float32), SPAN))


def colour(rng: np.random.Generator, spread_db: float = 5.0) -> NDArray[np.float32]:
    """A smooth random filter over the square root of frequency, (SPAN / 2 + 1,) linear gains."""
    knots = rng.normal(0, spread_db, rng.integers(3, 9))
    gain_db = np.interp(np.linspace(0, 1, SPAN // 2 + 1) ** 0.5, np.linspace(0, 1, len(knots)), knots)
    return (10 ** (gain_db / 20)).astype(np.float32)


def band(rng: np.random.Generator) -> NDArray[np.float32]:
    """A telephone, a small loudspeaker, a dull tape: 12 to 24 dB an octave above or below, (SPAN / 2 + 1,) linear gains."""
    hertz = np.linspace(1, RATE / 2, SPAN // 2 + 1)
    low, high = np.exp(rng.uniform(np.log([40, 2500]), np.log([350, 7500])))
    order = int(rng.choice([2, 4]))
    gains = np.ones_like(hertz)
    if rng.random() < 0.5:
        gains /= np.sqrt(1 + (low / hertz) ** (2.0 * order))
    if rng.random() < 0.7:
        gains /= np.sqrt(1 + (hertz / high) ** (2.0 * order))
    return gains.astype(np.float32)


def squeezed(rng: np.random.Generator, sound: Sound) -> Sound:
    """Compression: the envelope over 20 ms, turned down where it is loud. Same length."""
    block = 320
    count = -(-len(sound) // block)
    padded = np.pad(sound, (0, count * block - len(sound)))
    envelope = np.sqrt((padded.reshape(count, block) ** 2).mean(1)) + 0.1 * np.sqrt((sound**2).mean()) + 1e-6
    gain = (envelope / envelope.mean()) ** -rng.uniform(0.1, 0.6)
    smooth = np.interp(np.arange(len(sound)), np.arange(count) * block + block / 2, gain).astype(np.float32)
    return np.asarray(sound * smooth)


def driven(rng: np.random.Generator, sound: Sound) -> Sound:
    """Mild overdrive: tanh, its knee at 1 to 8 times the RMS. Same length."""
    knee = max(float(np.sqrt((sound**2).mean())), 1e-6) * np.exp(rng.uniform(0, np.log(8)))
    return np.asarray(np.tanh(sound / knee) * knee, dtype=np.float32)


def noise(rng: np.random.Generator, length: int) -> Sound:
    """Background at unit RMS, (length,): between white and brown, sometimes with mains hum."""
    spectrum = rfft(rng.standard_normal(length).astype(np.float32))
    spectrum *= np.maximum(np.arange(len(spectrum)), 8).astype(np.float32) ** -rng.uniform(0, 1)
    sound = irfft(spectrum, length)
    sound /= np.sqrt((sound**2).mean())
    if rng.random() < 0.15:
        phase = 2 * np.pi * rng.choice([50, 60]) * np.arange(length) / RATE
        sound = sound + sum(rng.uniform(0, 1) * np.sin(k * phase + rng.uniform(0, 6)) for k in (1, 2, 3, 5))
        sound = sound / np.sqrt((sound**2).mean())
    return np.asarray(sound, dtype=np.float32)


class Elsewhere:
    """Everything above, drawn anew for each sound; rooms come from a set that is drawn once."""

    def __init__(self, seed: int, odds: Odds | None = None, rooms: int = 128) -> None:
        rng = np.random.default_rng(seed)
        self.odds = odds or Odds()
        self.rooms = [room(rng) for _ in range(rooms if self.odds.room else 0)]

    def __call__(self, rng: np.random.Generator, sound: Sound) -> Sound:
        """At least LONGEST samples of a take -> (WINDOW,) of it, finite, at about the same level.

        Pitch, colour, band and room are one multiplication of one spectrum: a longer or shorter stretch read as SPAN
        samples is the pitch shift.
        """
        odds = self.odds
        semitones = rng.uniform(-3, 3) if rng.random() < odds.pitch else 0.0
        read = next_fast_len(int(SPAN * 2 ** (semitones / 12)), real=True)
        spectrum = rfft(sound[:read])
        spectrum = np.pad(spectrum[: SPAN // 2 + 1], (0, max(0, SPAN // 2 + 1 - len(spectrum)))) * np.float32(SPAN / read)
        if rng.random() < odds.colour:
            spectrum *= colour(rng)
        if rng.random() < odds.band:
            spectrum *= band(rng)
        if rng.random() < odds.room:
            spectrum *= self.rooms[rng.integers(len(self.rooms))]
        there: Sound = irfft(spectrum, SPAN)[BEFORE:]
        if rng.random() < odds.squeeze:
            there = squeezed(rng, there)
        if rng.random() < odds.drive:
            there = driven(rng, there)
        return there
