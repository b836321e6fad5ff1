"""What lies between a clean take and a mix: rooms, colour, compression, drive, noise, and heavy effects.

Sounds are float32 (tracks, N) at 32 kHz. The tracks of one sound always share one processing, and their sum is what is
processed: anything that is not linear becomes a gain that all of them get.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import butter, sosfilt

from engine.separators.ear.bands import RATE, WINDOW

Sound = NDArray[np.float32]

BEFORE = 16384
"""Samples heard before the window, so that a room still rings from them; also the longest of these rooms."""
SPAN = next_fast_len(WINDOW + BEFORE, real=True)
LONGEST = int(SPAN * 2 ** (4 / 12)) + 64
"""Samples of a take that `OtherRecordings` may ask for."""


def decay(rng: np.random.Generator, size: int, t60_s: float) -> Sound:
    """Noise that decays, its treble sooner than its bass, at unit energy."""
    time_s, bright = np.arange(size, dtype=np.float32) / RATE, rng.uniform(0.2, 0.9)
    low = np.convolve(rng.standard_normal(size), np.ones(16) / 4, "same") * 10 ** (-3 * time_s / t60_s)
    high = rng.standard_normal(size) * 10 ** (-3 * time_s * rng.uniform(1.0, 3.0) / t60_s)
    tail = (1 - bright) * low + bright * high
    tail[: int(rng.uniform(0.001, 0.03) * RATE)] = 0
    return np.asarray(tail / max(np.sqrt((tail**2).sum()), 1e-9), dtype=np.float32)


def room(rng: np.random.Generator) -> NDArray[np.complex64]:
    """The spectrum (SPAN / 2 + 1,) of a room: reverberation time 0.1 to 1.4 s, direct to reverberant -4 to 18 dB."""
    t60_s = float(np.exp(rng.uniform(np.log(0.1), np.log(1.4))))
    response = decay(rng, BEFORE, t60_s) * 10 ** (-rng.uniform(-4, 18) / 20)
    response[0] = 1
    return np.asarray(rfft(response.astype(np.float32), SPAN))


def colour(rng: np.random.Generator, spread_db: float = 5.0) -> Sound:
    """A smooth random filter over the square root of frequency, (SPAN / 2 + 1,) linear gains."""
    knots = rng.normal(0, spread_db, rng.integers(3, 10))
    gain_db = np.interp(np.linspace(0, 1, SPAN // 2 + 1, dtype=np.float32) ** 0.5, np.linspace(0, 1, len(knots)), knots)
    return np.asarray(10 ** (gain_db / 20), np.float32)


def band(rng: np.random.Generator) -> Sound:
    """A small loudspeaker, an old record, a filter: 12 or 24 dB an octave above or below, (SPAN / 2 + 1,) linear gains."""
    hertz = np.linspace(1, RATE / 2, SPAN // 2 + 1, dtype=np.float32)
    low, high = np.exp(rng.uniform(np.log([40, 2500]), np.log([350, 14000])))
    order, gains = float(rng.choice([2, 4])), np.ones_like(hertz)
    if rng.random() < 0.4:
        gains /= np.sqrt(1 + (low / hertz) ** (2 * order))
    if rng.random() < 0.8:
        gains /= np.sqrt(1 + (hertz / high) ** (2 * order))
    return gains


def compression(rng: np.random.Generator, sound: Sound) -> Sound:
    """The gain (N,) of a compressor with 10 to 40 ms of envelope on the sum of the tracks."""
    whole, block = sound.sum(0), int(rng.choice([320, 640, 1280]))
    count = -(-len(whole) // block)
    padded = np.pad(whole, (0, count * block - len(whole)))
    envelope = np.sqrt((padded.reshape(count, block) ** 2).mean(1)) + 0.1 * np.sqrt((whole**2).mean()) + 1e-6
    gain = (envelope / envelope.mean()) ** -rng.uniform(0.1, 0.6)
    return np.asarray(np.interp(np.arange(len(whole)), np.arange(count) * block + block / 2, gain), np.float32)


def saturation(rng: np.random.Generator, sound: Sound) -> Sound:
    """The gain (N,) of a tanh on the sum of the tracks, its knee at 1 to 8 times the RMS."""
    whole = sound.sum(0)
    knee = max(float(np.sqrt((whole**2).mean())), 1e-6) * np.exp(rng.uniform(0, np.log(8)))
    x = np.abs(whole / knee) + 1e-4
    return np.asarray(np.tanh(x) / x, dtype=np.float32)


def noise(rng: np.random.Generator, size: int) -> Sound:
    """Background at unit RMS, (size,): between white and brown, sometimes with mains hum."""
    spectrum = rfft(rng.standard_normal(size).astype(np.float32))
    spectrum *= np.maximum(np.arange(len(spectrum)), 8).astype(np.float32) ** -rng.uniform(0, 1)
    sound = irfft(spectrum, size)
    sound /= np.sqrt((sound**2).mean())
    if rng.random() < 0.15:
        phase = 2 * np.pi * rng.choice([50, 60]) * np.arange(size) / RATE
        sound = sound + sum(rng.uniform(0, 1) * np.sin(k * phase + rng.uniform(0, 6)) for k in (1, 2, 3, 5))
        sound = sound / np.sqrt((sound**2).mean())
    return np.asarray(sound, dtype=np.float32)


class OtherRecordings:
    """The same sound recorded elsewhere, drawn anew for each; rooms come from a set that is drawn once."""

    def __init__(self, seed: int, rooms: int = 96) -> None:
        rng = np.random.default_rng(seed)
        self.rooms = [room(rng) for _ in range(rooms)]

    def __call__(self, rng: np.random.Generator, sound: Sound, semitones: float | None = None) -> Sound:
        """At least LONGEST samples (tracks, N) -> (tracks, WINDOW), finite, at about the same level.

        semitones: of the change of pitch; None draws one. A stretch of another length read as SPAN samples is that change.
        """
        if semitones is None:
            semitones = rng.uniform(-3.5, 3.5) if rng.random() < 0.5 else 0.0
        read = next_fast_len(int(SPAN * 2 ** (semitones / 12)), real=True) if semitones else SPAN
        spectrum = rfft(sound[:, :read], axis=1)
        missing = SPAN // 2 + 1 - spectrum.shape[1]
        spectrum = np.pad(spectrum[:, : SPAN // 2 + 1], ((0, 0), (0, max(0, missing)))) * np.float32(SPAN / read)
        if rng.random() < 0.75:
            spectrum *= colour(rng)
        if rng.random() < 0.2:
            spectrum *= band(rng)
        if rng.random() < 0.45:
            spectrum *= self.rooms[int(rng.integers(len(self.rooms)))]
        there: Sound = irfft(spectrum, SPAN, axis=1)[:, SPAN - WINDOW :]
        if rng.random() < 0.25:
            there = there * compression(rng, there)
        if rng.random() < 0.12:
            there = there * saturation(rng, there)
        return there


def heavy(rng: np.random.Generator, sound: Sound) -> Sound:
    """One or two of: a long reverb, backwards, grains, a moving filter, tremolo, much slower or faster. (tracks, N')."""
    for effect in rng.choice(len(EFFECTS), int(rng.integers(1, 3)), replace=False, p=ODDS):
        sound = EFFECTS[effect](rng, sound)
    return sound


def _hall(rng: np.random.Generator, sound: Sound) -> Sound:
    """Reverberation time 1 to 7 s, sometimes nothing but the reverb."""
    response = decay(rng, 5 * RATE, float(np.exp(rng.uniform(0, np.log(7)))))
    size = next_fast_len(sound.shape[1] + len(response), real=True)
    wet = irfft(rfft(sound, size, axis=1) * rfft(response, size), size, axis=1)[:, : sound.shape[1] + RATE]
    wet *= np.sqrt((sound**2).sum() / max(float((wet**2).sum()), 1e-9))
    wet[:, : sound.shape[1]] += sound * (0 if rng.random() < 0.3 else rng.uniform(0.1, 1.5))
    return np.asarray(wet, dtype=np.float32)


def _backwards(rng: np.random.Generator, sound: Sound) -> Sound:  # noqa: ARG001 - there is one way only
    return np.ascontiguousarray(sound[:, ::-1])


def _grains(rng: np.random.Generator, sound: Sound) -> Sound:
    """Overlapping grains of 40 to 250 ms, read at another pace and a little out of place."""
    size = int(rng.uniform(0.04, 0.25) * RATE) // 2 * 2
    if sound.shape[1] < 3 * size:
        return sound
    hop, pace, scatter = size // 2, rng.uniform(0.3, 1.5), rng.uniform(0, 0.1) * RATE
    count = int((sound.shape[1] - size) / (hop * pace))
    count = min(count, int(20 * RATE / hop))
    out, window = np.zeros((len(sound), count * hop + size), np.float32), np.hanning(size).astype(np.float32)
    for k in range(count):
        at = int(np.clip(k * hop * pace + rng.normal(0, scatter + 1), 0, sound.shape[1] - size))
        out[:, k * hop : k * hop + size] += sound[:, at : at + size] * window
    return out


def _sweep(rng: np.random.Generator, sound: Sound) -> Sound:
    """A low-pass or high-pass that moves, in pieces of 30 ms."""
    kind, out = str(rng.choice(["low", "high"], p=[0.8, 0.2])), np.empty_like(sound)
    slow = np.sin(2 * np.pi * rng.uniform(0.05, 2) * np.arange(0, sound.shape[1], 1024) / RATE + rng.uniform(0, 6))
    corners = np.exp(np.log(rng.uniform(300, 2500)) + slow * rng.uniform(0.3, 1.2))
    state = np.zeros((1, len(sound), 2))
    for k, corner in enumerate(corners):
        sos = butter(2, float(np.clip(corner, 60, 14000)), kind, fs=RATE, output="sos")
        out[:, k * 1024 : (k + 1) * 1024], state = sosfilt(sos, sound[:, k * 1024 : (k + 1) * 1024], axis=1, zi=state)
    return out


def _tremolo(rng: np.random.Generator, sound: Sound) -> Sound:
    time_s = np.arange(sound.shape[1]) / RATE
    wave = np.sin(2 * np.pi * rng.uniform(2, 12) * time_s)
    gate = (np.tanh(wave * rng.uniform(0.5, 8)) + 1) / 2
    return (sound * (1 - rng.uniform(0.4, 1) * gate)).astype(np.float32)


def _pace(rng: np.random.Generator, sound: Sound) -> Sound:
    factor = float(rng.choice([0.5, 0.5, 0.7, 1.4, 2.0]))
    at = np.arange(0, sound.shape[1] - 1, factor)
    return np.stack([np.interp(at, np.arange(sound.shape[1]), track) for track in sound]).astype(np.float32)


EFFECTS = (_hall, _backwards, _grains, _sweep, _tremolo, _pace)
ODDS = (0.42, 0.12, 0.12, 0.14, 0.08, 0.12)
