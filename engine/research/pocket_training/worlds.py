"""All that is trained on: which world plays which source for how long, rendered once and kept as files."""

import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from shutil import which

import numpy as np
from numpy.typing import NDArray

from engine.backbones.mel import RATE
from engine.research.pocket_training import kits, patches, soundfonts, speech
from engine.research.pocket_training.bank import CLUTTER, Takes
from engine.research.pocket_training.composer import OTHERS, PARTS
from engine.research.pocket_training.rooms import LONGEST
from host_bridge.errors import ZeroStemError
from host_bridge.types import Progress

Played = list[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class World:
    """One source as played by one instrument, person or machine: `play` gives takes, `weight` says how often it is drawn."""

    source: str
    name: str
    weight: float
    play: Callable[[np.random.Generator], Played]

    def file(self, folder: Path) -> Path:
        """Where its takes are kept."""
        return folder / (self.source or "clutter") / f"{self.name}.npy"


def _soundfont(font: soundfonts.Soundfont, source: str, seconds: float, rng: np.random.Generator) -> Played:
    player = soundfonts.SoundfontPlayer(font)
    takes = soundfonts.render(player, rng, PARTS.get(source, OTHERS), seconds)
    player.close()
    return takes


def _person(speaker: speech.SpeechVoice, rng: np.random.Generator) -> Played:
    return [speech.prompts(rng, speaker)]


def worlds(seconds: float) -> Iterator[World]:
    """Every world, `seconds` of each source in the largest of them."""
    for font, share in zip(soundfonts.TRAINING, (1.0, 1.0, 0.5, 0.35, 0.35, 0.35), strict=True):
        name = Path(font.file).stem
        for source in font.sources:
            yield World(source, name, share, partial(_soundfont, font, source, seconds * share))
    for font in soundfonts.TRAINING[:2]:
        yield World(CLUTTER, Path(font.file).stem, 1, partial(_soundfont, font, CLUTTER, seconds))
    for source in PARTS:
        if source == "drums" or patches.there(source):
            yield World(source, "freepats", 0.6, partial(patches.render, source=source, seconds=seconds * 0.6))
    yield World("drums", "hydrogen", 2, partial(kits.drums, seconds=2 * seconds))
    yield World("acoustic guitar", "belofilms", 0.6, partial(kits.strums, seconds=seconds * 0.6))
    yield World("speech", "espeak", 1, partial(speech.espeak, seconds=seconds))
    yield World("speech", "flite", 0.4, partial(speech.flite, seconds=seconds * 0.4))
    for speaker in speech.PEOPLE:
        weight = 0.4 if speaker.folder.parent == speech.ASTERISK else 0.08
        yield World("speech", f"{speaker.package}-{speaker.folder.name}", weight, partial(_person, speaker))


def render(world: World, folder: Path, seed: int) -> None:
    """Plays a world and keeps it as int16, each take at a peak of 0.9. The seed and the world's name decide everything."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{world.source} {world.name}".encode())])
    takes = [take / max(float(np.abs(take).max()), 1e-4) * 0.9 for take in world.play(rng) if len(take)]
    sound = np.concatenate(takes) if takes else np.zeros(0)
    file = world.file(folder)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new.npy")
    np.save(unfinished, (sound * 32767).astype(np.int16))
    unfinished.replace(file)


def missing() -> list[str]:
    """The Debian packages that training needs and that are not installed, sorted."""
    needed = [(font.package, soundfonts.SOUNDS / font.file) for font in soundfonts.TRAINING]
    needed += [(package, kits.KITS / name) for name, package in kits.PACKAGES.items()]
    needed += [("freepats", patches.FOLDER), ("freepats", patches.CONFIGURATION)]
    needed += [(speaker.package, speaker.folder) for speaker in speech.PEOPLE]
    programs = ("timidity", "espeak-ng", "flite", "ffmpeg")  # each in a package of its name
    return sorted({package for package, path in needed if not path.exists()} | {each for each in programs if not which(each)})


def prepare(folder: Path, seconds: float, seed: int, progress: Progress, workers: int) -> dict[str, list[Takes]]:
    """Every world's takes by source, mapped from `folder`; what is not there yet is rendered first.

    Raises ZeroStemError, naming the Debian packages, where sounds or programs are not installed.
    """
    if packages := missing():
        raise ZeroStemError(
            "Some of the sounds to train on are not installed.", f"Run apt-get install libfluidsynth3 {' '.join(packages)}."
        )
    soundfonts.library()
    every = list(worlds(seconds))
    unplayed = [world for world in every if not world.file(folder).exists()]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        jobs = [pool.submit(render, world, folder, seed) for world in unplayed]
        for done, job in enumerate(jobs):
            job.result()
            progress((done + 1) / len(jobs), "rendering")
    takes: dict[str, list[Takes]] = {}
    for world in every:
        sound = np.load(world.file(folder), mmap_mode="r")
        if len(sound) > LONGEST:  # a world may lack an instrument
            takes.setdefault(world.source, []).append(Takes(sound, world.weight))
    return takes


def length_s(takes: dict[str, list[Takes]]) -> float:
    """All of it, in seconds."""
    return sum(len(each.sound) for group in takes.values() for each in group) / RATE
