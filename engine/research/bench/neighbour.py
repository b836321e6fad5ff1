"""Whether a DAW can play on: a thread that must be done every 5 ms, counted late, alone and beside a job."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from engine.research.bench.tables import table

PERIOD_S = 0.005
"""256 samples at 48 kHz, as a DAW's audio thread has it."""
WORK_S = 0.0015
"""What a modest project computes in each."""
SECONDS = 8.0

JOB = """
import sys, threading
from pathlib import Path
from tempfile import TemporaryDirectory
from engine.daemon import cpu_priority
from engine.separation import OutputOptions, Separator
from engine.request import Request
from presets import DEMO

def work():
    if {polite}:
        cpu_priority.lower_priority()
        cpu_priority.limit_threads("reaper", None)
    separator = Separator.load({model!r}, "cpu")
    for seed in range(1000):
        request = Request.of(["drums", "bass"], seed=seed)
        with TemporaryDirectory() as folder:
            separator.separate(DEMO / "mix.flac", request, OutputOptions(Path(folder)), tell)

def tell(done, stage):
    if stage == "separating" and not told.is_set():
        told.set()
        print("at work", flush=True)

told = threading.Event()
threading.Thread(target=work, daemon=True).start()
sys.stdin.read()
"""
"""A process that separates until its input ends, on a thread of its own as in the daemon."""


@dataclass(frozen=True, slots=True)
class Kept:
    """How many periods there were, how many were late, and by how much the worst and the 99th of a hundred."""

    periods: int
    late: int
    worst_ms: float
    most_ms: float


def told(model: str) -> str:
    """Three rows: alone, beside a job that takes what it gets, beside one that steps back."""
    rows = [("alone", play())]
    for name, polite in (("beside a job at full priority on all cores", False), ("beside the daemon's job", True)):
        with _job(model, polite=polite):
            rows.append((name, play()))
    shown = [(name, str(kept.periods), str(kept.late), f"{kept.most_ms:.2f}", f"{kept.worst_ms:.2f}") for name, kept in rows]
    return table(("a thread of 5 ms periods", "periods", "late", "99 % done after, ms", "worst, ms"), shown)


def play(seconds: float = SECONDS) -> Kept:
    """Do a little work in every period; late is what is done only when the next one has begun."""
    taken, due = [], time.perf_counter()
    for _ in range(round(seconds / PERIOD_S)):
        due += PERIOD_S
        time.sleep(max(0.0, due - time.perf_counter()))
        until = time.perf_counter() + WORK_S
        while time.perf_counter() < until:
            continue
        taken.append(time.perf_counter() - due)
        due = max(due, time.perf_counter() - PERIOD_S)  # what was missed is not made up for
    late = sum(each > PERIOD_S for each in taken)
    return Kept(len(taken), late, 1000 * max(taken), 1000 * float(np.percentile(taken, 99)))


@contextmanager
def _job(model: str, *, polite: bool) -> Iterator[None]:
    code = JOB.format(model=model, polite=polite)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout
            process.stdout.readline()
            yield
        finally:
            process.kill()
