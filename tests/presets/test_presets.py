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


def test_there_are_at_least_five() -> None:
    assert len(names()) >= 5


def test_no_two_presets_have_the_same_title() -> None:
    assert len({load(name).title for name in names()}) == len(names())


def test_what_is_left_out_is_the_default() -> None:
    assert parse("drums", PLAIN) == Preset("drums", "Drums", "stems", ("drums",))


def test_what_is_given_is_kept() -> None:
    text = PLAIN + 'unlike = "bass"\nstrength = 0.5\nmethod = "joint"\nsteps = 10\n'
    text += "complete = true\ngain_db = -3\neverything_but = true\n"
    expected = Preset("x", "Drums", "stems", ("drums",), "bass", 0.5, "joint", 10, True, -3, True)
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
