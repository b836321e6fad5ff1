"""From installed soundfonts and a folder of recordings to a folder of takes: whatever is not there yet is rendered."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from engine.research.ear_training import processing, songs, sung, validation, worlds
from engine.research.ear_training.parts import Tune
from engine.research.ear_training.worlds import SourceWorld
from engine.research.pocket_training import soundfonts
from host_bridge.errors import ZeroStemError

SINGERS, SUNG_S = 48, 45.0
"""Speakers who are made to sing, and how long each."""
SUNG_WEIGHT = 14.0
"""Of all sung speech together; a recorded singer has 2 at most."""
SONGS = 400
CHANGES = 40
"""Songs after which other players take the stage: fewer libraries in memory at a time."""


def installed() -> list[SourceWorld]:
    """The soundfonts' worlds, none of those that are not installed."""
    there = {Path(font.file).stem for font in soundfonts.TRAINING if (soundfonts.SOUNDS / font.file).exists()}
    return [world for world in worlds.fonts(1.0) if world.name in there]


def prepare(folder: Path, sounds: Path | None, seconds: float, seed: int, say: Callable[[str], None]) -> None:
    """Every world's takes of `seconds`, voices, sung speech, songs and the validation questions, as far as they can be had.

    Raises ZeroStemError where there is nothing to play with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {world.name for world in installed()}
    players = [world for world in worlds.fonts(seconds) if world.name in there]
    players += worlds.recorded(sounds, seconds) if sounds else ()
    if not players:
        packages = " ".join(sorted({font.package for font in soundfonts.TRAINING}))
        raise ZeroStemError(
            "There is nothing to train on.", f"Run apt-get install libfluidsynth3 {packages}, or name a folder with --sounds."
        )
    for number, world in enumerate(players):
        file = world.file(folder)
        if not file.exists():
            worlds.render(world, folder, seed)
            say(f"{number + 1} of {len(players)}: {world.source or 'clutter'}, {world.name}")
        if file.exists():
            worlds.index(folder, {str(file.relative_to(folder)): world.weight})
    voices: list[sung.Voice] = []
    if sounds:
        worlds.index(folder, {str(file.relative_to(folder)): weight for file, weight in worlds.voices(sounds, folder)})
        if find_spec("pyworld") is None:
            say("pyworld is not installed, so no speaker sings: only recorded singers are heard")
        else:
            voices = songs.singers(sounds / "voices" / "speech", SINGERS, np.random.default_rng([seed, 1]))
            sing(folder, voices, seed)
            say(f"{len(voices)} speakers sing")
        if not (folder / "validation.pt").exists():
            validation.save(validation.make(sounds, 24), folder / "validation.pt")
    play(folder, players, voices, seed, say)


def sing(folder: Path, voices: list[sung.Voice], seed: int) -> None:
    """A file of sung speech for each voice."""
    weights = {}
    for number, voice in enumerate(voices):
        rng, file = np.random.default_rng([seed, 2, number]), folder / "vocals" / f"sung-{number:03d}.npy"
        if not file.exists():
            takes = []
            for _ in range(3):
                take = songs.sing(rng, voice, Tune.drawn(rng), SUNG_S / 3)[None]
                take = processing.heavy(rng, take) if rng.random() < 0.1 else take
                takes.append(take / np.float32(max(float(np.abs(take).max()), 1e-3)) * np.float32(0.7))
            worlds.keep(file, takes)
        weights[str(file.relative_to(folder))] = SUNG_WEIGHT / len(voices)
    worlds.index(folder, weights)


def play(folder: Path, players: list[SourceWorld], voices: list[sung.Voice], seed: int, say: Callable[[str], None]) -> None:
    """Songs, each the same whenever it is rendered; other players every so often."""
    for start in range(0, SONGS, CHANGES):
        if (folder / "songs" / f"{start + CHANGES - 1:05d}.json").exists():
            continue
        rng = np.random.default_rng([seed, 3, start])
        chosen = [players[i] for i in rng.permutation(len(players))[: max(8, len(players) // 2)]]
        stage = songs.Bandstand(chosen, voices)
        for number in range(start, start + CHANGES):
            song, labels = stage.song(rng, int(rng.integers(4, 9)))
            songs.keep(folder / "songs", number, song, labels)
        say(f"{start + CHANGES} songs")
