"""Manifests out of data sets that you have: AVE, MUSIC, AudioCaps, MUSDB18-HQ. docs/datasets.md says how each is laid out.

Nothing is downloaded. Pairs are drawn from a seed of ours where a paper does not publish its own.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.batch.gather import SUFFIXES
from engine.bench import manifest, mixing
from engine.bench.manifest import Question
from engine.bench.mixing import Rules, Sound, clip, written
from host_bridge.errors import BadRequest

CLIP_S = 10.0
YOUTUBE = 11
"""Characters of a video's name."""
MUSDB = {"vocals": "singing voice", "drums": "drums", "bass": "bass"}
"""MUSDB18's stems -> how they are asked for; "other" is no sound that one could name."""

Clips = list[tuple[str, Path]]
"""Prompt and file."""


def ave(folder: Path, rules: Rules, out: Path) -> list[Question]:
    """AVE's test clips, each added to one of another class: the list is DAVIS's `test.csv`, or AVE's own `testSet.txt`."""
    lists = [file for name in ("test.csv", "testSet.txt") for file in sorted(folder.rglob(name))]
    if not lists:
        raise BadRequest(f"{folder} holds neither test.csv nor testSet.txt.", "docs/datasets.md says where they come from.")
    clips, sounds = Clips(), _sounds(folder)
    for row in _rows(lists[0], "," if lists[0].suffix == ".csv" else "&"):
        if len(row) < 4 or row[0] == "Category":
            continue
        name, category = (Path(row[0]).stem, row[3]) if lists[0].suffix == ".csv" else (row[1], row[0])
        if file := sounds.get(name):
            clips.append((_spoken(category), file))
    return _partners(clips, rules, out, folder)


def music(folder: Path, rules: Rules, out: Path) -> list[Question]:
    """MUSIC's solos, a folder of files for each instrument: pairs of two instruments, 10 s each."""
    return mixing.pairs(mixing.classes(folder), replace(rules, seconds=CLIP_S, absent=False), out)


def audiocaps(folder: Path, rules: Rules, out: Path) -> list[Question]:
    """AudioCaps' test clips, each added to another one; the prompt is the first caption in `test.csv`."""
    table = folder / "test.csv"
    if not table.is_file():
        raise BadRequest(f"{folder} holds no test.csv.", "docs/datasets.md says where it comes from.")
    clips, seen, sounds = Clips(), set[str](), _sounds(folder)
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["youtube_id"] not in seen and (found := sounds.get(row["youtube_id"])):
                seen.add(row["youtube_id"])
                clips.append((row["caption"], found))
    return _partners(clips, rules, out, folder)


def musdb(folder: Path, rules: Rules, out: Path) -> list[Question]:
    """MUSDB18-HQ's test songs as they are, nothing mixed anew: one question for each of vocals, drums and bass."""
    songs = sorted(each.parent for each in (folder / "test").glob("*/mixture.wav"))[: rules.count]
    if not songs:
        raise BadRequest(f"{folder}/test holds no songs.", "Unpack musdb18hq.zip there; docs/datasets.md says more.")
    asked = [(song, stem) for song in songs for stem in MUSDB if (song / f"{stem}.wav").is_file()]
    questions = [
        Question(f"{index:04d} {stem}", (song / "mixture.wav").absolute(), MUSDB[stem], (song / f"{stem}.wav").absolute())
        for index, (song, stem) in enumerate(asked)
    ]
    manifest.write(out / "manifest.csv", questions)
    return questions


Recipe = Callable[[Path, Rules, Path], list[Question]]
RECIPES: dict[str, Recipe] = {"ave": ave, "music": music, "audiocaps": audiocaps, "musdb18-hq": musdb}


def _partners(clips: Clips, rules: Rules, out: Path, folder: Path) -> list[Question]:
    """Each clip with a partner of another prompt, drawn from a seed of its own number, both added as they are."""
    if len({prompt for prompt, _ in clips}) < 2:
        raise BadRequest(f"{folder} holds clips of fewer than two sounds.", "docs/datasets.md says how files are to be called.")
    questions = list[Question]()
    for index, (prompt, path) in enumerate(clips[: rules.count]):
        rng = np.random.default_rng((rules.seed, index))
        others = [each for each in clips if each[0] != prompt]
        other, beside = others[int(rng.integers(len(others)))]
        parts = _equally_long(*(clip(file, rules.rate, 0.0, CLIP_S) for file in (path, beside)))
        questions += written(out, f"{index:04d}", dict(zip((prompt, other), parts, strict=True)), rules.rate)
    manifest.write(out / "manifest.csv", questions)
    return questions


def _equally_long(*parts: Sound) -> list[Sound]:
    shortest = min(map(len, parts))
    return [part[:shortest] for part in parts]


def _rows(path: Path, separator: str) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file, delimiter=separator)


def _sounds(folder: Path) -> dict[str, Path]:
    """Every clip by its name on YouTube, wherever below the folder it lies; AudioSet's own files have a Y before it."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES]
    return {file.stem.removeprefix("Y") if len(file.stem) == YOUTUBE + 1 else file.stem: file for file in files}


def _spoken(category: str) -> str:
    """A class as a prompt: "Male speech, man speaking" -> "male speech"; "Frying (food)" -> "frying"."""
    return category.split(",", maxsplit=1)[0].split("(", maxsplit=1)[0].strip().lower()
