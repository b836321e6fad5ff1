"""The JSON files of a job's folder and of the spool: what each key holds, in words and for the machine.

SPOOL.md tells people the same; a test keeps the two equal.
"""

import math
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, NamedTuple

from host_bridge.vocabulary import STATES, is_id, is_line, is_stem_name


class Rule(NamedTuple):
    """What a key holds, in words and for the machine, and whether it must be there."""

    means: str
    fits: Callable[[Any], bool]
    required: bool = True


def _whole(low: int, high: int = 2**63 - 1) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _real(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: type(value) in (int, float) and math.isfinite(value) and low <= value <= high


def _line(most: int, least: int = 0) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and least <= len(value.strip()) <= len(value) <= most and is_line(value)


def _yes_or_no(value: Any) -> bool:
    return isinstance(value, bool)


def is_path(value: Any) -> bool:
    """Whether it is an absolute path that goes nowhere up.

    File names may hold anything else, line ends and bytes that are no UTF-8 included.
    """
    fits = isinstance(value, str) and 0 < len(value) <= 4096 and "\0" not in value
    return fits and PurePath(value).is_absolute() and ".." not in PurePath(value).parts


def _list_of(most: int, least: int = 0) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and least <= len(value) <= most


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _id(value: Any) -> bool:
    return isinstance(value, str) and is_id(value)


def _stem(value: Any) -> bool:
    return isinstance(value, str) and is_stem_name(value)


def _strengths(value: Any) -> bool:
    return isinstance(value, dict) and all(_stem(name) and _whole(0, 1000)(each) for name, each in value.items())


LONGEST_TITLE = 200
"""Characters of what a host calls a region."""
_MOST_STEMS, _MOST_CHANNELS = 64, 64
SCHEMA = Rule("the form's name and version", lambda value: isinstance(value, str))

STEM = {
    "prompt": Rule(
        "the sound, which is the stem's name too: one line of up to {LONGEST_NAME} characters, no / and no \\",
        lambda value: isinstance(value, str) and is_stem_name(value),
    ),
    "strength": Rule(
        "0 (the mix) to 1 (the stem alone); above 1 only with `beyond`; left out: the request's", _real(0, 20), False
    ),
}
SOURCE = {
    "path": Rule("the absolute path of a regular audio file; it is only read", is_path),
    "channel": Rule("which of its channels, from 0", _whole(0, 1023)),
    "start": Rule("the first sample, at the file's own rate", _whole(0)),
    "length": Rule("how many samples", _whole(1)),
}
REGION = {
    "start": Rule("where the region lies on the host's timeline, in samples", _whole(0)),
    "rate": Rule("the timeline's rate, in Hz", _whole(1, 10**7)),
}
SETTINGS = {
    "unlike": Rule("what the stems are not", _line(500), False),
    "method": Rule("the name of a method", _line(64, 1), False),
    "mode": Rule("the name of an inversion", _line(64, 1), False),
    "steps": Rule("noise levels, at least 1", _whole(1, 10_000), False),
    "depth": Rule("share of the noise levels climbed, 0..1", _real(0, 1), False),
    "seed": Rule("0..2147483647", _whole(0, 2**31 - 1), False),
    "complete": Rule("whether the prompts name every sound in the region", _yes_or_no, False),
    "beyond": Rule("whether strengths may be above 1", _yes_or_no, False),
    "unlike_others": Rule("whether each stem is what the other prompts are not", _yes_or_no, False),
    "renew": Rule("share of fresh noise in the highs on the way down, 0..1", _real(0, 1), False),
    "rounds": Rule("how often a stem is separated again, 1..10", _whole(1, 10), False),
    "draws": Rule("how many inversions are averaged, 1..64", _whole(1, 64), False),
    "guidance": Rule("how far references lean towards their prompt, 0..20", _real(0, 20), False),
    "generative": Rule("whether the model's own rendering is kept too", _yes_or_no, False),
    "gain_db": Rule("also write the mix with each stem raised by so much, -120..60", _real(-120, 60), False),
    "rest": Rule("whether the rest is written too; true when left out", _yes_or_no, False),
    "everything_but": Rule("whether to write the rest and none of the stems", _yes_or_no, False),
}
REQUEST = {
    "schema": SCHEMA,
    "stems": Rule("the sounds to take out, up to 64; may be empty only with a preset", _list_of(_MOST_STEMS)),
    "preset": Rule("the name of a preset; what the request says itself goes before it", _line(64, 1), False),
    "strength": Rule("of every stem that says none, a preset's too; left out: the preset's, else 1", _real(0, 20), False),
    "model": Rule("the name of a model; left out: the default", _line(200, 1), False),
    "settings": Rule("see below", _object, False),
    "region": Rule("where the region lies on the host's timeline, see below", _object, False),
    "source": Rule(
        "instead of region.wav: one entry per channel, all of one length, see below", _list_of(_MOST_CHANNELS, 1), False
    ),
    "deliver": Rule("the absolute path of an existing folder where the stems are added, under new names", is_path, False),
    "name": Rule("what the host calls the region", _line(LONGEST_TITLE), False),
    "host": Rule("who asks: reaper, ardour, audacity, panel, cli", _line(64), False),
}
STATE = {
    "schema": SCHEMA,
    "id": Rule("the job's, which is its folder's name", _id),
    "state": Rule(" | ".join(STATES), lambda value: value in STATES),
    "permille": Rule("how far, 0..1000", _whole(0, 1000)),
    "stage": Rule("what is being done, in a word", _line(200)),
    "eta_s": Rule("seconds left, -1 where nobody knows yet", _whole(-1)),
    "device": Rule("which device computes, empty before one does", _line(200)),
    "attempt": Rule("how often it was begun", _whole(0)),
    "code": Rule("of a failed job the number of PROTOCOL.md, else 0", _whole(0)),
    "error": Rule("of a failed job what happened, else empty; where there is no `todo`, also what to do", _line(4000)),
    "todo": Rule("of a failed job what to do, else empty", _line(4000), False),
}
STRENGTHS = {
    "schema": SCHEMA,
    "permille": Rule(
        "for each stem by its name: the strength that is wanted, 0..1000",
        lambda value: (
            isinstance(value, dict) and all(is_stem_name(name) and _whole(0, 1000)(each) for name, each in value.items())
        ),
    ),
}
DAEMON = {
    "schema": SCHEMA,
    "version": Rule("ZeroStem's", _line(64, 1)),
    "pid": Rule("the daemon's process", _whole(1)),
    "beat": Rule("a counter that moves every 2 s while the daemon lives", _whole(0)),
}
ENGINE = {
    "schema": SCHEMA,
    "pid": Rule("the daemon's process", _whole(1)),
    "udp": Rule("its port on 127.0.0.1", _whole(1, 65535)),
    "tcp": Rule("its port on 127.0.0.1", _whole(1, 65535)),
    "version": Rule("ZeroStem's", _line(64, 1)),
    "token": Rule("the first string of every message that reads or writes", _line(200, 1)),
    "spool": Rule("the absolute path of the spool", is_path),
}
RESULT = {
    "schema": Rule("zerostem-sidecar/1, the sidecar of `zerostem separate`", lambda value: value == "zerostem-sidecar/1"),
    "stems": Rule("one entry per prompt", _list_of(_MOST_STEMS, 1)),
}
RESULT_STEM = {
    "prompt": Rule("the stem's name", lambda value: isinstance(value, str)),
    "strength": Rule("as it was rendered", _real(0, 20)),
    "path": Rule("the file, or null where none was wanted", lambda value: value is None or is_path(value)),
}
