"""A model is known by what is in its files: retrained under the same name it is another, copied elsewhere it is the same."""

import os
import shutil
import time
from pathlib import Path

import pytest

from engine import fingerprints
from engine.fingerprints import of_bytes, of_files
from host_bridge import atomic

NAMES = ("weights.bin", "config.json")


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model that was made long ago, as seen from now."""
    (tmp_path / "model").mkdir()
    for name in NAMES:
        (tmp_path / "model" / name).write_text(f"content of {name}")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 60)
    return tmp_path / "model"


def test_it_is_of_the_content_alone(model: Path) -> None:
    before = of_files(model, NAMES)
    assert of_files(model, NAMES) == before
    assert of_files(shutil.copytree(model, model.parent / "copy"), NAMES) == before
    (model / "readme.md").write_text("more")
    assert of_files(model, NAMES) == before
    assert len(before) == 16


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_the_same_size_and_time_with_other_content_is_another_model(model: Path, name: str) -> None:
    before, about = of_files(model, NAMES), (model / name).stat()
    (model / name).write_text(f"CONTENT of {name}")
    os.utime(model / name, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert of_files(model, NAMES) != before


def test_a_file_that_was_not_touched_is_read_once(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, opened = of_files(model, NAMES), list[str]()
    inner = Path.open

    def watched(self: Path, *words: str, **more: str) -> object:
        opened.append(self.name)
        return inner(self, *words, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", watched)
    assert of_files(model, NAMES) == before
    assert not {*opened} & {*NAMES}


def test_a_file_that_was_written_this_moment_is_not_trusted_to_stay(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: (model / NAMES[0]).stat().st_mtime + 1)
    before, about = of_files(model, NAMES), (model / NAMES[0]).stat()
    assert fingerprints._kept() == {}
    (model / NAMES[0]).write_text("CONTENT of weights.bin")
    os.utime(model / NAMES[0], ns=(about.st_atime_ns, about.st_mtime_ns))
    assert of_files(model, NAMES) != before


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"schema": "other", "files": {}}', '{"schema": 1}'])
def test_a_damaged_record_is_written_anew(model: Path, home: Path, text: str) -> None:
    before = of_files(model, NAMES)
    (home / "cache" / "fingerprints.json").write_text(text)
    assert of_files(model, NAMES) == before
    assert len(fingerprints._kept()) == len(NAMES)


def test_a_disk_that_refuses_costs_a_warning(
    model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(atomic, "write", refused)
    assert of_files(model, NAMES)
    assert "could not be kept" in caplog.text


def test_parts_of_a_model_do_not_run_into_each_other() -> None:
    assert of_bytes(b"ab", b"c") != of_bytes(b"a", b"bc")
