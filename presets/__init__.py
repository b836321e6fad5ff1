"""Taste, as data: a preset is a request with its dials already set, one TOML file that anyone can read and copy.

Those that come along are in `library/`. A user's own lie in `presets/` under the config folder; this floor knows no
folders of the system, so whoever does passes that one in as `folder`.
"""

import difflib
import json
import tomllib
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from itertools import takewhile
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).parent / "library"
DEMO = Path(__file__).parent / "demo"
KINDS = ("stems", "highlight", "clean-up", "post", "method")


class PresetError(ValueError):
    """A preset that does not exist or does not make sense: `what` is wrong with it and what `todo`, one sentence each."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(f"{what} {todo}")
        self.what, self.todo = what, todo


@dataclass(frozen=True, slots=True)
class Preset:
    """One request with its dials set. What a preset leaves out, the engine's own defaults decide."""

    name: str
    """What one types: the file's name without its ending."""
    title: str
    """What one reads in a list."""
    kind: str
    """One of `KINDS`: the shelf it stands on."""
    prompts: tuple[str, ...] = ()
    """One stem each; none where a preset is a way of working, and the sounds are named beside it."""
    unlike: str = ""
    """What the stems are not: the inversion prompt. Empty: the null prompt."""
    strength: float = 1.0
    """Omega of every prompt, 0..1; above 1 the model invents new sound, which a request must allow."""
    method: str | None = None
    steps: int | None = None
    complete: bool = False
    """The prompts name every sound in the region."""
    gain_db: float | None = None
    """Also write the highlight: the mix with each stem raised or lowered by this much."""
    everything_but: bool = False
    """Wanted is what remains without the prompts: write the rest and none of the stems."""
    mode: str | None = None
    """The inversion."""
    depth: float | None = None
    """Share of the noise levels climbed, 0..1."""
    rounds: int | None = None
    draws: int | None = None
    guidance: float | None = None
    models: tuple[str, ...] = ()
    """The models that know its words, the best for it first; empty: nobody has said."""


def names(folder: Path = LIBRARY) -> list[str]:
    """The presets in `folder`, in alphabetical order."""
    return sorted(file.stem for file in folder.glob("*.toml"))


def load(name: str, folder: Path = LIBRARY) -> Preset:
    """The preset called `name`. Raises PresetError if there is none or its file does not make sense."""
    known = names(folder)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        todo = f"Did you mean '{near[0]}'?" if near else f"Choose one of: {', '.join(known)}."
        raise PresetError(f"There is no preset called '{name}'.", todo)
    try:
        text = (folder / f"{name}.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"Preset '{name}' cannot be read: {error}.", "Make its file plain text in UTF-8.") from error
    return parse(name, text)


def about(name: str, folder: Path = LIBRARY) -> str:
    """When to reach for a preset: the comment at its file's top, empty where there is none or the file cannot be read."""
    try:
        lines = (folder / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    top = takewhile(lambda line: line.startswith("#"), lines)
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in top)


def parse(name: str, text: str) -> Preset:
    """The preset that a TOML file's `text` describes. Raises PresetError naming the key that is wrong."""
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PresetError(f"Preset '{name}' is not valid TOML: {error}.", "Mend that line of its file.") from error
    keys = {field.name: field for field in fields(Preset) if field.name != "name"}
    for key in values:
        if key not in keys:
            near = difflib.get_close_matches(key, keys, n=1)
            todo = f"Did you mean '{near[0]}'?" if near else f"The keys are {', '.join(keys)}."
            raise PresetError(f"Preset '{name}' has an unknown key, '{key}'.", todo)
    for key, field in keys.items():
        if key not in values and (field.default is MISSING or (key == "prompts" and values["kind"] != "method")):
            raise PresetError(f"Preset '{name}' has no '{key}'.", f"Add one: it is {RULES[key][0]}.")
        if key in values and not RULES[key][1](values[key]):
            raise PresetError(f"Preset '{name}' has {key} = {values[key]!r}.", f"Make it {RULES[key][0]}.")
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return Preset(name=name, **values | lists)


def written(preset: Preset, comment: str = "") -> str:
    """The TOML of a preset, which `parse` reads back; the comment stands at its top. What is the default is left out.

    Raises PresetError for what could not be read again.
    """
    told = {field.name: getattr(preset, field.name) for field in fields(Preset) if field.name != "name"}
    defaults = {field.name: field.default for field in fields(Preset)}
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [f"{key} = {_toml(value)}" for key, value in told.items() if value != defaults[key]]
    text = "\n".join(lines) + "\n"
    parse(preset.name, text)
    return text


def _toml(value: Any) -> str:
    """A value as TOML writes it: JSON's strings, numbers and lists are TOML's too, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and 0 < len(value) == len({*value})


def _is_number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "title": ("a short text", _is_text),
    "kind": (f"one of {', '.join(KINDS)}", lambda value: value in KINDS),
    "prompts": ("a list of different texts, one per stem", _are_texts),
    "unlike": ("a text", _is_text),
    "strength": ("a number from 0 to 20", lambda value: _is_number(value, 0, 20)),
    "method": ("the name of a method", _is_text),
    "mode": ("the name of an inversion", _is_text),
    "steps": ("a whole number of at least 1", lambda value: type(value) is int and value >= 1),
    "depth": ("a number from 0 to 1", lambda value: _is_number(value, 0, 1)),
    "rounds": ("a whole number from 1 to 10", lambda value: type(value) is int and 1 <= value <= 10),
    "draws": ("a whole number from 1 to 64", lambda value: type(value) is int and 1 <= value <= 64),
    "guidance": ("a number from 0 to 20", lambda value: _is_number(value, 0, 20)),
    "complete": ("true or false", lambda value: isinstance(value, bool)),
    "gain_db": ("a number of decibels from -60 to 24", lambda value: _is_number(value, -60, 24)),
    "everything_but": ("true or false", lambda value: isinstance(value, bool)),
    "models": ("a list of the models that know its words", _are_texts),
}
"""For each key of the file: what it must be, for people and for the machine."""
