"""How long things take on this machine: the best of several, each named with what it is held against."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import soundfile
from torch import Tensor

from engine.backbones.base import Backbone, Conditioning
from engine.methods import METHODS
from engine.pipeline.cache import DiskCache
from engine.request import Request
from engine.research.bench.hour import song
from engine.research.bench.tables import table
from engine.separation import OutputOptions, Separator
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


class Clocked:
    """A backbone that notes how often its network is asked, about how many items, and for how long."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone, self.calls, self.items, self.seconds = backbone, 0, 0, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """As ever."""
        began = time.perf_counter()
        told = self._backbone.noise(latent, levels, conditioning)
        self.seconds += time.perf_counter() - began
        self.calls, self.items = self.calls + 1, self.items + len(latent)
        return told

    def __str__(self) -> str:
        return f"{self.seconds:.2f} s, {self.calls} calls, {self.items} items"


def new_strength(separator: Separator, seconds: float, times: int, prompts: list[str], done: Callable[[], None]) -> str:
    """A region that was separated before, at another strength, against a whole job at the same: what the model said that does
    not depend on the strength is kept."""
    rows = []
    for name in ("joint", "zerosep"):
        for strength, before, goal in ((1.0, 0.5, 0.55), (0.6, 1.0, 0.7)):
            first = Request.of(prompts[:1], before, method=name)
            again = Request.of(prompts[:1], strength, method=name)
            full, anew = [], []
            for _ in range(times):
                full.append(_clocked(separator, again, seconds, None))
                anew.append(_clocked(separator, again, seconds, first))
                done()
            whole, new = (min(runs, key=lambda run: run[0]) for runs in (full, anew))
            ratio = f"{new[0] / whole[0]:.2f} (goal {goal})"
            cells = (f"{whole[0]:.2f}", str(whole[1]), f"{new[0]:.2f}", str(new[1]), ratio)
            rows.append((f"{name}, {strength:g}", *cells))
    headings = ("method, strength", "whole job, s", "of it in the network", "new strength, s", "of it in the network", "ratio")
    return table(headings, rows)


def _clocked(separator: Separator, request: Request, seconds: float, before: Request | None) -> tuple[float, Clocked]:
    """Seconds of a job with at most another one's results in its cache, and how many of them the network took."""
    with TemporaryDirectory() as folder:
        disk_cache = DiskCache(Path(folder))
        if before is not None:  # clocked as well: the cache's key names the class of the backbone
            _timed(Separator(cast("Backbone", Clocked(separator.backbone)), disk_cache), before, seconds)
        clocked = Clocked(separator.backbone)
        return _timed(Separator(cast("Backbone", clocked), disk_cache), request, seconds), clocked


def loading(model: str, device: str) -> str:
    """A fresh process: importing the engine, and loading the model."""
    code = LOADED.format(model=model, device=device)
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603
    imported, loaded = map(float, printed.split())
    return table(("in a fresh process", "seconds"), [("importing", f"{imported:.2f}"), ("loading the model", f"{loaded:.2f}")])


def _job(separator: Separator, request: Request, seconds: float) -> float:
    with TemporaryDirectory() as folder:
        return _timed(Separator(separator.backbone, DiskCache(Path(folder))), request, seconds)


def _timed(separator: Separator, request: Request, seconds: float) -> float:
    with TemporaryDirectory() as folder:
        path = DEMO / "mix.flac"
        if seconds > soundfile.info(path).duration:
            song(path := Path(folder) / "song.wav", round(seconds))
        began = time.perf_counter()
        separator.separate(path, request, OutputOptions(Path(folder), length_s=seconds))
        return time.perf_counter() - began
