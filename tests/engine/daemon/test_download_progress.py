"""The daemon fetches a model: how far it is, that it can be stopped, and what is said when it cannot be done."""

import time
from collections.abc import Callable
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest

from engine.daemon import download_progress
from engine.daemon.download_progress import DownloadProgress
from engine.daemon.handlers import MessageHandlers
from engine.daemon.jobs import JobRegistry
from engine.models import catalogue
from host_bridge import errors
from host_bridge.errors import BadMessage, Code
from host_bridge.protocol.messages import (
    Accepted,
    CancelledMessage,
    Done,
    Fail,
    Fetch,
    Message,
    ProgressMessage,
    StopFetch,
    Welcome,
)
from host_bridge.protocol.state_machine import Peer, StateMachine
from host_bridge.spool.job_folders import Spool

if TYPE_CHECKING:
    from tests.engine.hub import Hub

PEER = Peer("udp", "127.0.0.1", 1)
NAME, S = "audioldm-s-full-v2", "cvssp/audioldm-s-full-v2"


@pytest.fixture
def told() -> "Queue[Message]":
    return Queue()


@pytest.fixture
def handlers(tmp_path: Path, told: "Queue[Message]") -> MessageHandlers:
    state_machine = StateMachine("token", Welcome("test", "", "0", 1), lambda: 0.0)
    jobs = JobRegistry(Spool(tmp_path / "spool"), state_machine, told.put, lambda _: None, lambda _: None)
    worker: Any = None  # a fetch needs no device
    return MessageHandlers(jobs, worker, lambda: None)


@pytest.fixture
def stocked(hub: "Hub") -> "Hub":
    names = sorted({row[0] for row in catalogue.LAYOUTS["audioldm"]})
    hub.repositories[S] = {name: b'{"of": "%s"}' % name.encode() for name in names if name.endswith(".json")}
    hub.repositories[S] |= {name: name.encode() * 200 for name in names if name not in hub.repositories[S]}
    return hub


def until(told: "Queue[Message]", wanted: Callable[[Message], bool]) -> list[Message]:
    heard: list[Message] = []
    while not heard or not wanted(heard[-1]):
        heard.append(told.get(timeout=20))
    return heard


def ended(message: Message) -> bool:
    return isinstance(message, Done | Fail | CancelledMessage)


def test_a_fetch_tells_bytes_of_all_bytes_and_ends(handlers: MessageHandlers, stocked: "Hub", told: "Queue[Message]") -> None:
    assert handlers.handle(Fetch("token", "one", NAME), PEER) == [Accepted("one", "model/fetch")]
    *heard, end = until(told, ended)
    said = [each for each in heard if isinstance(each, ProgressMessage)]
    assert [each.permille for each in said] == sorted(each.permille for each in said)
    assert said[0].stage == "asking the hub"
    assert said[-1].stage == "fetched"
    assert isinstance(end, Fail)  # the files are there, and are no weights
    assert "is damaged" in end.said
    assert len(stocked.sent()) == len(stocked.repositories[S])


def test_a_fetch_that_is_stopped_is_cancelled_and_keeps_whole_files(
    handlers: MessageHandlers, stocked: "Hub", told: "Queue[Message]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_progress, "EVERY_S", 0.0)
    stocked.free.clear()
    handlers.handle(Fetch("token", "one", NAME), PEER)
    until(told, lambda message: isinstance(message, ProgressMessage) and "fetching" in message.stage)
    assert handlers.handle(StopFetch("token", "one"), PEER) == [Accepted("one", "model/cancel")]
    stocked.free.set()
    assert until(told, ended)[-1] == CancelledMessage("one")
    assert len(stocked.sent()) == 1
    handlers.handle(Fetch("token", "one", NAME), PEER)  # the same id again is a fetch again
    until(told, ended)
    assert len(stocked.sent()) == len(stocked.repositories[S]) + 1


def test_what_is_not_being_fetched_cannot_be_stopped(handlers: MessageHandlers) -> None:
    with pytest.raises(BadMessage, match="No model is fetched") as caught:
        handlers.handle(StopFetch("token", "one"), PEER)
    assert (caught.value.code, caught.value.about) == (Code.NO_SUCH_THING, "model/cancel")


@pytest.mark.parametrize(("model", "said"), [("pocket", None), ("no such model", 'no model called "no such model"')])
def test_other_models_need_no_hub(
    handlers: MessageHandlers, hub: "Hub", told: "Queue[Message]", model: str, said: str | None
) -> None:
    handlers.handle(Fetch("token", "one", model), PEER)
    end = until(told, ended)[-1]
    assert end == Done("one", "model/fetch", 0) if said is None else isinstance(end, Fail) and said in end.said
    assert not hub.requests


def test_the_time_to_go_counts_from_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    now, heard = [0.0], list[Message]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = DownloadProgress("one", heard.append, lambda: False)
    for at, done in ((0.0, 0.0), (100.0, 0.5), (100.1, 0.55), (110.0, 0.6), (150.0, 1.0)):
        now[0] = at
        progress(done, "fetching")
    assert [(each.permille, each.eta_s) for each in heard if isinstance(each, ProgressMessage)] == [
        (0, -1),
        (500, -1),
        (600, 40),
        (999, 0),
    ]


def test_a_fetch_that_was_stopped_says_nothing_more() -> None:
    heard = list[Message]()
    with pytest.raises(errors.Cancelled):
        DownloadProgress("one", heard.append, lambda: True)(0.5, "fetching")
    assert not heard
