"""The jobs as the engine sees them: what happens to one is decided at once, written down in order, and then said.

Three threads meet here. The endpoint's submits and never waits for the disk. The clerk writes down, in the order in which
things happened, and cancels, retries and keeps strengths. The device's (`work`) begins and ends jobs.
"""

import logging
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Lock, RLock

from engine.serving.asked import asked_of
from host_bridge.errors import BadMessage, BadSpool, BridgeError, Code, IllegalStep, ZeroStemError
from host_bridge.exchange import Event, Exchange
from host_bridge.files import refusal
from host_bridge.forms import StateFile
from host_bridge.messages import Accepted, Cancel, Cancelled, Done, Fail, Message, Retry, Strength, Submit
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job, State, is_id

log = logging.getLogger(__name__)

Tell = Callable[[Message], None]
Wait = Callable[[str], None]
"""Puts a job, by its id, into the line before the device."""

_LOOKS: dict[Event, tuple[int, str, int]] = {"finish": (1000, "done", 0), "start": (0, "reading", -1)}
"""permille, stage and eta_s after an event; of all others 0, "" and -1."""
_OPEN: frozenset[State] = frozenset({"queued", "running"})


class Jobs:
    """All jobs of a spool. tell: says a message to whom it concerns. whole, stem: where jobs wait for the device."""

    def __init__(self, spool: Spool, exchange: Exchange, tell: Tell, whole: Wait, stem: Wait) -> None:
        self.spool, self.exchange, self.tell = spool, exchange, tell
        self._whole, self._stem = whole, stem
        self._door = Lock()  # so that two who bring the same job make one of it
        self.books = RLock()
        """Held while a job's state is looked at and its files are changed accordingly."""
        self._clerk = ThreadPoolExecutor(1, "clerk")
        self._wanted: dict[tuple[str, str], int] = {}

    # From any thread, at once.

    def submit(self, job: str) -> Message:
        """Let a job wait for the device; of one that has ended the clerk tells how. Raises BadMessage where no folder lies."""
        with self._door:
            state = self.exchange.state(job)
            if state is None and not self.spool.has(job):
                todo = "Put its folder there, then submit it."
                raise BadMessage(f"There is no job {job} in the spool.", todo, Code.NO_SUCH_THING, Submit.address, job)
            if state is None:
                self.exchange.step(job, "submit")
                self.happened(job, "submit", "queued")
                self._clerk.submit(self._look, job)
                self._whole(job)
        if state is not None and state not in _OPEN:  # how it ended stands in its folder
            self._clerk.submit(self._guarded, self._tell_end, job, Submit.address)
        return Accepted(job, Submit.address)

    def cancel(self, job: str) -> None:
        """Stop a job and keep nothing of it; `cancelled` is told when it is written down."""
        self._clerk.submit(self._guarded, self._cancel, job, Cancel.address)

    def retry(self, job: str) -> None:
        """Let a job that failed or was cancelled wait for the device again."""
        self._clerk.submit(self._guarded, self._retry, job, Retry.address)

    def strengthen(self, job: str, stem: str, permille: int, *, answered: bool = True) -> None:
        """Keep the strength that is wanted of a stem, and have it rendered when its job is done."""
        self._wanted[job, stem] = permille  # a fader sends more of them than can be written down: the last one counts

        def keep(job: str) -> None:
            last = self._wanted.pop((job, stem), None)
            if self.exchange.state(job) in ("failed", "cancelled"):
                self.exchange.step(job, "strength")  # which refuses
            if last is not None:
                self.spool.want_strength(job, stem, last)
            if answered:
                self.tell(Accepted(job, Strength.address))
            if self.exchange.state(job) == "done":
                self._stem(job)

        self._clerk.submit(self._guarded, keep, job, Strength.address)

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

        self._clerk.submit(self._guarded, look, job, address)

    def happened(
        self, job: str, event: Event, state: State, *said: Message, error: ZeroStemError | None = None
    ) -> "Future[None]":
        """Have a step of a job's life written down after all that came before it, then said."""
        return self._clerk.submit(self._write, job, event, state, said, error)

    def standing(self, job: str) -> Job:
        """How a job stands, as its folder says."""
        try:
            return self.spool.state(job).job
        except BadSpool:  # damaged, or gone this moment
            return Job(job, self.exchange.state(job) or "failed")

    # What the daemon does from time to time.

    def look(self) -> None:
        """Take up folders that came without a bell, cancel where a file `cancel` lies, and forget what is gone."""
        known = self.exchange.states()  # before the folders: what comes between the two is not gone
        try:
            found = {name for name in os.listdir(self.spool.root) if is_id(name)}  # noqa: PTH208 - names are enough, and quick
        except OSError as error:
            raise refusal(self.spool.root, error, "read") from error
        for job in self.spool.in_order(found - known.keys()):
            if self.spool.has(job):  # and no file, no link
                self.tell(self.submit(job))
        for job, state in known.items():
            if job not in found:
                self.exchange.drop(job)
                log.info("job gone", extra={"job": job})
            elif state in _OPEN and os.path.lexists(f"{self.spool.root}/{job}/cancel"):
                self.cancel(job)

    def close(self) -> None:
        """Write down what has happened so far; what runs goes on with the next daemon."""
        with self.books:
            for job, state in self.exchange.states().items():
                if state == "running":
                    self.happened(job, "restart", self.exchange.step(job, "restart"))

    def settle(self) -> None:
        """Wait for the clerk's last line."""
        self._clerk.shutdown()

    # What the clerk does.

    def _write(self, job: str, event: Event, state: State, said: Sequence[Message], error: ZeroStemError | None) -> None:
        permille, stage, eta_s = _LOOKS.get(event, (0, "", -1))
        try:
            with self.books:
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
        """Refuse a request that cannot be meant before it waits for a device."""
        try:
            asked_of(self.spool.request(job), {})
        except ZeroStemError as error:
            with self.books:
                if self.exchange.state(job) == "queued":
                    self.fail(job, error)

    def fail(self, job: str, error: ZeroStemError) -> None:
        """End a job with what went wrong."""
        fails = [Fail.of(error, job, Submit.address)]
        self.happened(job, "fail", self.exchange.step(job, "fail"), *fails, error=error)

    def _cancel(self, job: str) -> None:
        with self.books:
            if (was := self.exchange.state(job)) == "cancelled":
                self.tell(Cancelled(job))
                return
            self._write(job, "cancel", self.exchange.step(job, "cancel"), [Cancelled(job)], None)
            if was == "queued":  # of one that runs the device's thread takes everything away when it notices
                self.spool.clear(job)

    def _retry(self, job: str) -> None:
        with self.books:
            if self.exchange.state(job) in ("failed", "cancelled"):
                self.spool.clear(job, cancel=True)
                self._write(job, "retry", self.exchange.step(job, "retry"), [], None)
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
        """How a job ended, for whoever asks again."""
        with self.books:
            state = self.exchange.state(job)
            if state == "cancelled":
                self.tell(Cancelled(job))
            elif state == "failed":
                told: StateFile = self.spool.state(job)
                self.tell(Fail(job, Submit.address, told.code, told.error, told.todo))
            elif state == "done":
                self.tell(Done(job, Submit.address, len((self.spool.result(job) or {"stems": ()})["stems"])))
