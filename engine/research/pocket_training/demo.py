"""Composes and renders the mix that comes along with its true stems: python -m engine.research.pocket_training.demo."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.research.pocket_training import composer
from engine.research.pocket_training.composer import Bar, Note
from engine.research.pocket_training.soundfonts import DRUM_BANK, DRUM_CHANNEL, TRAINING
from host_bridge.errors import ZeroStemError
from host_bridge.types import Hertz
from presets import DEMO

SOUNDFONT = TRAINING[0]
"""FluidR3, under the MIT licence: the model was trained with it."""

RATE = Hertz(44_100)
LENGTH_S, BARS, BEAT_S = 20.0, 8, 0.6
FADE_S = 0.4
KEY = 9
MINOR, PENTATONIC = (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10)
DEGREES = (0, 5, 2, 6)
"""A minor, F, C, G: one chord a bar, twice around."""
PEAK = 0.85
"""Of the mix; full scale is 1."""


@dataclass(frozen=True, slots=True)
class ScorePlayer:
    """Who plays a stem: General MIDI program, place from left (0) to right (127), reverb send, level against the others."""

    part: Callable[[], Iterator[Note]]
    program: int
    pan: int
    reverb: int
    level_db: float


def bars(style: str, seed: int, scale: tuple[int, ...], low: int, high: int) -> Iterator[Note]:
    """One of the composer's styles over the chords; the same dice for the same chord, so that the tune comes back."""
    for number in range(BARS):
        degree = DEGREES[number % len(DEGREES)]
        bar = Bar(BEAT_S, KEY, scale, degree, 1.0, low, high)
        for note in composer.STYLES[style](np.random.default_rng([seed, degree]), bar):
            yield Note(number * 4 * BEAT_S + note.start_s, note.length_s, note.pitch, note.velocity)


def drums() -> Iterator[Note]:
    """The composer's beat."""
    return composer.beats(np.random.default_rng(22), BEAT_S, BARS)


BAND = {
    "drums": ScorePlayer(drums, 0, 64, 20, 0.0),
    "bass": ScorePlayer(lambda: bars("bass", 1607, MINOR, 28, 51), 33, 58, 10, -1.0),
    "trumpet": ScorePlayer(lambda: bars("melody", 1241, PENTATONIC, 60, 79), 56, 92, 60, -1.0),
}


def play(player: ScorePlayer, *, drum_kit: bool) -> NDArray[np.float64]:
    """(N, 2) at 44.1 kHz, faded out, at an RMS of one."""
    import fluidsynth

    synth = fluidsynth.Synth(samplerate=float(RATE), gain=0.6)
    font, channel = synth.sfload(str(SOUNDFONT.path())), DRUM_CHANNEL if drum_kit else 0
    synth.program_select(channel, font, DRUM_BANK if drum_kit else 0, player.program)
    for control, value in ((10, player.pan), (91, player.reverb), (93, 0)):
        synth.cc(channel, control, value)
    notes = [*player.part()]
    moments = [(note.start_s, 1, note) for note in notes] + [(note.start_s + note.length_s, 0, note) for note in notes]
    length = round(LENGTH_S * RATE)
    ordered = sorted(moment for moment in moments if moment[0] < LENGTH_S)
    places = [0, *(round(at_s * RATE) for at_s, _, _ in ordered), length]
    pieces = []
    for (before, after), moment in zip(pairwise(places), [*ordered, None], strict=True):
        pieces.append(synth.get_samples(after - before))
        if moment and moment[1]:
            synth.noteon(channel, moment[2].pitch, moment[2].velocity)
        elif moment:
            synth.noteoff(channel, moment[2].pitch)
    synth.delete()
    fade = np.minimum(1, (length - np.arange(length)) / (FADE_S * RATE))
    sound: NDArray[np.float64] = np.concatenate(pieces).reshape(-1, 2) * fade[:, None]
    return np.asarray(sound / np.sqrt(np.square(sound).mean()))


def compose() -> dict[str, NDArray[np.int16]]:
    """The true stems and, as "mix", their sum, in the very integers that are stored: (N, 2) each."""
    loud = {name: play(player, drum_kit=name == "drums") * 10 ** (player.level_db / 20) for name, player in BAND.items()}
    gain = PEAK * 32767 / np.abs(sum(loud.values())).max()
    stems = {name: np.round(sound * gain).astype(np.int16) for name, sound in loud.items()}
    total = sum(stem.astype(np.int32) for stem in stems.values())
    return {"mix": np.asarray(total).astype(np.int16), **stems}


def main() -> None:
    """Write the FLAC files. Raises ZeroStemError where FluidSynth or the soundfont is missing."""
    for name, sound in compose().items():
        soundfile.write(DEMO / f"{name}.flac", sound, RATE, subtype="PCM_16", compression_level=1.0)


if __name__ == "__main__":
    try:
        main()
    except ZeroStemError as error:
        sys.exit(f"{error.what} {error.todo}")
