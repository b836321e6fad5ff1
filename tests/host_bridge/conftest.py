"""A dummy engine that works, and the house it lives in: a spool, an exchange and an endpoint, all in this process."""

import itertools
import queue
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Self

import pytest

from host_bridge import discovery
from host_bridge.client import Client
from host_bridge.endpoint import Endpoint
from host_bridge.errors import BadRequest
from host_bridge.exchange import Exchange, Peer
from host_bridge.forms import EngineFile, RequestFile, StateFile
from host_bridge.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Deliver,
    DeviceRow,
    Devices,
    Done,
    Fail,
    Fetch,
    JobRow,
    Knob,
    List,
    Message,
    ModelRow,
    Models,
    Plan,
    PlanRow,
    Progress,
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
from host_bridge.recovery import recover
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job, Stem

TOKEN = "a token of the tests"
REQUEST = RequestFile(stems=(Stem("drums"), Stem("bass", 0.5)))


class House:
    """A daemon without a device: it takes the same messages and files as the real one, and copies instead of separating.

    hold: set while jobs must not end. wrong: called with each job, to raise what a device would.
    """

    def __init__(self, root: Path, work_s: float = 0.0) -> None:
        self.spool = Spool(root / "spool")
        self.spool.prepare()
        self.work_s, self.hold = work_s, threading.Event()
        self.exchange = Exchange(TOKEN, Welcome("dummy", "progress", "1", 1), time.monotonic)
        self.wrong: Callable[[str], None] = lambda _id: None
        self.ran: list[str] = []
        self.moved: list[tuple[int, float]] = []
        self.ties: dict[int, tuple[str, str]] = {}
        self._queue: queue.Queue[str | None] = queue.Queue()
        found = recover(self.spool)
        self.exchange.know((each.state.job.id, each.state.job.state) for each in found)
        for each in found:
            if each.state.job.state == "queued":
                self._queue.put(each.state.job.id)
        self.endpoint = Endpoint(self.exchange, self.handle, port=0)
        self.engine = EngineFile(1, self.endpoint.port, self.endpoint.port, "1", self.spool.root, TOKEN)
        self._worker = threading.Thread(target=self._work, name="device")

    def __enter__(self) -> Self:
        self.endpoint.start()
        self._worker.start()
        discovery.announce(self.engine)
        return self

    def __exit__(self, *_: object) -> None:
        self._queue.put(None)
        self.hold.clear()
        self._worker.join()
        self.endpoint.close()
        discovery.withdraw(self.engine)

    def client(self, engine: EngineFile | None = None) -> Client:
        return Client(engine or self.engine, "test")

    def handle(self, message: Message, peer: Peer) -> list[Message]:
        return self._HANDLERS[type(message)](self, message)

    def submit(self, message: Submit) -> list[Message]:
        self.spool.folder(message.id)
        before = self.exchange.state(message.id)
        state = self.exchange.step(message.id, "submit")
        if before is None:
            self._queue.put(message.id)
        accepted = Accepted(message.id, message.address)
        told = self.spool.state(message.id)
        ends: dict[str, Message] = {
            "done": Done(message.id, message.address, 2),
            "failed": Fail(message.id, message.address, told.code, told.error, told.todo),
            "cancelled": Cancelled(message.id),
        }
        return [ends[state]] if state in ends else [accepted]

    def cancel(self, message: Cancel) -> list[Message]:
        self.exchange.step(message.id, "cancel")
        self.spool.record(StateFile(Job(message.id, "cancelled")), "cancel")
        self.spool.clear(message.id)
        self.endpoint.tell(Cancelled(message.id))
        return [Cancelled(message.id)]

    def retry(self, message: Retry) -> list[Message]:
        self.exchange.step(message.id, "retry")
        self.spool.clear(message.id, cancel=True)
        self.spool.record(StateFile(Job(message.id, "queued")), "retry")
        self._queue.put(message.id)
        return [Accepted(message.id, message.address)]

    def status(self, message: Status) -> list[Message]:
        row = JobRow.of(message.id, 0, self.spool.state(message.id).job)
        return [row, Done(message.id, message.address, 1)]

    def rows(self, message: List) -> list[Message]:
        rows = [JobRow.of(message.id, index, self.spool.state(id_).job) for index, id_ in enumerate(self.spool.ids())]
        return [*rows, Done(message.id, message.address, len(rows))]

    def strength(self, message: Strength) -> list[Message]:
        self.spool.want_strength(message.id, message.stem, message.permille)
        self.exchange.step(message.id, "strength")
        self.endpoint.tell(Done(message.id, message.address, 1))
        return [Accepted(message.id, message.address)]

    def tie(self, message: Tie) -> list[Message]:
        self.ties[message.knob] = (message.id, message.stem)
        return [Done(message.id, message.address, 1)]

    def knob(self, message: Knob) -> list[Message]:
        self.moved.append((message.knob, message.position))
        return []

    def deliver(self, message: Deliver) -> list[Message]:
        return [Accepted(message.id, message.address), Done(message.id, message.address, 2)]

    def models(self, message: Models) -> list[Message]:
        row = ModelRow(message.id, 0, "dummy", "MIT", 1, 2**40, "for tests")
        return [row, Done(message.id, message.address, 1)]

    def vocabulary(self, message: Vocabulary) -> list[Message]:
        words = {"drums": "drums", "drum kit": "drums"} if message.model in ("", "dummy") else {}
        rows = [VocabularyRow(message.id, index, *both) for index, both in enumerate(words.items())]
        return [*rows, Done(message.id, message.address, len(rows))]

    def fetch(self, message: Fetch) -> list[Message]:
        if message.model == "a fault":
            raise ZeroDivisionError("inside a handler")
        if message.model != "dummy":
            raise BadRequest(f"There is no model {message.model}.", "Choose dummy.")
        answers = [Accepted(message.id, message.address), Progress(message.id, 500, "fetching", 1)]
        return [*answers, Done(message.id, message.address, 1)]

    def stop_fetch(self, message: StopFetch) -> list[Message]:
        return [Accepted(message.id, message.address), Cancelled(message.id)]

    def devices(self, message: Devices) -> list[Message]:
        return [DeviceRow(message.id, 0, "cpu", "cpu", -1), Done(message.id, message.address, 1)]

    def plan(self, message: Plan) -> list[Message]:
        return [PlanRow(message.id, 0, "cpu", 4, 2**33, message.seconds), Done(message.id, message.address, 1)]

    def stop(self, message: Stop) -> list[Message]:
        return [Done(message.id, message.address, 0)]

    _HANDLERS: ClassVar[dict[type[Message], Callable[..., list[Message]]]] = {}  # filled below

    def _work(self) -> None:
        while (id_ := self._queue.get()) is not None:
            if self.exchange.state(id_) != "queued":
                continue
            self.exchange.step(id_, "start")
            state = StateFile(Job(id_, "running", device="dummy"), 1)
            self.spool.record(state, "start")
            self.ran.append(id_)
            try:
                self.wrong(id_)
                self._separate(state)
            except BadRequest as error:
                self.exchange.step(id_, "fail")
                self.spool.record(StateFile(Job(id_, "failed"), 1, int(error.code), error.what, error.todo), "fail")
                self.endpoint.tell(Fail.of(error, id_, Submit.address))

    def _separate(self, state: StateFile) -> None:
        id_ = state.job.id
        for permille in itertools.count(0, 250):
            if self.exchange.state(id_) == "cancelled":
                return
            if self.spool.show(replace(state, job=replace(state.job, permille=min(permille, 999)))):
                self.endpoint.tell(Progress(id_, min(permille, 999), "copying", 0))
            if permille >= 1000 and not self.hold.is_set():
                break
            time.sleep(max(self.work_s / 4, 0.005 if permille > 1000 else 0.0))
        request = self.spool.request(id_)
        stems = [{"prompt": stem.prompt, "strength": stem.strength, "path": None} for stem in request.stems]
        self.spool.commit(id_, {"schema": "zerostem-sidecar/1", "stems": stems})
        self.exchange.step(id_, "finish")
        self.spool.record(StateFile(Job(id_, "done", 1000, "done", 0), 1), "finish")
        self.endpoint.tell(Done(id_, Submit.address, len(stems)))


House._HANDLERS |= {
    Submit: House.submit,
    Cancel: House.cancel,
    Retry: House.retry,
    Status: House.status,
    List: House.rows,
    Strength: House.strength,
    Tie: House.tie,
    Knob: House.knob,
    Deliver: House.deliver,
    Models: House.models,
    Vocabulary: House.vocabulary,
    Fetch: House.fetch,
    StopFetch: House.stop_fetch,
    Devices: House.devices,
    Plan: House.plan,
    Stop: House.stop,
}


class Relay:
    """A way between clients and a daemon that loses each datagram with the probability `loss`, in both directions."""

    def __init__(self, port: int, loss: float, seed: int = 0) -> None:
        self._port, self._loss, self._random = port, loss, random.Random(seed)
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self._front.settimeout(0.02)
        self.port: int = self._front.getsockname()[1]
        self._backs: dict[tuple[str, int], socket.socket] = {}
        self._ending = False
        self.lost = 0
        self._thread = threading.Thread(target=self._carry, name="relay")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join()
        for each in (self._front, *self._backs.values()):
            each.close()

    def _lose(self) -> bool:
        lose = self._random.random() < self._loss
        self.lost += lose
        return lose

    def _carry(self) -> None:
        while not self._ending:
            try:
                packet, client = self._front.recvfrom(65_535)
            except TimeoutError:
                packet, client = b"", ("", 0)
            if packet and client not in self._backs:
                back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.connect(("127.0.0.1", self._port))
                back.setblocking(False)
                self._backs[client] = back
            if packet and not self._lose():
                self._backs[client].send(packet)
            for client, back in self._backs.items():
                while answer := _waiting(back):
                    if not self._lose():
                        self._front.sendto(answer, client)


def _waiting(back: socket.socket) -> bytes:
    try:
        return back.recv(65_535)
    except OSError:
        return b""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as built:
        yield built


@pytest.fixture
def region(tmp_path: Path) -> Path:
    """Bytes in the place of sound: nobody here listens to them."""
    path = tmp_path / "region of a host.wav"
    path.write_bytes(b"RIFF")
    return path


@pytest.fixture
def request_file() -> RequestFile:
    return REQUEST


@pytest.fixture
def make_house() -> type[House]:
    return House


@pytest.fixture
def make_relay() -> type[Relay]:
    return Relay
