"""Many inputs: which they are, what was done before, what becomes of each, and that stopping leaves nothing half-done."""

import csv
import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil
import pytest
import soundfile

from engine import separate
from engine.batch import crew, report
from engine.batch.crew import Crew, Watch
from engine.batch.gather import gather
from engine.batch.task import Outcome, Task, attend
from engine.commands import folders
from engine.request import Request
from engine.separation import Wish, _loaded
from host_bridge.cli import main
from host_bridge.errors import BadAudio, BadRequest, ZeroStemError
from host_bridge.vocabulary import quietly

pytestmark = pytest.mark.process

RATE = 16_000
DRUMS = Request.of(["drums"], method="mixture", steps=2)


def song(path: Path, seed: int = 0, seconds: float = 0.5) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.random.default_rng(seed).normal(size=round(seconds * RATE)), RATE)
    return path


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three songs, one of them in a folder of its own, and one file that is none."""
    folder = tmp_path / "My Album Vol. 1"
    for seed, name in enumerate(["b.wav", "a.flac", "live/c.wav"]):
        song(folder / name, seed)
    (folder / "broken.wav").write_text("no sound at all" * 100)
    (folder / "cover.jpg").write_bytes(b"a picture")
    return folder


class Here:
    """Does a crew's work in this process."""

    def __init__(self, model: str, devices: Sequence[str], check: Request | None = None, execution: str = "auto") -> None:
        self.devices = devices

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def run(self, tasks: Sequence[Task], watch: Watch) -> Iterator[Outcome]:
        for task in reversed(tasks):  # any order will do
            yield attend(_loaded("pocket", "cpu"), task, lambda done, stage, task=task: watch(task, done, stage))  # type: ignore[misc]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "Crew", Here)


def batch(*words: object) -> int:
    return main(["separate", *map(str, words), "-p", "drums", "--method", "mixture", "--steps", "2", "-d", "cpu"])


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_gives_its_files_with_sound_in_the_order_of_their_names(album: Path) -> None:
    for name in ("film.mp4", "voice.M4A", ".hidden.wav", ".trash/gone.wav", "song.wav.part"):
        (album / name).parent.mkdir(exist_ok=True)
        (album / name).touch()
    found = [str(path.relative_to(album)) for path in gather(album)]
    assert found == ["a.flac", "b.wav", "broken.wav", "film.mp4", "live/c.wav", "voice.M4A"]


def test_stems_of_ours_are_no_inputs(album: Path) -> None:
    separate(album / "b.wav", "drums", method="mixture", steps=2, device="cpu", out=album)
    separate(album / "a.flac", "drums", method="mixture", steps=2, device="cpu")
    assert [path.name for path in gather(album)] == ["a.flac", "b.wav", "broken.wav", "c.wav"]
    assert gather(album, [album / "live"]) == [album / name for name in ("a.flac", "b.wav", "broken.wav")]


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match="cannot be read"):
        gather(tmp_path / "gone")


def test_the_library_call_still_takes_files_only(album: Path) -> None:
    with pytest.raises(BadAudio, match="is a folder"):
        separate(album, "drums", device="cpu")


@pytest.fixture
def done(tmp_path: Path) -> Task:
    """A task that was done."""
    task = Task(song(tmp_path / "song.wav"), DRUMS, Wish(tmp_path / "out", "song", gain_db=3.0))
    assert attend(_loaded("pocket", "cpu"), task, quietly).state == "done"
    return task


def again(task: Task) -> Outcome:
    return attend(_loaded("pocket", "cpu"), task, quietly)


def test_what_was_done_is_skipped_and_its_sidecar_told(done: Task) -> None:
    assert done.wish.out
    before = {path: path.stat().st_mtime_ns for path in done.wish.out.iterdir()}
    outcome = again(done)
    assert outcome.state == "skipped"
    assert outcome.sidecar
    assert outcome.sidecar["stems"][0]["prompt"] == "drums"
    assert {path: path.stat().st_mtime_ns for path in done.wish.out.iterdir()} == before


@pytest.mark.parametrize(
    ("request_changes", "wish_changes"),
    [
        ({"strengths": (0.5,)}, {}),
        ({"prompts": ("bass",)}, {}),
        ({"seed": 7}, {}),
        ({"steps": 3}, {}),
        ({"mode": "ddim"}, {}),
        ({"unlike": "piano"}, {}),
        ({"method": "nmf"}, {}),
        ({"generative": True}, {}),
        ({}, {"gain_db": None}),
        ({}, {"rest": False}),
        ({}, {"start_s": 0.1}),
        ({}, {"length_s": 0.2}),
    ],
    ids=str,
)
def test_other_settings_are_done_anew(done: Task, request_changes: dict[str, Any], wish_changes: dict[str, Any]) -> None:
    task = Task(done.path, replace(done.request, **request_changes), replace(done.wish, **wish_changes))
    assert again(task).state == "done"
    assert again(task).state == "skipped"


def test_the_same_region_in_other_words_is_skipped(done: Task) -> None:
    assert again(replace(done, wish=replace(done.wish, start_s=0.0, length_s=99.0))).state == "skipped"


def test_another_input_of_that_name_is_done_anew(done: Task) -> None:
    song(done.path, seed=1)
    assert again(done).state == "done"


@pytest.mark.parametrize(
    "edit",
    [
        lambda told: told.pop("algorithm"),
        lambda told: told["model"].pop("fingerprint"),
        lambda told: told.update(algorithm="0" * 16),
        lambda told: told["model"].update(fingerprint="0" * 16),
    ],
    ids=["before versions", "before fingerprints", "older code", "another model of that name"],
)
def test_what_older_code_or_another_model_of_that_name_made_is_done_anew(
    done: Task, edit: Callable[[dict[str, Any]], object]
) -> None:
    assert done.wish.out
    sidecar = done.wish.out / "song.json"
    told = json.loads(sidecar.read_text(encoding="utf-8"))
    edit(told)
    sidecar.write_text(json.dumps(told), encoding="utf-8")
    assert again(done).state == "done"
    assert again(done).state == "skipped"


def test_a_stem_that_is_missing_is_made_again_and_one_that_was_edited_stays(done: Task) -> None:
    assert done.wish.out
    stem = done.wish.out / "song - drums.wav"
    stem.unlink()
    assert again(done).state == "done"
    stem.write_bytes(b"edited")
    outcome = again(done)
    assert (outcome.state, outcome.exit_code) == ("failed", 1)
    assert "in the way" in outcome.error
    assert stem.read_bytes() == b"edited"


@pytest.mark.parametrize(
    "text", ['{"schema": "zerostem-sidecar/1"}', '{"schema": "zerostem-sidecar/1", "input": [], "files": 1}']
)
def test_a_sidecar_that_lost_its_words_counts_as_nothing_done(done: Task, text: str) -> None:
    assert done.wish.out
    for path in done.wish.out.iterdir():
        path.unlink()
    (done.wish.out / "song.json").write_text(text)
    assert again(done).state == "done"


def test_a_folder_is_done_as_it_lies_and_the_report_tells_of_every_input(
    album: Path, here: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(album) == 1
    out = album.with_name("My Album Vol. 1 stems")
    names = [f"{name}{end}" for name in ("a", "b", "live/c") for end in (" - drums.wav", " - rest.wav", ".json")]
    assert listing(out) == sorted([*names, "report.csv", "report.json"])
    assert [(Path(row["input"]).name, row["state"]) for row in rows(out)] == [
        ("a.flac", "done"),
        ("b.wav", "done"),
        ("broken.wav", "failed"),
        ("c.wav", "done"),
    ]
    assert "is not audio" in rows(out)[2]["error"]
    told = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert (told["schema"], told["done"], told["skipped"], told["failed"]) == ("zerostem-report/1", 3, 0, 1)
    assert told["inputs"][3]["files"] == [str(out / "live" / f"c - {kind}.wav") for kind in ("drums", "rest")]
    said = capsys.readouterr()
    assert [line.split(":")[0] for line in said.out.splitlines()[:4]] == [
        "1/4 a.flac",
        "2/4 b.wav",
        "3/4 broken.wav",
        "4/4 c.wav",
    ]
    assert "3 done, 0 skipped, 1 failed" in said.out
    assert str(album / "broken.wav") in said.err


def test_started_again_it_goes_on_where_it_was(album: Path, here: None, capsys: pytest.CaptureFixture[str]) -> None:
    (album / "broken.wav").unlink()
    assert batch(album, "-o", album / "stems") == 0
    (album / "stems" / "live" / "c.json").unlink()
    (album / "stems" / "live" / "c - drums.wav").unlink()
    (album / "stems" / "live" / "c - rest.wav").unlink()
    song(album / "d.wav", seed=9)
    assert batch(album, "-o", album / "stems") == 0
    assert [row["state"] for row in rows(album / "stems")] == ["skipped", "skipped", "done", "done"]
    assert "2 done, 2 skipped, 0 failed" in capsys.readouterr().out
    assert listing(album / "stems").count("report.csv") == 1
    assert not (album / "stems" / "report (2).csv").exists()


def test_json_is_one_array_in_the_order_of_the_inputs(album: Path, here: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(album, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [Path(sidecar["input"]["path"]).name for sidecar in told] == ["a.flac", "b.wav", "c.wav"]


def test_files_and_folders_may_be_named_together_and_each_is_done_once(
    album: Path, here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (album / "broken.wav").unlink()
    monkeypatch.chdir(album)
    assert batch(".", "b.wav", song(tmp_path / "other" / "b.wav"), "-o", tmp_path / "out", "--jobs", "1") == 0
    assert len(rows(tmp_path / "out")) == 4
    wanted = {"b.wav - drums.wav", "b.wav (2) - drums.wav", "a - drums.wav", "live/c - drums.wav"}
    assert wanted <= set(listing(tmp_path / "out"))


def test_loose_files_get_their_stems_beside_them_and_no_report(album: Path, here: None) -> None:
    assert batch(album / "b.wav", album / "a.flac", "--jobs", "2") == 0
    assert listing(album / "b stems") == ["b - drums.wav", "b - rest.wav", "b.json"]


def test_a_folder_without_sound_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(tmp_path) == 1
    assert "holds no file with sound" in capsys.readouterr().err


def test_no_jobs_at_all_is_refused(album: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert batch(album, "--jobs", "0") == 2
    assert "0 jobs" in capsys.readouterr().err


def test_workers_are_spread_over_the_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.device.every", lambda name: ["cuda:0", "cuda:1"])
    assert folders.workers_on("auto", None) == ["cuda:0", "cuda:1"]
    assert folders.workers_on("auto", 3) == ["cuda:0", "cuda:1", "cuda:0"]
    assert folders.workers_on("auto", 1) == ["cuda:0"]


def test_one_device_that_is_named_is_the_only_one() -> None:
    assert folders.workers_on("cpu", None) == ["cpu"]
    assert folders.workers_on("cpu", 2) == ["cpu", "cpu"]


def outcome_of(path: Path) -> Outcome:
    return Outcome(Task(path, DRUMS, Wish(path.parent)), "failed", 1.5, None, "It is broken.", "Mend it.", 1)


@pytest.mark.parametrize("name", ["report.csv", "report.json"])
@pytest.mark.parametrize("text", ["mine", '{"schema": "mine"}', "[]"])
def test_a_strangers_report_is_never_overwritten(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    for _ in range(2):
        written = report.write(tmp_path, [outcome_of(tmp_path / "a.wav")], 2.0)
        assert [path.name for path in written] == ["report (2).csv", "report (2).json"]
    assert (tmp_path / name).read_text() == text


def test_a_report_that_was_edited_is_left_and_one_that_was_not_is_replaced(tmp_path: Path) -> None:
    first = report.write(tmp_path, [outcome_of(tmp_path / "a.wav")], 2.0)
    assert report.write(tmp_path, [], 1.0) == first
    first[0].write_text("my notes")
    assert report.write(tmp_path, [], 1.0)[0].name == "report (2).csv"
    assert first[0].read_text() == "my notes"


def test_a_length_that_no_header_says_is_guessed(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(bytes(80_000))
    assert folders._length_s(tmp_path / "clip.mp4") == 2.0
    assert folders._length_s(song(tmp_path / "song.wav")) == 0.5
    assert folders._length_s(tmp_path / "gone.wav") == 0.0


def test_a_worker_says_what_is_wrong_with_the_request_before_any_input_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # they are this process's, which is no worker
    ours, theirs = Pipe()
    crew._work(theirs, "pocket", "cpu", "auto", 1, Request.of(["didgeridoo"]))
    word, (kind, what, _todo) = ours.recv()
    assert (word, kind) == ("refused", BadRequest)
    assert "didgeridoo" in what


def test_whatever_goes_wrong_inside_is_one_inputs_failure(tmp_path: Path, home: Path) -> None:
    class Broken:
        def separate(self, *_: object) -> None:
            raise KeyError("the bug")

    outcome = crew._attended(Broken(), Task(tmp_path / "song.wav", DRUMS, Wish()), quietly)
    assert outcome.state == "failed"
    assert "KeyError" in outcome.error
    (log,) = (home / "log").iterdir()
    assert "the bug" in log.read_text()


STAND_IN = """
import os, signal, time
from dataclasses import dataclass
from pathlib import Path
from engine.batch.task import Outcome
from engine.delivery import MARK
from host_bridge.errors import BadRequest

@dataclass(frozen=True)
class Wish:
    out: Path

def work(pipe, model, device, execution, sharing, check):
    if check is not None:
        pipe.send(("refused", (BadRequest, "It cannot be meant.", "Mean something else.")))
        return
    pipe.send(("ready", None))
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        what = task.path.stem
        if what != "good":
            aside = task.wish.out / f"{MARK}{os.getpid()}-x"
            aside.mkdir(parents=True)
            (aside / "half.wav").touch()
        if what == "hangs":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        pipe.send(("progress", (0.5, device)))
        if what == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hangs":
            time.sleep(600)
        pipe.send(("outcome", Outcome(task, "done", 0.1)))
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Task]]:
    """Workers that load no model, and do as the input's name says; makes a task for them."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "worker_stand_in.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path / "code")  # the workers get this process's path
    module = importlib.import_module("worker_stand_in")
    monkeypatch.setattr(crew, "_work", module.work)
    yield lambda name: Task(tmp_path / f"{name}.wav", DRUMS, module.Wish(tmp_path / "out" / name))
    del sys.modules["worker_stand_in"]


def test_a_worker_that_dies_takes_only_its_own_input_with_it(stand_in: Callable[[str], Task], tmp_path: Path) -> None:
    tasks = [stand_in(name) for name in ("good", "dies", "good", "good")]
    with Crew("", ["cpu"]) as workers:
        states = [outcome.state for outcome in workers.run(tasks)]
    assert states == ["done", "failed", "done", "done"]
    assert not (tmp_path / "out").exists()


def test_a_worker_that_does_not_leave_is_ended_and_cleaned_up_after_within_a_second(
    stand_in: Callable[[str], Task], tmp_path: Path, in_time: Callable[[float, float], None]
) -> None:
    began = 0.0

    def stop(task: Task, _done: float, _stage: str) -> None:
        nonlocal began
        if task.path.stem == "hangs":
            began = time.monotonic()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(Crew("", ["cpu"]).run([stand_in("good"), stand_in("hangs")], stop))
    took = time.monotonic() - began
    assert took >= crew.GRACE_S
    in_time(took, 2)
    assert not multiprocessing.active_children()
    assert not (tmp_path / "out").exists()


def test_all_workers_work_and_stay_warm_between_runs(stand_in: Callable[[str], Task]) -> None:
    seen: set[str] = set()
    held: set[int | None] = set()
    with Crew("", ["first", "second"]) as workers:
        for _ in range(2):
            tasks = [stand_in("good") for _ in range(12)]
            assert len(list(workers.run(tasks, lambda _task, _done, device: seen.add(device)))) == 12
            held |= {child.pid for child in multiprocessing.active_children()}
        assert len(held) == 2
    assert not multiprocessing.active_children()
    assert seen <= {"first", "second"}


def test_what_a_worker_refuses_ends_the_batch_before_any_input(stand_in: Callable[[str], Task], tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="Mean something else"), Crew("", ["cpu", "cpu"], DRUMS) as workers:
        list(workers.run([stand_in("good"), stand_in("good")]))
    assert not multiprocessing.active_children()
    assert not (tmp_path / "out").exists()


def test_no_more_workers_than_inputs_are_started(stand_in: Callable[[str], Task]) -> None:
    with Crew("", ["cpu"] * 9) as workers:
        list(workers.run([stand_in("good")]))
        assert len(multiprocessing.active_children()) == 1


def test_a_worker_that_dies_before_it_has_work_ends_the_batch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(crew, "_work", os.abort)  # called with arguments that it does not take: the worker ends at once
    task = Task(song(tmp_path / "song.wav"), DRUMS, Wish(tmp_path / "out", "song"))
    with pytest.raises(ZeroStemError, match="before it had work"), Crew("pocket", ["cpu"]) as workers:
        list(workers.run([task]))


def test_ctrl_c_stops_within_a_second_and_leaves_what_was_finished_and_nothing_else(
    tmp_path: Path, in_time: Callable[[float, float], None]
) -> None:
    song(tmp_path / "album" / "1.wav")
    song(tmp_path / "album" / "2.wav", seconds=120)
    out = tmp_path / "stems"
    words = [str(tmp_path / "album"), "-p", "drums", "-o", str(out), "-d", "cpu"]
    command = [sys.executable, "-m", "host_bridge", "separate", *words]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as running:
        while not ((out / "1.json").exists() and any(out.glob(".zerostem-*/masks"))):  # in the middle of the second
            assert running.poll() is None
            time.sleep(0.05)
        children = psutil.Process(running.pid).children()
        workers = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers as well
        began = time.monotonic()
        assert running.stderr
        complained = running.stderr.readline()  # what comes after it is the interpreter's own end
        took = time.monotonic() - began
        assert not any(worker.is_running() for worker in workers)
        said, rest = running.communicate(timeout=60)
    assert running.returncode == 130
    assert complained == "zerostem: Stopped. Nothing unfinished was kept.\n"
    assert rest == ""
    assert "1/2 1.wav: done" in said
    assert "1 done, 0 skipped, 0 failed" in said
    in_time(took, 2)  # a second, and another one for a machine that does other things as well
    assert listing(out) == ["1 - drums.wav", "1 - rest.wav", "1.json", "report.csv", "report.json"]
    assert [row["state"] for row in rows(out)] == ["done"]
