"""The library loads, and a preset that makes no sense is refused by name."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

import presets
from presets import Preset, PresetError, load, names, parse

PLAIN = 'title = "Drums"\nkind = "stems"\nprompts = ["drums"]\n'


@pytest.mark.parametrize("name", names())
def test_every_preset_of_the_library_loads(name: str) -> None:
    preset = load(name)
    assert preset.name == name
    assert preset.kind in presets.KINDS


@pytest.mark.parametrize("name", names())
def test_every_preset_says_at_its_top_when_to_reach_for_it(name: str) -> None:
    first = (presets.LIBRARY / f"{name}.toml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# Reach for this")


@pytest.mark.parametrize("name", names())
def test_every_preset_of_the_library_names_the_models_that_suit_it(name: str) -> None:
    preset = load(name)
    assert "Models: " in presets.about(name)
    if preset.kind == "method":  # which names no sounds, and so suits any
        assert not preset.models
        return
    assert preset.models
    assert ("pocket does not know" in presets.about(name)) == ("pocket" not in preset.models)


def test_there_are_at_least_twenty_and_some_of_every_kind() -> None:
    assert len(names()) >= 20
    assert {load(name).kind for name in names()} == {*presets.KINDS}


@pytest.mark.parametrize("name", names())
def test_what_is_written_is_read_back_as_it_was(name: str) -> None:
    assert parse(name, presets.written(load(name), "Reach for this\nat once.")) == load(name)


@pytest.mark.parametrize("title", ['A "quoted" \\ one', "Früh\tstück\nmorgens", "\x7f and \x1f", "鼓 🥁"])
def test_any_text_is_written_as_valid_toml(title: str) -> None:
    assert parse("x", presets.written(Preset("x", title, "stems", ("drums",)))).title == title


def test_what_is_the_default_is_not_written() -> None:
    assert presets.written(parse("drums", PLAIN), "Why.") == "# Why.\n" + PLAIN


def test_what_could_not_be_read_again_is_not_written() -> None:
    with pytest.raises(PresetError, match="strength = 21"):
        presets.written(Preset("x", "Drums", "stems", ("drums",), strength=21))


def test_the_comment_at_the_top_is_what_a_preset_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("# One.\n#\n#  Two.\n" + PLAIN + "# Not this.\n", encoding="utf-8")
    assert presets.about("mine", tmp_path) == "One.\n\n Two."
    assert presets.about("none", tmp_path) == ""


def test_a_file_that_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PresetError, match="Preset 'mine' cannot be read"):
        load("mine", tmp_path)


def test_no_two_presets_have_the_same_title() -> None:
    assert len({load(name).title for name in names()}) == len(names())


def test_what_is_left_out_is_the_default() -> None:
    assert parse("drums", PLAIN) == Preset("drums", "Drums", "stems", ("drums",))


def test_what_is_given_is_kept() -> None:
    text = PLAIN + 'unlike = "bass"\nstrength = 0.5\nmethod = "joint"\nsteps = 10\n'
    text += 'complete = true\ngain_db = -3\neverything_but = true\nmodels = ["pocket"]\n'
    expected = Preset("x", "Drums", "stems", ("drums",), "bass", 0.5, "joint", 10, True, -3, True, models=("pocket",))
    assert parse("x", text) == expected


def test_every_key_but_the_name_has_a_rule() -> None:
    assert {field.name for field in fields(Preset)} == {"name", *presets.RULES}


def test_a_preset_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        load("drums").strength = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (PLAIN + "strenght = 1", "has an unknown key, 'strenght'. Did you mean 'strength'?"),
        (PLAIN + "colour = 1", "has an unknown key, 'colour'. The keys are title,"),
        (PLAIN + 'name = "other"', "has an unknown key, 'name'."),
        (PLAIN + "strength = 21", "has strength = 21. Make it a number from 0 to 20."),
        (PLAIN + "strength = true", "has strength = True."),
        (PLAIN + 'strength = "1"', "has strength = '1'."),
        (PLAIN + "strength = nan", "has strength = nan."),
        (PLAIN + "steps = 0", "has steps = 0."),
        (PLAIN + "steps = 2.5", "has steps = 2.5."),
        (PLAIN + "complete = 1", "has complete = 1. Make it true or false."),
        (PLAIN + "models = []", "has models = []. Make it a list of the models"),
        (PLAIN + 'models = "pocket"', "has models = 'pocket'."),
        (PLAIN + "gain_db = inf", "has gain_db = inf."),
        (PLAIN.replace('["drums"]', '"drums"'), "has prompts = 'drums'. Make it a list"),
        (PLAIN.replace('["drums"]', "[]"), "has prompts = []."),
        (PLAIN.replace('["drums"]', '["drums", "drums"]'), "has prompts = ['drums', 'drums']."),
        (PLAIN.replace('["drums"]', '["drums", " "]'), "has prompts = ['drums', ' ']."),
        (PLAIN.replace('["drums"]', "[1]"), "has prompts = [1]."),
        (PLAIN.replace('"stems"', '"misc"'), "has kind = 'misc'. Make it one of stems,"),
        (PLAIN.replace('"stems"', "[1]"), "has kind = [1]."),
        ('title = "Drums"\nkind = "stems"', "has no 'prompts'. Add one"),
        ("title = ", "is not valid TOML"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(PresetError) as refusal:
        parse("mine", text)
    assert str(refusal.value).startswith(f"Preset 'mine' {complaint}")


def test_an_unknown_preset_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PresetError, match="There is no preset called 'drum'. Did you mean 'drums'?"):
        load("drum")


def test_a_path_is_no_preset() -> None:
    with pytest.raises(PresetError, match="Choose one of: "):
        load("../library/drums")


def test_presets_of_ones_own_load_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(PLAIN, encoding="utf-8")
    assert names(tmp_path) == ["mine"]
    assert load("mine", tmp_path).prompts == ("drums",)


def test_a_folder_that_does_not_exist_holds_no_presets(tmp_path: Path) -> None:
    assert names(tmp_path / "none") == []
