"""What the panel, the command line and the tests use to talk to the daemon.

A message goes out as a datagram, again after 300 ms, three times, and then over TCP: every one of them may come twice and
means the same. The job itself never travels: its folder is in the spool before the bell rings.
"""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from host_bridge import discovery
from host_bridge.errors import BridgeError
from host_bridge.forms import EngineFile, RequestFile
from host_bridge.line import Line
from host_bridge.messages import (
    Accepted,
    Asked,
    Cancel,
    Cancelled,
    Deliver,
    DeviceRow,
    Devices,
    Done,
    Fail,
    Fetch,
    Hello,
    JobRow,
    Knob,
    List,
    Message,
    ModelRow,
    Models,
    Notified,
    Notify,
    Ping,
    Plan,
    PlanRow,
    Pong,
    Retry,
    Status,
    Stop,
    StopFetch,
    Strength,
    Submit,
    Tie,
    Vocabulary,
    VocabularyRow,
    Welcome,
)
from host_bridge.settings import places
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job, new_id

RESEND_S = 0.3
RESENDS = 3
PATIENCE_S = 5.0
"""For how long an answer over TCP may take: nothing that is asked for is computed before it is answered."""
SILENCE_S = 1.0
"""After so long without a word about a job, the client asks again."""
KEEP_S = 10.0
"""A client that only listens says so this often, so that its lease lives."""

CAPABILITIES = "progress tcp"
Row = TypeVar("Row", JobRow, ModelRow, VocabularyRow, DeviceRow, PlanRow)


class NoDaemon(BridgeError):
    """No daemon answers."""


class Refused(BridgeError):
    """The daemon said no; `fail` is how."""

    def __init__(self, fail: Fail) -> None:
        super().__init__(fail.error, fail.todo)
        self.fail = fail


class Client:
    """One talk with the daemon, for one thread. Use it in a `with`, or close it.

    Whatever comes that was not asked for waits for `watch` and `listen`. clock: seconds, never going back.
    """

    def __init__(self, engine: EngineFile, name: str = "python", clock: Callable[[], float] = time.monotonic) -> None:
        self.engine, self.name, self._clock = engine, name, clock
        self.spool = Spool(engine.spool)
        self._line = Line(engine.udp, engine.tcp)
        self._waiting: deque[Message] = deque(maxlen=10_000)
        self._said = clock()

    @classmethod
    def find(cls, name: str = "python") -> "Client":
        """A client of this user's daemon, which has answered. Raises NoDaemon, Refused, BadSpool."""
        engine = discovery.found()
        if engine is None:
            path = places().runtime
            if path.exists():
                what = f"No daemon can be found, for {path} is damaged."
                raise NoDaemon(what, "Start one with `zerostem daemon`, which writes that file anew.")
            raise NoDaemon("No daemon runs.", "Start one with `zerostem daemon`.")
        client = cls(engine, name)
        try:
            client.hello()
        except BaseException:
            client.close()
            raise
        return client

    def close(self) -> None:
        """Let go of the sockets."""
        self._line.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Becoming acquainted.

    def hello(self) -> Welcome:
        """Say who we are. Raises NoDaemon, Refused."""
        said = Hello(self.engine.token, self.name, CAPABILITIES, version("zerostem"), os.getpid())
        answer = self._ask(said, lambda message: isinstance(message, Welcome))
        assert isinstance(answer, Welcome)
        return answer

    def ping(self) -> None:
        """Ask whether the daemon is there. Raises NoDaemon."""
        self._ask(Ping(), lambda message: isinstance(message, Pong))

    def notify(self, *, on: bool = True) -> None:
        """Be told of every job, or no more. Raises NoDaemon."""
        self._ask(Notify(int(on)), lambda message: isinstance(message, Notified))

    # Jobs.

    def submit(self, request: RequestFile, region: Path | None = None, id: str | None = None) -> str:
        """Put a job into the spool and ring. Returns its id; the same one again is the same job.

        Raises BadRequest, BadSpool; NoDaemon and Refused when it lies in the spool already.
        """
        chosen = id or new_id()
        self.spool.put(chosen, request, region)
        self.ring(chosen)
        return chosen

    def ring(self, id: str) -> None:
        """Wake the daemon for a folder that lies in the spool. Raises NoDaemon, Refused."""
        self._request(Submit(self.engine.token, id))

    def cancel(self, id: str) -> None:
        """Stop a job; nothing of it is kept. Raises NoDaemon, Refused."""
        self._request(Cancel(self.engine.token, id))

    def retry(self, id: str) -> None:
        """Queue a job again that failed or was cancelled. Raises NoDaemon, Refused."""
        self._request(Retry(self.engine.token, id))

    def deliver(self, id: str, *, wait: bool = False) -> None:
        """Bring a finished job's stems to the host again; wait: until they are there. Raises NoDaemon, Refused."""
        self._order(Deliver(self.engine.token, id), wait=wait)

    def strength(self, id: str, stem: str, permille: int, *, wait: bool = False) -> None:
        """Give a stem another strength; wait: until it is rendered. Raises NoDaemon, Refused."""
        self._order(Strength(self.engine.token, id, stem, permille), wait=wait)

    def tie(self, knob: int, id: str, stem: str) -> None:
        """Let a plain fader move a stem. Raises NoDaemon, Refused."""
        self._request(Tie(self.engine.token, knob, id, stem))

    def knob(self, knob: int, position: float) -> None:
        """Move a knob, as a fader does: nobody answers."""
        self._send(Knob(knob, position))

    def job(self, id: str) -> Job:
        """How a job stands. Raises NoDaemon, Refused."""
        (row,) = self._rows(Status(self.engine.token, id), JobRow)
        return _job(row)

    def jobs(self) -> list[Job]:
        """How all jobs stand. Raises NoDaemon, Refused."""
        return [_job(row) for row in self._rows(List(self.engine.token, new_id()), JobRow)]

    def watch(self, id: str) -> Iterator[Message]:
        """Everything said about a job, up to its `done`, `fail` or `cancelled`, which comes last.

        Raises NoDaemon when the daemon has ended meanwhile; the job is taken up by the next one.
        """
        while True:
            for message in self._until(lambda: self.ring(id), id):
                yield message
                if _ends(message):
                    return

    def listen(self, timeout_s: float) -> Message | None:
        """The next message that nobody waited for; None when none came in time."""
        if self._waiting:
            return self._waiting.popleft()
        self._keep()
        return self._line.receive(timeout_s)

    # What there is.

    def models(self) -> list[ModelRow]:
        """The models. Raises NoDaemon, Refused."""
        return self._rows(Models(self.engine.token, new_id()), ModelRow)

    def vocabulary(self, model: str = "") -> list[VocabularyRow]:
        """The words that a model knows, none where it follows any text. Raises NoDaemon, Refused."""
        return self._rows(Vocabulary(self.engine.token, new_id(), model), VocabularyRow)

    def devices(self) -> list[DeviceRow]:
        """What can compute there. Raises NoDaemon, Refused."""
        return self._rows(Devices(self.engine.token, new_id()), DeviceRow)

    def plan(self, model: str, seconds: int, stems: int) -> list[PlanRow]:
        """How so much sound would be computed. Raises NoDaemon, Refused."""
        return self._rows(Plan(self.engine.token, new_id(), model, seconds, stems), PlanRow)

    def fetch(self, model: str, id: str | None = None) -> Iterator[Message]:
        """Fetch a model: `progress`, then `done`, `fail` or `cancelled`. id: to stop it by. Raises NoDaemon, Refused."""
        asked = Fetch(self.engine.token, id or new_id(), model)
        self._request(asked)
        while True:
            for message in self._until(lambda: self._request(asked), asked.id):
                yield message
                if isinstance(message, Done | Fail | Cancelled):
                    return

    def stop_fetch(self, id: str) -> None:
        """Stop fetching a model. Raises NoDaemon; Refused where nothing is fetched under this id."""
        self._request(StopFetch(self.engine.token, id))

    def say(self, asked: Asked) -> None:
        """Ask something once, under this daemon's token, and go on. What comes of it comes to `listen`; nothing: ask again."""
        self._send(replace(asked, token=self.engine.token))  # type: ignore[call-arg]

    def stop(self) -> None:
        """End the daemon. Raises NoDaemon, Refused."""
        self._request(Stop(self.engine.token, new_id()))

    # How it is done.

    def _request(self, asked: Asked) -> Message:
        """Ask until it is taken up. Its end, where that came at once, is kept for whoever watches. Raises NoDaemon, Refused."""

        def answers(message: Message) -> bool:
            if getattr(message, "id", None) != asked.id:
                return False
            if isinstance(message, Accepted | Done | Fail) and message.what == asked.address:
                return True
            return isinstance(message, Cancelled) and isinstance(asked, Submit | Cancel)

        answer = self._ask(asked, answers)
        if isinstance(answer, Fail):
            raise Refused(answer)
        if not isinstance(answer, Accepted):
            self._waiting.append(answer)
        return answer

    def _order(self, asked: Asked, *, wait: bool) -> None:
        """Ask, and wait for the end of what was asked where that is wanted. Raises NoDaemon, Refused."""
        self._request(asked)
        while wait:
            for message in self._until(lambda: self._request(asked), asked.id):
                if isinstance(message, Done | Fail) and (message.id, message.what) == (asked.id, asked.address):
                    if isinstance(message, Fail):
                        raise Refused(message)
                    return

    def _rows(self, asked: Asked, kind: type[Row]) -> list[Row]:
        """Ask over TCP, which loses nothing and carries as many rows as there are. Raises NoDaemon, Refused."""
        self._line.reliable = True
        rows: dict[int, Row] = {}

        def whole(message: Message) -> bool:
            if isinstance(message, kind) and message.id == asked.id:
                rows[message.index] = message
            return isinstance(message, Done | Fail) and (message.id, message.what) == (asked.id, asked.address)

        answer = self._ask(asked, whole)
        if isinstance(answer, Fail):
            raise Refused(answer)
        return [rows[index] for index in sorted(rows)]

    def _ask(self, message: Message, answers: Callable[[Message], bool]) -> Message:
        """Send a message until it is answered; what else comes meanwhile waits. Raises NoDaemon, Refused."""
        for attempt in range(RESENDS + 2):
            self._line.reliable |= attempt > RESENDS
            self._send(message)
            until = self._clock() + (PATIENCE_S if self._line.reliable else RESEND_S)
            while (left := until - self._clock()) > 0 and not self._line.lost:
                came = self._line.receive(left)
                if came is not None and answers(came):
                    return came
                if isinstance(came, Fail) and came.what == message.address and came.id in ("", getattr(message, "id", "")):
                    raise Refused(came)
                if came is not None:
                    self._waiting.append(came)
        what = f"No daemon answers at port {self.engine.udp}."
        raise NoDaemon(what, "Start one with `zerostem daemon`; what lies in the spool is done then.")

    def _until(self, again: Callable[[], object], id: str) -> Iterator[Message]:
        """What is said about `id`, until nothing is for a second; then it is asked for again."""
        others = []
        while self._waiting:
            came = self._waiting.popleft()
            if getattr(came, "id", None) == id:
                yield came
            else:
                others.append(came)
        self._waiting.extend(others)
        until = self._clock() + SILENCE_S
        while (left := until - self._clock()) > 0:
            self._keep()
            heard = self._line.receive(left)
            if heard is not None and getattr(heard, "id", None) == id:
                yield heard
                until = self._clock() + SILENCE_S
            elif heard is not None:
                self._waiting.append(heard)
        try:
            again()
        except Refused as error:
            yield error.fail

    def _keep(self) -> None:
        if self._clock() - self._said > KEEP_S:
            self._send(Ping())

    def _send(self, message: Message) -> None:
        self._said = self._clock()
        self._line.send(message)


def _ends(message: Message) -> bool:
    """Whether it is the end of a job."""
    return isinstance(message, Cancelled) or (isinstance(message, Done | Fail) and message.what == Submit.address)


def _job(row: JobRow) -> Job:
    return Job(row.job, row.state, row.permille, row.stage, row.eta_s, row.device)  # type: ignore[arg-type]
