"""One's own presets are kept, renamed and thrown away; those that come along stay as they are."""

from pathlib import Path

import pytest

import presets
from host_bridge.paths import places
from presets import Preset
from ui.models.preset_store import Shelf, ShelfError, name_for

MINE = Preset("my-kit", "My kit", "stems", ("drums", "bass"), "crowd", 0.7, gain_db=-3.0, models=("pocket",))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_what_is_saved_is_there_again_and_goes_first(shelf: Shelf) -> None:
    shelf.save(MINE)
    rows = shelf.rows()
    assert (rows[0].preset, rows[0].own, rows[0].trouble) == (MINE, True, "")
    shown = {name for name in presets.names() if presets.load(name).strength <= 1}  # faders end at 1
    assert {row.preset.name for row in rows[1:]} == shown < {*presets.names()}
    assert Shelf().get("my-kit") == MINE
    assert shelf.folder == places().config / "presets"  # where the daemon and the command line look


def test_the_library_stands_by_kind_and_title(shelf: Shelf) -> None:
    kinds = [presets.KINDS.index(row.preset.kind) for row in shelf.rows()]
    assert kinds == sorted(kinds)


def test_saving_again_keeps_what_somebody_wrote_at_the_top(shelf: Shelf) -> None:
    shelf.save(MINE, "For Sunday.\nNot for jazz.")
    shelf.save(MINE)
    assert presets.about("my-kit", shelf.folder) == "For Sunday.\nNot for jazz."


def test_a_new_title_makes_a_new_name_and_keeps_all_else(shelf: Shelf) -> None:
    shelf.save(MINE, "For Sunday.")
    made = shelf.rename("my-kit", " Ünsere Trommeln! ")
    assert (made.name, made.title) == ("ünsere-trommeln", "Ünsere Trommeln!")
    assert [row.preset.name for row in shelf.rows() if row.own] == ["ünsere-trommeln"]
    assert shelf.get("ünsere-trommeln").prompts == MINE.prompts
    assert presets.about("ünsere-trommeln", shelf.folder) == "For Sunday."
    assert shelf.rename("ünsere-trommeln", "Ünsere Trommeln").title == "Ünsere Trommeln"


def test_nothing_of_the_library_or_of_ones_own_is_lost_to_a_name(shelf: Shelf) -> None:
    shelf.save(MINE)
    shelf.save(Preset("other", "Other", "stems", ("choir",)))
    with pytest.raises(ShelfError, match="You have a preset called my-kit already"):
        shelf.rename("other", "My kit")
    with pytest.raises(ShelfError, match="comes with a preset called drums"):
        shelf.rename("other", "Drums")
    with pytest.raises(ShelfError, match="comes with a preset called drums"):
        shelf.save(Preset("drums", "Drums", "stems", ("drums",)))
    for act in (shelf.delete, lambda name: shelf.rename(name, "New")):
        with pytest.raises(ShelfError, match="drums is not one of your own"):
            act("drums")
    assert presets.load("drums").title == "Drums"


def test_what_is_deleted_is_gone(shelf: Shelf) -> None:
    shelf.save(MINE)
    shelf.delete("my-kit")
    assert not any(row.own for row in shelf.rows())
    with pytest.raises(ShelfError, match="no preset called 'my-kit'"):
        shelf.get("my-kit")


@pytest.mark.parametrize("damage", [b"title = ", b"\xff\xfe", b'title = "X"\nkind = "stems"\nprompts = []\n'])
def test_a_damaged_one_is_shown_says_why_and_can_be_deleted(shelf: Shelf, damage: bytes) -> None:
    shelf.folder.mkdir(parents=True)
    (shelf.folder / "broken.toml").write_bytes(damage)
    (row,) = [row for row in shelf.rows() if row.own]
    assert row.preset.name == "broken"
    assert "broken" in row.trouble
    with pytest.raises(ShelfError):
        shelf.get("broken")
    shelf.delete("broken")
    assert not any(row.own for row in shelf.rows())


def test_ones_own_of_a_librarys_name_hides_it(shelf: Shelf) -> None:
    shelf.folder.mkdir(parents=True)  # by hand: the panel would refuse
    (shelf.folder / "drums.toml").write_text('title = "Mine"\nkind = "stems"\nprompts = ["kit"]\n', encoding="utf-8")
    assert [row.preset.title for row in shelf.rows() if row.preset.name == "drums"] == ["Mine"]
    assert shelf.get("drums").title == "Mine"


@pytest.mark.parametrize(
    ("title", "name"),
    [("My Kit", "my-kit"), ("  a / b \\ c ", "a-b-c"), ("Füße & _Hände_", "füsse-hände"), ("x" * 99, "x" * 60), ("鼓", "鼓")],
)
def test_a_title_makes_a_file_name_of_its_own_anywhere(title: str, name: str) -> None:
    assert name_for(title) == name


@pytest.mark.parametrize("title", ["", " - ", "..", "CON", "lpt1", "🥁"])
def test_a_title_that_makes_none_is_refused(title: str) -> None:
    with pytest.raises(ShelfError):
        name_for(title)


def test_what_makes_no_sense_is_not_saved(shelf: Shelf) -> None:
    with pytest.raises(ShelfError, match="prompts"):
        shelf.save(Preset("empty", "Empty", "stems", ()))
    with pytest.raises(ShelfError, match="cannot name a preset"):
        shelf.save(Preset("../out", "Out", "stems", ("drums",)))
    assert not any(row.own for row in shelf.rows())


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(ShelfError, match="cannot be made"):
        Shelf(tmp_path / "file" / "presets").save(MINE)
