"""The protocol: one frozen class per OSC address under `/zerostem/1/`, and the table of them all.

A field's annotation says its OSC type and its range. PROTOCOL.md is this file as a table for people; a test keeps the two
equal. To add a message: one class, its line in MESSAGES, its row there, one handler.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, ClassVar, Literal, get_origin

from host_bridge.errors import ZeroStemError
from host_bridge.text import printable
from host_bridge.vocabulary import ID_RULE, STATES, Job, is_id, is_line, is_stem_name

MAJOR = 1
ROOT = f"/zerostem/{MAJOR}/"
LONGEST_TEXT = 4000
"""Characters of a free text: a sentence, a list of capabilities."""
LONGEST_ERROR = 900
"""Bytes of both sentences of an error: with its id and address they fit a datagram."""
KNOBS = range(1, 9)

Value = str | int | float
From = Literal["client", "daemon"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field may hold: its OSC type tag, the tags that are taken for it, the values that fit, and in words."""

    tag: str
    takes: str
    fits: Callable[[Value], bool]
    means: str


def _text(fits: Callable[[str], bool], means: str) -> Kind:
    return Kind("s", "s", lambda value: isinstance(value, str) and fits(value), means)


def _whole(low: int, high: int, means: str) -> Kind:
    return Kind("i", "ih", lambda value: type(value) is int and low <= value <= high, means)


def _is_text(value: str) -> bool:
    return len(value) <= LONGEST_TEXT and is_line(value)


Token = Annotated[str, _text(_is_text, "the token in engine.json")]
Id = Annotated[str, _text(is_id, f"a job's or a request's id, made by the client: {ID_RULE}")]
AnyId = Annotated[str, _text(_is_text, "the id that was asked with; empty where none could be read")]
Name = Annotated[str, _text(is_stem_name, "a stem's name, which is its prompt: one line, no / and no \\")]
Text = Annotated[str, _text(_is_text, "one line of text")]
StateWord = Annotated[str, _text(lambda value: value in STATES, " | ".join(STATES))]
Permille = Annotated[int, _whole(0, 1000, "0..1000")]
Seconds = Annotated[int, _whole(-1, 2**31 - 1, "seconds; -1 where nobody knows yet")]
Count = Annotated[int, _whole(0, 2**31 - 1, "0 or more")]
Bytes = Annotated[int, Kind("h", "ih", lambda value: type(value) is int and -1 <= value < 2**63, "bytes; -1 where unknown")]
Flag = Annotated[int, _whole(0, 1, "0 or 1")]
Knob_ = Annotated[int, _whole(KNOBS[0], KNOBS[-1], f"a knob, {KNOBS[0]}..{KNOBS[-1]}")]
Number = Annotated[int, _whole(-(2**31), 2**31 - 1, "any whole number")]
Position = Annotated[
    float, Kind("f", "fdi", lambda value: isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= 1, "0..1")
]


@dataclass(frozen=True, slots=True)
class Message:
    """Base of all: `address` without the root, who sends it, and the fields in the order of the wire."""

    address: ClassVar[str]
    sender: ClassVar[From]


def kinds(message: type[Message]) -> dict[str, Kind]:
    """Of each field, in the order of the wire, what it may hold. A field that `address` names is not among the arguments."""
    return {field.name: _kind(field.type) for field in fields(message)}


def _kind(annotation: object) -> Kind:
    assert get_origin(annotation) is Annotated, annotation
    kind = annotation.__metadata__[0]  # type: ignore[attr-defined]
    assert isinstance(kind, Kind)
    return kind


class Asked(Message):
    """A message from a client that reads or writes: its token comes first and its id is echoed in one `done` or `fail`."""

    __slots__ = ()
    sender = "client"
    token: str
    id: str


# Becoming acquainted, and staying so. These read and write nothing.


@dataclass(frozen=True, slots=True)
class Hello(Message):
    """Who I am. Answered with `welcome`, or with `fail` where the token or the major version is wrong."""

    address = "hello"
    sender = "client"
    token: Token
    name: Text
    capabilities: Text
    version: Text
    pid: Count


@dataclass(frozen=True, slots=True)
class Welcome(Message):
    """Who the daemon is; capabilities are words with blanks between them."""

    address = "welcome"
    sender = "daemon"
    name: Text
    capabilities: Text
    version: Text
    pid: Count


@dataclass(frozen=True, slots=True)
class Notify(Message):
    """1: tell me of every job from now on; 0: no more. It ends 30 s after the last message from the same address."""

    address = "notify"
    sender = "client"
    on: Flag


@dataclass(frozen=True, slots=True)
class Notified(Message):
    """The answer to `notify`, with the seconds that it lasts without another message."""

    address = "notified"
    sender = "daemon"
    on: Flag
    lease_s: Count


@dataclass(frozen=True, slots=True)
class Ping(Message):
    """Are you there? It also renews the lease."""

    address = "ping"
    sender = "client"


@dataclass(frozen=True, slots=True)
class Pong(Message):
    """Yes."""

    address = "pong"
    sender = "daemon"


@dataclass(frozen=True, slots=True)
class Sync(Message):
    """Answered when everything that came before it from the same address has been taken up."""

    address = "sync"
    sender = "client"
    number: Number


@dataclass(frozen=True, slots=True)
class Synced(Message):
    """The answer to `sync`, with its number."""

    address = "synced"
    sender = "daemon"
    number: Number


@dataclass(frozen=True, slots=True)
class Heartbeat(Message):
    """Every 2 s to whoever is notified."""

    address = "heartbeat"
    sender = "daemon"
    beat: Count


# Jobs. The id is the job's own: the name of its folder in the spool.


@dataclass(frozen=True, slots=True)
class Submit(Asked):
    """The job's folder lies in the spool. Answered with `accepted`, then `progress`, then `done`, `fail` or `cancelled`.

    The same id again is the same job: it is told how that stands.
    """

    address = "job/submit"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class Cancel(Asked):
    """Stop the job and keep nothing of it. Answered with `cancelled`."""

    address = "job/cancel"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class Retry(Asked):
    """Queue a job again that failed or was cancelled. Answered like `job/submit`."""

    address = "job/retry"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class Status(Asked):
    """How one job stands. Answered with one `job/row`, then `done`."""

    address = "job/status"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class List(Asked):
    """How all jobs stand. Answered with a `job/row` for each, then `done` with their number."""

    address = "job/list"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class Strength(Asked):
    """Give one stem another strength: it is rendered again, and the rest; no other stem changes. Answered with `accepted`
    at once, and `done` in the end."""

    address = "job/strength"
    token: Token
    id: Id
    stem: Name
    permille: Permille


@dataclass(frozen=True, slots=True)
class Deliver(Asked):
    """Bring a finished job's stems to the host again. Answered with `accepted`, then `done` with their number."""

    address = "job/deliver"
    token: Token
    id: Id


# Faders.


@dataclass(frozen=True, slots=True)
class Knob(Message):
    """A plain fader's float: the strength of the stem that is tied to this knob, and of nothing else. No answer."""

    address = "knob/{knob}"
    sender = "client"
    knob: Knob_
    position: Position


@dataclass(frozen=True, slots=True)
class Tie(Asked):
    """Let a knob move one stem of one job. Answered with `done`. It lasts until the knob is tied again or the daemon ends."""

    address = "knob/tie"
    token: Token
    knob: Knob_
    id: Id
    stem: Name


# What there is. Here the id is the request's own.


@dataclass(frozen=True, slots=True)
class Models(Asked):
    """The models. Answered with a `model/row` for each, then `done` with their number."""

    address = "models"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class Vocabulary(Asked):
    """The words that a model knows; empty: the default model. Answered with a `vocabulary/row` for each, then `done`.

    No rows: it follows any text.
    """

    address = "vocabulary"
    token: Token
    id: Id
    model: Text


@dataclass(frozen=True, slots=True)
class Fetch(Asked):
    """Fetch a model. Answered with `accepted`, then `progress`, then `done`, `fail` or `cancelled`."""

    address = "model/fetch"
    token: Token
    id: Id
    model: Text


@dataclass(frozen=True, slots=True)
class StopFetch(Asked):
    """Stop the fetch that was asked for with this id; whole files stay. Answered with `accepted`, then `cancelled`."""

    address = "model/cancel"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class Devices(Asked):
    """What can compute here. Answered with a `device/row` for each, then `done` with their number."""

    address = "devices"
    token: Token
    id: Id


@dataclass(frozen=True, slots=True)
class Plan(Asked):
    """How so many seconds with so many stems would be computed. Answered with a `plan/row` for each device, then `done`."""

    address = "plan"
    token: Token
    id: Id
    model: Text
    seconds: Count
    stems: Count


@dataclass(frozen=True, slots=True)
class Stop(Asked):
    """End the daemon; what runs is taken up again by the next one. Answered with `done`."""

    address = "stop"
    token: Token
    id: Id


# Answers. Whoever asked gets them, and whoever is notified those about jobs.


@dataclass(frozen=True, slots=True)
class Accepted(Message):
    """What was asked at address `what` is taken up, and stays so whatever happens to the daemon."""

    address = "accepted"
    sender = "daemon"
    id: Id
    what: Text


@dataclass(frozen=True, slots=True)
class Progress(Message):
    """How far it is; at most 5 a second."""

    address = "progress"
    sender = "daemon"
    id: Id
    permille: Permille
    stage: Text
    eta_s: Seconds


@dataclass(frozen=True, slots=True)
class Done(Message):
    """The end of what was asked at address `what`; count: how many stems or rows there are."""

    address = "done"
    sender = "daemon"
    id: Id
    what: Text
    count: Count


@dataclass(frozen=True, slots=True)
class Fail(Message):
    """The end of what was asked at address `what`: a code for machines, what happened, and what to do about it."""

    address = "fail"
    sender = "daemon"
    id: AnyId
    what: Text
    code: Number
    error: Text
    todo: Text = ""

    @property
    def said(self) -> str:
        """What happened and what to do, as one text for people."""
        return f"{self.error} {self.todo}".strip()

    @classmethod
    def of(cls, error: ZeroStemError, id: str = "", what: str = "") -> "Fail":
        """What an error says to a peer, in at most `LONGEST_ERROR` bytes, of which `todo` takes at most a third."""
        todo = _within(error.todo, LONGEST_ERROR // 3)
        return cls(id, what, int(error.code), _within(error.what, LONGEST_ERROR - len(todo.encode())), todo)


@dataclass(frozen=True, slots=True)
class Cancelled(Message):
    """The end of a job or a fetch that was cancelled; nothing unfinished of it is kept."""

    address = "cancelled"
    sender = "daemon"
    id: Id


@dataclass(frozen=True, slots=True)
class JobRow(Message):
    """One job, number `index` of the answer to `job/list` or `job/status` with this id."""

    address = "job/row"
    sender = "daemon"
    id: Id
    index: Count
    job: Id
    state: StateWord
    permille: Permille
    stage: Text
    eta_s: Seconds
    device: Text

    @classmethod
    def of(cls, id: str, index: int, job: Job) -> "JobRow":
        """A job as a row of an answer."""
        return cls(id, index, job.id, job.state, job.permille, job.stage, job.eta_s, job.device)


@dataclass(frozen=True, slots=True)
class ModelRow(Message):
    """One model. size: bytes to fetch, or on the disk."""

    address = "model/row"
    sender = "daemon"
    id: Id
    index: Count
    name: Text
    licence: Text
    installed: Flag
    size: Bytes
    purpose: Text


@dataclass(frozen=True, slots=True)
class VocabularyRow(Message):
    """One word that a model knows. meaning: what it takes it for, one of its words that mean themselves."""

    address = "vocabulary/row"
    sender = "daemon"
    id: Id
    index: Count
    word: Text
    meaning: Text


@dataclass(frozen=True, slots=True)
class DeviceRow(Message):
    """One device. size: bytes of memory that are free."""

    address = "device/row"
    sender = "daemon"
    id: Id
    index: Count
    name: Text
    kind: Text
    size: Bytes


@dataclass(frozen=True, slots=True)
class PlanRow(Message):
    """One device's plan: how many windows at once, `size` bytes of memory for them, how long it is expected to be."""

    address = "plan/row"
    sender = "daemon"
    id: Id
    index: Count
    device: Text
    windows: Count
    size: Bytes
    expected_s: Seconds


ALL: tuple[type[Message], ...] = (
    *(Hello, Welcome, Notify, Notified, Ping, Pong, Sync, Synced, Heartbeat),
    *(Submit, Cancel, Retry, Status, List, Strength, Deliver, Knob, Tie),
    *(Models, Vocabulary, Fetch, StopFetch, Devices, Plan, Stop),
    *(Accepted, Progress, Done, Fail, Cancelled, JobRow, ModelRow, VocabularyRow, DeviceRow, PlanRow),
)
MESSAGES: dict[str, type[Message]] = {message.address: message for message in ALL}
"""The protocol: every address, without the root, and its message."""


def fault(message: Message) -> str | None:
    """The field that holds what it may not, in words; None when all is well."""
    for name, kind in kinds(type(message)).items():
        if not kind.fits(getattr(message, name)):
            return f"`{name}` must be {kind.means}"
    return None


def _within(text: str, most: int) -> str:
    """A sentence as one line of at most `most` bytes of UTF-8, whole characters; a byte that was no UTF-8 is shown as one."""
    return one_line(printable(text).encode()[:most].decode(errors="ignore"))


def one_line(text: str, most: int = LONGEST_TEXT) -> str:
    """Any text in a form that a message can carry: what is no plain text becomes a blank."""
    return "".join(character if is_line(character) else " " for character in text[:most])
