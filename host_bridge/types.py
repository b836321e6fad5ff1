"""The words that a DAW, the engine and the panel share, with their units."""

import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NewType, get_args

Samples = NewType("Samples", int)
"""A position or a length on a timeline, counted in samples of that timeline's rate."""

Hertz = NewType("Hertz", int)
"""A sample rate."""

Progress = Callable[[float, str], None]
"""Told how far a job is: 0..1 and the stage in a word. Raises `errors.Cancelled` once the user has said stop."""


def quietly(_done: float, _stage: str) -> None:
    """A `ProgressMessage` that nobody watches."""


State = Literal["queued", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = get_args(State)
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

ID_RULE = "8 to 64 of a-z, 0-9 and -, the first no -"
_ID = re.compile(r"[a-z0-9][a-z0-9-]{7,63}", re.ASCII)
LONGEST_NAME = 500
"""Characters of a stem's name, which is its prompt."""


@dataclass(frozen=True, slots=True)
class Stem:
    """One sound to be taken out: its name, which is the prompt, and omega, 0 (the mix) to 1 (the stem alone)."""

    prompt: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """How far one job is. permille: 0..1000. eta_s: seconds left, -1 where nobody knows yet. device: "" before it runs."""

    id: str
    state: State
    permille: int = 0
    stage: str = ""
    eta_s: int = -1
    device: str = ""


def new_id() -> str:
    """An id that nobody has had: the time, for people who look into the spool, and 32 random bits."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def is_id(text: str) -> bool:
    """Whether it may name a job or a request.

    Every such id is a file name of its own on every file system: no dots, no capitals, longer than `con` or `com1`.
    """
    return _ID.fullmatch(text) is not None


def is_line(text: str) -> bool:
    """Whether it is one line of plain text: no control characters, no line ends, no halves of surrogate pairs."""
    return not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)


def is_stem_name(text: str) -> bool:
    """Whether it may name a stem: one line that is no path."""
    return bool(text.strip(" .")) and len(text) <= LONGEST_NAME and is_line(text) and not {*"/\\"} & {*text}
