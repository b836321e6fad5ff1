"""One input of many: what is wanted of it, whether that was done before, and what became of it, whatever goes wrong."""

import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine import delivery
from engine.measure import sha256
from engine.request import Request
from host_bridge.errors import ZeroStemError
from host_bridge.vocabulary import Progress

if TYPE_CHECKING:
    from engine.separation import Separator, Wish


@dataclass(frozen=True, slots=True)
class Task:
    """One input. The wish names both its folder and what its files are called, so that a second run finds them."""

    path: Path
    request: Request
    wish: "Wish"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task. skipped: it had been done before, and the sidecar is of then.

    error, todo: of one that failed what happened and what to do.
    """

    task: Task
    state: Literal["done", "skipped", "failed"]
    seconds: float
    sidecar: dict[str, Any] | None = None
    error: str = ""
    todo: str = ""
    exit_code: int = 0


def attend(separator: "Separator", task: Task, progress: Progress) -> Outcome:
    """Separate one input unless that is done; an error is an outcome too. Raises Cancelled through `progress`."""
    began = time.monotonic()
    try:
        if told := done_before(separator, task, progress):
            return Outcome(task, "skipped", time.monotonic() - began, told)
        told = separator.separate(task.path, task.request, task.wish, progress)
    except ZeroStemError as error:
        return Outcome(task, "failed", time.monotonic() - began, None, error.what, error.todo, error.exit_code)
    return Outcome(task, "done", time.monotonic() - began, told)


def done_before(separator: "Separator", task: Task, progress: Progress) -> dict[str, Any] | None:
    """The sidecar of an earlier run that did just this: same input, settings, model and code, and its files as written."""
    wish, out = task.wish, task.wish.out
    if out is None or wish.name is None:
        return None
    names = delivery.names(wish.name, task.request.prompts)
    told = delivery.told_by(out / names.sidecar)
    try:
        if told is None or not _same_settings(told, separator, task):
            return None
        files: dict[str, str] = dict(told["files"])
    except (KeyError, TypeError, ValueError):  # somebody has been at it: what it does not say was not done
        return None
    if {*files} != {*wish.kept(task.request, names).files} or not all((out / name).is_file() for name in files):
        return None
    for path, was in ((task.path, told["input"]["sha256"]), *((out / name, was) for name, was in files.items())):
        progress(0.0, "comparing")
        if not path.is_file() or sha256(path) != was:
            return None
    return told


def _same_settings(told: dict[str, Any], separator: "Separator", task: Task) -> bool:
    from engine.sidecar import algorithm_of, settings

    request, wish, backbone = task.request, task.wish, separator.backbone
    rate, samples = told["input"]["rate"], told["input"]["samples"]
    start = round(Fraction(wish.start_s or 0) * rate)
    end = samples if wish.length_s is None else min(samples, start + max(1, round(Fraction(wish.length_s) * rate)))
    asked = {
        **settings(request, backbone, wish.gain_db),
        "region": {"start": start, "length": end - start},
    }
    stems = [(stem["prompt"], stem["strength"]) for stem in told["stems"]]
    return (
        all(told.get(key) == value for key, value in asked.items())
        and (told["model"]["name"], told["model"]["fingerprint"]) == (backbone.name, backbone.fingerprint)
        and told["algorithm"] == algorithm_of(request, backbone)
        and stems == list(zip(request.prompts, request.strengths, strict=True))
    )
