"""Options of a file in an inbox: from a note beside it (`song.toml`), or from its name (`song [drums, bass].wav`).

A note's keys are the long options of `zerostem separate`. The note wins over the name, the name over the options that
the inbox was started with.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_bridge.errors import BadRequest

_NAMED = re.compile(r"(?P<name>.*?\S)\s*\[(?P<prompts>[^\[\]]+)\]\s*", re.DOTALL)


def note_of(path: Path) -> Path:
    """Path of a file's note, or None."""
    return path.with_suffix(".toml")


def plain_name(path: Path) -> str:
    """The file's name without its ending and without the prompts in it."""
    match = _NAMED.fullmatch(path.stem)
    return match["name"] if match else path.stem


def said_of(path: Path) -> dict[str, Any]:
    """Options from the name and the note, by the names of `separate`'s options. Raises BadRequest."""
    match = _NAMED.fullmatch(path.stem)
    named = {"prompt": [each.strip() for each in match["prompts"].split(",") if each.strip()]} if match else {}
    return named | _read(note_of(path))


def _read(note: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(note.read_text(encoding="utf-8")) if os.path.isfile(note) else {}  # noqa: PTH113 - a name too long for a note is no error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{note.name} is not valid TOML: {error}.", "Mend that line of it.") from error
    except OSError as error:
        raise BadRequest(f"{note.name} cannot be read: {error.strerror}.", "Check its permissions.") from error
    said = {}
    for key, value in values.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            todo = f"Did you mean '{near[0]}'?" if near else f"The keys are {', '.join(KEYS)}."
            raise BadRequest(f"{note.name} has an unknown key, '{key}'.", todo)
        means, fits, option = KEYS[key]
        if not fits(value):
            raise BadRequest(f"{note.name} has {key} = {value!r}.", f"Make it {means}.")
        said[option or key] = [value] if key in _LISTS and not isinstance(value, list) else value
    return said


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _one_or_more(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: fits(value) or (isinstance(value, list) and bool(value) and all(map(fits, value)))


_LISTS = {"prompt", "strength"}

KEYS: dict[str, tuple[str, Callable[[Any], bool], str | None]] = {
    "prompt": ("a text, or a list of them", _one_or_more(_is_text), None),
    "strength": ("a number, or a list of one per prompt", _one_or_more(_is_number), None),
    "source-prompt": ("a text", _is_text, "unlike"),
    "not": ("a text", _is_text, "unlike"),
    "not-others": ("true or false", _is_switch, "not_others"),
    "preset": ("the name of a preset", _is_text, None),
    "start-ratio": ("a number from 0 to 1", _is_number, "depth"),
    "depth": ("a number from 0 to 1", _is_number, None),
    "gain": ("a number of decibels", _is_number, None),
    "method": ("the name of a method", _is_text, None),
    "mode": ("ddpm or ddim", _is_text, None),
    "steps": ("a whole number", _is_count, None),
    "iterations": ("a whole number", _is_count, "rounds"),
    "num-inversions": ("a whole number", _is_count, "draws"),
    "fresh-noise": ("a number from 0 to 1", _is_number, "renew"),
    "rounds": ("a whole number", _is_count, None),
    "draws": ("a whole number", _is_count, None),
    "renew": ("a number from 0 to 1", _is_number, None),
    "guidance": ("a number", _is_number, None),
    "seed": ("a whole number", _is_count, None),
    "start": ("a number of seconds", _is_number, None),
    "length": ("a number of seconds", _is_number, None),
    "rest": ("true or false", _is_switch, None),
    "exhaustive": ("true or false", _is_switch, "complete"),
    "allow-extrapolation": ("true or false", _is_switch, "beyond"),
    "complete": ("true or false", _is_switch, None),
    "generative": ("true or false", _is_switch, None),
    "beyond": ("true or false", _is_switch, None),
}
"""For each key: what it must be, for people and for the machine, and the option's name where it is another."""
