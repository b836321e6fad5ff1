"""The jobs of the daemon: each event is decided immediately, recorded on disk in order, then sent to peers.

Called by three threads. The endpoint's submits and never waits for the disk. The writer's records events in order, and cancels,
retries and stores strengths. The device's (`device_worker`) starts and finishes jobs.
"""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Lock, RLock

from engine.daemon.request_mapping import request_from
from host_bridge.errors import BadMessage, BadSpool, BridgeError, Code, IllegalStep, ZeroStemError
from host_bridge.files.plain import refusal
from host_bridge.protocol.messages import Accepted, Cancel, CancelledMessage, Done, Fail, Message, Retry, Strength, Submit
from host_bridge.protocol.state_machine import Event, StateMachine
from host_bridge.spool.documents import StateFile
from host_bridge.spool.job_folders import Spool
from host_bridge.types import Job, State, is_id

log = logging.getLogger(__name__)

Tell = Callable[[Message], None]
Enqueue = Callable[[str], None]
"""Enqueues a job, by its id, for the device."""

_LOOKS: dict[Event, tuple[int, str, int]] = {"finish": (1000, "done", 0), "start": (0, "reading", -1)}
"""permille, stage and eta_s after an event; of all others 0, "" and -1."""
_OPEN: frozenset[State] = frozenset({"queued", "running"})


class JobRegistry:
    """All jobs of a spool. tell: sends a message to the peers that it concerns. whole, stem: enqueue a job, or the rendering of
    its stems."""

    def __init__(self, spool: Spool, state_machine: StateMachine, tell: Tell, whole: Enqueue, stem: Enqueue) -> None:
        self.spool, self.state_machine, self.tell = spool, state_machine, tell
        self._whole, self._stem = whole, stem
        self._submit_lock = Lock()  # serialises submit(): concurrent submits of one id create one job
        self.journal_lock = RLock()
        """Held while a job's state is checked and its files are changed accordingly."""
        self._writer = ThreadPoolExecutor(1, "writer")
        self._wanted: dict[tuple[str, str], int] = {}

    # From any thread, at once.

    def submit(self, job: str) -> Message:
        """Queue a job; of one that has ended the writer tells how. Raises BadMessage where its folder does not exist."""
        with self._submit_lock:
            state = self.state_machine.state(job)
            if state is None and not self.spool.has(job):
                todo = "Put its folder there, then submit it."
                raise BadMessage(f"There is no job {job} in the spool.", todo, Code.NO_SUCH_THING, Submit.address, job)
            if state is None:
                self.state_machine.step(job, "submit")
                self.record_event(job, "submit", "queued")
                self._writer.submit(self._look, job)
                self._whole(job)
        if state is not None and state not in _OPEN:  # how it ended stands in its folder
            self._writer.submit(self._guarded, self._tell_end, job, Submit.address)
        return Accepted(job, Submit.address)

    def cancel(self, job: str) -> None:
        """Cancel a job and delete its results; `cancelled` is sent once that is recorded."""
        self._writer.submit(self._guarded, self._cancel, job, Cancel.address)

    def retry(self, job: str) -> None:
        """Queue a failed or cancelled job again."""
        self._writer.submit(self._guarded, self._retry, job, Retry.address)

    def set_strength(self, job: str, stem: str, permille: int, *, answered: bool = True) -> None:
        """Store a stem's new strength, and render it once its job is done."""
        self._wanted[job, stem] = permille  # a fader sends more of them than can be written down: the last one counts

        def keep(job: str) -> None:
            last = self._wanted.pop((job, stem), None)
            if self.state_machine.state(job) in ("failed", "cancelled"):
                self.state_machine.step(job, "strength")  # which refuses
            if last is not None:
                self.spool.set_wanted_strength(job, stem, last)
            if answered:
                self.tell(Accepted(job, Strength.address))
            if self.state_machine.state(job) == "done":
                self._stem(job)

        self._writer.submit(self._guarded, keep, job, Strength.address)

    def check_stem(self, job: str, stem: str, address: str, known: Callable[[bool], None]) -> None:
        """Look up whether a job has a stem, and tell whoever asked at `address`; known: told so first."""

        def look(job: str) -> None:
            try:
                stems = self.spool.strengths(job)
            except ZeroStemError:
                known(False)
                raise
            known(stem in stems)
            if stem not in stems:
                what, todo = f"Job {job} has no stem {stem}.", f"Its stems are {', '.join(stems)}."
                raise BadMessage(what, todo, Code.NO_SUCH_THING, address, job)
            self.tell(Done(job, address, 1))

        self._writer.submit(self._guarded, look, job, address)

    def record_event(
        self, job: str, event: Event, state: State, *said: Message, error: ZeroStemError | None = None
    ) -> "Future[None]":
        """Record an event after all earlier ones, then send the messages."""
        return self._writer.submit(self._write, job, event, state, said, error)

    def snapshot(self, job: str) -> Job:
        """The state of a job, as its folder says."""
        try:
            return self.spool.state(job).job
        except BadSpool:  # damaged, or gone this moment
            return Job(job, self.state_machine.state(job) or "failed")

    # What the daemon does from time to time.

    def scan_spool(self) -> None:
        """Scan the spool: submit unannounced folders, cancel where a file `cancel` was put, forget deleted jobs."""
        known = self.state_machine.states()  # before the folders: what comes between the two is not gone
        try:
            found = {name for name in os.listdir(self.spool.root) if is_id(name)}  # noqa: PTH208 - names are enough, and quick
        except OSError as error:
            raise refusal(self.spool.root, error, "read") from error
        for job in self.spool.in_order(found - known.keys()):
            if self.spool.has(job):  # and no file, no link
                self.tell(self.submit(job))
        for job, state in known.items():
            if job not in found:
                self.state_machine.drop(job)
                log.info("job gone", extra={"job": job})
            elif state in _OPEN and os.path.lexists(f"{self.spool.root}/{job}/cancel"):
                self.cancel(job)

    def close(self) -> None:
        """Record that running jobs will be resumed by the next daemon."""
        with self.journal_lock:
            for job, state in self.state_machine.states().items():
                if state == "running":
                    self.record_event(job, "restart", self.state_machine.step(job, "restart"))

    def wait_for_writes(self) -> None:
        """Wait until everything is written."""
        self._writer.shutdown()

    # What the writer does.

    def _write(self, job: str, event: Event, state: State, said: Sequence[Message], error: ZeroStemError | None) -> None:
        permille, stage, eta_s = _LOOKS.get(event, (0, "", -1))
        try:
            with self.journal_lock:
                before = self.spool.state(job)
                device = (self.spool.result(job) or {}).get("device", "") if event == "finish" else ""
                after = replace(before, job=Job(job, state, permille, stage, eta_s, device), code=0, error="", todo="")
                if event == "start":
                    after = replace(after, attempt=before.attempt + 1)
                if error:
                    told = Fail.of(error)
                    after = replace(after, code=told.code, error=told.error, todo=told.todo)
                self.spool.record(after, event)
        except BridgeError as trouble:  # a full disk must not keep anybody from hearing how it ended
            log.error("state not written", extra={"job": job, "why": str(trouble)})  # noqa: TRY400 - it is said in a sentence
        log.info(event, extra={"job": job, "state": state, **({"why": str(error)} if error else {})})
        for message in said:
            self.tell(message)

    def _look(self, job: str) -> None:
        """Fail a job with an invalid request before it waits for the device."""
        try:
            request_from(self.spool.request(job), {})
        except ZeroStemError as error:
            with self.journal_lock:
                if self.state_machine.state(job) == "queued":
                    self.fail(job, error)

    def fail(self, job: str, error: ZeroStemError) -> None:
        """End a job as failed."""
        fails = [Fail.of(error, job, Submit.address)]
        self.record_event(job, "fail", self.state_machine.step(job, "fail"), *fails, error=error)

    def _cancel(self, job: str) -> None:
        with self.journal_lock:
            if (was := self.state_machine.state(job)) == "cancelled":
                self.tell(CancelledMessage(job))
                return
            self._write(job, "cancel", self.state_machine.step(job, "cancel"), [CancelledMessage(job)], None)
            if was == "queued":  # of one that runs the device's thread takes everything away when it notices
                self.spool.clear(job)

    def _retry(self, job: str) -> None:
        with self.journal_lock:
            if self.state_machine.state(job) in ("failed", "cancelled"):
                self.spool.clear(job, cancel=True)
                self._write(job, "retry", self.state_machine.step(job, "retry"), [], None)
                self._whole(job)
        self.tell(Accepted(job, Retry.address))

    def _guarded(self, act: Callable[[str], None], job: str, address: str) -> None:
        try:
            act(job)
        except IllegalStep:
            log.exception("a step that must not be", extra={"job": job})
        except ZeroStemError as error:
            log.info("refused", extra={"job": job, "about": address, "why": str(error)})
            self.tell(Fail.of(error, job, address))

    def _tell_end(self, job: str) -> None:
        """The message that tells how a job ended."""
        with self.journal_lock:
            state = self.state_machine.state(job)
            if state == "cancelled":
                self.tell(CancelledMessage(job))
            elif state == "failed":
                told: StateFile = self.spool.state(job)
                self.tell(Fail(job, Submit.address, told.code, told.error, told.todo))
            elif state == "done":
                self.tell(Done(job, Submit.address, len((self.spool.result(job) or {"stems": ()})["stems"])))
