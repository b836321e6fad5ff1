"""Pieces of music: three to six players in one tempo, key and bar grid, each part on tracks of its own.

A song is int16 (N, tracks) beside a JSON list of [source, first track, one past its last]; sources without a word are "".
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.research.ear_training import parts, processing, sung
from engine.research.ear_training.parts import PARTS, Tune
from engine.research.ear_training.players import NotePlayer, load, shifted
from engine.research.ear_training.worlds import SourceWorld
from engine.separators.ear.bands import RATE

Sound = NDArray[np.float32]
LOW, CHORDS, LINES = (
    {"bass": 5.0, "double bass": 2.0},
    {
        "electric guitar": 5.0,
        "acoustic guitar": 4.0,
        "piano": 4.0,
        "electric piano": 2.0,
        "organ": 2.0,
        "pad": 2.0,
        "strings": 3.0,
        "brass section": 2.0,
        "harp": 0.7,
        "banjo": 0.7,
        "accordion": 0.8,
        "choir": 1.0,
    },
    {
        "vocals": 12.0,
        "electric guitar": 3.0,
        "saxophone": 2.0,
        "trumpet": 2.0,
        "flute": 1.5,
        "violin": 1.5,
        "clarinet": 1.0,
        "cello": 1.0,
        "synth lead": 2.5,
        "harmonica": 1.0,
        "marimba": 1.0,
        "sitar": 0.6,
        "speech": 0.5,
    },
)
"""Who plays which role how often."""


def lineup(rng: np.random.Generator, there: set[str]) -> list[str]:
    """Three to six different sources that could be a band, out of those that somebody can play."""
    chosen: list[str] = []

    def take(role: dict[str, float]) -> None:
        names = [name for name in role if name in there and not any(name in parts.related(other) for other in chosen)]
        if names:
            odds = np.array([role[name] for name in names])
            chosen.append(str(rng.choice(names, p=odds / odds.sum())))

    if rng.random() < 0.85 and "drums" in there:
        chosen.append("drums")
    if rng.random() < 0.85:
        take(LOW)
    for _ in range(int(rng.integers(1, 3))):
        take(CHORDS)
    for _ in range(int(rng.integers(1, 3))):
        take(LINES)
    if rng.random() < 0.15 and "hand percussion" in there and "drums" not in chosen:
        chosen.append("hand percussion")
    return chosen


class Bandstand:
    """Players who are kept for many songs, and singers."""

    def __init__(self, worlds: Sequence[SourceWorld], singers: Sequence[sung.Voice]) -> None:
        self.worlds: dict[str, list[SourceWorld]] = {}
        for world in worlds:
            if world.source in PARTS:
                self.worlds.setdefault(world.source, []).append(world)
        self.players: dict[tuple[str, str], NotePlayer] = {}
        self.singers = list(singers)

    def song(self, rng: np.random.Generator, bars: int) -> tuple[NDArray[np.int16], list[tuple[str, int, int]]]:
        """One piece, every part at a peak of 0.7."""
        tune = Tune.drawn(rng)
        size = int(bars * tune.bar_s * RATE)
        there = {*self.worlds, *({"vocals"} if self.singers else ())}
        tracks, labels = list[Sound](), list[tuple[str, int, int]]()
        for name in lineup(rng, there):
            sound = self.part(rng, name, tune, bars)[:, :size]
            peak = float(np.abs(sound.sum(0)).max(initial=0))
            if peak < 1e-4:
                continue
            first = sum(map(len, tracks))
            tracks.append(np.pad(sound * np.float32(0.7 / peak), ((0, 0), (0, size - sound.shape[1]))))
            labels.append((name, first, first + len(sound)))
        whole = np.concatenate(tracks) if tracks else np.zeros((1, 0), np.float32)
        return (np.clip(whole.T, -1, 1) * 32767).astype(np.int16), labels

    def part(self, rng: np.random.Generator, name: str, tune: Tune, bars: int) -> Sound:
        """(tracks, N) of one part."""
        if name == "vocals":
            return sing(rng, self.singers[int(rng.integers(len(self.singers)))], tune, bars * tune.bar_s)[None]
        group = self.worlds[name]
        odds = np.array([world.weight for world in group])
        world = group[int(rng.choice(len(group), p=odds / odds.sum()))]
        player = self.players.setdefault((world.source, world.name), world.make())
        sound = player.perform(rng, parts.play(rng, player.suits(world.part), tune, bars, rests=float(rng.choice([0, 0, 0.2]))))
        return processing.heavy(rng, sound) if name not in ("drums", "bass") and rng.random() < 0.06 else sound


def sing(rng: np.random.Generator, voice: sung.Voice, tune: Tune, seconds: float) -> Sound:
    """(N,) of sung speech with pauses between phrases; now and then doubled, or with a second voice a third or fifth away."""
    out, at = np.zeros(int(seconds * RATE) + RATE, np.float32), int(rng.choice([0, 0, 2]) * tune.beat_s * RATE)
    while at < seconds * RATE:
        phrase = sung.sing(voice, rng, tune, longest=float(rng.uniform(3, 10)))
        if rng.random() < 0.25:
            other = shifted(phrase, float(rng.choice([rng.normal(0, 0.12), 3, 4, -5, 7], p=[0.6, 0.1, 0.1, 0.1, 0.1])))
            other = np.pad(other, (int(rng.uniform(0.005, 0.03) * RATE), 0))[: len(phrase)]
            phrase[: len(other)] += other * np.float32(rng.uniform(0.3, 1))
        piece = phrase[: len(out) - at]
        out[at : at + len(piece)] += piece
        beats = np.ceil(len(phrase) / RATE / tune.beat_s) + int(rng.choice([0, 1, 2, 4]))
        at += int(beats * tune.beat_s * RATE)
    return out


def singers(speech: Path, count: int, rng: np.random.Generator, longest_s: float = 25) -> list[sung.Voice]:
    """Voices out of a folder of speakers, each of at most so many seconds of speech; those without syllables are left out."""
    folders, found = sorted(p for p in speech.iterdir() if p.is_dir()), list[sung.Voice]()
    for folder in rng.permutation(len(folders)):
        recordings, total = list[Sound](), 0
        for file in sorted(folders[folder].glob("*.ogg")):
            recordings.append(load(file))
            total += len(recordings[-1])
            if total > longest_s * RATE:
                break
        voice = sung.analyse(np.concatenate(recordings)[: int(longest_s * RATE)], RATE) if recordings else None
        if voice is not None:
            found.append(voice)
        if len(found) >= count:
            break
    return found


def keep(folder: Path, number: int, song: NDArray[np.int16], labels: list[tuple[str, int, int]]) -> None:
    """Writes a song; its labels first, so that a sound is never without them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number:05d}.json").write_text(json.dumps(labels), encoding="utf-8")
    unfinished = folder / f"{number:05d}.new.npy"
    np.save(unfinished, song)
    unfinished.replace(folder / f"{number:05d}.npy")
