"""The report is complete, can be pasted, and survives whatever is broken."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import doctor
from engine.commands.doctor import main


def test_the_report_covers_every_topic_and_nothing_failed_but_optional_libraries(home: Path) -> None:
    findings = doctor.report()
    assert list(findings) == list(doctor.TOPICS)
    assert all(findings.values())
    optional = {"portaudio (panel)", "fluidsynth (train)"}
    failed = {name: said for lines in findings.values() for name, said in lines.items() if "FAILED" in said}
    assert failed.keys() <= optional


def test_it_says_what_people_ask_first() -> None:
    findings = doctor.report()
    assert findings["versions"]["zerostem"]
    assert findings["versions"]["torch"]
    assert "GiB free of" in findings["machine"]["memory"]
    assert "usable of" in findings["machine"]["cores"]
    assert findings["devices"]["chosen by auto"]
    assert findings["licences"]["zerostem's own code"] == "MIT"
    assert "MIT" in findings["models"]["pocket"]


def test_it_names_every_place_with_its_room(home: Path) -> None:
    folders = doctor.report()["folders"]
    assert str(home / "spool") in folders["spool"]
    assert all("GiB free" in said for said in folders.values())


def test_the_licence_of_pyqt6_is_told_where_the_panel_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda package: "6.11" if package == "PyQt6" else None)
    assert "GPL-3.0" in doctor.report()["licences"]["PyQt6 (panel)"]
    monkeypatch.setattr(doctor, "_version", lambda package: None)
    assert doctor.report()["licences"]["PyQt6 (panel)"] == "not installed"


def test_a_check_that_breaks_says_so_in_its_line_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise OSError("the disk\nis gone")

    monkeypatch.setattr(shutil, "disk_usage", refuse)
    findings = doctor.report()
    assert findings["folders"]["spool"] == "FAILED: OSError: the disk is gone"
    assert "FAILED" not in findings["machine"]["memory"]


def test_a_topic_that_breaks_as_a_whole_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> Iterator[doctor.Check]:
        yield "first", lambda: "well"
        raise RuntimeError("no list")

    monkeypatch.setitem(doctor.TOPICS, "models", broken)
    assert doctor.report()["models"] == {"first": "well", "all of it": "FAILED: RuntimeError: no list"}


def test_a_pytorch_that_cannot_be_imported_does_not_stop_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "engine.device", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    findings = doctor.report()
    assert "FAILED" in findings["devices"]["all of it"]
    assert findings["versions"]["torch"]


def test_a_folder_that_cannot_be_written_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "NOT WRITABLE" in doctor.report()["folders"]["cache"]


def test_the_users_name_is_not_in_a_pasted_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("ZEROSTEM_HOME", str(tmp_path / "zs"))
    assert doctor.report()["folders"]["log"].startswith("~/zs/log (")


def test_the_command_prints_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Versions\n" in capsys.readouterr().out
    assert main(["--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == doctor.TOPICS.keys()
