"""What is offered while somebody types a sound: their own words, the model's, and the presets'."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from host_bridge.errors import ZeroStemError
from host_bridge.files.plain import read_plain, write_atomic
from host_bridge.paths import places
from host_bridge.protocol.messages import VocabularyRow
from host_bridge.types import is_stem_name
from presets import Preset

MOST_REMEMBERED = 200
_JOINTS = re.compile(r"\s*(?:,|&|\+|\band\b|\bwith\b)\s*")

Origin = Literal["history", "vocabulary", "preset"]


@dataclass(frozen=True, slots=True)
class ModelVocabulary:
    """The words that one model knows, each with what it takes them for; none at all: it follows any text."""

    model: str = ""
    words: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, model: str, rows: Iterable[VocabularyRow]) -> "ModelVocabulary":
        """As the daemon tells it."""
        return cls(model, {row.word: row.meaning for row in rows})

    def knows(self, text: str) -> bool:
        """Whether the model is likely to follow it; a prompt may name several sounds. The engine has the last word."""
        return not self.words or all(self.meaning(part) for part in _JOINTS.split(text.casefold().strip()))

    def meaning(self, text: str) -> str:
        """What the model takes one sound for, itself included; empty where it does not know it, or takes any text."""
        word = " ".join(text.casefold().split()).removeprefix("the ").removeprefix("a ")
        return self.words.get(word) or self.words.get(word.removesuffix("s")) or ""


@dataclass(frozen=True, slots=True)
class History:
    """The prompts that somebody has used, the latest first; kept in a file of theirs, which may be lost without harm."""

    path: Path
    recent: tuple[str, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> "History":
        """What was remembered; nothing where the file is missing or is none of ours."""
        path = path or places().config / "panel" / "prompts.json"
        try:
            told = json.loads(read_plain(path) or b"[]")
        except (ZeroStemError, ValueError, RecursionError):
            told = []
        words = [word for word in told if isinstance(word, str) and is_stem_name(word)] if isinstance(told, list) else []
        return cls(path, tuple(dict.fromkeys(words))[:MOST_REMEMBERED])

    def used(self, prompt: str) -> "History":
        """The same with one more, kept on the disk as far as that lets us: a prompt that is forgotten is no trouble."""
        others = (word for word in self.recent if word.casefold() != prompt.casefold())
        made = replace(self, recent=(prompt, *others)[:MOST_REMEMBERED])
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, (json.dumps(made.recent, ensure_ascii=False, indent=1) + "\n").encode())
        except (ZeroStemError, OSError):
            return made
        return made


@dataclass(frozen=True, slots=True)
class PromptSuggestion:
    """One line of the list below the text. meaning: what the model takes it for, where that is another word."""

    text: str
    origin: Origin
    meaning: str = ""
    known: bool = True


def complete(
    typed: str, vocabulary: ModelVocabulary, history: History, presets: Iterable[Preset] = (), most: int = 12
) -> list[PromptSuggestion]:
    """What somebody may mean who has typed so far, the likeliest first; nothing typed: their latest, then the model's own.

    What the model does not know comes last, and says so. What begins like the text goes before what has a word that does,
    and that before what merely contains it; within one of these, own words go before the model's, and those before presets'.
    """
    typed = " ".join(typed.casefold().split())
    found: dict[str, tuple[tuple[int, ...], PromptSuggestion]] = {}
    offers: list[tuple[Origin, Iterable[str]]] = [
        ("history", history.recent),
        ("vocabulary", _own_words_first(vocabulary.words)),
        ("preset", (prompt for preset in presets for prompt in preset.prompts)),
    ]
    for preset_store, (origin, words) in enumerate(offers):
        for place, word in enumerate(words):
            rank = _likeness(typed, word.casefold())
            if rank is None or word.casefold() in found:
                continue
            meaning, known = vocabulary.meaning(word), vocabulary.knows(word)
            shown = PromptSuggestion(word, origin, "" if meaning == word.casefold() else meaning, known)
            found[word.casefold()] = ((not known, rank, preset_store, place), shown)
    return [shown for _, shown in sorted(found.values(), key=lambda each: each[0])][:most]


def _own_words_first(words: Mapping[str, str]) -> list[str]:
    """The model's own names for its sounds before what else people call them."""
    return sorted(words, key=lambda word: words[word] != word)


def _likeness(typed: str, word: str) -> int | None:
    if word.startswith(typed):
        return 0
    if any(part.startswith(typed) for part in word.split()):
        return 1
    return 2 if len(typed) > 1 and typed in word else None
