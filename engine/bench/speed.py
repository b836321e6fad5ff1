"""How long things take on this machine: the best of several, each named with what it is held against."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import soundfile

from engine.bench.hour import song
from engine.bench.tables import table
from engine.cache import Shelf
from engine.methods import METHODS
from engine.request import Request
from engine.separation import Separator, Wish
from presets import DEMO

LOADED = """
import time
began = time.perf_counter()
from engine.separation import Separator
imported = time.perf_counter()
Separator.load({model!r}, {device!r})
print(imported - began, time.perf_counter() - imported)
"""


def measure(
    separator: Separator, seconds: float, times: int, prompts: list[str], done: Callable[[], None]
) -> dict[str, tuple[float, float]]:
    """By method: seconds per second of audio and prompt, file to files, nothing kept; for one prompt and for all at once."""
    found = {}
    _job(separator, Request.of(prompts), seconds)  # the first job of a process also imports
    for name in METHODS:
        rates = []
        for asked in (prompts[:1], prompts):
            request = Request.of(asked, method=name)
            rates.append(min(_job(separator, request, seconds) for _ in range(times)) / seconds / len(asked))
            done()
        found[name] = (rates[0], rates[1])
    return found


def told(found: dict[str, tuple[float, float]]) -> str:
    """A row per method."""
    rows = [(name, *(f"{rate:.3f}" for rate in rates)) for name, rates in found.items()]
    return table(("method", "one prompt", "all prompts at once"), rows)


def new_strength(separator: Separator, seconds: float, times: int, prompts: list[str], done: Callable[[], None]) -> str:
    """A region that was separated before, at another strength, against a whole job at the same: its inversion is kept."""
    rows = []
    for name in ("joint", "zerosep"):
        for strength, before, goal in ((1.0, 0.5, 0.55), (0.6, 1.0, 0.7)):
            first = Request.of(prompts[:1], before, method=name)
            again = Request.of(prompts[:1], strength, method=name)
            full, anew = [], []
            for _ in range(times):
                full.append(_job(separator, again, seconds))
                with TemporaryDirectory() as folder:
                    keeping = Separator(separator.backbone, Shelf(Path(folder)))
                    _timed(keeping, first, seconds)
                    anew.append(_timed(keeping, again, seconds))
                done()
            ratio = f"{min(anew) / min(full):.2f} (goal {goal})"
            rows.append((f"{name}, {strength:g}", f"{min(full):.2f}", f"{min(anew):.2f}", ratio))
    return table(("method, strength", "whole job, s", "new strength, s", "ratio"), rows)


def loading(model: str, device: str) -> str:
    """A fresh process: importing the engine, and loading the model."""
    code = LOADED.format(model=model, device=device)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603
    imported, loaded = map(float, printed.split())
    return table(("in a fresh process", "seconds"), [("importing", f"{imported:.2f}"), ("loading the model", f"{loaded:.2f}")])


def _job(separator: Separator, request: Request, seconds: float) -> float:
    with TemporaryDirectory() as folder:
        return _timed(Separator(separator.backbone, Shelf(Path(folder))), request, seconds)


def _timed(separator: Separator, request: Request, seconds: float) -> float:
    with TemporaryDirectory() as folder:
        path = DEMO / "mix.flac"
        if seconds > soundfile.info(path).duration:
            song(path := Path(folder) / "song.wav", round(seconds))
        began = time.perf_counter()
        separator.separate(path, request, Wish(Path(folder), length_s=seconds))
        return time.perf_counter() - began
