"""What is asked of the daemon without waiting: again where nothing is heard, never of a daemon that is gone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host_bridge.messages import Asked, Cancelled, Fail, Fetch, ModelRow, Plan, PlanRow, Progress, StopFetch
from host_bridge.vocabulary import Hertz, Samples
from ui.models.region import Region
from ui.models.session import Session

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("qt")]


class Line:
    """A link whose questions are asked at once, of a client that writes down what it says and knows no rows."""

    def __init__(self) -> None:
        self.said: list[Asked] = []

    def ask(self, question: Callable[[Any], Any], then: Callable[[Any], None] = lambda _answer: None, **_: Any) -> None:
        answer = question(self)
        if answer is not None:
            then(answer)

    def say(self, asked: Asked) -> None:
        self.said.append(asked)

    def models(self) -> list[ModelRow]:
        return [ModelRow("q", 0, "pocket", "MIT", 1, 10, ""), ModelRow("q", 1, "large", "CC-BY-NC-4.0", 0, 10, "")]

    def devices(self) -> None:
        return None

    def vocabulary(self, _model: str) -> None:
        return None


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def machinery(application: object, line: Line) -> Iterator[Any]:
    from ui.machinery import Machinery

    made = Machinery(line)  # type: ignore[arg-type]
    made.stand("there", "")
    yield made
    made.close()


@pytest.fixture
def session(tmp_path: Any) -> Session:
    return Session(region=Region(tmp_path, Samples(0), Samples(80_000), Hertz(8000), 1, "song")).asking("drums")


def test_what_nobody_answers_is_asked_again_and_what_is_heard_is_not(line: Line, machinery: Any) -> None:
    machinery.fetch("large")
    machinery.fetch("large")  # it goes on already
    (asked,) = line.said
    assert isinstance(asked, Fetch)
    machinery._ask_again()
    assert line.said == [asked, asked]
    machinery.hear(Progress(asked.id, 10, "asking the hub", -1))
    machinery._ask_again()
    assert len(line.said) == 2
    machinery._ask_again()  # silence since
    assert len(line.said) == 3
    machinery.hear(Fail(asked.id, "model/fetch", 500, "The disk of Mr. X is full.", "Make room."))
    machinery._ask_again()
    assert len(line.said) == 3
    assert (machinery.fetches["large"].what, machinery.fetches["large"].todo) == ("The disk of Mr. X is full.", "Make room.")


def test_what_is_to_stop_is_never_begun_again(line: Line, machinery: Any) -> None:
    machinery.fetch("large")
    machinery.stop("large")
    machinery._ask_again()
    assert [type(asked) for asked in line.said] == [Fetch, StopFetch, StopFetch]
    machinery.hear(Cancelled(line.said[0].id))
    machinery._ask_again()
    assert len(line.said) == 3
    assert not machinery.fetches


def test_a_daemon_that_is_gone_is_not_started_for_it_but_the_next_one_is_asked(line: Line, machinery: Any) -> None:
    machinery.fetch("large")
    machinery.stand("gone", "")
    machinery._ask_again()
    assert len(line.said) == 1
    machinery.stand("there", "")
    assert len(line.said) == 2
    machinery.stand("gone", "")
    machinery.stop("large")
    machinery.stand("there", "")
    assert len(line.said) == 2
    assert not machinery.fetches


def test_a_plan_is_asked_for_once_and_only_the_last_one_counts(line: Line, machinery: Any, session: Session) -> None:
    machinery.reckon(Session())
    assert not line.said
    machinery.reckon(session)
    machinery.reckon(session.strengthened("drums", 0.5))  # it takes no longer
    (first,) = line.said
    assert isinstance(first, Plan)
    assert (first.model, first.seconds, first.stems) == ("", 10, 1)
    machinery.reckon(session.asking("bass"))
    second = line.said[1]
    machinery.hear(PlanRow(first.id, 0, "cpu", 1, 1, 1))
    assert machinery.reckoning
    machinery.hear(PlanRow(second.id, 0, "cpu", 4, 1, 9))
    assert [row.expected_s for row in machinery.plans] == [9]
    machinery.reckon(session.using("large"))  # it is not here, so there is nothing to load
    assert (len(line.said), machinery.plans) == (2, ())
    machinery.reckon(session)
    machinery.hear(Fail(line.said[2].id, "plan", 500, "It cannot be loaded. Try another."))
    assert (machinery.no_plan, machinery.reckoning) == ("It cannot be loaded. Try another.", False)
