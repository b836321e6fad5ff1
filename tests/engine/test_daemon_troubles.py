"""A real daemon whose disk fills up, goes read-only or is not to be had, and whose clock jumps."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.bench.victim import Victim
from host_bridge.client import Client
from host_bridge.forms import RequestFile, read_engine
from host_bridge.messages import Cancelled, Done, Fail, Message
from host_bridge.vocabulary import Stem

ASK = RequestFile((Stem("drums"),), settings={"steps": 2})
pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform == "win32", reason="`Victim` forks its daemons")]


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of hits, 64 KB."""
    path, t = tmp_path_factory.mktemp("audio") / "take.wav", np.arange(16_000) / 16_000
    hits = 0.2 * np.random.default_rng(0).normal(size=len(t)) * np.exp(-30 * (t % 0.5))
    soundfile.write(path, hits, 16_000, subtype="FLOAT")
    return path


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True)


class Disk:
    """A small disk of its own, with a daemon whose spool lies there."""

    def __init__(self, place: Path, victim: Victim) -> None:
        self.place, self.victim = place, victim

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """For a while nobody can write there, whatever is open."""
        run("mount", "--bind", self.place, self.place)
        run("mount", "-o", "remount,bind,ro", self.place)
        try:
            yield
        finally:
            run("umount", self.place)

    def fill(self) -> Path:
        """Leave no byte free."""
        ballast = self.place / "ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"\0" * 4096):
                continue
        assert not shutil.disk_usage(self.place).free
        return ballast


@pytest.fixture
def disk(tmp_path: Path, need: Callable[..., None]) -> Iterator[Disk]:
    need("the right to mount a file system")
    place = tmp_path / "home" / "spool"
    place.mkdir(parents=True)
    options = f"size=4m,mode=700,uid={os.getuid()}"
    run("mount", "-t", "tmpfs", "-o", options, "tmpfs", place)
    victim = Victim(tmp_path / "home", "cpu")
    try:
        victim.start()
        yield Disk(place, victim)
        victim.end()
    finally:
        run("umount", "--lazy", place)


def ended(client: Client, job: str) -> Message:
    *_, last = client.watch(job)
    return last


def test_a_disk_that_is_full_fails_the_job_in_a_sentence_and_the_next_try_is_done(disk: Disk, region: Path) -> None:
    with disk.victim.client() as client:
        client.ping()
        whole = client.submit(ASK, region)
        assert isinstance(ended(client, whole), Done)  # the model is loaded, and one job has been done here
        client.spool.put("waits-for-space", ASK, region)
        ballast = disk.fill()
        last = said_about(client, "waits-for-space")
        assert isinstance(last, Fail)
        assert "no space left" in last.said.lower()
        assert "Free some space" in last.said
        client.ping()
        ballast.unlink()
        client.retry("waits-for-space")
        assert isinstance(ended(client, "waits-for-space"), Done)
        assert client.spool.result(whole)
    assert disk.victim.faults() == 0


def said_about(client: Client, job: str) -> Message:
    client.ring(job)
    return ended(client, job)


def test_a_spool_that_goes_read_only_loses_nothing_and_is_gone_on_with(disk: Disk, region: Path) -> None:
    with disk.victim.client() as client:
        before = client.submit(ASK, region)
        assert isinstance(ended(client, before), Done)
        client.spool.put("while-read-only", ASK, region)
        with disk.read_only():
            assert isinstance(said_about(client, "while-read-only"), Fail)
            client.ping()
        client.retry("while-read-only")
        assert isinstance(ended(client, "while-read-only"), Done)
        assert client.spool.result(before)
    assert disk.victim.faults() == 0


def test_a_spool_that_cannot_be_written_is_refused_at_the_start(disk: Disk) -> None:
    disk.victim.end()
    environment = {**os.environ, "ZEROSTEM_HOME": str(disk.victim.home)}
    command = [sys.executable, "-m", "host_bridge", "daemon", "--port", "0"]
    with disk.read_only():
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert "Make it writable for you, or choose another spool." in done.stderr
    assert "Traceback" not in done.stderr
    disk.victim.start()


JUMPING = """
import itertools, sys, time
days = itertools.cycle([0, 400, -400, 3, -3000])
real = time.time
time.time = lambda: real() + 86400 * next(days)
from host_bridge.cli import main
sys.exit(main(["daemon", "--device", "cpu", "--port", "0"]))
"""
"""A daemon whose every look at the calendar shows another year."""


@contextmanager
def jumping(home: Path) -> Iterator[Client]:
    environment = {**os.environ, "ZEROSTEM_HOME": str(home)}
    process = subprocess.Popen([sys.executable, "-c", JUMPING], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        assert "Listening" in process.stderr.readline()
        with Client(read_engine((home / "engine.json").read_bytes()), "test") as client:
            yield client
    finally:
        process.terminate()
        assert process.communicate(timeout=30)[1] == ""


def test_a_clock_that_jumps_by_years_delays_no_job(tmp_path: Path, region: Path) -> None:
    with jumping(tmp_path) as client:
        jobs = [client.spool.put(f"job-of-year-{year}", ASK, region).name for year in (1971, 2010, 2200)]
        for job, year in zip(jobs, (1971, 2010, 2200), strict=True):
            when = (year - 1970) * 365.25 * 86400
            os.utime(client.spool.root / job / "request.json", (when, when))
        for job in jobs:
            assert isinstance(said_about(client, job), Done)
        long = client.submit(RequestFile((Stem("drums"),), settings={"steps": 200}), region)
        client.cancel(long)
        assert isinstance(ended(client, long), Cancelled)
        client.strength(jobs[0], "drums", 500, wait=True)
        beat = client.spool.heartbeat()
        wait_for(lambda: client.spool.heartbeat() != beat)


def wait_for(come: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not come():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_spool_that_is_taken_away_and_comes_back_is_served_again(tmp_path: Path, region: Path) -> None:
    victim = Victim(tmp_path, "cpu")
    victim.start()
    try:
        with victim.client() as client:
            shutil.move(tmp_path / "spool", tmp_path / "elsewhere")
            time.sleep(3)  # a heartbeat and a look find nothing
            client.ping()
            shutil.move(tmp_path / "elsewhere", tmp_path / "spool")
            assert isinstance(ended(client, client.submit(ASK, region)), Done)
    finally:
        victim.end()
