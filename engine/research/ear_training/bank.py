"""Mixtures and questions about them: what one training step sees.

A mixture is two to six sources (now and then one), either of one piece of music or strangers to each other, each recorded
elsewhere, at -12 to +12 dB, through a common bus. Two questions are asked about each: words, and the sound that they mean.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.research.ear_training.parts import ALSO, PIECES, related
from engine.research.ear_training.processing import LONGEST, OtherRecordings, compression, noise, saturation
from engine.separators.ear import bands
from engine.separators.ear.bands import RATE, WINDOW

Sound = NDArray[np.float32]
CLUTTER, SONGS = "clutter", "songs"
QUIET_RMS = 2e-3
LEVEL_DB = -25.0
"""RMS of a mixture as the network hears it."""
ASKED = 2
"""Questions per mixture."""


@dataclass(frozen=True, slots=True)
class MixtureOdds:
    """How often things happen, 0..1."""

    count: tuple[float, ...] = (0.05, 0.36, 0.27, 0.17, 0.1, 0.05)
    song: float = 0.5
    clutter: float = 0.15
    absent: float = 0.1
    several: float = 0.15
    piece: float = 0.3
    bus: float = 0.3
    noise: float = 0.3


@dataclass(slots=True)
class PromptAndTarget:
    """Words (indices of sources) and the sound that they mean, zeros where it is not there."""

    words: tuple[int, ...]
    target: Sound


class TakeBank:
    """Draws mixtures from a folder of takes. Every draw depends on the generator that is handed in and on nothing else."""

    def __init__(
        self, folder: Path, sources: Sequence[str], elsewhere: OtherRecordings, odds: MixtureOdds | None = None
    ) -> None:
        """`folder` holds `<source>/<world>.npy`, int16 (N, tracks), `songs/<number>.npy` with their `.json`, and index.json."""
        self.sources, self.elsewhere, self.odds = list(sources), elsewhere, odds or MixtureOdds()
        weights: dict[str, float] = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        self.takes: dict[str, list[tuple[NDArray[np.int16], float]]] = {}
        for name in sorted(weights):
            sound = np.load(folder / name, mmap_mode="r")
            if len(sound) > LONGEST and not name.startswith(SONGS):
                self.takes.setdefault(name.split("/")[0], []).append((sound, weights[name]))
        self.songs = [
            (np.load(f, mmap_mode="r"), json.loads(f.with_suffix(".json").read_text()))
            for f in sorted(folder.glob("songs/*.npy"))
            if ".new" not in f.name
        ]
        self.names = [name for name in self.takes if name != CLUTTER]
        self.chances = {name: np.cumsum([weight for _, weight in group]) for name, group in self.takes.items()}

    @property
    def hours(self) -> float:
        """Of all takes and songs."""
        takes = sum(len(take) for group in self.takes.values() for take, _ in group)
        return float(takes + sum(song.size for song, _ in self.songs)) / RATE / 3600

    def crop(self, rng: np.random.Generator, source: str) -> Sound:
        """(tracks, WINDOW), the sum of tracks at unit RMS; tries a few times not to hit a pause."""
        chances, best, loudest = self.chances[source], np.zeros((1, WINDOW), np.float32), 0.0
        for _ in range(5):
            take = self.takes[source][int(np.searchsorted(chances, rng.random() * chances[-1]))][0]
            at = int(rng.integers(0, len(take) - LONGEST))
            piece = take[at : at + LONGEST]
            if piece.any():
                best = self.elsewhere(rng, piece.T.astype(np.float32) / np.float32(32768))
                loudest = float(np.sqrt((best.sum(0) ** 2).mean()))
                if loudest > QUIET_RMS:
                    break
        return best / np.float32(max(loudest, 1e-4))

    def strangers(self, rng: np.random.Generator) -> list[tuple[str, Sound]]:
        """Sources that have nothing to do with each other."""
        count = int(rng.choice(len(self.odds.count), p=self.odds.count)) + 1
        names: list[str] = []
        while len(names) < count:
            name = str(rng.choice(self.names))
            if not any(name in related(other) for other in names):
                names.append(name)
        if CLUTTER in self.takes and count > 1 and rng.random() < self.odds.clutter:
            names[-1] = CLUTTER
        return [(name, self.crop(rng, name)) for name in names]

    def band(self, rng: np.random.Generator) -> list[tuple[str, Sound]]:
        """A few parts of one piece, all read from the same place and moved by the same interval."""
        song, labels = self.songs[int(rng.integers(len(self.songs)))]
        if len(song) <= LONGEST:
            return self.strangers(rng)
        at = int(rng.integers(0, len(song) - LONGEST))
        semitones = rng.uniform(-3.5, 3.5) if rng.random() < 0.5 else 0.0
        parts = []
        for number in rng.permutation(len(labels))[: int(rng.integers(2, 7))]:
            name, first, last = labels[number]
            sound = song[at : at + LONGEST, first:last].T.astype(np.float32) / np.float32(32768)
            if not sound.any():
                continue
            moved = self.elsewhere(rng, sound, semitones)
            rms = float(np.sqrt((moved.sum(0) ** 2).mean()))
            if rms > QUIET_RMS:
                parts.append((name or CLUTTER, moved / np.float32(rms)))
        return parts if len(parts) > 1 else self.strangers(rng)

    def mixture(self, rng: np.random.Generator) -> tuple[Sound, list[PromptAndTarget]]:
        """A mixture (WINDOW,) at LEVEL_DB and the questions about it."""
        odds = self.odds
        parts = self.band(rng) if self.songs and rng.random() < odds.song else self.strangers(rng)
        wide = 12.0 if rng.random() < 0.5 else 6.0
        parts = [(name, sound * np.float32(10 ** (rng.uniform(-wide, wide) / 20))) for name, sound in parts]
        mix = np.sum([sound.sum(0) for _, sound in parts], axis=0)
        gain = np.ones(WINDOW, np.float32)
        if rng.random() < odds.bus:
            gain = compression(rng, mix[None]) if rng.random() < 0.6 else saturation(rng, mix[None])
        rms = float(np.sqrt((mix**2).mean()))
        behind = (
            rms * 10 ** (-rng.uniform(10, 45) / 20) * noise(rng, WINDOW)
            if rng.random() < odds.noise
            else np.zeros(1, np.float32)
        )
        mix = (mix + behind) * gain
        gain = gain * np.float32(10 ** (LEVEL_DB / 20) / max(float(np.sqrt((mix**2).mean())), 1e-6))
        scale = np.float32(10 ** (LEVEL_DB / 20) / max(float(np.sqrt((mix**2).mean())), 1e-6))
        questions = [self.question(rng, parts, gain) for _ in range(ASKED)]
        return np.asarray(mix * scale, dtype=np.float32), questions

    def question(self, rng: np.random.Generator, parts: list[tuple[str, Sound]], gain: Sound) -> PromptAndTarget:
        """One word that is there, sometimes two, a piece of the drums, or something that is not there."""
        odds, there = self.odds, [name for name, _ in parts if name != CLUTTER]
        known = [(name, sound) for name, sound in parts if name != CLUTTER]
        if rng.random() < odds.absent or not known:
            near = set().union(*(related(name) for name in there)) if there else set()
            absent = [name for name in self.sources if name not in near]
            return PromptAndTarget((self.sources.index(str(rng.choice(absent))),), np.zeros(WINDOW, np.float32))
        number = int(rng.integers(len(known)))
        name, sound = known[number]
        if len(sound) == len(PIECES) and rng.random() < odds.piece:
            track = int(rng.integers(len(PIECES) - 1))
            if (sound[track] ** 2).sum() > 1e-4 * (sound.sum(0) ** 2).sum():
                return PromptAndTarget((self.sources.index(PIECES[track]),), sound[track] * gain)
        words = [self.word(rng, name)]
        target = sound.sum(0)
        if len(known) > 2 and rng.random() < odds.several:
            other, more = known[(number + 1) % len(known)]
            words.append(self.word(rng, other))
            target = target + more.sum(0)
        return PromptAndTarget(tuple(self.sources.index(word) for word in dict.fromkeys(words)), target * gain)

    def word(self, rng: np.random.Generator, name: str) -> str:
        """What somebody calls a source."""
        for other, odds in ALSO.get(name, ()):
            if rng.random() < odds:
                return other
        return name

    def batch(self, rng: np.random.Generator, size: int) -> "Batch":
        """`size` questions about half as many mixtures."""
        drawn = [self.mixture(rng) for _ in range(size // ASKED)]
        mixes = torch.from_numpy(np.stack([mix for mix, _ in drawn]))
        targets = torch.from_numpy(np.stack([[q.target for q in questions] for _, questions in drawn]))
        labels = torch.zeros(len(drawn) * ASKED, len(self.sources))
        for row, question in enumerate(q for _, questions in drawn for q in questions):
            labels[row, list(question.words)] = 1
        return Batch.made(mixes, targets, labels)


@dataclass(slots=True)
class Batch:
    """What the loss needs of (B) questions, exactly, without the spectrograms: a mask m (T, K bands) leaves the error

    sum over bands of own m^2 + 2 next m m' - 2 with m + target, m' being the mask in the band above.
    """

    mel: Tensor
    """(B / ASKED, T, K) log-mel of the mixtures."""
    labels: Tensor
    """(B, sources)."""
    own: Tensor
    next: Tensor
    """(B / ASKED, T, K): the mixture's power, as pairs of bands share it."""
    shared: Tensor
    """(B, T, K): the real part of mixture times conjugate target."""
    target: Tensor
    """(B, T, K): the target's power."""

    @classmethod
    def made(cls, mixes: Tensor, targets: Tensor, labels: Tensor) -> "Batch":
        """From mixtures (M, WINDOW) and targets (M, ASKED, WINDOW)."""
        weights = spread()
        mixed = bands.spectrum(mixes)
        asked = targets.shape[1]
        wanted = bands.spectrum(targets.flatten(0, 1))
        power = mixed.abs().square()
        pairs = weights[:, :-1] * weights[:, 1:]
        beside = torch.nn.functional.pad(torch.einsum("bft,fk->btk", power, pairs), (0, 1))
        real = torch.view_as_real(mixed.repeat_interleave(asked, 0)).mul(torch.view_as_real(wanted)).sum(-1)
        return cls(
            bands.log_mel(mixed),
            labels,
            torch.einsum("bft,fk->btk", power, weights.square()),
            beside,
            torch.einsum("bft,fk->btk", real, weights),
            torch.einsum("bft,fk->btk", wanted.abs().square(), weights),
        )


_SPREAD: list[Tensor] = []


def spread() -> Tensor:
    """`bands.spread` of the bins, but above the highest band's centre that band alone counts: rows touch two neighbours."""
    if not _SPREAD:
        weights = bands.spread(torch.fft.rfftfreq(bands.SIZE, 1 / RATE))
        highest = weights[:, -bands.TOP :].sum(1) > 0.999
        lone = highest & (weights[:, -1] < 1) & (weights.gt(0).sum(1) == bands.TOP)
        weights[lone] = torch.nn.functional.one_hot(torch.tensor(bands.BANDS - 1), bands.BANDS).float()
        _SPREAD.append(weights.float())
    return _SPREAD[0]
