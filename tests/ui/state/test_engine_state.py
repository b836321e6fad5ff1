"""What is asked of the daemon without waiting: again where nothing is heard, never of a daemon that is gone."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host_bridge.protocol.messages import (
    Asked,
    CancelledMessage,
    Fail,
    Fetch,
    ModelRow,
    PlanQuery,
    PlanRow,
    ProgressMessage,
    StopFetch,
)
from host_bridge.types import Hertz, Samples
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
def engine_state(application: object, line: Line) -> Iterator[Any]:
    from ui.state.engine_state import EngineState

    made = EngineState(line)  # type: ignore[arg-type]
    made.stand("there", "")
    yield made
    made.close()


@pytest.fixture
def session(tmp_path: Any) -> Session:
    return Session(region=Region(tmp_path, Samples(0), Samples(80_000), Hertz(8000), 1, "song")).asking("drums")


def test_what_nobody_answers_is_asked_again_and_what_is_heard_is_not(line: Line, engine_state: Any) -> None:
    engine_state.fetch("large")
    engine_state.fetch("large")  # it goes on already
    (asked,) = line.said
    assert isinstance(asked, Fetch)
    engine_state._ask_again()
    assert line.said == [asked, asked]
    engine_state.hear(ProgressMessage(asked.id, 10, "asking the hub", -1))
    engine_state._ask_again()
    assert len(line.said) == 2
    engine_state._ask_again()  # silence since
    assert len(line.said) == 3
    engine_state.hear(Fail(asked.id, "model/fetch", 500, "The disk of Mr. X is full.", "Make room."))
    engine_state._ask_again()
    assert len(line.said) == 3
    assert (engine_state.fetches["large"].what, engine_state.fetches["large"].todo) == (
        "The disk of Mr. X is full.",
        "Make room.",
    )


def test_what_is_to_stop_is_never_begun_again(line: Line, engine_state: Any) -> None:
    engine_state.fetch("large")
    engine_state.stop("large")
    engine_state._ask_again()
    assert [type(asked) for asked in line.said] == [Fetch, StopFetch, StopFetch]
    engine_state.hear(CancelledMessage(line.said[0].id))
    engine_state._ask_again()
    assert len(line.said) == 3
    assert not engine_state.fetches


def test_a_daemon_that_is_gone_is_not_started_for_it_but_the_next_one_is_asked(line: Line, engine_state: Any) -> None:
    engine_state.fetch("large")
    engine_state.stand("gone", "")
    engine_state._ask_again()
    assert len(line.said) == 1
    engine_state.stand("there", "")
    assert len(line.said) == 2
    engine_state.stand("gone", "")
    engine_state.stop("large")
    engine_state.stand("there", "")
    assert len(line.said) == 2
    assert not engine_state.fetches


def test_a_plan_is_asked_for_once_and_only_the_last_one_counts(line: Line, engine_state: Any, session: Session) -> None:
    engine_state.reckon(Session())
    assert not line.said
    engine_state.reckon(session)
    engine_state.reckon(session.strengthened("drums", 0.5))  # it takes no longer
    (first,) = line.said
    assert isinstance(first, PlanQuery)
    assert (first.model, first.seconds, first.stems) == ("", 10, 1)
    engine_state.reckon(session.asking("bass"))
    second = line.said[1]
    engine_state.hear(PlanRow(first.id, 0, "cpu", 1, 1, 1))
    assert engine_state.reckoning
    engine_state.hear(PlanRow(second.id, 0, "cpu", 4, 1, 9))
    assert [row.expected_s for row in engine_state.plans] == [9]
    engine_state.reckon(session.using("large"))  # it is not here, so there is nothing to load
    assert (len(line.said), engine_state.plans) == (2, ())
    engine_state.reckon(session)
    engine_state.hear(Fail(line.said[2].id, "plan", 500, "It cannot be loaded. Try another."))
    assert (engine_state.no_plan, engine_state.reckoning) == ("It cannot be loaded. Try another.", False)
