"""`kill -9` while `zerostem separate` replaces its own results: at random moments, and at each step of its commit."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from engine import delivery
from engine.bench.jobs import Found
from engine.bench.victim import Victim
from engine.measure import sha256

SEEDS = (1, 2)
"""Of the older results and of the newer ones, in turns."""
LONGEST_LIFE_S = 2.0
MOST_STEPS = 24
"""A commit of two stems has about so many calls that change the disk."""
CALLS = ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync")
NAME = "take"


def reruns(victim: Victim, region: Path, count: int, seed: int) -> Found:
    """So many runs over older results, each killed: what lies there is one whole version, and the next run is not refused."""
    chance = random.Random(seed)  # noqa: S311
    out, whole, refused, torn, killed = victim.home / "rerun", {}, 0, 0, 0
    for each in SEEDS:
        _run(victim.home, region, victim.home / f"undisturbed {each}", each)
        whole[each] = delivery.ours(victim.home / f"undisturbed {each}" / f"{NAME}.json")
    code = _run(victim.home, region, out, SEEDS[0])
    for turn in range(count):
        step, life_s = (chance.randrange(MOST_STEPS), None) if turn % 4 else (None, chance.uniform(0, LONGEST_LIFE_S))
        code = _run(victim.home, region, out, SEEDS[(turn + 1) % 2], step, life_s)
        killed += code == -signal.SIGKILL
        refused += code not in (0, -signal.SIGKILL)
        delivery.clear_the_dead(out)
        torn += _version(out) not in whole.values()
    code = _run(victim.home, region, out, SEEDS[0])
    good = code == 0 and _version(out) == whole[SEEDS[0]]
    counted = f"{count} runs over older results, {killed} killed: {refused} refused, {torn} without one whole version"
    return Found("kill reruns", counted, good and killed > 0 and not (refused or torn))


def _version(out: Path) -> dict[str, str] | None:
    """The files that the sidecar lists, if just they lie there, with just these bytes."""
    told = delivery.ours(out / f"{NAME}.json")
    there = {path.name for path in out.iterdir()} - {f"{NAME}.json"}
    return told if told is not None and {name: sha256(out / name) for name in there} == told else None


def _run(home: Path, region: Path, out: Path, seed: int, step: int | None = None, life_s: float | None = None) -> int | None:
    """Separate in a process of its own, which dies at that step of its commit or after so long; returns its exit code."""
    process = multiprocessing.get_context("forkserver").Process(target=_separate, args=(home, region, out, seed, step))
    process.start()
    if life_s is not None:
        time.sleep(life_s)
        process.kill()
    process.join()
    return process.exitcode


def _separate(home: Path, region: Path, out: Path, seed: int, step: int | None) -> None:
    from engine.request import Request
    from engine.separation import Separator, Wish

    os.environ["ZEROSTEM_HOME"] = str(home)
    left = [step]

    def go_on(_done: float, stage: str) -> None:
        if stage == "measuring" and left[0] is not None:  # from here on everything is about files
            for name in CALLS:
                setattr(os, name, partial(_deadly, left, getattr(os, name)))

    request = Request.of(["drums"], steps=2, seed=seed)
    Separator.load("pocket", "cpu").separate(region, request, Wish(out, NAME), go_on)


def _deadly(left: list[int], call: Callable[..., Any], *words: Any, **more: Any) -> Any:
    """A call of the system's that this process does not outlive when it has no steps left."""
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return call(*words, **more)
