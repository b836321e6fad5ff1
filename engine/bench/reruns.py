"""`kill -9` while `zerostem separate` replaces its own results: at random moments, and at each step of its commit."""

import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine import delivery
from engine.bench.jobs import Found
from engine.bench.victim import Victim
from engine.measure import sha256
from host_bridge.errors import ZeroStemError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from engine.separation import Separator

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
    out, whole, refused, torn, killed = victim.home / "rerun", [], 0, 0, 0
    with _runs(victim.home, region) as run:
        for each in SEEDS:
            run(victim.home / f"undisturbed {each}", each)
            whole.append(_version(victim.home / f"undisturbed {each}"))
        run(out, SEEDS[0])
        for turn in range(count):
            step, life_s = (chance.randrange(MOST_STEPS), None) if turn % 4 else (None, chance.uniform(0, LONGEST_LIFE_S))
            code = run(out, SEEDS[(turn + 1) % 2], step, life_s)
            killed += code == -signal.SIGKILL
            refused += code not in (0, -signal.SIGKILL)
            delivery.clear_the_dead(out)
            torn += _version(out) not in whole
        good = run(out, SEEDS[0]) == 0 and _version(out) == whole[0]
    counted = f"{count} runs over older results, {killed} killed: {refused} refused, {torn} without one whole version"
    return Found("reruns", counted, good and None not in whole and killed > 0 and not (refused or torn))


def _version(out: Path) -> dict[str, str] | None:
    """The files that the sidecar lists, if just they lie there, with just these bytes."""
    told = delivery.ours(out / f"{NAME}.json")
    there = {path.name for path in out.iterdir()} - {f"{NAME}.json"}
    return told if told is not None and {name: sha256(out / name) for name in there} == told else None


class Run(Protocol):
    """Separates into a folder, in a process of its own that dies at that step of its commit or after so long; its exit code."""

    def __call__(self, out: Path, seed: int, step: int | None = None, life_s: float | None = None) -> int:
        """See the class."""
        ...


@contextmanager
def _runs(home: Path, region: Path) -> Iterator[Run]:
    """A process that has loaded the model, and forks one for each run."""
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("forkserver")
    nursery = context.Process(target=_serve, args=(home, region, theirs))
    nursery.start()

    def run(out: Path, seed: int, step: int | None = None, life_s: float | None = None) -> int:
        ours.send((out, seed, step, life_s))
        return int(ours.recv())

    try:
        yield run
    finally:
        ours.send(None)
        nursery.join()


def _serve(home: Path, region: Path, asked: "Connection[Any, Any]") -> None:
    import torch

    from engine.separation import Separator

    os.environ["ZEROSTEM_HOME"] = str(home)
    torch.set_num_threads(1)  # threads of a pool do not come along into a fork
    separator = Separator.load("pocket", "cpu")
    while (task := asked.recv()) is not None:
        out, seed, step, life_s = task
        child = os.fork()
        if not child:
            _separate(separator, region, out, seed, step)
            os._exit(0)
        if life_s is not None:
            time.sleep(life_s)
            os.kill(child, signal.SIGKILL)
        asked.send(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _separate(separator: "Separator", region: Path, out: Path, seed: int, step: int | None) -> None:
    from engine.request import Request
    from engine.separation import Wish

    left = [] if step is None else [step]

    def go_on(_done: float, stage: str) -> None:
        if stage == "measuring" and left:  # from here on everything is about files
            for name in CALLS:
                setattr(os, name, partial(_deadly, left, getattr(os, name)))

    try:
        separator.separate(region, Request.of(["drums"], steps=2, seed=seed), Wish(out, NAME), go_on)
    except ZeroStemError as error:
        print(error)
        os._exit(1)


def _deadly(left: list[int], call: Callable[..., Any], *words: Any, **more: Any) -> Any:
    """A call of the system's that this process does not outlive when it has no steps left."""
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return call(*words, **more)
