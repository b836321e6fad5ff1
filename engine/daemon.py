"""The daemon: the only file that knows every room. It opens them in order, and closes them in reverse."""

import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from engine.serving import logbook
from engine.serving.bells import Bells
from engine.serving.desk import Desk
from engine.serving.jobs import Jobs
from engine.serving.turns import Turns
from engine.serving.warm import Warm
from engine.serving.work import IDLE_S, Work
from engine.weights import DEFAULT
from host_bridge.discovery import announce, only_one, withdraw
from host_bridge.endpoint import Endpoint
from host_bridge.errors import BadSpool
from host_bridge.exchange import Exchange
from host_bridge.forms import EngineFile
from host_bridge.lookout import Lookout
from host_bridge.messages import Welcome
from host_bridge.recovery import Found, recover
from host_bridge.settings import PORT, places
from host_bridge.spool import Spool

if TYPE_CHECKING:
    from engine.separation import Separator

log = logging.getLogger(__name__)

BEAT_S = 2.0
SWITCH_S = 0.0005
"""A thread that computes lets the endpoint's have a word this soon; Python's own 5 ms would be heard."""
CAPABILITIES = "submit cancel retry strength knob models fetch devices plan deliver progress tcp"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a daemon is to be: port 0 is any; spool None is the user's usual one; left_free: cores that are left to others,
    None: one while a DAW asks."""

    device: str = "auto"
    port: int = PORT
    spool: Path | None = None
    model: str = DEFAULT
    idle_s: float = IDLE_S
    left_free: int | None = None
    execution: str = "auto"


def main(wanted: Wanted, say: Callable[[str], None] = lambda _text: None) -> int:
    """Serve until a signal or a message says stop. Raises AlreadyRuns, BadSpool, BadRequest."""
    sys.setswitchinterval(SWITCH_S)
    ending = Event()
    with ExitStack() as house:
        for number in (signal.SIGINT, signal.SIGTERM):
            house.callback(signal.signal, number, signal.signal(number, lambda *_: ending.set()))
        jobs, engine = house.enter_context(opened(wanted, ending.set))
        say(f"Listening on 127.0.0.1:{engine.udp}, jobs in {engine.spool}. Ctrl+C ends it.")
        _beat(jobs, ending)
    return 0


@contextmanager
def opened(wanted: Wanted, stop: Callable[[], None]) -> Iterator[tuple[Jobs, EngineFile]]:
    """Every room of the engine, served while the `with` lasts. Raises AlreadyRuns, BadSpool, BadRequest."""
    spool, token = Spool(wanted.spool or places().spool), secrets.token_urlsafe(24)

    def load(model: str) -> "Separator":
        from engine.separation import Separator

        return Separator.load(model, wanted.device, wanted.execution)

    with ExitStack() as house:
        house.callback(logbook.end, logbook.begin(places().log))
        spool.prepare()
        house.enter_context(only_one(spool.root))
        exchange = Exchange(token, Welcome("zerostem", CAPABILITIES, version("zerostem"), os.getpid()), time.monotonic)
        turns, bells = Turns(), Bells.read(places().config)
        jobs = Jobs(  # the later rooms are named here, and first entered when they stand
            spool,
            exchange,
            lambda message: endpoint.tell(message),  # noqa: PLW0108
            lambda job: work.await_whole(job),  # noqa: PLW0108
            lambda job: work.await_stem(job),  # noqa: PLW0108
        )
        work = Work(jobs, turns, Warm(load, wanted.model), bells, wanted.idle_s, wanted.left_free)
        desk = Desk(jobs, work, stop)
        endpoint = Endpoint(exchange, desk.handle, wanted.port)
        house.callback(endpoint.close)
        found = recover(spool)
        exchange.know((each.state.job.id, each.state.job.state) for each in found)
        for each in found:
            _resume(each, work)
        house.callback(jobs.settle)
        house.callback(desk.close)
        work.await_warmth()
        work.start()
        house.callback(work.close)
        house.callback(jobs.close)
        endpoint.start()
        lookout = Lookout(spool.root, jobs.look)
        lookout.start()
        house.callback(lookout.close)
        _show_life(jobs, 0)
        engine = EngineFile(os.getpid(), endpoint.port, endpoint.port, version("zerostem"), spool.root, token)
        announce(engine)
        house.callback(withdraw, engine)
        log.info("daemon begins", extra={"port": endpoint.port, "spool": str(spool.root), "jobs": len(found)})
        house.callback(log.info, "daemon ends")
        yield jobs, engine


def _resume(found: Found, work: Work) -> None:
    """Go on where the daemon before this one was ended, however that was."""
    job = found.state.job
    if found.trouble:
        log.warning("found in trouble", extra={"job": job.id, "why": found.trouble})
    if job.state == "queued":
        work.await_whole(job.id)
    if found.rerender:
        work.await_stem(job.id)
    if job.state == "done":
        work.await_overdue(job.id)


def _beat(jobs: Jobs, ending: Event) -> None:
    """Until the end: let the heart beat. New jobs are found by the lookout, which also looks by the clock."""
    beat = 0
    while not ending.wait(BEAT_S):
        beat += 1
        _show_life(jobs, beat)


def _show_life(jobs: Jobs, beat: int) -> None:
    try:
        jobs.spool.beat(version("zerostem"), beat)
    except BadSpool as error:  # whoever looks for it waits for the next one
        log.warning("heartbeat not written", extra={"why": str(error)})
