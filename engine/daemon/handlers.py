"""Handlers: what each message makes the engine do, as a table. No handler blocks."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Thread
from typing import Any

from engine.daemon.device_worker import DeviceWorker
from engine.daemon.jobs import JobRegistry
from engine.daemon.queries import QUERIES, QueryContext
from host_bridge import errors
from host_bridge.errors import BadMessage, Code, ZeroStemError
from host_bridge.protocol.messages import (
    Accepted,
    Asked,
    Cancel,
    CancelledMessage,
    Deliver,
    Done,
    Fail,
    Fetch,
    Knob,
    Message,
    Retry,
    Stop,
    StopFetch,
    Strength,
    Submit,
    Tie,
)
from host_bridge.protocol.state_machine import Peer

log = logging.getLogger(__name__)

Answers = list[Message]
MAX_OPEN_QUERIES = 1000


class MessageHandlers:
    """Dispatches messages to handlers and queries. stop: ends the daemon."""

    def __init__(self, jobs: JobRegistry, worker: DeviceWorker, stop: Callable[[], None]) -> None:
        self._jobs, self._work, self._end = jobs, worker, stop
        self._ties: dict[int, tuple[str, str]] = {}
        self._query_threads = ThreadPoolExecutor(4, "questions")
        self._open: set[tuple[str, str]] = set()
        self._lock = Lock()
        self._context = QueryContext(jobs, worker)

    def handle(self, message: Message, _peer: Peer) -> Answers:
        """Handle a message and return the immediate answers. Raises BadMessage."""
        if type(message) in QUERIES:
            return self._ask(message)
        return HANDLERS[type(message)](self, message)

    def close(self) -> None:
        """Answer no more queries; an interrupted download goes on the next time it is asked for."""
        self._query_threads.shutdown(cancel_futures=True)

    def _ask(self, message: Message) -> Answers:
        """Answer a query in another thread; a repeated query that is still open is answered once."""
        assert isinstance(message, Asked)
        accepted: Answers = [Accepted(message.id, message.address)] if isinstance(message, Fetch) else []
        with self._lock:
            if (message.address, message.id) in self._open:
                return accepted
            if len(self._open) >= MAX_OPEN_QUERIES:
                what = f"{MAX_OPEN_QUERIES} questions wait for an answer."
                raise BadMessage(what, "Ask again in a moment.", Code.TOO_MANY, message.address, message.id)
            self._open.add((message.address, message.id))
        if accepted:  # it takes minutes: on a daemon thread, so that shutdown need not wait for a download
            Thread(target=self._answer, args=(message,), name="fetch", daemon=True).start()
        else:
            self._query_threads.submit(self._answer, message)
        return accepted

    def _answer(self, message: Asked) -> None:
        count, tell = 0, self._jobs.tell
        try:
            for count, row in enumerate(QUERIES[type(message)](self._context, message), 1):  # noqa: B007 - the last one counts
                tell(row)
            end: Message = Done(message.id, message.address, count)
        except errors.Cancelled:
            end = CancelledMessage(message.id)
        except ZeroStemError as error:
            end = Fail.of(error, message.id, message.address)
        except Exception:  # the daemon's loop: whoever asked hears of it, and the log has the details
            log.exception("a question without an answer")
            trouble = ZeroStemError("Something went wrong inside the engine.", "The daemon's log has the details.")
            end = Fail.of(trouble, message.id, message.address)
        with self._lock:
            self._open.discard((message.address, message.id))
            self._context.stopped.discard(message.id)
        tell(end)

    def submit(self, message: Submit) -> Answers:
        """Queue the job of a folder in the spool."""
        return [self._jobs.submit(message.id)]

    def cancel(self, message: Cancel) -> Answers:
        """Stop a job."""
        self._jobs.cancel(message.id)
        return []

    def retry(self, message: Retry) -> Answers:
        """Try one again."""
        self._jobs.retry(message.id)
        return []

    def strength(self, message: Strength) -> Answers:
        """Give a stem another strength."""
        self._jobs.set_strength(message.id, message.stem, message.permille)
        return []

    def tie(self, message: Tie) -> Answers:
        """Bind a knob to a stem's strength. Whether there is such a stem the writer looks up, and tells."""
        before, tied = self._ties.get(message.knob), (message.id, message.stem)
        self._ties[message.knob] = tied  # the fader's next message may come before the disk has answered

        def known(there: bool) -> None:
            if not there and self._ties.get(message.knob) == tied:
                if before is None:
                    del self._ties[message.knob]
                else:
                    self._ties[message.knob] = before

        self._jobs.check_stem(message.id, message.stem, message.address, known)
        return []

    def knob(self, message: Knob) -> Answers:
        """Set the strength of the stem that this knob is bound to."""
        if tied := self._ties.get(message.knob):
            self._jobs.set_strength(*tied, round(1000 * message.position), answered=False)
        return []

    def deliver(self, message: Deliver) -> Answers:
        """Deliver a finished job again."""
        self._work.queue_delivery(message.id)
        return [Accepted(message.id, message.address)]

    def stop_fetch(self, message: StopFetch) -> Answers:
        """Stop fetching a model; it hears of it when the next bytes come. Raises BadMessage where none is fetched."""
        with self._lock:
            if (Fetch.address, message.id) not in self._open:
                what, todo = f"No model is fetched under the id {message.id}.", "It has ended, or was never asked for."
                raise BadMessage(what, todo, Code.NO_SUCH_THING, message.address, message.id)
            self._context.stopped.add(message.id)
        return [Accepted(message.id, message.address)]

    def stop(self, message: Stop) -> Answers:
        """End the daemon."""
        self._end()
        return [Done(message.id, message.address, 0)]


HANDLERS: dict[type[Message], Callable[[MessageHandlers, Any], Answers]] = {
    Submit: MessageHandlers.submit,
    Cancel: MessageHandlers.cancel,
    Retry: MessageHandlers.retry,
    Strength: MessageHandlers.strength,
    Tie: MessageHandlers.tie,
    Knob: MessageHandlers.knob,
    Deliver: MessageHandlers.deliver,
    StopFetch: MessageHandlers.stop_fetch,
    Stop: MessageHandlers.stop,
}
"""Messages that change something. Those that only ask are in `queries`."""
