"""How long a job takes beside one other busy program, against its time alone: each in a process of its own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.bench.tables import table

SECONDS, TIMES = 8.0, 3
"""Of the demo, and how often it is separated: the quickest counts."""
GOAL = 2.5
"""How many times as long at most; on two cores, of which half a core is taken, 1.3 is the least that can be had."""

WORKER = """
import os, sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
import engine
for name in {without!r}:
    os.environ.pop(name, None)
from engine.request import Request
from engine.separation import Separator, Wish
from presets import DEMO

separator = Separator.load({model!r}, "cpu")
for seed, line in enumerate(sys.stdin):
    with TemporaryDirectory() as folder:
        wish = Wish(Path(folder), length_s={seconds})
        began = time.perf_counter()
        separator.separate(DEMO / "mix.flac", Request.of(["drums"], seed=seed), wish)
        print(time.perf_counter() - began, flush=True)
"""
"""Separates once for each line that it reads, from another seed each time, so that nothing is kept; prints the seconds."""
BUSY = "while True: pass"
WAITING = ("OMP_WAIT_POLICY", "KMP_BLOCKTIME")


def told(model: str, done: Callable[[], None]) -> str:
    """Three rows: alone, beside a process that keeps one core busy, and alone with threads that wait as torch lets them."""
    with _worker(model, ()) as job:
        job()  # the first also imports, and measures how its network runs best
        alone = _best(job, done)
        with subprocess.Popen([sys.executable, "-c", BUSY]) as busy:  # noqa: S603
            try:
                beside = _best(job, done)
            finally:
                busy.kill()
    with _worker(model, WAITING) as job:
        job()
        spinning = _best(job, done)
    rows = [
        ("alone", f"{alone:.2f}", "1.00", ""),
        ("beside a busy process", f"{beside:.2f}", f"{beside / alone:.2f}", f"{GOAL}"),
        ("alone, threads that spin while they wait, as torch has them", f"{spinning:.2f}", f"{spinning / alone:.2f}", ""),
    ]
    heading = f"{SECONDS:g} s of the demo, one prompt, the best of {TIMES}"
    return table((heading, "seconds", "times the time alone", "at most"), rows)


def _best(job: Callable[[], float], done: Callable[[], None]) -> float:
    seconds = []
    for _ in range(TIMES):
        seconds.append(job())
        done()
    return min(seconds)


@contextmanager
def _worker(model: str, without: tuple[str, ...]) -> Iterator[Callable[[], float]]:
    """A process that separates when it is asked to, and says how long that took.

    without: variables that torch is not to see.
    """
    words = [sys.executable, "-c", WORKER.format(model=model, seconds=SECONDS, without=without)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603

        def job() -> float:
            assert process.stdin
            assert process.stdout
            process.stdin.write("\n")
            process.stdin.flush()
            return float(process.stdout.readline())

        try:
            yield job
        finally:
            process.kill()
