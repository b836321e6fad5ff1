"""Mixes of two sounds that pocket was never trained on, with their parts: the judges of every checkpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.backbones.mel import HOP, RATE
from engine.backbones.pocket.network import FRAMES
from engine.research.pocket_training import soundfonts, speech
from engine.research.pocket_training.composer import PARTS
from host_bridge.errors import ZeroStemError

WINDOW_S = FRAMES * HOP / RATE
QUIET_RMS = 2e-3
TAKES_S = 180.0
"""Rendered of each source, at least."""

LANGUAGES = ("hu", "cs", "da", "nb", "ca", "ro")
VOICES = ("Andy", "Annie", "Michael", "belinda", "Gene", "Lee")
"""Of espeak-ng; neither is trained on."""

SONIC_PI = Path("/usr/share/sonic-pi/samples")
RECORDINGS = {
    "drums": "loop_amen loop_amen_full loop_breakbeat loop_compus loop_industrial loop_safari loop_tabla".split(),
    "bass": "bass_dnb_f bass_drop_c bass_hard_c bass_hit_c bass_thick_c bass_trance_c bass_voxy_c bass_woodsy_c".split(),
    "piano": ["ambi_piano"],
    "electric guitar": "guit_e_fifths guit_e_slide guit_em9 guit_harmonics".split(),
    "choir": ["ambi_choir"],
}
"""Source -> files of Debian's sonic-pi-samples, all CC0. Short ones are repeated."""

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Mix:
    """Two sounds and what they are; the mix is their sum.

    `parts` (2, N) float32 at 16 kHz, each within 5 dB of a common level.
    """

    names: tuple[str, ...]
    parts: NDArray[np.float32]


def _crop(rng: np.random.Generator, takes: Sequence[Sound], seconds: float) -> Sound:
    """(N,) at unit RMS from one of the takes; tries a few times not to hit a pause, and repeats what is too short."""
    length, rms = round(seconds * RATE), 0.0
    sound = np.zeros(length, np.float32)
    for _ in range(6):
        take = takes[int(rng.integers(len(takes)))]
        whole = np.tile(take, -(-length // len(take)))
        at = int(rng.integers(0, len(whole) - length + 1))
        sound = whole[at : at + length]
        rms = float(np.sqrt((sound**2).mean()))
        if rms > QUIET_RMS:
            break
    return np.asarray(sound / max(rms, 1e-4), dtype=np.float32)


def _mixes(takes: Mapping[str, Sequence[Sound]], count: int, seed: int, seconds: float) -> list[Mix]:
    """Pairs of different sources at 0 +- 5 dB around -30 to -20 dBFS, as the training mixtures are."""
    rng, mixes = np.random.default_rng(seed), []
    for _ in range(count):
        names = tuple(str(name) for name in rng.choice(sorted(takes), 2, replace=False))
        level_db = rng.uniform(-30, -20)
        gains = [10 ** ((level_db + rng.uniform(-5, 5)) / 20) for _ in names]
        parts = [_crop(rng, takes[name], seconds) * gain for name, gain in zip(names, gains, strict=True)]
        mixes.append(Mix(names, np.stack(parts).astype(np.float32)))
    return mixes


@cache
def _rendered() -> dict[str, tuple[Sound, ...]]:
    """Takes of every source by the held-out soundfont and by voices that training never heard."""
    rng, player = np.random.default_rng(7), soundfonts.SoundfontPlayer(soundfonts.HELD_OUT)
    takes = {name: soundfonts.render(player, rng, part, TAKES_S) for name, part in PARTS.items()}
    player.close()
    takes["speech"] = speech.espeak(rng, TAKES_S, LANGUAGES, VOICES)
    joined = {name: np.concatenate(each) for name, each in takes.items()}
    return {name: (sound / np.abs(sound).max(),) for name, sound in joined.items()}


@cache
def _recorded() -> dict[str, tuple[Sound, ...]]:
    """The recordings by source, speech among them."""
    if not SONIC_PI.exists():
        raise ZeroStemError(f"The recordings in {SONIC_PI} are not there.", "Install them: apt-get install sonic-pi-samples.")
    takes = {name: tuple(recording(SONIC_PI / f"{file}.flac") for file in files) for name, files in RECORDINGS.items()}
    rng = np.random.default_rng(7)
    return takes | {"speech": tuple(speech.prompts(rng, speaker) for speaker in speech.HELD_OUT)}


def recording(path: Path) -> Sound:
    """A file as (N,) at 16 kHz, folded to mono, peak 1."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(sound.mean(1), rate, RATE)
    return np.asarray(mono / np.abs(mono).max(), dtype=np.float32)


def soundfont_mixes(count: int, seed: int, seconds: float = WINDOW_S) -> list[Mix]:
    """Two sources played by a soundfont that was never trained on, or spoken by voices that were not.

    Raises ZeroStemError, naming the Debian package, where something is not installed.
    """
    return _mixes(_rendered(), count, seed, seconds)


def recorded_mixes(
    count: int, seed: int, seconds: float = WINDOW_S, more: Mapping[str, Sequence[Path]] | None = None
) -> list[Mix]:
    """Two real recordings: loops, guitars, basses, a piano, a choir, people speaking; `more` adds files of your own by source.

    Raises ZeroStemError, naming the Debian package, where something is not installed.
    """
    takes = dict(_recorded())
    for name, paths in (more or {}).items():
        takes[name] = (*takes.get(name, ()), *(recording(path) for path in paths))
    return _mixes(takes, count, seed, seconds)
