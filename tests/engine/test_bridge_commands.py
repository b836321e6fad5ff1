"""The commands that talk to the daemon, as people and host scripts call them, with and without one that runs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import soundfile

from host_bridge.cli import COMMANDS, main, room
from host_bridge.client import Client, NoDaemon
from host_bridge.forms import RequestFile, StateFile
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job, State, Stem, new_id

pytestmark = pytest.mark.process

OURS = ("daemon", "submit", "watch", "cancel", "ring", "strength", "deliver", "status", "rebuild", "tidy", "stop")
RATE = 16_000
WRONG = RequestFile((Stem("drums"),), settings={"complete": True})
"""Refused before a model is loaded."""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One home for all, whose daemon is started by the first command that needs one, and ended with the last test."""
    path = tmp_path_factory.mktemp("shared")
    yield path
    environment = {**os.environ, "ZEROSTEM_HOME": str(path)}
    subprocess.run([sys.executable, "-m", "host_bridge", "stop"], env=environment, check=False, capture_output=True)


@pytest.fixture
def run(shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command line in the shared home -> exit code, what it printed, what it complained of."""
    monkeypatch.setenv("ZEROSTEM_HOME", str(shared))

    def call(*words: object) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("music") / "song.flac"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=(RATE, 2)), RATE)
    return path


@pytest.mark.parametrize("name", OURS)
def test_help_is_there_and_loads_nothing_heavy(name: str) -> None:
    code = f"import sys; from host_bridge import cli; cli.main(['{name}', '--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"usage: zerostem {name}" in done.stdout
    assert not {"torch", "numpy", "soundfile", "rich", "watchfiles"} & {*done.stdout.splitlines()[-1].split()}
    assert COMMANDS[name]
    assert callable(room(name))


def test_without_a_daemon_status_reads_the_spool(run: Run, shared: Path, song: Path) -> None:
    job = new_id()
    assert run("status") == (0, "No daemon runs. Start one with `zerostem daemon`.\nNo jobs.\n", "")
    Spool(shared / "spool").prepare()
    Spool(shared / "spool").put(job, WRONG, song)
    told: dict[str, Any] = json.loads(run("status", "--json")[1])
    assert told["daemon"]["running"] is False
    assert [(row["id"], row["state"], row["permille"]) for row in told["jobs"]] == [(job, "queued", 0)]
    assert job in run("status")[1]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\0", b'{"schema": "zerostem-engine/1"}'])
def test_a_file_that_a_crash_has_spoilt_counts_as_no_daemon_and_is_named(run: Run, shared: Path, data: bytes) -> None:
    shared.mkdir(exist_ok=True)
    (shared / "engine.json").write_bytes(data)
    sentences = f"No daemon can be found, for {shared / 'engine.json'} is damaged. Start one with `zerostem daemon`, which"
    assert run("stop")[2].startswith(f"zerostem: {sentences}")
    code, said, _ = run("status")
    assert (code, said.startswith(sentences)) == (0, True)
    assert json.loads(run("status", "--json")[1])["daemon"]["running"] is False
    (shared / "engine.json").unlink()  # the other tests share this home


@pytest.mark.parametrize("words", [("watch",), ("stop",)])
def test_without_a_daemon_what_needs_one_says_so_in_two_sentences(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words) == (1, "", "zerostem: No daemon runs. Start one with `zerostem daemon`.\n")


def test_without_a_daemon_a_cancel_is_kept_for_the_next_one(run: Run, shared: Path, song: Path) -> None:
    job = new_id()
    Spool(shared / "spool").put(job, WRONG, song)
    code, out, _ = run("cancel", job)
    assert code == 0
    assert job in out
    assert Spool(shared / "spool").wants_cancel(job)
    assert run("cancel", "no-such-job")[0] == 1


def test_ring_starts_a_daemon_where_none_runs_and_rings_the_one_that_does(run: Run, shared: Path, song: Path) -> None:
    job = new_id()
    Spool(shared / "spool").put(job, WRONG, song)
    code, _, complaint = run("ring", job)
    assert code == 0 or "every sound" in complaint  # it may have failed before the bell came
    with Client.find("test") as client:
        list(client.watch(job))
        pid = client.engine.pid
    code, _, complaint = run("ring", job)
    assert code == 1
    assert "every sound" in complaint
    with Client.find("test") as client:
        assert client.engine.pid == pid


def test_submit_waits_for_stems_and_adds_them_to_a_folder(run: Run, song: Path, tmp_path: Path) -> None:
    words = ("submit", song, "-p", "drums", "-w", "0.5", "--method", "mixture", "--start", "0.25", "-o", tmp_path)
    code, out, _ = run(*words, "--wait", "--json")
    assert code == 0
    told = json.loads(out)
    assert told.keys() == {"id", "folder", "result"}
    assert {path.name for path in tmp_path.iterdir()} == {"song - drums.wav", "song - rest.wav"}
    assert len(soundfile.read(tmp_path / "song - drums.wav")[0]) == RATE * 3 // 4
    assert told["result"]["stems"][0]["strength"] == 0.5
    assert Path(told["folder"]).is_dir()


def test_submit_prints_an_id_that_watch_and_status_and_cancel_take(run: Run, song: Path) -> None:
    code, out, _ = run("submit", song, "-p", "bass", "--method", "mixture")
    job = out.strip()
    assert code == 0
    code, out, _ = run("watch", job)
    assert code == 0
    assert Path(out.strip(), "result.json").is_file()
    told = json.loads(run("status", "--json")[1])
    assert told["daemon"]["running"] is True
    assert {row["id"]: row["state"] for row in told["jobs"]}[job] == "done"
    code, _, complaint = run("cancel", job)
    assert code == 1
    assert "is done" in complaint


def test_submit_fails_with_what_the_daemon_says(run: Run, song: Path) -> None:
    code, out, complaint = run("submit", song, "-p", "a didgeridoo under water", "--wait")
    assert code == 1
    assert not out
    assert "didgeridoo" in complaint
    assert complaint.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("submit",),
        ("submit", "missing.wav", "-p", "drums"),
        ("submit", __file__, "-p", "drums"),
        ("submit", "SONG"),
        ("submit", "SONG", "-p", "drums", "--start", "9"),
        ("submit", "SONG", "-p", "drums", "-d", "cpu"),
        ("rebuild", "missing.json"),
        ("rebuild", __file__),
        ("cancel",),
        ("ring", "no-such-job"),
        ("daemon", "--port", "x"),
        ("watch", "no-such-job"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_two_sentences(run: Run, song: Path, words: tuple[str, ...]) -> None:
    code, out, complaint = run(*(song if word == "SONG" else word for word in words))
    assert code in (1, 2)
    assert not out
    assert complaint.startswith("zerostem: ")
    assert complaint.count("\n") == 1
    assert "Traceback" not in complaint


def test_rebuild_makes_the_same_stems_from_a_result_and_notices_a_file_that_changed(
    run: Run, song: Path, shared: Path, tmp_path: Path
) -> None:
    code, out, _ = run("submit", song, "-p", "drums", "-p", "bass", "-w", "1", "-w", "0.4", "--steps", "2", "--wait", "--json")
    assert code == 0
    sidecar = Spool(shared / "spool").folder(json.loads(out)["id"]) / "result.json"
    code, out, _ = run("rebuild", sidecar, "-o", tmp_path / "again", "-d", "cpu")
    assert code == 0
    assert out.count("the same") == 3
    assert {path.name for path in (tmp_path / "again").iterdir()} >= {"song - drums.wav", "song - bass.wav", "song - rest.wav"}
    with (sidecar.parent / "region.wav").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\0\0\0\0")
    code, _, complaint = run("rebuild", sidecar, "-o", tmp_path / "again")
    assert code == 1
    assert "has changed" in complaint


def test_a_strength_is_set_by_a_stems_number_and_delivered_under_a_new_name(run: Run, song: Path, tmp_path: Path) -> None:
    words = ("submit", song, "-p", "drums", "-p", "bass", "--method", "mixture", "-o", tmp_path, "--wait", "--json")
    job = json.loads(run(*words)[1])["id"]
    answer = tmp_path / "answer.json"
    code, out, _ = run("strength", job, "/2", "0.25", "--deliver", "--answer", answer)
    assert (code, out) == (0, f"/2 of {job} is at 25%.\n")
    assert json.loads(answer.read_text()) == {"schema": "zerostem-answer/1", "error": "", "todo": ""}
    with Client.find("test") as client:
        result = client.spool.result(job)
    assert result
    assert [stem["strength"] for stem in result["stems"]] == [1.0, 0.25]
    assert all(Path(place).is_file() and Path(place).parent == tmp_path for place in result["delivered"])
    assert run("strength", job, "drums", "0.5")[0] == 0


def test_deliver_adds_what_was_taken_away(run: Run, song: Path, tmp_path: Path) -> None:
    job = json.loads(run("submit", song, "-p", "drums", "--method", "mixture", "-o", tmp_path, "--wait", "--json")[1])["id"]
    (tmp_path / "song - drums.wav").unlink()
    code, out, _ = run("deliver", job)
    assert code == 0
    assert out.splitlines() == [str(tmp_path / "song - drums.wav"), str(tmp_path / "song - rest.wav")]
    assert (tmp_path / "song - drums.wav").is_file()
    job = json.loads(run("submit", song, "-p", "drums", "--method", "mixture", "--wait", "--json")[1])["id"]
    assert run("deliver", job)[1] == f"Job {job} names no folder.\n"


@pytest.mark.parametrize(
    ("stem", "strength", "sentence"),
    [
        ("/9", "0.5", "has no stem /9"),
        ("/x", "0.5", "has no stem /x"),
        ("tuba", "0.5", "no stem tuba"),
        ("drums", "1.5", "of 1.5"),
    ],
)
def test_a_strength_that_cannot_be_is_answered_in_the_file_too(
    run: Run, song: Path, tmp_path: Path, stem: str, strength: str, sentence: str
) -> None:
    job = json.loads(run("submit", song, "-p", "drums", "--method", "mixture", "--wait", "--json")[1])["id"]
    answer = tmp_path / "answer.json"
    code, _, complaint = run("strength", job, stem, strength, "--answer", answer)
    assert code != 0
    assert sentence in complaint
    assert sentence in json.loads(answer.read_text())["error"]


def test_stop_ends_the_daemon(run: Run) -> None:
    assert run("stop") == (0, "The daemon ends.\n", "")
    with pytest.raises(NoDaemon):
        Client.find("test")


def test_jobs_that_ended_long_ago_are_taken_away_and_no_others(run: Run, tmp_path: Path, song: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.prepare()
    states = {"ended-long-ago": "done", "ended-just-now": "failed", "still-waiting": "queued"}
    for name, state in states.items():
        spool.put(name, RequestFile((Stem("drums"),)), song)
        spool.record(StateFile(Job(name, cast("State", state))), "submit")
    spool.put("never-begun", RequestFile((Stem("drums"),)), song)
    (spool.root / "what-is-this-folder").mkdir()
    old = time.time() - 40 * 86_400
    for name in ("ended-long-ago", "still-waiting"):
        os.utime(spool.root / name / "state.json", (old, old))
    all_of_them = {*states, "never-begun", "what-is-this-folder"}

    code, out, _ = run("tidy", "--spool", spool.root, "--dry-run")
    assert (code, out.split(",")[0]) == (0, "1 jobs would be taken away")
    assert {*spool.ids()} == all_of_them
    code, out, _ = run("tidy", "--spool", spool.root)
    assert (code, out.split(",")[0]) == (0, "1 jobs taken away")
    assert {*spool.ids()} == all_of_them - {"ended-long-ago"}
    assert run("tidy", "--spool", spool.root, "--days", "0")[1].startswith("1 jobs taken away")
    assert {*spool.ids()} == all_of_them - {"ended-long-ago", "ended-just-now"}
    assert run("tidy", "--days", "-1")[0] == 2
