"""Questions that never change, about sounds that are never trained on: what a run is steered by.

`pairs`: two strangers out of the held-out libraries and voices. `band`: a drummer, a bassist, a guitarist and a singer, the
first three in one tempo and key, every one of them asked for. Both add one question each about a word that is not there.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.separators.ear.bands import RATE, WINDOW
from engine.separators.ear_training import parts, worlds
from engine.separators.ear_training.bank import LEVEL_DB, Batch
from engine.separators.ear_training.parts import SOURCES, Tune, related
from engine.separators.ear_training.players import Player
from engine.separators.ear_training.players import load as recording

Sound = NDArray[np.float32]
FIELDS = ("mel", "labels", "own", "next", "shared", "target")
BAND = ("drums", "bass", "electric guitar", "vocals")


def load(file: Path) -> dict[str, list[Batch]]:
    """Batches by the name of their set; none where the file is not there. Words that came later are columns of zeros."""
    if not file.exists():
        return {}
    sets = {name: [Batch(**each) for each in batches] for name, batches in torch.load(file, weights_only=True).items()}
    for batch in (each for batches in sets.values() for each in batches):
        batch.labels = torch.nn.functional.pad(batch.labels, (0, len(SOURCES) - batch.labels.shape[1]))
    return sets


def save(sets: dict[str, list[Batch]], file: Path) -> None:
    """Writes what `load` reads."""
    torch.save({n: [{field: getattr(b, field) for field in FIELDS} for b in batches] for n, batches in sets.items()}, file)


class Heldout:
    """The held-out half of a sounds folder: instruments played to tunes, singers and speakers as they were recorded."""

    def __init__(self, sounds: Path) -> None:
        self.worlds: dict[str, list[worlds.World]] = {}
        for world in worlds.recorded(sounds, 0, "instruments-heldout"):
            if world.source and world.name.startswith("real-") and world.name not in ("real-bowed", "real-horns", "real-brass"):
                self.worlds.setdefault(world.source, []).append(world)
        self.people = {
            source: [sorted(p.glob("*.ogg")) for p in sorted((sounds / "voices-heldout" / kind).iterdir())]
            for kind, source in (("singing", "vocals"), ("speech", "speech"))
        }
        self.players: dict[str, Player] = {}

    @property
    def names(self) -> list[str]:
        """Every source there is, sorted."""
        return sorted([*self.worlds, *self.people])

    def sound(self, rng: np.random.Generator, source: str, tune: Tune, size: int, bars: int = 0) -> Sound:
        """(size,) at unit RMS, never a pause: a tune's first bars, or any place of a voice."""
        for _ in range(20):
            if source in self.people:
                person = self.people[source][int(rng.integers(len(self.people[source])))]
                whole = recording(person[int(rng.integers(len(person)))])
                whole = np.tile(whole, -(-size // len(whole)))
                at = int(rng.integers(0, len(whole) - size + 1))
                sound = whole[at : at + size]
            else:
                world = self.worlds[source][int(rng.integers(len(self.worlds[source])))]
                player = self.players.setdefault(world.name, world.make())
                needed = bars or int(np.ceil(size / RATE / tune.bar_s)) + 1
                notes = parts.play(rng, player.suits(world.part), tune, needed)
                sound = player.perform(rng, notes).sum(0)[:size]
                sound = np.pad(sound, (0, size - len(sound)))
            rms = float(np.sqrt((sound**2).mean()))
            if rms > 2e-3:
                return np.asarray(sound / rms, dtype=np.float32)
        raise ValueError(f"nothing to be heard of {source}")


def mixes(sounds: Path, count: int, seed: int, kind: str, size: int = WINDOW) -> list[tuple[tuple[str, ...], Sound]]:
    """`count` times the names and the parts (sources, size) at 32 kHz: `pairs` within 5 dB, `band` within 6 dB."""
    heldout, rng, out = Heldout(sounds), np.random.default_rng(seed), []
    for _ in range(count):
        names = tuple(str(n) for n in rng.choice(heldout.names, 2, replace=False)) if kind == "pairs" else BAND
        while kind == "pairs" and names[1] in related(names[0]):
            names = (names[0], str(rng.choice(heldout.names)))
        tune, wide = Tune.drawn(rng), 5 if kind == "pairs" else 6
        each = [heldout.sound(rng, name, tune if kind == "band" else Tune.drawn(rng), size) for name in names]
        out.append((names, np.stack([s * np.float32(10 ** (rng.uniform(-wide, wide) / 20)) for s in each])))
    return out


def make(sounds: Path, count: int, seed: int = 5) -> dict[str, list[Batch]]:
    """The validation sets, `count` mixtures in each."""
    sets: dict[str, list[Batch]] = {}
    for kind in ("pairs", "band"):
        rng, batches = np.random.default_rng(seed + 1), list[Batch]()
        for names, sound in mixes(sounds, count, seed, kind):
            gain = np.float32(10 ** (LEVEL_DB / 20) / np.sqrt((sound.sum(0) ** 2).mean()))
            near = set().union(*(related(name) for name in names))
            absent = str(rng.choice([name for name in SOURCES if name not in near]))
            labels = torch.zeros(len(names) + 1, len(SOURCES))
            for row, name in enumerate([*names, absent]):
                labels[row, SOURCES.index(name)] = 1
            targets = torch.from_numpy(np.concatenate([sound, np.zeros((1, sound.shape[1]), np.float32)]) * gain)
            batches.append(Batch.made(targets.sum(0, keepdim=True), targets[None], labels))
        sets[kind] = batches
    return sets
