"""Plays the composer's takes with General MIDI soundfonts, through FluidSynth: some 400 times faster than real time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backbones.mel import RATE
from engine.research.pocket_training.composer import PARTS, MusicalPart, Note, take
from host_bridge.errors import ZeroStemError

SOUNDS = Path("/usr/share/sounds")
DRUM_CHANNEL, DRUM_BANK = 9, 128
KITS, KIT_ODDS = (0, 8, 16, 24, 25, 32, 40), (0.34, 0.12, 0.15, 0.1, 0.12, 0.07, 0.1)
RING_S = 0.4
"""After the last note of a take."""


@dataclass(frozen=True, slots=True)
class Soundfont:
    """A soundfont, the Debian package it comes in, its licence, and the sources that may be played with it."""

    file: str
    package: str
    licence: str
    sources: tuple[str, ...] = tuple(PARTS)

    def path(self) -> Path:
        """Where Debian puts it. Raises ZeroStemError, naming the package, where it is not installed."""
        path = SOUNDS / self.file
        if not path.exists():
            raise ZeroStemError(f"The soundfont {path} is not there.", f"Install it: apt-get install {self.package}.")
        return path


TRAINING = (
    Soundfont("sf2/FluidR3_GM.sf2", "fluid-soundfont-gm", "MIT"),
    Soundfont("sf3/MuseScore_General_Full.sf3", "musescore-general-soundfont", "MIT"),
    Soundfont(
        "sf2/A320U.sf2",
        "denemo-data",
        "GPL-2",
        ("bass", "acoustic guitar", "electric guitar", "trumpet", "saxophone", "flute", "choir", "synth lead"),
    ),
    Soundfont("sf2/OPL-3_FM_128M.sf2", "opl3-soundfont", "CC-BY-SA-4.0"),
    Soundfont("sf2/Black_Pearl_4_LV2.sf2", "avldrums.lv2-soundfont", "CC-BY-SA-3.0", ("drums",)),
    Soundfont("sf2/Red_Zeppelin_4_LV2.sf2", "avldrums.lv2-soundfont", "CC-BY-SA-3.0", ("drums",)),
)
"""A320U shares samples of its other instruments with TimGM6mb, and csound-soundfont nearly all of them: both would leak."""

HELD_OUT = Soundfont("sf2/TimGM6mb.sf2", "timgm6mb-soundfont", "GPL-2")
"""Never trained on."""


def library() -> Any:
    """FluidSynth's Python binding. Raises ZeroStemError where it or the library itself is missing."""
    try:
        import fluidsynth
    except ImportError as error:
        raise ZeroStemError(
            f"FluidSynth cannot be loaded ({error}).", "Run apt-get install libfluidsynth3 and pip install zerostem[train]."
        ) from error
    return fluidsynth


class SoundfontPlayer:
    """One soundfont in one synthesiser."""

    def __init__(self, soundfont: Soundfont) -> None:
        """Raises ZeroStemError where the soundfont or FluidSynth is missing."""
        self.synth: Any = library().Synth(samplerate=float(RATE), gain=0.6)
        self.font: int = self.synth.sfload(str(soundfont.path()))

    def close(self) -> None:
        """Frees the soundfont's memory."""
        self.synth.delete()

    def presets(self, part: MusicalPart) -> list[tuple[int, int]]:
        """The soundfont's (bank, program) pairs that can play the part; a drum soundfont may have its kit at (0, 0)."""
        drums = "drums" in part.styles
        wanted = [(DRUM_BANK, kit) for kit in KITS] if drums else [(0, program) for program in part.programs]
        there = [each for each in wanted if self.synth.sfpreset_name(self.font, *each)]
        return there or ([(0, 0)] if drums else [])

    def play(self, rng: np.random.Generator, part: MusicalPart, notes: Sequence[Note]) -> NDArray[np.float32]:
        """One take at 16 kHz, (N,) in [-1, 1]: a random preset, reverb and chorus, folded from stereo at random."""
        channel = DRUM_CHANNEL if "drums" in part.styles else 0
        presets = self.presets(part)
        odds = np.array([KIT_ODDS[KITS.index(program)] if bank == DRUM_BANK else 1.0 for bank, program in presets])
        bank, program = presets[rng.choice(len(presets), p=odds / odds.sum())]
        self.synth.system_reset()
        self.synth.program_select(channel, self.font, bank, program)
        self.synth.cc(channel, 91, int(rng.choice([0, 20, 60, 100])))  # reverb
        self.synth.cc(channel, 93, int(rng.choice([0, 0, 30])))  # chorus
        moments = [(note.start_s, 1, note) for note in notes] + [(note.start_s + note.length_s, 0, note) for note in notes]
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
        left = 0.5 if rng.random() < 0.5 else rng.uniform(0, 1)
        return np.asarray(stereo @ np.array([left, 1 - left], np.float32), dtype=np.float32)


def render(player: SoundfontPlayer, rng: np.random.Generator, part: MusicalPart, seconds: float) -> list[NDArray[np.float32]]:
    """Takes of one part, at least `seconds` in all; none where the soundfont has no such instrument."""
    takes: list[NDArray[np.float32]] = []
    while player.presets(part) and sum(map(len, takes)) < seconds * RATE:
        takes.append(player.play(rng, part, take(rng, part, int(rng.integers(2, 6)))))
    return takes
