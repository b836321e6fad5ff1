"""One's own presets are kept, renamed and thrown away; those that come along stay as they are."""

from pathlib import Path

import pytest

import presets
from host_bridge.paths import places
from presets import Preset
from ui.models.preset_store import PresetStore, PresetStoreError, name_for

MINE = Preset("my-kit", "My kit", "stems", ("drums", "bass"), "crowd", 0.7, gain_db=-3.0, models=("pocket",))


@pytest.fixture
def preset_store() -> PresetStore:
    return PresetStore()


def test_what_is_saved_is_there_again_and_goes_first(preset_store: PresetStore) -> None:
    preset_store.save(MINE)
    rows = preset_store.rows()
    assert (rows[0].preset, rows[0].own, rows[0].trouble) == (MINE, True, "")
    shown = {name for name in presets.names() if presets.load(name).strength <= 1}  # faders end at 1
    assert {row.preset.name for row in rows[1:]} == shown < {*presets.names()}
    assert PresetStore().get("my-kit") == MINE
    assert preset_store.folder == places().config / "presets"  # where the daemon and the command line look


def test_the_library_stands_by_kind_and_title(preset_store: PresetStore) -> None:
    kinds = [presets.KINDS.index(row.preset.kind) for row in preset_store.rows()]
    assert kinds == sorted(kinds)


def test_saving_again_keeps_what_somebody_wrote_at_the_top(preset_store: PresetStore) -> None:
    preset_store.save(MINE, "For Sunday.\nNot for jazz.")
    preset_store.save(MINE)
    assert presets.about("my-kit", preset_store.folder) == "For Sunday.\nNot for jazz."


def test_a_new_title_makes_a_new_name_and_keeps_all_else(preset_store: PresetStore) -> None:
    preset_store.save(MINE, "For Sunday.")
    made = preset_store.rename("my-kit", " Ünsere Trommeln! ")
    assert (made.name, made.title) == ("ünsere-trommeln", "Ünsere Trommeln!")
    assert [row.preset.name for row in preset_store.rows() if row.own] == ["ünsere-trommeln"]
    assert preset_store.get("ünsere-trommeln").prompts == MINE.prompts
    assert presets.about("ünsere-trommeln", preset_store.folder) == "For Sunday."
    assert preset_store.rename("ünsere-trommeln", "Ünsere Trommeln").title == "Ünsere Trommeln"


def test_nothing_of_the_library_or_of_ones_own_is_lost_to_a_name(preset_store: PresetStore) -> None:
    preset_store.save(MINE)
    preset_store.save(Preset("other", "Other", "stems", ("choir",)))
    with pytest.raises(PresetStoreError, match="You have a preset called my-kit already"):
        preset_store.rename("other", "My kit")
    with pytest.raises(PresetStoreError, match="comes with a preset called drums"):
        preset_store.rename("other", "Drums")
    with pytest.raises(PresetStoreError, match="comes with a preset called drums"):
        preset_store.save(Preset("drums", "Drums", "stems", ("drums",)))
    for act in (preset_store.delete, lambda name: preset_store.rename(name, "New")):
        with pytest.raises(PresetStoreError, match="drums is not one of your own"):
            act("drums")
    assert presets.load("drums").title == "Drums"


def test_what_is_deleted_is_gone(preset_store: PresetStore) -> None:
    preset_store.save(MINE)
    preset_store.delete("my-kit")
    assert not any(row.own for row in preset_store.rows())
    with pytest.raises(PresetStoreError, match="no preset called 'my-kit'"):
        preset_store.get("my-kit")


@pytest.mark.parametrize("damage", [b"title = ", b"\xff\xfe", b'title = "X"\nkind = "stems"\nprompts = []\n'])
def test_a_damaged_one_is_shown_says_why_and_can_be_deleted(preset_store: PresetStore, damage: bytes) -> None:
    preset_store.folder.mkdir(parents=True)
    (preset_store.folder / "broken.toml").write_bytes(damage)
    (row,) = [row for row in preset_store.rows() if row.own]
    assert row.preset.name == "broken"
    assert "broken" in row.trouble
    with pytest.raises(PresetStoreError):
        preset_store.get("broken")
    preset_store.delete("broken")
    assert not any(row.own for row in preset_store.rows())


def test_ones_own_of_a_librarys_name_hides_it(preset_store: PresetStore) -> None:
    preset_store.folder.mkdir(parents=True)  # by hand: the panel would refuse
    (preset_store.folder / "drums.toml").write_text('title = "Mine"\nkind = "stems"\nprompts = ["kit"]\n', encoding="utf-8")
    assert [row.preset.title for row in preset_store.rows() if row.preset.name == "drums"] == ["Mine"]
    assert preset_store.get("drums").title == "Mine"


@pytest.mark.parametrize(
    ("title", "name"),
    [("My Kit", "my-kit"), ("  a / b \\ c ", "a-b-c"), ("Füße & _Hände_", "füsse-hände"), ("x" * 99, "x" * 60), ("鼓", "鼓")],
)
def test_a_title_makes_a_file_name_of_its_own_anywhere(title: str, name: str) -> None:
    assert name_for(title) == name


@pytest.mark.parametrize("title", ["", " - ", "..", "CON", "lpt1", "🥁"])
def test_a_title_that_makes_none_is_refused(title: str) -> None:
    with pytest.raises(PresetStoreError):
        name_for(title)


def test_what_makes_no_sense_is_not_saved(preset_store: PresetStore) -> None:
    with pytest.raises(PresetStoreError, match="prompts"):
        preset_store.save(Preset("empty", "Empty", "stems", ()))
    with pytest.raises(PresetStoreError, match="cannot name a preset"):
        preset_store.save(Preset("../out", "Out", "stems", ("drums",)))
    assert not any(row.own for row in preset_store.rows())


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(PresetStoreError, match="cannot be made"):
        PresetStore(tmp_path / "file" / "presets").save(MINE)
