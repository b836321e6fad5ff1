"""Mixtures out of anybody's clips: pairs of different sounds, prompts that are not there, files as long as you like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import soundfile
import soxr  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray

from engine.audio import open_source
from engine.batch.gather import SUFFIXES
from engine.bench import manifest
from engine.bench.manifest import Question
from host_bridge.errors import BadRequest

LOUDEST = 0.9
"""Peak of a mixture that would clip."""
QUIET = 1e-4
"""RMS below which a crop is no sound."""
FADE_S = 0.01
"""Where clips follow each other to fill a longer file."""

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rules:
    """How mixtures are made. snr_db: the first sound's level above the second's, drawn from -snr_db to +snr_db.

    absent: also ask each mixture for one sound that it does not hold.
    """

    count: int
    seconds: float = 5.0
    rate: int = 44_100
    snr_db: float = 0.0
    absent: bool = True
    seed: int = 11


def classes(folder: Path) -> dict[str, list[Path]]:
    """Clips by what they hold: a folder of folders, each named after its sound ("dog-bark"), as ESC-10's are laid out.

    Raises BadRequest for fewer than two sounds.
    """
    if not folder.is_dir():
        raise BadRequest(f"{folder} is no folder.", "Give one that holds a folder of clips for each sound.")
    found = {}
    for each in sorted(folder.iterdir()):
        clips = sorted(file for file in each.iterdir() if file.suffix.lower() in SUFFIXES) if each.is_dir() else []
        if clips:
            found[" ".join(each.name.replace("_", " ").replace("-", " ").split())] = clips
    if len(found) < 2:
        raise BadRequest(f"{folder} holds clips of fewer than two sounds.", "Put each sound's clips into a folder of its name.")
    return found


def pairs(clips: Mapping[str, Sequence[Path]], rules: Rules, out: Path) -> list[Question]:
    """Mixtures of two different sounds, and a question about each of the two: written below `out`, with their manifest.

    Both sounds are cropped where they sound, brought to equal RMS, set apart by the drawn ratio, and added; only where the
    sum would clip, all is turned down alike. Files are float32 WAV, mono, and sum exactly in float64.
    """
    rng, questions, names = np.random.default_rng(rules.seed), list[Question](), sorted(clips)
    for index in range(rules.count):
        one, other = (str(name) for name in rng.choice(names, 2, replace=False))
        ratio_db = float(rng.uniform(-rules.snr_db, rules.snr_db))
        parts = [_crop(clips[name], rng, rules) for name in (one, other)]
        parts = [part * 0.1 / _rms(part) * 10 ** (db / 40) for part, db in zip(parts, (ratio_db, -ratio_db), strict=True)]
        questions += written(out, f"{index:04d}", dict(zip((one, other), parts, strict=True)), rules.rate)
        if rules.absent and len(names) > 2:
            elsewhere = str(rng.choice([name for name in names if name not in (one, other)]))
            questions.append(absent(f"{index:04d}", questions[-1].mixture, elsewhere))
    manifest.write(out / "manifest.csv", questions)
    return questions


def written(out: Path, name: str, parts: Mapping[str, Sound], rate: int) -> list[Question]:
    """A mixture (the sum of `parts`, each (N,) or (N, channels)) and its parts as files, and a question about each part."""
    out.mkdir(parents=True, exist_ok=True)
    loudest = max(float(np.abs(sum(parts.values())).max()), *(float(np.abs(part).max()) for part in parts.values()), LOUDEST)
    kept = {prompt: (part * (LOUDEST / loudest)).astype(np.float32) for prompt, part in parts.items()}
    mixture = out / f"{name}.wav"
    soundfile.write(mixture, sum(part.astype(np.float64) for part in kept.values()), rate, subtype="FLOAT")
    questions = []
    for letter, (prompt, part) in zip(ascii_lowercase, kept.items(), strict=False):
        target = out / f"{name}{letter} {plain(prompt)}.wav"
        soundfile.write(target, part, rate, subtype="FLOAT")
        questions.append(Question(target.stem, mixture, prompt, target))
    return questions


def absent(name: str, mixture: Path, prompt: str) -> Question:
    """A question about a sound that the mixture of this name does not hold."""
    return Question(f"{name} {plain(prompt)} absent", mixture, prompt, None)


def plain(prompt: str) -> str:
    """A prompt as part of a file's name and of a row's id."""
    return "".join(letter if letter.isalnum() or letter in " +-" else "_" for letter in prompt)[:60].strip()


def clip(path: Path, rate: int, start_s: float | None = None, length_s: float | None = None) -> Sound:
    """A file, or the sound track of a video, as (N,) at a rate: the mean of its channels. Raises BadAudio."""
    source = open_source(path, start_s, length_s)
    sound = np.concatenate([block.mean(1) for _, block in source.blocks(1 << 16)])
    return np.asarray(soxr.resample(sound, source.rate, rate, quality="VHQ"), np.float64)


def _crop(files: Sequence[Path], rng: np.random.Generator, rules: Rules) -> Sound:
    """(N,) of a clip where it sounds; clips of the same sound follow each other until it is long enough."""
    length, found = round(rules.seconds * rules.rate), list[Sound]()
    for _ in range(1000):
        sound = clip(files[int(rng.integers(len(files)))], rules.rate)
        loud = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max(initial=0))
        if len(loud):
            found.append(_faded(sound[loud[0] : loud[-1] + 1], rules.rate))
        if (have := sum(map(len, found))) >= length:
            whole = np.concatenate(found)
            at = int(rng.integers(0, have - length + 1))
            if _rms(whole[at : at + length]) > QUIET:
                return whole[at : at + length]
            found = []
    raise BadRequest(f"The clips beside {files[0]} are silent.", "Give clips that hold sound.")


def _faded(sound: Sound, rate: int) -> Sound:
    n = min(round(FADE_S * rate), len(sound) // 2)
    ramp = np.ones(len(sound))
    ramp[:n], ramp[len(ramp) - n :] = np.linspace(0, 1, n), np.linspace(1, 0, n)
    return sound * ramp


def _rms(sound: Sound) -> float:
    return float(np.sqrt(np.square(sound).mean()))
