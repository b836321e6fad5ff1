"""The report is complete, can be pasted, and survives whatever is broken."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from engine import daemon, doctor
from engine.commands.doctor import main
from host_bridge import client, forms
from host_bridge.vocabulary import Job

pytestmark = pytest.mark.slow


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


def test_where_no_daemon_runs_the_report_says_so(home: Path) -> None:
    assert doctor.report()["daemon"] == {"runs": "no"}


def test_a_daemon_that_runs_is_told_with_its_port_its_spool_and_its_device(home: Path) -> None:
    with daemon.opened(daemon.Wanted(device="cpu", port=0), lambda: None) as (_jobs, engine):
        told = doctor.report()["daemon"]
        assert told["runs"].startswith(f"yes, process {engine.pid}, version ")
        assert told["listens"] == f"127.0.0.1:{engine.udp}, UDP and TCP"
        assert told["jobs"].startswith(f"0 in {home / 'spool'}")
        assert told["device"].startswith("none used yet, of ")
        assert "cpu" in told["device"]
        assert engine.token not in str(told)


def test_the_daemons_device_is_that_of_the_last_job_that_had_one() -> None:
    class Client:
        def jobs(self) -> list[Job]:
            return [Job("one", "done", device="cpu"), Job("two", "done", device="cuda:1"), Job("three", "queued")]

    assert doctor._device_of(cast("client.Client", Client())) == "cuda:1, by its last job"


def test_a_daemon_that_was_killed_is_told(home: Path) -> None:
    (home / "engine.json").write_bytes(forms.write_engine(forms.EngineFile(2**22 - 7, 9, 9, "0.1", home / "spool", "secret")))
    assert doctor.report()["daemon"] == {"runs": "NO ANSWER: process 4194297 was the last, and did not end in peace"}


def test_what_was_measured_of_ways_to_run_a_model_is_shown_with_the_choice(home: Path) -> None:
    assert doctor.report()["executions"]["measured"].startswith("nothing yet")
    told = {
        "torch-fp32": {"seconds": 0.04, "difference": 0.0, "size": 0},
        "onnx": {"seconds": 0.02, "difference": 1e-6, "size": 0, "items": 8},
    }
    (home / "cache").mkdir()
    tables = {"schema": "zerostem-executions/2", "tables": {"pocket 0123 on cpu": told}}
    (home / "cache" / "executions.json").write_text(json.dumps(tables))
    found = doctor.report()["executions"]
    assert found["pocket 0123 on cpu"] == (
        "onnx the fastest of torch-fp32 40.0 ms in batches of 1 (0.0e+00 off), onnx 20.0 ms in batches of 8 (1.0e-06 off)"
    )
    assert "a hundred times as long" in found["torch-fp16 on the processor"]
