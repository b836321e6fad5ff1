"""What each message makes the engine do: a table, and a row of it in a few lines each. Nothing here waits for anything."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock, Thread
from typing import Any

from engine.serving.jobs import Jobs
from engine.serving.questions import QUESTIONS, Room
from engine.serving.work import Work
from host_bridge import errors
from host_bridge.errors import BadMessage, Code, ZeroStemError
from host_bridge.exchange import Peer
from host_bridge.messages import (
    Accepted,
    Asked,
    Cancel,
    Cancelled,
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

log = logging.getLogger(__name__)

Answers = list[Message]
MOST_QUESTIONS = 1000


class Desk:
    """Where messages come in. stop: ends the daemon."""

    def __init__(self, jobs: Jobs, work: Work, stop: Callable[[], None]) -> None:
        self._jobs, self._work, self._end = jobs, work, stop
        self._ties: dict[int, tuple[str, str]] = {}
        self._clerks = ThreadPoolExecutor(4, "questions")
        self._open: set[tuple[str, str]] = set()
        self._lock = Lock()
        self._room = Room(jobs, work)

    def handle(self, message: Message, _peer: Peer) -> Answers:
        """Take a message up, and say what is to be answered at once. Raises BadMessage."""
        if type(message) in QUESTIONS:
            return self._ask(message)
        return ORDERS[type(message)](self, message)

    def close(self) -> None:
        """Answer no more questions; what is being fetched is fetched on the next time it is asked for."""
        self._clerks.shutdown(cancel_futures=True)

    def _ask(self, message: Message) -> Answers:
        """Have a question answered. Who asks again while it is open is told once."""
        assert isinstance(message, Asked)
        accepted: Answers = [Accepted(message.id, message.address)] if isinstance(message, Fetch) else []
        with self._lock:
            if (message.address, message.id) in self._open:
                return accepted
            if len(self._open) >= MOST_QUESTIONS:
                what = f"{MOST_QUESTIONS} questions wait for an answer."
                raise BadMessage(what, "Ask again in a moment.", Code.TOO_MANY, message.address, message.id)
            self._open.add((message.address, message.id))
        if accepted:  # it takes minutes: on a thread that the daemon's end need not wait for
            Thread(target=self._answer, args=(message,), name="fetch", daemon=True).start()
        else:
            self._clerks.submit(self._answer, message)
        return accepted

    def _answer(self, message: Asked) -> None:
        count, tell = 0, self._jobs.tell
        try:
            for count, row in enumerate(QUESTIONS[type(message)](self._room, message), 1):  # noqa: B007 - the last one counts
                tell(row)
            end: Message = Done(message.id, message.address, count)
        except errors.Cancelled:
            end = Cancelled(message.id)
        except ZeroStemError as error:
            end = Fail.of(error, message.id, message.address)
        except Exception:  # the daemon's loop: whoever asked hears of it, and the log has the details
            log.exception("a question without an answer")
            trouble = ZeroStemError("Something went wrong inside the engine.", "The daemon's log has the details.")
            end = Fail.of(trouble, message.id, message.address)
        with self._lock:
            self._open.discard((message.address, message.id))
            self._room.stopped.discard(message.id)
        tell(end)

    def submit(self, message: Submit) -> Answers:
        """A job's folder lies in the spool."""
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
        self._jobs.strengthen(message.id, message.stem, message.permille)
        return []

    def tie(self, message: Tie) -> Answers:
        """Let a knob move one stem, from now on; that there is such a stem is looked up by the clerk, and told."""
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
        """A fader's float."""
        if tied := self._ties.get(message.knob):
            self._jobs.strengthen(*tied, round(1000 * message.position), answered=False)
        return []

    def deliver(self, message: Deliver) -> Answers:
        """Bring a finished job to its host again."""
        self._work.await_delivery(message.id)
        return [Accepted(message.id, message.address)]

    def stop_fetch(self, message: StopFetch) -> Answers:
        """Stop fetching a model; it hears of it when the next bytes come. Raises BadMessage where none is fetched."""
        with self._lock:
            if (Fetch.address, message.id) not in self._open:
                what, todo = f"No model is fetched under the id {message.id}.", "It has ended, or was never asked for."
                raise BadMessage(what, todo, Code.NO_SUCH_THING, message.address, message.id)
            self._room.stopped.add(message.id)
        return [Accepted(message.id, message.address)]

    def stop(self, message: Stop) -> Answers:
        """End the daemon."""
        self._end()
        return [Done(message.id, message.address, 0)]


ORDERS: dict[type[Message], Callable[[Desk, Any], Answers]] = {
    Submit: Desk.submit,
    Cancel: Desk.cancel,
    Retry: Desk.retry,
    Strength: Desk.strength,
    Tie: Desk.tie,
    Knob: Desk.knob,
    Deliver: Desk.deliver,
    StopFetch: Desk.stop_fetch,
    Stop: Desk.stop,
}
"""What is carried out. What is only asked is in `questions`."""
