"""Singing made of speech: WORLD takes a recorded voice apart, every vowel gets a note of a composed melody, and WORLD sings it.

A voice is analysed once. Each song takes a run of its syllables, stretches the vowels to the notes and keeps the consonants at
their own speed; the pitch has portamento, vibrato, drift and jitter. Needs pyworld (MIT).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.research.ear_training.parts import Tune

FRAME = 0.005  # seconds between WORLD frames
LENGTHS = (0.5, 1.0, 1.5, 2.0, 3.0)  # note lengths in beats ...
WEIGHTS = (0.36, 0.36, 0.08, 0.14, 0.06)  # ... and how often each is wanted


Syllable = tuple[int, int, int, int]
"""Frames: its start, its core's start, the core's end, its end."""
SungNote = tuple[int, int, float, float]
"""The syllable's number, the degree of the scale, start and length in seconds."""


@dataclass
class Voice:
    """What WORLD heard in one recording, and where its syllables are (all in frames)."""

    rate: int
    pitch: np.ndarray  # Hz, 0 where unvoiced
    envelope: np.ndarray  # natural log of the power spectral envelope
    noise: np.ndarray  # aperiodicity, 0 to 1
    syllables: list[Syllable] = field(default_factory=list)  # (start, core start, core end, end)

    @property
    def median(self) -> float:
        """Of the pitch where there is one, in Hz."""
        return float(np.median(self.pitch[self.pitch > 0]))


def smooth(values: NDArray[Any], width: int) -> NDArray[Any]:
    """Moving average with a Hann window, edges held."""
    if width < 3:
        return values
    window = np.hanning(width + 2)[1:-1]
    padded = np.pad(values, (width // 2, width - 1 - width // 2), mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")


def analyse(speech: NDArray[Any], rate: int) -> Voice | None:
    """Analyse a mono recording of one speaker; None where no usable syllable is found."""
    import pyworld  # type: ignore[import-not-found, unused-ignore]

    speech = np.ascontiguousarray(speech, dtype=np.float64)
    rough, times = pyworld.dio(speech, rate, f0_floor=65.0, f0_ceil=500.0, frame_period=FRAME * 1000)
    pitch = pyworld.stonemask(speech, rough, times, rate)
    if (pitch > 0).mean() < 0.1:
        return None
    envelope = np.log(pyworld.cheaptrick(speech, pitch, times, rate) + 1e-16)
    noise = pyworld.d4c(speech, pitch, times, rate, threshold=0.0)  # no frame is declared all noise
    voice = Voice(rate, pitch, envelope, noise)
    voice.syllables = find_syllables(voice)
    return voice if len(voice.syllables) >= 4 else None


def find_syllables(voice: Voice) -> list[Syllable]:
    """Vowels are peaks of the energy between 250 and 2500 Hz in voiced stretches; a syllable reaches to the dips beside it."""
    bins = voice.envelope.shape[1]
    hertz = np.arange(bins) * voice.rate / 2 / (bins - 1)
    band = (hertz > 250) & (hertz < 2500)
    energy = smooth(10 / np.log(10) * np.log(np.exp(voice.envelope[:, band]).mean(1) + 1e-16), 9)
    voiced = voice.pitch > 0
    loud = np.percentile(energy[voiced], 75)
    inner = np.flatnonzero((energy[1:-1] >= energy[:-2]) & (energy[1:-1] > energy[2:])) + 1
    peaks: list[int] = []
    for p in (p for p in map(int, inner) if voiced[p] and energy[p] > loud - 18):
        if peaks and p - peaks[-1] < 16:  # closer than 80 ms: one vowel
            peaks[-1] = p if energy[p] > energy[peaks[-1]] else peaks[-1]
        elif peaks and energy[peaks[-1] : p].min() > min(energy[p], energy[peaks[-1]]) - 2 and voiced[peaks[-1] : p].all():
            peaks[-1] = p if energy[p] > energy[peaks[-1]] else peaks[-1]  # no dip between: one vowel
        else:
            peaks.append(p)
    syllables = []
    edge = max(0, peaks[0] - 30) if peaks else 0
    for p, after in zip(peaks, [*peaks[1:], None], strict=True):
        end = p + int(np.argmin(energy[p:after])) if after else min(len(energy), p + 50)
        first, last = p, p
        while first > edge and voiced[first - 1] and energy[first - 1] > energy[p] - 5:
            first -= 1
        while last + 1 < end and voiced[last + 1] and energy[last + 1] > energy[p] - 5:
            last += 1
        if last - first >= 5:  # a core of 30 ms at least
            syllables.append((edge, first, last + 1, max(end, last + 1)))
        edge = max(end, last + 1)
    return syllables


def compose(count: int, need: np.ndarray, rng: np.random.Generator, beat: float) -> list[SungNote]:
    """A list of (syllable, degree, start beat in seconds, length in seconds); `need` is each syllable's shortest length."""
    rhythm = rng.choice(LENGTHS, size=int(rng.integers(4, 9)), p=WEIGHTS)
    motif = rng.choice((-3, -2, -1, 0, 1, 2, 3), size=len(rhythm), p=(0.05, 0.14, 0.25, 0.12, 0.25, 0.14, 0.05))
    notes: list[SungNote] = []
    clock, degree = 0.0, int(rng.integers(-1, 3))
    for i in range(count):
        wanted = float(rhythm[i % len(rhythm)])
        length = max(wanted, float(np.ceil(need[i] / beat * 4)) / 4) * beat  # on a grid of sixteenths
        step = int(motif[i % len(motif)]) if rng.random() < 0.7 else int(rng.integers(-2, 3))
        degree = degree + step if -4 <= degree + step <= 7 else degree - step
        parts = int(rng.integers(2, 4)) if length > 1.4 * beat and rng.random() < 0.18 else 1  # now and then a melisma
        each = length / parts
        notes += [(i, degree + (part if part % 2 else -part), clock + part * each, each) for part in range(parts)]
        clock += length
    return notes


def contour(notes: list[SungNote], hertz: np.ndarray, onsets: np.ndarray, frames: int, rng: np.random.Generator) -> np.ndarray:
    """The wanted pitch of every frame: steps between notes softened to glides, with vibrato, drift and jitter, in Hz."""
    cents = 1200 * np.log2(hertz)
    curve = np.full(frames, cents[0])
    speed, depth, delay = rng.uniform(4.7, 6.6), rng.uniform(8, 55), rng.uniform(0.15, 0.35)
    glide, scoop = rng.uniform(0.05, 0.14), rng.uniform(0, 60) if rng.random() < 0.3 else 0.0
    trill = np.zeros(frames)
    time_ = np.arange(frames) * FRAME
    for k, (_, _, _, length) in enumerate(notes):
        start = onsets[k]
        end = onsets[k + 1] if k + 1 < len(notes) else frames * FRAME
        if k:
            width = min(glide * rng.uniform(0.7, 1.4), 0.4 * length)
            rise = np.clip((time_ - start + 0.6 * width) / width, 0, 1)  # mostly done by the vowel's beginning
            curve += (cents[k] - cents[k - 1]) * rise * rise * (3 - 2 * rise)
        if scoop and rng.random() < 0.5:
            curve -= scoop * np.exp(-np.maximum(time_ - start, 0) / 0.06) * (time_ >= start) * (time_ < end)
        if end - start > delay + 0.2:
            grow = np.clip((time_ - start - delay) / 0.25, 0, 1) * np.clip((end - time_) / 0.06, 0, 1)
            pace = speed * rng.uniform(0.94, 1.06)
            trill += depth * rng.uniform(0.6, 1.2) * grow * np.sin(2 * np.pi * pace * (time_ - start)) * (time_ < end)
    drift = smooth(rng.standard_normal(frames), 241)
    drift *= rng.uniform(3, 14) / (drift.std() + 1e-9)
    jitter = smooth(rng.standard_normal(frames), 5) * rng.uniform(0.5, 3)
    pitch: np.ndarray = 2 ** ((curve + trill + drift + jitter) / 1200)
    return pitch


def sing(voice: Voice, rng: np.random.Generator, tune: Tune, longest: float = 12.0) -> NDArray[np.float32]:
    """One song of up to `longest` seconds in a tune's beat, key and scale, (N,) at the voice's rate."""
    total = len(voice.syllables)
    first = int(rng.integers(0, max(1, total - 8)))
    chosen = voice.syllables[first : first + int(rng.integers(8, 40))]
    onset = np.array([min(c - a, 60) for a, c, _, _ in chosen])  # frames kept before and after each vowel
    coda = np.array([min(e - d, 30) for _, _, d, e in chosen])
    need = (coda + np.append(onset[1:], 0) + 18) * FRAME  # leaves 90 ms of vowel at least
    notes = compose(len(chosen), need, rng, tune.beat_s)
    lead = onset[0] * FRAME
    keep = [n for n in notes if n[2] + n[3] + lead <= longest] or notes[:1]
    count = keep[-1][0] + 1
    notes = [n for n in keep if n[0] < count]

    # the source frame to read for every output frame
    starts = np.array([next(n[2] for n in notes if n[0] == i) for i in range(count)]) + lead
    finish = notes[-1][2] + notes[-1][3] + lead
    source, core = [np.arange(chosen[0][1] - onset[0], chosen[0][1], dtype=float)], [np.zeros(onset[0], bool)]
    for i in range(count):
        _, c, d, _ = chosen[i]
        until = (starts[i + 1] - onset[i + 1] * FRAME if i + 1 < count else finish) / FRAME
        length = max(6, round(float(until)) - coda[i] - sum(map(len, source)))
        path = np.linspace(c, d - 1, length) + smooth(rng.standard_normal(length), 9) * 0.6
        source += [np.clip(path, c, d - 1), np.arange(d, d + coda[i], dtype=float)]
        core += [np.ones(length, bool), np.zeros(coda[i], bool)]
        if i + 1 < count:
            source.append(np.arange(chosen[i + 1][1] - onset[i + 1], chosen[i + 1][1], dtype=float))
            core.append(np.zeros(onset[i + 1], bool))
    index, held = np.concatenate(source), np.concatenate(core)
    index = np.clip(index, 0, len(voice.pitch) - 2)
    low = index.astype(int)
    mix = (index - low)[:, None]
    envelope = voice.envelope[low] * (1 - mix) + voice.envelope[low + 1] * mix
    noise = voice.noise[low] * (1 - mix) + voice.noise[low + 1] * mix
    voiced = held | (voice.pitch[np.rint(index).astype(int)] > 0)

    # the melody, near where this voice speaks and somewhat above
    scale = tune.scale
    wanted_tonic = 12 * np.log2(voice.median / 440) + 69 + rng.uniform(-1, 5)
    tonic = round((wanted_tonic - tune.key) / 12) * 12 + tune.key
    if tonic - wanted_tonic > 4:  # rather low than screaming
        tonic -= 12
    midi = np.array([tonic + 12 * (n[1] // len(scale)) + scale[n[1] % len(scale)] for n in notes], float)
    begin = np.array([n[2] for n in notes]) + lead
    wanted = contour(notes, 440 * 2 ** ((midi - 69) / 12), begin, len(index), rng)
    wanted = np.clip(wanted, 60, 1000)

    # timbre: formants moved a little, singer's formant, breathiness, evened and shaped loudness
    bins = envelope.shape[1]
    moved = np.clip(np.arange(bins) / rng.uniform(0.93, 1.08), 0, bins - 1.001)
    part = moved - moved.astype(int)
    envelope = envelope[:, moved.astype(int)] * (1 - part) + envelope[:, moved.astype(int) + 1] * part
    hertz = np.arange(bins) * voice.rate / 2 / (bins - 1)
    ring = rng.uniform(0, 7) * np.exp(-0.5 * ((hertz - rng.uniform(2600, 3300)) / 450) ** 2) * np.log(10) / 10
    envelope = envelope + ring * smooth(voiced.astype(float), 11)[:, None]
    noise = np.clip(noise * np.where(held, rng.uniform(0.6, 1.05), 1.0)[:, None], 1e-6, 1 - 1e-6)
    level = np.log(np.exp(envelope).sum(1) + 1e-16)
    centre = np.array([np.median(level[held & (np.abs(np.arange(len(level)) * FRAME - s) < 0.5)]) for s in starts])
    even = np.clip(rng.uniform(0.4, 0.9) * (np.mean(centre) - centre), -2, 2)
    swell = rng.uniform(0, 0.5) * np.sin(np.pi * np.arange(len(level)) / len(level) * rng.integers(1, 4))
    envelope = envelope + (np.interp(np.arange(len(level)) * FRAME, starts + 0.1, even) + swell)[:, None]

    pitch = np.where(voiced, wanted, 0.0)
    import pyworld

    samples = pyworld.synthesize(pitch, np.exp(envelope), noise, voice.rate, FRAME * 1000)
    fade = int(0.02 * voice.rate)
    samples[:fade] *= np.linspace(0, 1, fade)
    samples[-fade:] *= np.linspace(1, 0, fade)
    samples *= rng.uniform(0.5, 0.9) / (np.abs(samples).max() + 1e-9)
    return np.asarray(samples, dtype=np.float32)
