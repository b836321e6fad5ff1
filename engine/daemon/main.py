"""Entry point of the daemon: builds all parts in order, serves, and closes them in reverse."""

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

from engine.daemon import json_log
from engine.daemon.device_queue import DeviceQueue
from engine.daemon.device_worker import IDLE_S, DeviceWorker
from engine.daemon.handlers import MessageHandlers
from engine.daemon.jobs import JobRegistry
from engine.daemon.model_slot import ModelSlot
from engine.daemon.notify_host import HostNotifier
from engine.models.catalogue import DEFAULT
from host_bridge.discovery import announce, only_one, withdraw
from host_bridge.errors import BadSpool
from host_bridge.paths import PORT, places
from host_bridge.protocol.messages import Welcome
from host_bridge.protocol.state_machine import StateMachine
from host_bridge.server.endpoint import Endpoint
from host_bridge.spool.documents import EngineFile
from host_bridge.spool.job_folders import Spool
from host_bridge.spool.recovery import RecoveredJob, recover
from host_bridge.spool.watcher import SpoolWatcher

if TYPE_CHECKING:
    from engine.separation import Separator

log = logging.getLogger(__name__)

BEAT_S = 2.0
SWITCH_S = 0.0005
"""Python's thread switch interval, shorter than the default of 5 ms, so that the endpoint answers while the network
computes."""
CAPABILITIES = "submit cancel retry strength knob models fetch devices plan deliver progress tcp"


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """Options of a daemon. port 0: any free one. spool None: the user's default folder. left_free: cores left to others; None:
    one while a DAW asks."""

    device: str = "auto"
    port: int = PORT
    spool: Path | None = None
    model: str = DEFAULT
    idle_s: float = IDLE_S
    left_free: int | None = None
    execution: str = "auto"


def main(options: DaemonOptions, say: Callable[[str], None] = lambda _text: None) -> int:
    """Serve until a signal or a stop message. Raises AlreadyRuns, BadSpool, BadRequest."""
    sys.setswitchinterval(SWITCH_S)
    ending = Event()
    with ExitStack() as house:
        for number in (signal.SIGINT, signal.SIGTERM):
            house.callback(signal.signal, number, signal.signal(number, lambda *_: ending.set()))
        jobs, engine = house.enter_context(running_daemon(options, ending.set))
        say(f"Listening on 127.0.0.1:{engine.udp}, jobs in {engine.spool}. Ctrl+C ends it.")
        _heartbeat(jobs, ending)
    return 0


@contextmanager
def running_daemon(options: DaemonOptions, stop: Callable[[], None]) -> Iterator[tuple[JobRegistry, EngineFile]]:
    """A running daemon, for as long as the `with` block lasts. Raises AlreadyRuns, BadSpool, BadRequest."""
    spool, token = Spool(options.spool or places().spool), secrets.token_urlsafe(24)

    def load(model: str) -> "Separator":
        from engine.separation import Separator

        return Separator.load(model, options.device, options.execution)

    with ExitStack() as house:
        house.callback(json_log.stop_logging, json_log.start_logging(places().log))
        spool.prepare()
        house.enter_context(only_one(spool.root))
        state_machine = StateMachine(token, Welcome("zerostem", CAPABILITIES, version("zerostem"), os.getpid()), time.monotonic)
        device_queue, host_notifier = DeviceQueue(), HostNotifier.read(places().config)
        jobs = JobRegistry(  # these callbacks use objects created below; they are not called before
            spool,
            state_machine,
            lambda message: endpoint.tell(message),  # noqa: PLW0108
            lambda job: worker.queue_job(job),  # noqa: PLW0108
            lambda job: worker.queue_rerender(job),  # noqa: PLW0108
        )
        worker = DeviceWorker(
            jobs, device_queue, ModelSlot(load, options.model), host_notifier, options.idle_s, options.left_free
        )
        handlers = MessageHandlers(jobs, worker, stop)
        endpoint = Endpoint(state_machine, handlers.handle, options.port)
        house.callback(endpoint.close)
        found = recover(spool)
        state_machine.know((each.state.job.id, each.state.job.state) for each in found)
        for each in found:
            _resume(each, worker)
        house.callback(jobs.wait_for_writes)
        house.callback(handlers.close)
        worker.queue_warm_up()
        worker.start()
        house.callback(worker.close)
        house.callback(jobs.close)
        endpoint.start()
        watcher = SpoolWatcher(spool.root, jobs.scan_spool)
        watcher.start()
        house.callback(watcher.close)
        _show_life(jobs, 0)
        engine = EngineFile(os.getpid(), endpoint.port, endpoint.port, version("zerostem"), spool.root, token)
        announce(engine)
        house.callback(withdraw, engine)
        log.info("daemon begins", extra={"port": endpoint.port, "spool": str(spool.root), "jobs": len(found)})
        house.callback(log.info, "daemon ends")
        yield jobs, engine


def _resume(found: RecoveredJob, worker: DeviceWorker) -> None:
    """Resume a job that the previous daemon left behind."""
    job = found.state.job
    if found.trouble:
        log.warning("found in trouble", extra={"job": job.id, "why": found.trouble})
    if job.state == "queued":
        worker.queue_job(job.id)
    if found.rerender:
        worker.queue_rerender(job.id)
    if job.state == "done":
        worker.queue_overdue_delivery(job.id)


def _heartbeat(jobs: JobRegistry, ending: Event) -> None:
    """Until the end: let the heart beat. New jobs are found by the lookout, which also looks by the clock."""
    beat = 0
    while not ending.wait(BEAT_S):
        beat += 1
        _show_life(jobs, beat)


def _show_life(jobs: JobRegistry, beat: int) -> None:
    try:
        jobs.spool.beat(version("zerostem"), beat)
    except BadSpool as error:  # whoever looks for it waits for the next one
        log.warning("heartbeat not written", extra={"why": str(error)})
