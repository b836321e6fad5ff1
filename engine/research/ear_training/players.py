"""Who plays: soundfonts through FluidSynth and recorded libraries through a sampler, amplifiers and sections of players.

A performance is float32 (tracks, N) at 32 kHz: one track, or for drums one of each of `parts.PIECES`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from engine.research.ear_training.parts import PIECES, piece
from engine.research.pocket_training import soundfonts
from engine.research.pocket_training.composer import MusicalPart, Note
from engine.separators.ear.bands import RATE

Sound = NDArray[np.float32]
RING_S = 1.0


class NotePlayer(Protocol):
    """Anything that can play notes."""

    def perform(self, rng: np.random.Generator, notes: Sequence[Note]) -> Sound:
        """(tracks, N); empty where it has nothing to play them with."""
        ...

    def suits(self, part: MusicalPart) -> MusicalPart:
        """The part, its range narrowed to what this player has."""
        ...


def length(notes: Sequence[Note]) -> int:
    """Samples that a performance of these notes takes."""
    return int((max((n.start_s + n.length_s for n in notes), default=0.0) + RING_S) * RATE)


@cache
def _synth(font: soundfonts.Soundfont) -> tuple[Any, int]:
    """A synthesiser with this soundfont, loaded once in a process."""
    synth: Any = soundfonts.library().Synth(samplerate=float(RATE), gain=0.6)
    return synth, int(synth.sfload(str(font.path())))


class Font:
    """A General MIDI soundfont playing one part."""

    def __init__(self, font: soundfonts.Soundfont, part: MusicalPart) -> None:
        """Raises ZeroStemError where the soundfont or FluidSynth is missing."""
        self.part = part
        self.synth, self.font = _synth(font)
        self.struck = "drums" in part.styles or "percussion" in part.styles
        there = [(soundfonts.DRUM_BANK, kit) for kit in soundfonts.KITS] if self.struck else [(0, p) for p in part.programs]
        self.presets = [each for each in there if self.synth.sfpreset_name(self.font, *each)]
        if "drums" in part.styles and not self.presets:
            self.presets = [(0, 0)]

    def suits(self, part: MusicalPart) -> MusicalPart:
        """Soundfonts have every pitch."""
        return part

    def perform(self, rng: np.random.Generator, notes: Sequence[Note]) -> Sound:
        """A random preset with random reverb and chorus, folded from stereo at random."""
        if not self.presets or not notes:
            return np.zeros((1, 0), np.float32)
        bank, program = self.presets[int(rng.integers(len(self.presets)))]
        reverb, chorus = int(rng.choice([0, 0, 20, 60, 100])), int(rng.choice([0, 0, 30]))
        left = 0.5 if rng.random() < 0.5 else rng.uniform(0, 1)
        if "drums" not in self.part.styles:
            return self._play(notes, bank, program, reverb, chorus, left)[None]
        groups = [[n for n in notes if piece(n.pitch) == track] for track in range(len(PIECES))]
        tracks = [self._play(g, bank, program, reverb, 0, left) if g else np.zeros(0, np.float32) for g in groups]
        size = max(map(len, tracks))
        return np.stack([np.pad(track, (0, size - len(track))) for track in tracks])

    def _play(self, notes: Sequence[Note], bank: int, program: int, reverb: int, chorus: int, left: float) -> Sound:
        channel = 9 if bank == soundfonts.DRUM_BANK else 0
        self.synth.system_reset()
        self.synth.program_select(channel, self.font, bank, program)
        self.synth.cc(channel, 91, reverb)
        self.synth.cc(channel, 93, chorus)
        moments = [(n.start_s, 1, n) for n in notes] + [(n.start_s + n.length_s, 0, n) for n in notes]
        at, pieces = 0, []
        for time_s, on, note in sorted(moments):
            to = max(at, int(time_s * RATE))
            pieces.append(self.synth.get_samples(to - at))
            at = to
            if on:
                self.synth.noteon(channel, note.pitch, note.velocity)
            else:
                self.synth.noteoff(channel, note.pitch)
        pieces.append(self.synth.get_samples(int(RING_S * RATE)))
        stereo = np.concatenate(pieces).reshape(-1, 2).astype(np.float32) / 32768
        return np.asarray(stereo @ np.array([left, 1 - left], np.float32), dtype=np.float32)


def load(path: Path) -> Sound:
    """A file folded to mono at 32 kHz, (N,)."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = sound.mean(1)
    return np.asarray(mono if rate == RATE else soxr.resample(mono, rate, RATE), dtype=np.float32)


def shifted(sound: Sound, semitones: float) -> Sound:
    """Read faster or slower, by linear interpolation."""
    if abs(semitones) < 0.005:
        return sound
    factor = 2 ** (semitones / 12)
    count = max(1, int(len(sound) / factor))
    return np.asarray(np.interp(np.arange(count) * factor, np.arange(len(sound)), sound), np.float32)


def sustained(sound: Sound, size: int) -> Sound:
    """At least `size` samples of a sound that does not die away, its middle repeated with cross-fades; else as it is."""
    if len(sound) >= size or len(sound) < RATE // 3:
        return sound
    start, end, fade = int(0.35 * len(sound)), int(0.85 * len(sound)), int(0.1 * len(sound))
    loud = [np.sqrt((sound[a:b] ** 2).mean()) for a, b in ((start, start + fade), (end - fade, end))]
    if loud[1] < 0.5 * loud[0]:
        return sound
    up = np.sin(np.linspace(0, np.pi / 2, fade)).astype(np.float32)
    pieces, total = [sound[: end - fade]], end - fade
    joint = sound[end - fade : end] * up[::-1] + sound[start : start + fade] * up
    body = sound[start + fade : end - fade]
    while total < size and len(body):
        pieces += [joint, body]
        total += len(joint) + len(body)
    pieces.append(sound[end - fade :])
    return np.concatenate(pieces)


def parse(stem: str) -> tuple[str, int | None]:
    """A file name's articulation and MIDI pitch: "pluck_060_v3" -> ("pluck", 60); no pitch: ("kick_x_v1") -> ("kick", None)."""
    found = re.match(r"(.+)_(\d{3}|x)_(.+)$", stem)
    if not found:
        return stem, None
    return found[1], None if found[2] == "x" else int(found[2])


@dataclass
class Library:
    """A folder of recorded notes, played with the nearest pitch, dynamics by velocity and a choice among repetitions."""

    folder: Path
    chords: bool = False
    """Whether each recording is a chord, so that only one sounds at a time."""

    @cached_property
    def articulations(self) -> dict[str, dict[int, list[Sound]]]:
        """Articulation -> MIDI pitch -> recordings from soft to loud."""
        out: dict[str, dict[int, list[Sound]]] = {}
        for file in sorted(self.folder.glob("*.ogg")):
            name, midi = parse(file.stem)
            if midi is not None:
                out.setdefault(name, {}).setdefault(midi, []).append(load(file))
        for pitches in out.values():
            for sounds in pitches.values():
                sounds.sort(key=lambda s: float((s[: RATE // 2] ** 2).mean()))
        return out

    def suits(self, part: MusicalPart) -> MusicalPart:
        """The part, its range narrowed to that of the recordings and a few semitones around them."""
        pitches = [p for group in self.articulations.values() for p in group]
        if not pitches:
            return part
        low, high = max(part.low, min(pitches) - 3), min(part.high, max(pitches) + 4)
        return (
            replace(part, low=low, high=high) if high - low >= 5 else replace(part, low=min(pitches) - 3, high=max(pitches) + 4)
        )

    def perform(self, rng: np.random.Generator, notes: Sequence[Note]) -> Sound:
        """(1, N): one articulation for the whole performance, now and then a second one."""
        names = list(self.articulations)
        if not names or not notes:
            return np.zeros((1, 0), np.float32)
        sizes = np.sqrt([sum(map(len, self.articulations[name].values())) for name in names])
        main, other = (str(name) for name in rng.choice(names, 2, p=sizes / sizes.sum()))
        out, release = np.zeros(length(notes), np.float32), float(np.exp(rng.uniform(np.log(0.03), np.log(0.6))))
        curve, muted = rng.uniform(0.5, 2.0), rng.random() < 0.12
        for note in notes:
            group = self.articulations[other if rng.random() < 0.1 else main]
            pitches = np.fromiter(group, int)
            nearest = int(pitches[np.abs(pitches - note.pitch + rng.uniform(-0.8, 0.8)).argmin()])
            if abs(nearest - note.pitch) > 9:
                continue
            layers = group[nearest]
            layer = int(np.clip(round(note.velocity / 127 * (len(layers) - 1) + rng.normal(0, 0.7)), 0, len(layers) - 1))
            lasts = int((min(note.length_s, 0.09) if muted else note.length_s) * RATE)
            fade = int((0.03 if muted else release) * RATE)
            sound = sustained(shifted(layers[layer], note.pitch - nearest + rng.normal(0, 0.04)), lasts + fade)[
                : lasts + fade
            ].copy()
            tail = min(fade, len(sound))
            sound[len(sound) - tail :] *= np.linspace(1, 0, tail, dtype=np.float32) ** 2
            peak = float(np.abs(sound).max(initial=1e-5))
            at = int(note.start_s * RATE)
            sound = sound[: len(out) - at]
            out[at : at + len(sound)] += sound * np.float32((note.velocity / 127) ** curve * (0.3 / peak) ** 0.5)
        return out[None]


@dataclass
class Section:
    """Several players of one or more libraries on the same notes, each a little off in time and pitch."""

    libraries: Sequence[Library]

    def suits(self, part: MusicalPart) -> MusicalPart:
        """As the first library can."""
        return self.libraries[0].suits(part)

    def perform(self, rng: np.random.Generator, notes: Sequence[Note]) -> Sound:
        """(1, N)."""
        out = np.zeros((1, length(notes) + RATE), np.float32)
        for _ in range(int(rng.integers(3, 6))):
            library = self.libraries[int(rng.integers(len(self.libraries)))]
            octave = 12 * int(rng.choice([-1, 0, 0, 0]))
            late = abs(rng.normal(0, 0.015))
            own = [replace(n, start_s=n.start_s + late + abs(rng.normal(0, 0.008)), pitch=n.pitch + octave) for n in notes]
            sound = shifted(library.perform(rng, own)[0], rng.normal(0, 0.08))[: out.shape[1]]
            out[0, : len(sound)] += sound
        return out


ROLES = (
    (0, r"kick|kdrum|^ks|^bd|bass-?drum"),
    (1, r"snare|stick|clap|rim|^s[cse](?!\w*cym)"),
    (2, r"hat|^h[chflot]|ride|crash|china|splash|cym"),
    (3, r""),
)
"""What kits call the pieces; the first that matches."""


@dataclass
class Kit:
    """A folder of drum strokes by role."""

    folder: Path
    struck: bool = False
    """Hand percussion: any stroke for any pitch, one track."""

    @cached_property
    def strokes(self) -> dict[int, list[list[Sound]]]:
        """Track -> instruments -> strokes from soft to loud."""
        groups: dict[str, list[Sound]] = {}
        for file in sorted(self.folder.glob("*.ogg")):
            groups.setdefault(parse(file.stem)[0], []).append(load(file))
        kit: dict[int, list[list[Sound]]] = {}
        for name, sounds in groups.items():
            role = 0 if self.struck else next(track for track, pattern in ROLES if re.search(pattern, name, re.IGNORECASE))
            kit.setdefault(role, []).append(sorted(sounds, key=lambda s: float((s**2).sum())))
        return kit

    def suits(self, part: MusicalPart) -> MusicalPart:
        """Kits have no pitch."""
        return part

    def perform(self, rng: np.random.Generator, notes: Sequence[Note]) -> Sound:
        """(4, N), or (1, N) for hand percussion; every pitch keeps its instrument."""
        out = np.zeros((1 if self.struck else len(PIECES), length(notes) + RATE), np.float32)
        chosen: dict[int, list[Sound]] = {}
        tune = rng.normal(0, 1.0)
        for note in notes:
            track = 0 if self.struck else piece(note.pitch)
            if note.pitch not in chosen:
                instruments = self.strokes.get(track)
                chosen[note.pitch] = [] if not instruments else instruments[int(rng.integers(len(instruments)))]
            if not (layers := chosen[note.pitch]):
                continue
            layer = int(np.clip(round(note.velocity / 127 * (len(layers) - 1) + rng.normal(0, 0.8)), 0, len(layers) - 1))
            sound = shifted(layers[layer], tune) if abs(tune) > 0.7 else layers[layer]
            at = int(note.start_s * RATE)
            sound = sound[: out.shape[1] - at]
            peak = float(np.abs(sound).max(initial=1e-5))
            out[track, at : at + len(sound)] += sound * np.float32((note.velocity / 127) ** 1.3 * (0.3 / peak) ** 0.5)
        return out


@dataclass
class Amplified:
    """A direct guitar or bass through an amplifier and a cabinet, clean to high gain; guitars also play riffs of fifths."""

    player: NotePlayer
    riffs: float = 0.0
    gain: float = 0.7
    """How often the amplifier is there at all."""

    def suits(self, part: MusicalPart) -> MusicalPart:
        """As the player can."""
        return self.player.suits(part)

    def perform(self, rng: np.random.Generator, notes: Sequence[Note]) -> Sound:
        """(1, N)."""
        if rng.random() < self.riffs:
            notes = fifths(rng, notes)
        sound = self.player.perform(rng, notes)[0]
        return (amp(rng, sound) if len(sound) and rng.random() < self.gain else sound)[None]


def fifths(rng: np.random.Generator, notes: Sequence[Note]) -> list[Note]:
    """The lowest note of each moment as root, fifth and octave, low on the neck, some of them damped with the palm."""
    out, last = list[Note](), -1.0
    for note in notes:
        if note.start_s - last < 0.06:
            continue
        last, root = note.start_s, 40 + (note.pitch - 40) % 12
        damped = rng.random() < 0.35
        lasts = 0.08 if damped else note.length_s
        out += [replace(note, pitch=root + step, length_s=lasts) for step in ((0, 7, 12) if rng.random() < 0.6 else (0, 7))]
    return out


def amp(rng: np.random.Generator, sound: Sound) -> Sound:
    """Preamplifier, clipping from barely to high gain, tone and a cabinet's band."""
    drive = 10 ** (rng.uniform(-6, 45) / 20)
    x = sound / (np.abs(sound).max() + 1e-9)
    x = sosfilt(butter(1, rng.uniform(60, 500), "high", fs=RATE, output="sos"), x)
    y = np.tanh(drive * x + rng.uniform(0, 0.3))
    if rng.random() < 0.4:  # a second stage
        y = np.tanh(rng.uniform(1, 3) * sosfilt(butter(1, rng.uniform(100, 800), "high", fs=RATE, output="sos"), y))
    y = y - y.mean()
    middle = rng.uniform(300, 1500)
    y = y + rng.uniform(-0.6, 1.2) * sosfilt(butter(1, [middle / 1.6, middle * 1.6], "band", fs=RATE, output="sos"), y)
    y = sosfilt(butter(2, [rng.uniform(50, 120), rng.uniform(3500, 8000)], "band", fs=RATE, output="sos"), y)
    return np.asarray(y / (np.abs(y).max() + 1e-9), dtype=np.float32)
