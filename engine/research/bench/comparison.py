"""Separators side by side on one manifest: ours by model and method, the floor, the ceiling, and other people's stems."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np
import psutil  # type: ignore[import-untyped, unused-ignore]
import soundfile
import torch

import presets
from engine.methods import METHODS
from engine.pipeline.cache import DiskCache
from engine.pipeline.ideal_mask import write_ideal
from engine.request import Request
from engine.research.bench.manifest import Question
from engine.research.bench.ratings import rate, truth
from engine.separation import OutputOptions, Separator
from host_bridge.errors import BadRequest, ZeroStemError

FLOOR, CEILING = "mixture", "oracle mask"
DIALS = ("method", "mode", "steps", "depth", "rounds", "draws", "guidance")
"""What a preset may say of the way of working."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A separator's stem for a question, and what making it cost or broke: seconds, realtime, memory_mib, null, lag."""

    stem: Path
    told: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """One question as one separator answered it. refused: why it did not."""

    system: str
    question: Question
    figures: dict[str, float] = field(default_factory=dict)
    stem: Path | None = None
    refused: str = ""


class System(Protocol):
    """Whoever separates."""

    @property
    def name(self) -> str:
        """What its row is called."""
        ...

    def answer(self, question: Question, folder: Path) -> Answer:
        """The stem, as a file in `folder` or elsewhere. Raises a ZeroStemError where it has none."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Ours:
    """A loaded model with a method, or with a preset of the kind "method" (`audioedit` is a baseline of the paper)."""

    separator: Separator
    method: str

    @property
    def name(self) -> str:
        """The model and the method."""
        return f"{self.separator.backbone.name} {self.method}"

    def answer(self, question: Question, folder: Path) -> Answer:
        """A whole job from file to file, nothing remembered from one before, with what its sidecar measured."""
        request, began = request_for(self.method, question.prompt), time.perf_counter()
        with TemporaryDirectory(dir=folder) as out, _memory(self.separator.backbone.device) as most:
            fresh = Separator(self.separator.backbone, DiskCache(Path(out) / "shelf"))
            told = fresh.separate(question.mixture, request, OutputOptions(Path(out) / "job"))
            seconds = time.perf_counter() - began
            stem = folder / f"{question.id}.wav"
            shutil.move(told["stems"][0]["path"], stem)
        length_s = told["region"]["length"] / told["input"]["rate"]
        costs = {"seconds": seconds, "realtime": seconds / length_s, "memory_mib": most[0] / 2**20}
        lag = {} if told["lag_samples"] is None else {"lag": float(told["lag_samples"])}
        return Answer(stem, costs | {"null": float(told["null_dbfs"])} | lag)


class MixtureSystem:
    """The floor: the mixture, whatever is asked for."""

    name = FLOOR

    def answer(self, question: Question, folder: Path) -> Answer:  # noqa: ARG002 - it is there already
        """The question itself."""
        return Answer(question.mixture)


@dataclass(frozen=True, slots=True, eq=False)
class Ceiling:
    """The best that any mask on a model's bands could do: it is told the truth."""

    separator: Separator

    @property
    def name(self) -> str:
        """With the model's, since its bands are what bounds it."""
        return f"{self.separator.backbone.name} {CEILING}"

    def answer(self, question: Question, folder: Path) -> Answer:
        """The target through its own mask; silence for a sound that is not there."""
        from engine.audio.source import open_source

        stem = folder / f"{question.id}.wav"
        mix, frequency = soundfile.read(question.mixture, always_2d=True)
        if question.target is None:
            soundfile.write(stem, np.zeros_like(mix), frequency, subtype="FLOAT")
            return Answer(stem)
        with TemporaryDirectory(dir=folder) as made:
            rest = Path(made) / "others.wav"
            soundfile.write(rest, mix - soundfile.read(question.target, always_2d=True)[0], frequency, subtype="FLOAT")
            truths = [open_source(question.target), open_source(rest)]
            request = Request.of([question.prompt, "all the others"], method="joint")
            ideal, _ = write_ideal(self.separator.backbone, open_source(question.mixture), truths, request, Path(made))
            shutil.move(ideal, stem)
        return Answer(stem)


@dataclass(frozen=True, slots=True)
class Outside:
    """Stems that somebody else's separator made of the same manifest: `<id>.wav` (or .flac) in a folder."""

    name: str
    folder: Path

    def answer(self, question: Question, folder: Path) -> Answer:  # noqa: ARG002 - it is there already
        """Its file. Raises BadRequest where there is none."""
        for suffix in (".wav", ".flac"):
            if (stem := self.folder / f"{question.id}{suffix}").is_file():
                return Answer(stem)
        raise BadRequest(f"{self.folder} has no {question.id}.wav.", "Let that separator answer every row.")


def request_for(method: str, prompt: str) -> Request:
    """One prompt by a method or a preset of ours. Raises BadRequest for a name that is neither."""
    if method in METHODS:
        return Request.of([prompt], method=method)
    if method not in presets.names() or (preset := presets.load(method)).kind != "method":
        ways = [*METHODS, *(name for name in presets.names() if presets.load(name).kind == "method")]
        raise BadRequest(f'There is no method or preset called "{method}".', f"Choose among {', '.join(ways)}.")
    said = {dial: value for dial in DIALS if (value := getattr(preset, dial)) is not None}
    return Request.of([prompt], preset.strength, unlike=preset.unlike, beyond=preset.strength > 1, **said)


def compare(
    systems: Sequence[System], questions: Sequence[Question], keep: Path, done: Callable[[], None]
) -> Iterator[ComparisonRow]:
    """Every question to every system; stems are kept in a folder of `keep` for each system."""
    for system in systems:
        folder = keep / system.name.replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        for question in questions:
            try:
                answer = system.answer(question, folder)
                figures = rate(answer.stem, truth(question.mixture, question.target))
                yield ComparisonRow(system.name, question, figures | answer.told, answer.stem)
            except ZeroStemError as error:
                yield ComparisonRow(system.name, question, refused=error.what)
            done()


@contextmanager
def _memory(device: torch.device) -> Iterator[list[float]]:
    """The most bytes in use meanwhile: of CUDA's memory, else of this process, looked at every 10 ms."""
    most = [0.0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield most
        most[0] = float(torch.cuda.max_memory_allocated(device))
        return
    process, ending = psutil.Process(), threading.Event()

    def look() -> None:
        while not ending.wait(0.01):
            most[0] = max(most[0], float(process.memory_info().rss))

    watcher = threading.Thread(target=look, name="memory")
    watcher.start()
    try:
        yield most
    finally:
        ending.set()
        watcher.join()
        most[0] = max(most[0], float(process.memory_info().rss))
