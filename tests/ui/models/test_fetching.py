"""A model on its way: every order in which the daemon's words may come ends where it should."""

import pytest

from host_bridge.messages import Accepted, Cancelled, Done, Fail, Fetch, Message, Progress, StopFetch
from ui.models.fetching import Fetching

COMES = Progress("one", 430, "fetching unet/big_model.bin, 1.1 GB of 2.6 GB", 130)
HERE = Done("one", Fetch.address, 0)
FAILS = Fail("one", Fetch.address, 500, "The disk is full.", "Make room on it.")
TOO_LATE = Fail("one", StopFetch.address, 404, "No model is fetched under the id one.", "It has ended.")
STOPS = Cancelled("one")
BEGUN = Fetching("large", "one")


def after(*said: Message, begun: Fetching = BEGUN) -> Fetching:
    for message in said:
        begun = begun.after(message)
    return begun


def test_how_far_it_is_can_be_read() -> None:
    assert BEGUN.line == "asking for it"
    made = after(Accepted("one", Fetch.address), COMES)
    assert (made.state, made.permille) == ("coming", 430)
    assert made.line.replace("\u200b", "") == "43 %, fetching unet/big_model.bin, 1.1 GB of 2.6 GB, 2 min 10 s left"
    assert "unet/\u200bbig_\u200bmodel" in made.line  # a narrow page may wrap it there
    assert after(COMES).stopped().line == "Stopping…"


@pytest.mark.parametrize(
    ("said", "state"),
    [((COMES, HERE), "here"), ((COMES, FAILS), "failed"), ((COMES, STOPS), "stopped"), ((HERE, COMES), "here"), ((), "asked")],
)
def test_it_ends_once(said: tuple[Message, ...], state: str) -> None:
    made = after(*said)
    assert made.state == state
    assert made.under_way == (state == "asked")
    assert made.stopped() == made or made.under_way


def test_who_stops_it_sees_it_stopping_until_it_has_ended_however_it_does() -> None:
    stopping = after(COMES).stopped()
    assert after(COMES, begun=stopping) == stopping
    assert after(STOPS, begun=stopping).state == "stopped"
    assert after(TOO_LATE, begun=stopping).state == "stopped"
    assert after(HERE, begun=stopping).state == "here"


def test_what_went_wrong_is_what_and_what_to_do() -> None:
    assert (after(FAILS).what, after(FAILS).todo) == ("The disk is full.", "Make room on it.")


def test_what_is_said_of_others_is_not_heard() -> None:
    assert after(Progress("two", 10, "fetching", 3)) == BEGUN
