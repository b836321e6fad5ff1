"""The window is found as it was left; whatever has become of its file, it opens."""

import json
from pathlib import Path
from typing import Any

import pytest

from host_bridge.paths import places
from ui.models.window import MOST_FILES, WindowSettings, load, place

LEFT = WindowSettings(
    geometry=b"\x00\x01\xffgeometry",
    splitters={"main": b"\x02", "side": b""},
    folder="/music",
    model="pocket",
    device="Headphones (ALSA)",
    volume_db=-12.5,
    loop=True,
    follow=False,
    files=("/music/b.wav", "/music/ü a.wav"),
)


def test_it_is_found_as_it_was_left() -> None:
    LEFT.save()
    assert load() == LEFT
    assert place().is_relative_to(places().config)


def test_on_the_first_day_there_is_nothing() -> None:
    assert load() == WindowSettings()
    assert not place().exists()


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"[]", b"null", b"{", b"[" * 100_000, b'{"a":' * 100_000])
def test_a_file_that_is_nonsense_is_set_aside_and_the_window_is_new(damage: bytes) -> None:
    LEFT.save()
    place().write_bytes(damage)
    assert load() == WindowSettings()
    assert not damage or place().with_suffix(".damaged").read_bytes() == damage
    LEFT.save()
    assert load() == LEFT


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("geometry", "no base64!"),
        ("geometry", 7),
        ("splitters", ["main"]),
        ("splitters", {"main": None}),
        ("folder", None),
        ("volume_db", "loud"),
        ("volume_db", 1e9),
        ("volume_db", float("nan")),
        ("volume_db", True),
        ("loop", 1),
        ("files", "a.wav"),
        ("files", [1]),
        ("files", None),
    ],
)
def test_a_key_that_holds_nonsense_costs_that_key_alone(key: str, value: Any) -> None:
    LEFT.save()
    told = json.loads(place().read_bytes()) | {key: value}
    place().write_text(json.dumps(told), encoding="utf-8")
    made = load()
    assert getattr(made, key) == getattr(WindowSettings(), key)
    others = [name for name in WindowSettings.__slots__ if name != key]
    assert all(getattr(made, name) == getattr(LEFT, name) for name in others)


def test_a_key_of_another_version_is_passed_over() -> None:
    LEFT.save()
    told = json.loads(place().read_bytes()) | {"colour": "red"}
    place().write_text(json.dumps(told), encoding="utf-8")
    assert load() == LEFT


def test_the_files_opened_last_are_kept_once_each() -> None:
    made = WindowSettings()
    for number in [*range(MOST_FILES + 3), 5]:
        made = made.opened(Path(f"/music/{number}.wav"))
    assert made.files[0] == str(Path("/music/5.wav"))
    assert len(made.files) == MOST_FILES == len({*made.files})
    assert made.folder == str(Path("/music"))


def test_a_disk_that_refuses_is_no_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    LEFT.save(tmp_path / "file" / "window.json")
    assert load(tmp_path / "file" / "window.json") == WindowSettings()
