"""A long file: how fast, and whether memory stays flat, a minute against an hour."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil  # type: ignore[import-untyped, unused-ignore]
import soundfile
import soxr

from engine.research.bench.tables import table
from presets import DEMO

RATE = 48_000
STEPS = 4
"""Levels of the inversion: memory does not depend on them, and an hour is to be done in minutes."""
WATCHED_S = 0.05

JOB = """
import sys
from pathlib import Path
from engine.separation import OutputOptions, Separator
from engine.request import Request
separator = Separator.load({model!r}, {device!r})
print("loaded", flush=True)
sys.stdin.readline()
separator.separate(Path({path!r}), Request.of(["drums", "bass"], steps={steps}), OutputOptions(Path({out!r})))
"""


@dataclass(frozen=True, slots=True)
class Long:
    """One length: seconds of work per second of sound, and bytes at the height of the job above the loaded model."""

    factor: float
    size: int


def told(model: str, device: str, minutes: tuple[int, ...] = (1, 60)) -> str:
    """A row per length, stereo at 48 kHz, two prompts."""
    with TemporaryDirectory() as folder:
        found = {length: _separated(Path(folder), model, device, length) for length in minutes}
    rows = [(f"{length} min", f"{row.factor:.3f}", f"{row.size / 2**20:.0f}") for length, row in found.items()]
    return table((f"stereo at 48 kHz, two prompts, {STEPS} levels", "times real time", "MiB above the model"), rows)


def _separated(folder: Path, model: str, device: str, minutes: int) -> Long:
    path = folder / f"{minutes}.wav"
    song(path, 60 * minutes)
    code = JOB.format(model=model, device=device, path=str(path), steps=STEPS, out=str(folder / f"{minutes} stems"))
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        watched = psutil.Process(process.pid)
        before = most = watched.memory_info().rss
        began = time.perf_counter()
        process.stdin.write("\n")
        process.stdin.flush()
        while process.poll() is None:
            try:
                most = max(most, watched.memory_info().rss)
            except psutil.NoSuchProcess:
                break
            time.sleep(WATCHED_S)
        seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"the job of {minutes} min ended with {process.returncode}")
    return Long(seconds / (60 * minutes), most - before)


def song(path: Path, seconds: int) -> None:
    """The demo's mix again and again, never quite the same."""
    sound, rate = soundfile.read(DEMO / "mix.flac", always_2d=True)
    once, chance = soxr.resample(sound[:, [0, -1]], rate, RATE), np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 2, "PCM_24") as file:
        left = RATE * seconds
        while left > 0:
            piece = once[:left] * chance.uniform(0.5, 0.9)
            file.write(piece)
            left -= len(piece)
