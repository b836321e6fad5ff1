"""The words that people use, in seven languages, and what is said of those that nobody knows."""

from collections import defaultdict

import pytest

from engine.models import instruments
from engine.models.instruments import LANGUAGES, entries, folded, names, sources, told_apart
from host_bridge.errors import BadRequest

ALL = tuple(entries())
FEW = ("drums", "bass", "piano", "strings", "trumpet", "synth lead")


@pytest.mark.parametrize(
    ("word", "source"),
    [
        ("Schlagzeug", "drums"),
        ("voix", "vocals"),
        ("Gesang", "vocals"),
        ("lead vocal", "vocals"),
        ("BACKING VOCALS", "vocals"),
        ("ボーカル", "vocals"),
        ("bookaru", "vocals"),
        ("voz", "vocals"),
        ("batería", "drums"),
        ("bateria", "drums"),
        ("ドラム", "drums"),
        ("E-Gitarre", "electric guitar"),
        ("e gitarre", "electric guitar"),
        ("violão", "acoustic guitar"),
        ("Kontrabass", "double bass"),
        ("コントラバス", "double bass"),
        ("hihat", "hi-hat"),
        ("Hi Hats", "hi-hat"),
        ("caisse claire", "snare"),
        ("große Trommel", "kick"),
        ("grosse trommel", "kick"),
        ("the kick drum", "kick"),
        ("l'orgue", "organ"),
        ("das Klavier", "piano"),
        ("fisarmonica", "accordion"),
        ("Ｄｒｕｍｓ", "drums"),
        ("guitars", "electric guitar"),
        ("nappes", "pad"),
    ],
)
def test_a_word_of_any_language_means_its_source(word: str, source: str) -> None:
    assert sources(word, ALL) == (source,)


def test_several_words_in_one_prompt_are_taken_together() -> None:
    assert sources("the drum kit and a bass", ALL) == ("drums", "bass")
    assert sources("Schlagzeug und Bass", ALL) == ("drums", "bass")
    assert sources("guitare et voix", ALL) == ("electric guitar", "vocals")
    assert sources("ドラムとベース", ALL) == ("drums", "bass")
    assert sources("drums, drum kit", ALL) == ("drums",)
    assert sources(" ", ALL) == ()
    for nothing in ("and", "und", ",", "the"):
        with pytest.raises(BadRequest):
            sources(nothing, ALL)


def test_no_word_means_two_things() -> None:
    meant = defaultdict(set)
    for source, entry in entries().items():
        for word in (source, *(word for words in entry.words.values() for word in words)):
            meant[folded(word)].add(source)
    assert {word: found for word, found in meant.items() if len(found) > 1} == {}


def test_every_source_has_words_in_most_languages() -> None:
    for source, entry in entries().items():
        assert set(entry.words) == set(LANGUAGES)
        assert entry.words["ja"], source
    for tongue in LANGUAGES:
        assert sum(bool(entry.words[tongue]) for entry in entries().values()) >= len(ALL) - 2, tongue


def test_every_word_that_is_offered_is_understood() -> None:
    for known in (ALL, FEW):
        for word, source in names(known).items():
            assert sources(word, known) == (source,), word
            assert source in known


def test_a_model_without_a_source_takes_the_nearest_that_it_has_or_refuses() -> None:
    assert sources("Rhodes", FEW) == ("piano",)
    assert sources("cello", FEW) == ("strings",)
    assert sources("horns", FEW) == ("trumpet",)
    with pytest.raises(BadRequest, match="vocals"):
        sources("vocals", FEW)


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [("vokals", "vocals"), ("gitar", "guitar"), ("drumz", "drum"), ("Schlagzeuk", "schlagzeug"), ("clarinnet", "clarinet")],
)
def test_what_is_not_known_is_refused_with_the_nearest_word(typed: str, suggested: str) -> None:
    with pytest.raises(BadRequest) as refused:
        sources(typed, ALL)
    assert typed.lower() in refused.value.what.lower()
    assert f'Did you mean "{suggested}"' in refused.value.todo


def test_what_is_like_nothing_is_refused_without_a_guess() -> None:
    with pytest.raises(BadRequest) as refused:
        sources("thunderstorm qqq", ALL)
    assert "Did you mean" not in refused.value.todo


def test_two_words_for_one_source_are_told() -> None:
    told_apart(["drums", "bass", "drums and bass"], ALL)
    with pytest.raises(BadRequest, match='"drums" and "Schlagzeug" are the same sound'):
        told_apart(["drums", "bass", "Schlagzeug"], ALL)
    with pytest.raises(BadRequest, match="same sound"):
        told_apart(["bass, drums", "drums and bass"], ALL)


def test_folding_keeps_what_japanese_tells_apart() -> None:
    assert folded("ベース") != folded("へース")
    assert folded("Bässe") == folded("basse")
    assert instruments.folded("HI‐HAT") == "hi hat"
