"""A job's life goes by its table, tokens are asked for, and whoever falls silent is told no more."""

import itertools
from typing import get_args

import pytest

from host_bridge import exchange as room
from host_bridge.errors import BadMessage, Code, IllegalStep
from host_bridge.exchange import EVENTS, LEASE_S, LIFE, MOST_PEERS, Event, Exchange, Peer
from host_bridge.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Deliver,
    Done,
    Fail,
    Heartbeat,
    Hello,
    Knob,
    List,
    Message,
    Notified,
    Notify,
    Ping,
    Pong,
    Progress,
    Retry,
    Status,
    Strength,
    Submit,
    Sync,
    Synced,
    Tie,
    Welcome,
    kinds,
)
from host_bridge.vocabulary import ENDED, STATES, State

TOKEN, JOB = "a token", "a-job-of-mine"
WHO = Welcome("daemon", "", "1", 1)
PANEL, FADER = Peer("udp", "127.0.0.1", 1000), Peer("udp", "127.0.0.1", 1001)
ASKED: list[Message] = [
    Submit(TOKEN, JOB),
    Cancel(TOKEN, JOB),
    Retry(TOKEN, JOB),
    Status(TOKEN, JOB),
    Strength(TOKEN, JOB, "drums", 500),
    Deliver(TOKEN, JOB),
    Tie(TOKEN, 1, JOB, "drums"),
    List(TOKEN, JOB),
]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exchange(clock: Clock) -> Exchange:
    return Exchange(TOKEN, WHO, clock)


def test_every_state_is_in_the_table_and_leads_to_states_that_are() -> None:
    assert set(LIFE) == {None, *STATES}
    assert {after for row in LIFE.values() for after in row.values()} == {*STATES}


def test_submitting_again_never_changes_a_job() -> None:
    assert all(row["submit"] == state for state, row in LIFE.items() if state)


def test_a_restart_loses_no_job_and_leaves_none_running() -> None:
    after = {state: row["restart"] for state, row in LIFE.items() if state}
    assert after == {"queued": "queued", "running": "queued", "done": "done", "failed": "failed", "cancelled": "cancelled"}


def test_what_has_ended_stays_so_unless_somebody_asks_for_it_again() -> None:
    for state in ENDED:
        assert {event for event, after in LIFE[state].items() if after != state} <= {"retry"}


@pytest.mark.parametrize(("state", "event"), [*itertools.product([None, *STATES], get_args(Event))])
def test_each_step_is_taken_as_the_table_says_or_refused_as_the_fault_of_whose_it_is(
    exchange: Exchange, state: State | None, event: Event
) -> None:
    if state:
        exchange.know([(JOB, state)])
    if event in LIFE[state]:
        assert exchange.step(JOB, event) == LIFE[state][event] == exchange.state(JOB)
        return
    with pytest.raises(BadMessage if event in EVENTS.values() else IllegalStep):
        exchange.step(JOB, event)
    assert exchange.state(JOB) == state


@pytest.mark.parametrize("message", ASKED, ids=lambda message: type(message).__name__)
def test_without_the_token_nothing_is_carried_out(exchange: Exchange, message: Message) -> None:
    exchange.know([(JOB, "running")])
    for token in ("", "a tokem", "a token "):
        values = {name: getattr(message, name) for name in kinds(type(message))} | {"token": token}
        with pytest.raises(BadMessage) as error:
            exchange.receive(PANEL, type(message)(**values))
        assert error.value.code == Code.NO_TOKEN
        assert error.value.id == JOB
    assert exchange.audience(Done(JOB, "job/submit", 1)) == []


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        (Hello(TOKEN, "panel", "", "1", 1), WHO),
        (Ping(), Pong()),
        (Sync(7), Synced(7)),
        (Notify(1), Notified(1, 30)),
    ],
)
def test_what_needs_no_engine_is_answered_at_once(exchange: Exchange, message: Message, answer: Message) -> None:
    assert exchange.receive(PANEL, message) == [answer]


def test_what_the_engine_is_for_is_handed_on(exchange: Exchange) -> None:
    assert exchange.receive(PANEL, Submit(TOKEN, JOB)) is None
    assert exchange.receive(PANEL, List(TOKEN, JOB)) is None
    assert exchange.receive(FADER, Knob(1, 0.5)) is None


def test_an_answer_is_never_answered(exchange: Exchange) -> None:
    assert exchange.receive(PANEL, Fail("", "", 400, "Something.")) == []
    assert exchange.receive(PANEL, Done(JOB, "job/submit", 1)) == []


@pytest.mark.parametrize(
    ("message", "state"),
    [
        (Cancel(TOKEN, JOB), "done"),
        (Retry(TOKEN, JOB), "done"),
        (Deliver(TOKEN, JOB), "queued"),
        (Strength(TOKEN, JOB, "d", 1), "failed"),
    ],
)
def test_what_the_state_does_not_allow_is_refused_with_the_states_that_would(
    exchange: Exchange, message: Message, state: State
) -> None:
    exchange.know([(JOB, state)])
    with pytest.raises(BadMessage, match=f"is {state}") as error:
        exchange.receive(PANEL, message)
    assert error.value.code == Code.NOT_NOW
    assert error.value.about == message.address


@pytest.mark.parametrize("message", [Cancel(TOKEN, JOB), Retry(TOKEN, JOB), Status(TOKEN, JOB), Tie(TOKEN, 1, JOB, "drums")])
def test_a_job_that_nobody_has_heard_of_is_said_to_be_none(exchange: Exchange, message: Message) -> None:
    with pytest.raises(BadMessage) as error:
        exchange.receive(PANEL, message)
    assert error.value.code == Code.NO_SUCH_THING


def test_whoever_asked_is_told_until_the_end_and_no_longer(exchange: Exchange) -> None:
    exchange.receive(PANEL, Submit(TOKEN, JOB))
    exchange.step(JOB, "submit")
    for message in (Accepted(JOB, "job/submit"), Progress(JOB, 1, "", 0), Done(JOB, "job/submit", 1)):
        assert exchange.audience(message) == [PANEL]
    assert exchange.audience(Done(JOB, "job/submit", 1)) == []


def test_asking_how_a_job_stands_does_not_end_being_told(exchange: Exchange) -> None:
    exchange.receive(PANEL, Submit(TOKEN, JOB))
    exchange.step(JOB, "submit")
    exchange.audience(Done(JOB, "job/status", 1))
    assert exchange.audience(Cancelled(JOB)) == [PANEL]


def test_whoever_is_notified_hears_of_jobs_and_beats_but_not_the_answers_to_others(exchange: Exchange) -> None:
    exchange.receive(FADER, Notify(1))
    exchange.know([(JOB, "running")])
    assert exchange.audience(Progress(JOB, 1, "", 0)) == exchange.audience(Heartbeat(1)) == [FADER]
    assert exchange.audience(Progress("a-fetch-of-another", 1, "", 0)) == []
    exchange.receive(FADER, Notify(0))
    assert exchange.audience(Heartbeat(2)) == []


def test_sentences_which_may_name_files_are_for_those_who_have_shown_the_token(exchange: Exchange) -> None:
    fail = Fail(JOB, "job/submit", 415, "/home/ada/secret song.wav cannot be read. Check it.")
    progress = Progress(JOB, 300, "separating (a kept entry was damaged: /home/ada/x)", 5)
    exchange.receive(FADER, Notify(1))
    exchange.know([(JOB, "running")])
    for message in (fail, progress):
        assert FADER in exchange.audience(message)
        heard = exchange.as_heard_by(FADER, message)
        assert "/home" not in str(heard)
        assert (type(heard), heard.id) == (type(message), JOB)  # type: ignore[attr-defined]
    heard = exchange.as_heard_by(FADER, fail)
    assert isinstance(heard, Fail)
    assert heard.code == fail.code
    exchange.receive(FADER, Hello(TOKEN, "panel", "", "1", 1))
    exchange.receive(PANEL, Submit(TOKEN, JOB))
    for peer in (FADER, PANEL):
        assert exchange.as_heard_by(peer, fail) == fail
        assert exchange.as_heard_by(peer, progress) == progress
    assert exchange.as_heard_by(FADER, Done(JOB, "job/submit", 1)) == Done(JOB, "job/submit", 1)


def test_a_lease_ends_after_thirty_silent_seconds_and_any_message_renews_it(exchange: Exchange, clock: Clock) -> None:
    exchange.receive(FADER, Notify(1))
    clock.now = LEASE_S - 1
    exchange.receive(FADER, Ping())
    clock.now = 2 * LEASE_S - 2
    assert exchange.audience(Heartbeat(1)) == [FADER]
    exchange.touch(FADER)
    clock.now = 3 * LEASE_S
    assert exchange.audience(Heartbeat(1)) == []
    assert exchange.expire() == [FADER]
    assert exchange.expire() == []


def test_strangers_without_a_token_cannot_take_the_places_of_those_who_have_it(exchange: Exchange) -> None:
    for port in range(MOST_PEERS):
        exchange.receive(Peer("udp", "127.0.0.1", 2000 + port), Notify(1))
    with pytest.raises(BadMessage) as error:
        exchange.receive(FADER, Notify(1))
    assert error.value.code == Code.TOO_MANY
    exchange.receive(PANEL, Submit(TOKEN, JOB))
    assert PANEL in exchange.audience(Cancelled(JOB))


def test_asking_without_end_is_forgotten_from_the_oldest_on(exchange: Exchange) -> None:
    ids = [f"request-{number:05}" for number in range(room.MOST_ASKED + 1)]
    for id_ in ids:
        exchange.receive(PANEL, List(TOKEN, id_))
    assert exchange.audience(Done(ids[0], "job/list", 0)) == []
    assert exchange.audience(Done(ids[1], "job/list", 0)) == [PANEL]


def test_a_peer_that_hangs_up_and_a_job_that_is_gone_are_forgotten(exchange: Exchange) -> None:
    exchange.receive(PANEL, Submit(TOKEN, JOB))
    exchange.step(JOB, "submit")
    exchange.forget(PANEL)
    exchange.drop(JOB)
    assert exchange.audience(Done(JOB, "job/submit", 1)) == []
    assert exchange.states() == {}


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_retry_that_is_sent_again_because_its_answer_was_lost_changes_nothing(exchange: Exchange, state: State) -> None:
    exchange.know([(JOB, state)])
    assert exchange.step(JOB, "retry") == state
