"""The protocol as classes and as a page for people say the same, and a message knows what it may hold."""

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

from host_bridge import messages, rules, wire
from host_bridge.client import Refused
from host_bridge.errors import BadAudio, BadMessage, BadRequest, BadSpool, Code, IllegalStep, ZeroStemError
from host_bridge.messages import (
    ALL,
    LONGEST_TEXT,
    MESSAGES,
    Asked,
    Fail,
    JobRow,
    Message,
    Strength,
    Submit,
    fault,
    kinds,
    one_line,
)
from host_bridge.vocabulary import Job, is_id, is_stem_name, new_id

PAGES = Path(messages.__file__).parent
PROTOCOL = (PAGES / "PROTOCOL.md").read_text(encoding="utf-8")
SPOOL = (PAGES / "SPOOL.md").read_text(encoding="utf-8")


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table after a heading, without its head."""
    after = page[page.index(heading) :]
    lines = re.findall(r"^\|(.*)\|$", after[after.index("|---") : after.find("\n\n", after.index("|---"))], re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines[1:]]


def row(message: type[Message]) -> list[str]:
    told = {name: kind for name, kind in kinds(message).items() if f"{{{name}}}" not in message.address}
    arguments = " ".join(f"`{name}:{kind.tag}`" for name, kind in told.items()) or "none"
    return [f"`{message.address}`", message.sender, arguments, " ".join((message.__doc__ or "").split())]


def test_the_page_and_the_classes_tell_the_same_messages() -> None:
    assert table(PROTOCOL, "## Messages") == [row(message) for message in ALL]


def test_the_page_and_the_classes_tell_the_same_arguments() -> None:
    told = {
        (f"`{name}`", kind.takes, kind.means.replace("|", "or")) for message in ALL for name, kind in kinds(message).items()
    }
    assert {tuple(line) for line in table(PROTOCOL, "## Arguments")} == told


def test_the_page_tells_every_code() -> None:
    assert [line[0] for line in table(PROTOCOL, "## Codes")] == [str(int(code)) for code in Code]


@pytest.mark.parametrize(
    ("heading", "form"),
    [
        ("## request.json", rules.REQUEST),
        ("Each of `stems`:", rules.STEM),
        ("`settings`:", rules.SETTINGS),
        ("`region`:", rules.REGION),
        ("Each of `source`:", rules.SOURCE),
        ("## state.json", rules.STATE),
        ("## strengths.json", rules.STRENGTHS),
        ("## daemon.json", rules.DAEMON),
        ("## engine.json", rules.ENGINE),
        ("## result.json", rules.RESULT),
    ],
)
def test_the_page_of_the_spool_and_the_rules_tell_the_same_keys(heading: str, form: dict[str, rules.Rule]) -> None:
    wanted = [[f"`{key}`", "yes" if rule.required else "no", rule.means.replace("|", "or")] for key, rule in form.items()]
    assert table(SPOOL, heading) == wanted


def test_no_two_messages_have_the_same_address() -> None:
    assert len(MESSAGES) == len(ALL)


def test_the_token_comes_first_in_every_message_that_reads_or_writes_and_each_of_them_has_an_id() -> None:
    for message in ALL:
        if issubclass(message, Asked):
            assert next(iter(kinds(message))) == "token"
            assert "id" in kinds(message)
    open_to_all = {message.address for message in ALL if message.sender == "client" and not issubclass(message, Asked)}
    assert open_to_all == {"hello", "notify", "ping", "sync", "knob/{knob}"}


def test_messages_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Submit("token", new_id()).id = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "id_",
    [
        "",
        "short",
        "../../etc",
        "a/b-c-d-e",
        "UPPER-CASE",
        "with.dots",
        "new\nline",
        "nul\0nul-nul",
        "-first-no",
        "a" * 65,
        "ｆｕｌｌｗｉｄｔｈ",
    ],
)
def test_what_could_be_more_than_a_folders_name_is_no_id(id_: str) -> None:
    assert not is_id(id_)
    assert fault(Submit("token", id_))


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "\ud800", "x" * 501, "a\u2028b"])
def test_what_could_be_a_path_or_two_lines_is_no_stems_name(name: str) -> None:
    assert not is_stem_name(name)
    assert fault(Strength("token", new_id(), name, 1))


def test_a_new_id_is_one_and_nobody_has_had_it() -> None:
    ids = [new_id() for _ in range(100)]
    assert all(map(is_id, ids))
    assert len(set(ids)) == 100


@pytest.mark.parametrize("permille", [-1, 1001, 0.5, True, "1"])
def test_a_strength_out_of_range_is_a_fault_that_names_the_field(permille: int) -> None:
    assert "permille" in (fault(Strength("token", new_id(), "drums", permille)) or "")


def test_a_fail_carries_the_errors_code_and_fits_a_datagram() -> None:
    told = Fail.of(BadAudio("It is\nlong: " + "é" * 5000, "Shorten it."), new_id(), "job/submit")
    assert told.code == Code.BAD_AUDIO
    assert not fault(told)
    assert len(told.error.encode()) + len(told.todo.encode()) <= 900
    assert told.todo == "Shorten it."


def test_what_happened_and_what_to_do_stay_two_fields_whatever_stands_in_them() -> None:
    error = BadAudio("Take 1. Drums.wav is cut off. or damaged.", "Copy it again. Then. try.")
    told = wire.decode(wire.encode(Fail.of(error, new_id(), "job/submit")))
    assert isinstance(told, Fail)
    assert (told.error, told.todo) == (error.what, error.todo)
    refused = Refused(told)
    assert (refused.what, refused.todo) == (error.what, error.todo)


def test_a_sentence_that_is_too_long_leaves_room_for_what_to_do() -> None:
    told = Fail.of(BadAudio("x" * 5000, "y" * 5000), new_id(), "job/submit")
    assert (len(told.error), len(told.todo)) == (600, 300)


def test_an_error_about_a_name_that_is_no_text_is_still_a_message() -> None:
    told = Fail.of(BadAudio("bad\udcff\x1b[31m.wav is gone.", "Put it back."), new_id(), "job/submit")
    assert told.error == r"bad\xff\x1b[31m.wav is gone."
    assert not fault(told)


def test_a_fail_of_the_version_before_and_one_of_the_version_after_are_read() -> None:
    def packet(*words: str) -> bytes:
        builder = OscMessageBuilder("/zerostem/1/fail")
        values: tuple[str | int, ...] = ("", "job/submit", 415, *words)
        for value in values:
            builder.add_arg(value)
        return bytes(builder.build().dgram)

    assert wire.decode(packet("It is gone. Put it back.")) == Fail("", "job/submit", 415, "It is gone. Put it back.")
    assert wire.decode(packet("Gone.", "Put it back.", "later")) == Fail("", "job/submit", 415, "Gone.", "Put it back.")
    with pytest.raises(BadMessage):
        wire.decode(packet())


def test_any_text_becomes_one_line() -> None:
    assert one_line("a\nb\0c\ud800\u2029d") == "a b c  d"
    assert len(one_line("x" * 10_000)) == LONGEST_TEXT


def test_a_job_is_a_row() -> None:
    id_ = new_id()
    assert JobRow.of(id_, 3, Job(id_, "running", 500, "listening", 2, "cpu")) == JobRow(
        id_, 3, id_, "running", 500, "listening", 2, "cpu"
    )


def test_every_error_says_whose_fault_it_is_in_two_sentences() -> None:
    for error in (
        BadMessage("It is bad.", "Mend it."),
        IllegalStep("It is bad.", "Mend it."),
        BadSpool("It is bad.", "Mend it."),
    ):
        assert isinstance(error, ZeroStemError)
        assert str(error) == "It is bad. Mend it."
    assert BadRequest("a.", "b.").code == Code.BAD_REQUEST
