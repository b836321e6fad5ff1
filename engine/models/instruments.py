"""What people call the sounds that the embedded models know: words in seven languages, and the source that each one means."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

from host_bridge.errors import BadRequest

LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "ja")
FILE = Path(__file__).with_name("instruments.toml")
OTHER = "choose a model that follows any text: `zerostem models list`."
SUGGESTED = 0.6
"""Similarity (difflib's) from which on a known word is suggested for an unknown one."""

_FILLERS = re.compile(
    r"\b(the|a|an|some|sounds? of|recording of|playing|solo|der|die|das|ein|eine|le|la|les|une?|el|los|las|il|gli|uma?|os)\b"
    r"|\b[ld]['’]"
)
_JOINTS = re.compile(r"\s*(?:[,&+/、・と]|\b(?:and|with|und|mit|et|avec|y|con|com)\b)\s*")


@dataclass(frozen=True, slots=True)
class Instrument:
    """A source's words, by language, and the sources that stand in for it where a model does not have it."""

    words: Mapping[str, tuple[str, ...]]
    instead: tuple[str, ...]


@cache
def entries() -> Mapping[str, Instrument]:
    """Every source, in the order of the file."""
    told = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            source: Instrument({tongue: tuple(table.get(tongue, ())) for tongue in LANGUAGES}, tuple(table.get("or", ())))
            for source, table in told.items()
        }
    )


def folded(word: str) -> str:
    """A word as it is compared: lower case, no accents on Latin letters, one kind of apostrophe, dash and space."""
    decomposed = unicodedata.normalize("NFKD", word).casefold()
    plain = "".join(letter for letter in decomposed if not "\u0300" <= letter <= "\u036f")
    whole = unicodedata.normalize("NFC", plain).replace("’", "'").replace("œ", "oe")
    return " ".join(re.sub(r"[-‐‑–_]", " ", whole).split())


@cache
def _meanings() -> dict[str, str]:
    """Every folded word -> its source."""
    found: dict[str, str] = {}
    for source, entry in entries().items():
        for word in (source, *(word for words in entry.words.values() for word in words)):
            found.setdefault(folded(word), source)
    return found


def within(source: str, known: Iterable[str]) -> str | None:
    """A source, or what stands in for it among those that a model knows; None where nothing does."""
    there = set(known)
    return next((each for each in (source, *entries()[source].instead) if each in there), None)


@cache
def names(known: tuple[str, ...]) -> Mapping[str, str]:
    """Every word, as it is written, that a model with these sources understands -> the source that it takes it for."""
    found: dict[str, str] = {}
    for source in entries():
        if (meant := within(source, known)) is not None:
            found[source] = meant
    for tongue in LANGUAGES:  # a model's own sources, English and then the others, as they are to be offered
        for source, entry in entries().items():
            if (meant := within(source, known)) is not None:
                for word in entry.words[tongue]:
                    found.setdefault(word, meant)
    return MappingProxyType(found)


def sources(prompt: str, known: Sequence[str]) -> tuple[str, ...]:
    """The sources that a prompt names, each once: "the drum kit and a bass" -> ("drums", "bass"); "" -> ().

    Raises BadRequest where a part of it is not in the vocabulary, with the nearest word that is.
    """
    if not prompt.strip():
        return ()
    whole = _meaning(prompt, known)  # words with a joint in them, like "voix et chant", are tried as they are first
    parts = [prompt] if whole else [part for part in _JOINTS.split(folded(prompt).strip(" .!")) if part] or [prompt]
    found = []
    for part in parts:
        meant = _meaning(part, known)
        if meant is None:
            raise BadRequest(
                f'The embedded model does not know "{part.strip()}"; it knows {", ".join(known)}.', _advice(part, known)
            )
        found.append(meant)
    return tuple(dict.fromkeys(found))


def _meaning(part: str, known: Sequence[str]) -> str | None:
    source = _source(part)
    return within(source, known) if source else None


def _source(part: str) -> str | None:
    """The source that somebody means, whether or not a model has it."""
    word = folded(part).strip(" .!。！")
    bare = " ".join(_FILLERS.sub(" ", word).split())
    for each in (word, bare, word.removesuffix("s"), bare.removesuffix("s")):
        if source := _meanings().get(each):
            return source
    return None


def _advice(part: str, known: Sequence[str]) -> str:
    if (source := _source(part)) is not None:
        from engine.separators.ear.words import SOURCES

        if source in SOURCES:
            return f"The model that was trained to separate knows it: choose it with `-n ear`. Or {OTHER}"
        return f"No embedded model has {source} yet: {OTHER}"
    here = {folded(word): (word, meant) for word, meant in names(tuple(known)).items()}
    if close := get_close_matches(folded(part), here, 1, SUGGESTED):
        word, meant = here[close[0]]
        return f'Did you mean "{word}"{f" ({meant})" if meant != word else ""}? Or {OTHER}'
    return f"Use one of these, or {OTHER}"


def told_apart(prompts: Sequence[str], known: Sequence[str]) -> None:
    """Raises BadRequest where two prompts mean the same source: each would get the same stem."""
    first: dict[tuple[str, ...], str] = {}
    for prompt in prompts:
        meant = tuple(sorted(sources(prompt, known)))
        if meant in first:
            raise BadRequest(
                f'"{first[meant]}" and "{prompt}" are the same sound to this model: {" and ".join(meant)}.',
                "Name each sound once; each gets its own stem.",
            )
        first[meant] = prompt
