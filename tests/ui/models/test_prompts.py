"""What is offered while one types is what one is likely to mean, and the model's limits are said."""

import json
from pathlib import Path

import pytest

import presets
from engine.backbones.pocket.vocabulary import NAMES, sources
from host_bridge.errors import BadRequest
from host_bridge.paths import places
from host_bridge.protocol.messages import VocabularyRow
from ui.models.prompts import MOST_REMEMBERED, History, ModelVocabulary, PromptSuggestion, complete

POCKET = ModelVocabulary("pocket", NAMES)
ANY = ModelVocabulary("audioldm-m-full", {})


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "prompts.json")


def texts(found: list[PromptSuggestion]) -> list[str]:
    return [each.text for each in found]


def test_nothing_typed_offers_the_latest_and_then_the_models_own_words(history: History) -> None:
    history = history.used("marimba").used("choir")
    found = complete("", POCKET, history)
    assert texts(found)[:4] == ["choir", "marimba", "drums", "bass"]
    assert [each.origin for each in found][:3] == ["history", "history", "vocabulary"]
    assert len(found) == 12


def test_what_begins_so_comes_before_what_has_such_a_word_and_that_before_what_contains_it(history: History) -> None:
    found = texts(complete("str", POCKET, history, most=99))
    assert found[0] == "strings"
    assert found.index("string section") < found.index("steel string guitar")
    assert texts(complete("umpe", POCKET, history)) == ["trumpet"]
    assert texts(complete("u", ModelVocabulary("x", {"drum": "drum"}), history)) == []  # one letter within says nothing


def test_what_the_model_takes_a_word_for_is_said(history: History) -> None:
    (found,) = complete("fiddle", POCKET, history)
    assert found == PromptSuggestion("fiddle", "vocabulary", "violin", True)
    assert complete("violin", POCKET, history)[0].meaning == ""


def test_what_the_model_does_not_know_comes_last_and_says_so(history: History) -> None:
    library = [presets.load(name) for name in presets.names()]
    found = complete("d", POCKET, history.used("dog"), library, most=99)
    assert texts(found)[0] == "drums"
    assert [each.known for each in found] == sorted((each.known for each in found), reverse=True)
    assert PromptSuggestion("dog", "history", "", False) in found
    free = complete("d", ANY, history.used("dog"), library)
    assert texts(free)[0] == "dog"
    assert all(each.known for each in free)
    assert "dog barking" in texts(free)


def test_no_word_is_offered_twice(history: History) -> None:
    library = [presets.load(name) for name in presets.names()]
    found = [text.casefold() for text in texts(complete("", POCKET, history.used("Drums"), library, most=999))]
    assert len(found) == len({*found})


@pytest.mark.parametrize("prompt", ["drums", "The Drums", "drums and bass", "guitars", "piano, strings & choir", "Fiddle"])
def test_what_the_vocabulary_knows_the_engine_follows(prompt: str) -> None:
    assert POCKET.knows(prompt)
    assert sources(prompt)


@pytest.mark.parametrize("prompt", ["rain", "lead vocals", "drums and rain", "kick drum"])
def test_what_it_does_not_know_the_engine_refuses(prompt: str) -> None:
    assert not POCKET.knows(prompt)
    assert ANY.knows(prompt)
    with pytest.raises(BadRequest):
        sources(prompt)


def test_a_vocabulary_is_made_of_the_daemons_rows() -> None:
    rows = [VocabularyRow("request-id", 0, "drums", "drums"), VocabularyRow("request-id", 1, "drum kit", "drums")]
    made = ModelVocabulary.of("pocket", rows)
    assert made == ModelVocabulary("pocket", {"drums": "drums", "drum kit": "drums"})
    assert ModelVocabulary.of("any", []).knows("rain on a tin roof")


def test_prompts_are_remembered_the_latest_first_and_once_each(history: History) -> None:
    history.used("drums").used("bass").used("Drums")
    assert History.load(history.path).recent == ("Drums", "bass")
    many = History(history.path, tuple(f"sound {number}" for number in range(MOST_REMEMBERED)))
    assert many.used("drums").recent == ("drums", *many.recent[:-1])
    assert History.load(history.path).recent == many.used("drums").recent


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1, null]", b"\xff", b'["a', b"[" * 100_000, b'["ok", "a/b", "ok"]'])
def test_a_damaged_history_costs_the_memory_and_nothing_else(history: History, damage: bytes) -> None:
    history.path.write_bytes(damage)
    assert History.load(history.path).recent in ((), ("ok",))
    assert History.load(history.path).used("drums").recent[0] == "drums"
    assert json.loads(history.path.read_bytes())[0] == "drums"


def test_a_disk_that_refuses_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert History(tmp_path / "file" / "prompts.json").used("drums").recent == ("drums",)


def test_it_lies_among_the_users_settings() -> None:
    assert History.load().path.is_relative_to(places().config)
