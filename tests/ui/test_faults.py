"""A fault of our own in one of the panel's threads is told and written down, and the thread goes on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_bridge.errors import ZeroStemError

pytestmark = pytest.mark.usefixtures("qt")


def until(application: Any, there: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not there() and time.monotonic() < end:
        application.processEvents()
        time.sleep(0.005)
    assert there()


def broken(*_: object) -> None:
    raise KeyError("the bug")


def test_a_question_that_breaks_is_answered_and_the_next_one_is_asked(application: Any, home: Path) -> None:
    from ui.link import Link, Question

    link, told = Link(wake=False), list[object]()
    link._put(None, Question(broken, told.append, told.append))  # type: ignore[arg-type]
    link._put(None, Question(lambda _client: "an answer", told.append, told.append))  # type: ignore[arg-type]
    until(application, lambda: len(told) == 2)
    assert isinstance(told[0], ZeroStemError)
    assert "KeyError" in told[0].what
    assert told[1] == "an answer"
    (log,) = (home / "log").iterdir()
    assert "the bug" in log.read_text(encoding="utf-8")


def test_a_talk_that_breaks_begins_again(application: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ui.link import Link

    tries = list[int]()

    def found(_link: Link) -> None:
        tries.append(1)
        broken()

    monkeypatch.setattr(Link, "_found", found)
    monkeypatch.setattr("ui.link.AGAIN_S", 0.01)
    link, told = Link(wake=False), list[object]()
    link.complained.connect(told.append)
    link.start()
    until(application, lambda: len(tries) > 1 and told)
    link.close()
    assert all(isinstance(each, ZeroStemError) for each in told)


def test_a_work_that_breaks_is_told_and_the_next_one_is_done(application: Any, home: Path) -> None:
    from ui.aside import Aside

    aside, told = Aside(1), list[object]()
    aside(broken, told.append, told.append)
    aside(lambda: "done", told.append, told.append)
    until(application, lambda: len(told) == 2)
    aside.close()
    assert isinstance(told[0], ZeroStemError)
    assert told[1] == "done"
