"""A real daemon process with real sockets: what a host sees of it, and what it survives."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from host_bridge.client.client import Client, Refused
from host_bridge.errors import Code
from host_bridge.protocol import wire
from host_bridge.protocol.messages import CancelledMessage, Done, Fail, ProgressMessage, Submit
from host_bridge.spool.documents import RequestFile, read_engine
from host_bridge.spool.job_folders import KEPT, Spool
from host_bridge.types import Stem, new_id

pytestmark = pytest.mark.process

ASK = RequestFile((Stem("drums"), Stem("bass", 0.5)), settings={"steps": 2})
LONG = replace(ASK, settings={"steps": 200})


class Daemon:
    """A home with a daemon in it, which may be killed and started again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.spool = Spool(home / "spool")
        self._process: subprocess.Popen[str] | None = None

    def command(self, *words: str) -> "subprocess.Popen[str]":
        environment = {**os.environ, "ZEROSTEM_HOME": str(self.home), "PYTHONWARNINGS": "error"}
        words = (sys.executable, "-m", "host_bridge", *words)
        return subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(self) -> None:
        self._process = self.command("daemon", "--device", "cpu", "--port", "0")
        assert self._process.stderr
        assert "Listening" in self._process.stderr.readline()

    def end(self, number: int) -> int:
        assert self._process
        self._process.send_signal(number)
        said, complaint = self._process.communicate(timeout=30)
        assert said == complaint == ""
        code, self._process = self._process.returncode, None
        return code

    def client(self) -> Client:
        return Client(read_engine((self.home / "engine.json").read_bytes()), "test")

    def close(self) -> None:
        if self._process:
            self.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = Daemon(tmp_path_factory.mktemp("daemon"))
    home.start()
    yield home
    home.close()


@pytest.fixture
def client(daemon: Daemon) -> Iterator[Client]:
    with daemon.client() as made:
        yield made


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s of stereo: hits on a tone."""
    path, t = tmp_path_factory.mktemp("audio") / "take.wav", np.arange(2 * 22_050) / 22_050
    hits = 0.2 * np.random.default_rng(0).normal(size=len(t)) * np.exp(-30 * (t % 0.5))
    soundfile.write(path, np.stack([hits, hits + 0.1 * np.sin(700 * t)], 1), 22_050, subtype="FLOAT")
    return path


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def begun(client: Client, job: str) -> None:
    """Wait until the model is at work."""
    for said in client.watch(job):
        if isinstance(said, ProgressMessage) and said.stage == "separating":
            return
    pytest.fail("it ended too soon")


def test_a_job_is_accepted_then_shows_its_progress_and_is_done(client: Client, region: Path) -> None:
    job = client.submit(replace(ASK, settings={"steps": 40}), region)  # long enough for a look at every fifth of a second
    heard = list(client.watch(job))
    assert heard[-1] == Done(job, Submit.address, 2)
    progress = [said for said in heard if isinstance(said, ProgressMessage)]
    assert {"separating"} <= {said.stage for said in progress}
    assert all(said.id == job for said in progress)
    result = client.spool.result(job)
    assert result
    assert result["null_dbfs"] < -120
    stems = [soundfile.read(stem["path"])[0] for stem in result["stems"]]
    np.testing.assert_allclose(sum(stems) + soundfile.read(result["rest"])[0], soundfile.read(region)[0], atol=1e-6)
    assert client.job(job).state == "done"


def test_the_same_job_again_is_told_that_it_is_done_and_never_begins_twice(client: Client, region: Path) -> None:
    job = client.submit(ASK, region)
    assert client.submit(ASK, region, job) == job
    list(client.watch(job))
    client.ring(job)
    lines = (client.spool.folder(job) / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["submit", "start", "finish"]


def test_a_folder_renamed_into_the_spool_is_done_without_a_bell(client: Client, region: Path) -> None:
    client.notify()
    job = new_id()
    client.spool.put(job, ASK, region)
    heard = client.listen(10)
    while heard != Done(job, Submit.address, 2):
        heard = client.listen(30)
        assert heard is not None


def test_a_cancel_is_answered_within_a_second_and_nothing_is_kept(
    client: Client, region: Path, in_time: Callable[[float, float], None]
) -> None:
    job = client.submit(LONG, region)
    begun(client, job)
    began = time.monotonic()
    client.cancel(job)
    in_time(time.monotonic() - began, 1)
    assert list(client.watch(job))[-1] == CancelledMessage(job)
    after = client.submit(ASK, region)  # once it is done, the device has let go of the one before it
    list(client.watch(after))
    assert listing(client.spool.folder(job)) <= KEPT


def test_a_file_named_cancel_stops_a_job_that_runs(
    client: Client, region: Path, in_time: Callable[[float, float], None]
) -> None:
    job = client.submit(LONG, region)
    begun(client, job)
    began = time.monotonic()
    client.spool.drop_cancel(job)
    assert list(client.watch(job))[-1] == CancelledMessage(job)
    in_time(time.monotonic() - began, 1)


def test_a_strength_is_rendered_again_and_the_sum_is_still_the_region(client: Client, region: Path) -> None:
    job = client.submit(ASK, region)
    list(client.watch(job))
    client.strength(job, "drums", 300, wait=True)
    result = client.spool.result(job)
    assert result
    assert [stem["strength"] for stem in result["stems"]] == [0.3, 0.5]
    assert result["null_dbfs"] < -120
    client.tie(3, job, "bass")
    client.knob(3, 1.0)
    while (client.spool.result(job) or result)["stems"][1]["strength"] != 1.0:
        assert client.listen(10) is not None


def test_without_the_token_nothing_is_read_or_written(daemon: Daemon, region: Path) -> None:
    engine = read_engine((daemon.home / "engine.json").read_bytes())
    job = new_id()
    daemon.spool.put(f"{job}-x", ASK, region)
    before = (daemon.home / "engine.json").read_bytes()
    with Client(replace(engine, token="guessed")) as stranger:
        for ask in (stranger.hello, stranger.jobs, stranger.stop, lambda: stranger.cancel(job), lambda: stranger.ring(job)):
            with pytest.raises(Refused) as refused:
                ask()
            assert refused.value.fail.code == Code.NO_TOKEN
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(5)
        line.sendto(b"/zerostem/1/job/cancel\0\0,ss\0\0\0\0\0" + job.encode() + b"\0\0\0\0", ("127.0.0.1", engine.udp))
        answer = wire.decode(line.recv(2000))
    assert isinstance(answer, Fail)
    assert (daemon.home / "engine.json").read_bytes() == before


def test_a_folder_that_is_not_there_is_said_to_be_missing(client: Client) -> None:
    with pytest.raises(Refused, match="no job"):
        client.ring("nothing-here")


def test_models_devices_and_a_plan_come_as_rows(client: Client) -> None:
    assert "pocket" in {row.name for row in client.models() if row.installed}
    assert "cpu" in {row.name for row in client.devices()}
    words = {row.word: row.meaning for row in client.vocabulary()}
    assert words["drum kit"] == words["drums"] == "drums"
    assert "rain" not in words
    assert client.vocabulary("audioldm-s-full-v2") == []  # it follows any text, and need not be here to say so
    with pytest.raises(Refused, match="no model"):
        client.vocabulary("a model that nobody has")
    (row,) = client.plan("", 60, 2)
    assert row.windows >= 1
    assert row.expected_s >= 1
    assert client.plan("", 2**31 - 1, 64)[0].expected_s > row.expected_s  # counted, not laid out
    for stems in (0, 2**31 - 1):
        with pytest.raises(Refused, match="no sense"):
            client.plan("", 60, stems)
    (fail,) = list(client.fetch("no such model"))
    assert isinstance(fail, Fail)


def test_a_second_daemon_is_refused_with_a_sentence(daemon: Daemon) -> None:
    said, complaint = daemon.command("daemon", "--port", "0").communicate(timeout=30)
    assert not said
    assert "runs already" in complaint
    assert complaint.count("\n") == 1


def test_every_line_of_the_log_is_one_event(daemon: Daemon, client: Client, region: Path) -> None:
    job = client.submit(ASK, region)
    list(client.watch(job))
    lines = [json.loads(line) for line in (daemon.home / "log" / "daemon.log").read_text(encoding="utf-8").splitlines()]
    assert [line["event"] for line in lines if line.get("job") == job] == ["submit", "start", "finish"]
    assert all({"at", "level", "room", "event"} <= line.keys() for line in lines)


def test_a_daemon_killed_at_work_begins_the_job_again_and_its_result_is_the_same(
    daemon: Daemon, region: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    longer = replace(ASK, settings={"steps": 10})
    jobs = {"undisturbed": "", "killed": "", "queued": ""}
    with daemon.client() as client:
        jobs["undisturbed"] = client.submit(longer, region)
        list(client.watch(jobs["undisturbed"]))
        for file in (daemon.home / "cache" / "inversions").iterdir():  # so that the next one climbs again
            file.unlink()
        jobs["killed"] = client.submit(longer, region)
        begun(client, jobs["killed"])
        jobs["queued"] = client.submit(ASK, region)
        daemon.end(signal.SIGKILL)

    monkeypatch.setenv("ZEROSTEM_HOME", str(daemon.home))
    told = _status(capsys)
    assert told["daemon"]["running"] is False
    assert {row["id"]: row["state"] for row in told["jobs"]}[jobs["killed"]] == "running"

    daemon.start()
    with daemon.client() as client:
        for name in ("killed", "queued"):
            assert isinstance(list(client.watch(jobs[name]))[-1], Done)
        assert _status(capsys)["daemon"]["running"] is True
    for stem, again in zip(_stems(daemon, jobs["undisturbed"]), _stems(daemon, jobs["killed"]), strict=True):
        assert np.abs(stem - again).max() < 10 ** (-90 / 20)
    assert listing(daemon.spool.folder(jobs["killed"])) <= KEPT | {"stems", "result.json"}


def test_a_daemon_that_is_told_to_end_leaves_nothing_open(daemon: Daemon, region: Path) -> None:
    with daemon.client() as client:
        job = client.submit(LONG, region)
        begun(client, job)
    assert daemon.end(signal.SIGTERM) == 0
    assert not (daemon.home / "engine.json").exists()
    assert daemon.spool.state(job).job.state == "queued"
    assert listing(daemon.spool.folder(job)) <= KEPT


@pytest.mark.skipif(sys.platform == "win32", reason="`make torture` forks its daemons")
def test_a_small_torture_is_survived(tmp_path: Path) -> None:
    sizes = {"submits": 0, "clients": 3, "losses": 1, "packets": 400, "cancels": 0, "turns": 2, "kills": 2, "reruns": 2}
    words = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    command = [sys.executable, "-m", "engine.research.bench.torture", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split("  ")[0] for line in done.stdout.splitlines()]
    assert rows == ["crowd", "50 % loss", "noise", "strengths", "kill -9", "reruns"]


def _status(capsys: pytest.CaptureFixture[str]) -> Any:
    from host_bridge.cli import main

    assert main(["status", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def _stems(daemon: Daemon, job: str) -> list[Any]:
    result = daemon.spool.result(job)
    assert result
    return [soundfile.read(stem["path"])[0] for stem in result["stems"]]
