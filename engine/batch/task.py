"""One input of a batch: skips it if it was done before, separates it, and reports the outcome."""

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.audio.metrics import sha256
from engine.files import outputs
from engine.request import Request
from host_bridge.errors import ZeroStemError
from host_bridge.types import Progress

if TYPE_CHECKING:
    from engine.separation import OutputOptions, Separator


@dataclass(frozen=True, slots=True)
class Task:
    """One input. `output_options` has the folder and the files' names, so that a second run finds them."""

    path: Path
    request: Request
    output_options: "OutputOptions"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a task. skipped: it was done before, and the sidecar is of that run.

    error, todo: of one that failed what happened and what to do.
    """

    task: Task
    state: Literal["done", "skipped", "failed"]
    seconds: float
    sidecar: dict[str, Any] | None = None
    error: str = ""
    todo: str = ""
    exit_code: int = 0


def process_task(separator: "Separator", task: Task, progress: Progress) -> Outcome:
    """Separate one input unless it was done before; errors become outcomes. Raises Cancelled through `progress`."""
    began = time.monotonic()
    try:
        if told := done_before(separator, task, progress):
            return Outcome(task, "skipped", time.monotonic() - began, told)
        told = separator.separate(task.path, task.request, task.output_options, progress)
    except ZeroStemError as error:
        return Outcome(task, "failed", time.monotonic() - began, None, error.what, error.todo, error.exit_code)
    return Outcome(task, "done", time.monotonic() - began, told)


def done_before(separator: "Separator", task: Task, progress: Progress) -> dict[str, Any] | None:
    """The sidecar of an earlier run with the same input, settings, model and code, whose files are unchanged; else None."""
    output_options, out = task.output_options, task.output_options.out
    if out is None or output_options.name is None:
        return None
    names = outputs.names(output_options.name, task.request.prompts)
    told = outputs.read_sidecar(out / names.sidecar)
    try:
        if told is None or not _same_settings(told, separator, task):
            return None
        files: dict[str, str] = dict(told["files"])
    except (KeyError, TypeError, ValueError):  # somebody has been at it: what it does not say was not done
        return None
    if {*files} != {*output_options.kept(task.request, names).files} or not all((out / name).is_file() for name in files):
        return None
    for path, was in ((task.path, told["input"]["sha256"]), *((out / name, was) for name, was in files.items())):
        progress(0.0, "comparing")
        if not path.is_file() or sha256(path) != was:
            return None
    return told


def _same_settings(told: dict[str, Any], separator: "Separator", task: Task) -> bool:
    from engine.pipeline.sidecar import algorithm_of, settings

    request, output_options, backbone = task.request, task.output_options, separator.backbone
    rate, samples = told["input"]["rate"], told["input"]["samples"]
    start = round(Fraction(output_options.start_s or 0) * rate)
    end = (
        samples
        if output_options.length_s is None
        else min(samples, start + max(1, round(Fraction(output_options.length_s) * rate)))
    )
    asked = {
        **settings(request, backbone, output_options.gain_db),
        "region": {"start": start, "length": end - start},
    }
    stems = [(stem["prompt"], stem["strength"]) for stem in told["stems"]]
    return (
        all(told.get(key) == value for key, value in asked.items())
        and (told["model"]["name"], told["model"]["fingerprint"]) == (backbone.name, backbone.fingerprint)
        and told["algorithm"] == algorithm_of(request, backbone)
        and stems == list(zip(request.prompts, request.strengths, strict=True))
    )
