"""What comes into the spool without a bell is noticed, and what the daemon writes itself is not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host_bridge.spool import watcher as lookout
from host_bridge.spool.documents import RequestFile, StateFile
from host_bridge.spool.job_folders import Spool
from host_bridge.spool.watcher import SpoolWatcher
from host_bridge.types import Job, new_id


class Looks:
    """Counts them, and waits for the next."""

    def __init__(self) -> None:
        self.count, self._new = 0, threading.Event()

    def __call__(self) -> None:
        self.count += 1
        self._new.set()

    def wait(self, timeout_s: float) -> bool:
        came = self._new.wait(timeout_s)
        self._new.clear()
        return came


@contextmanager
def looking(spool: Spool, looks: Looks) -> Iterator[None]:
    watcher = SpoolWatcher(spool.root, looks)
    watcher.start()
    try:
        assert looks.wait(5)
        threading.Event().wait(0.3)  # until the system watches
        yield
    finally:
        watcher.close()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookout, "SWEEP_S", 60.0)


def test_a_job_and_a_cancel_that_come_by_files_alone_are_noticed(
    patient: None, spool: Spool, region: Path, request_file: RequestFile
) -> None:
    looks = Looks()
    with looking(spool, looks):
        job = new_id()
        spool.put(job, request_file, region)
        assert looks.wait(3)
        spool.drop_cancel(job)
        assert looks.wait(3)


def test_what_the_daemon_writes_is_no_news(patient: None, spool: Spool, region: Path, request_file: RequestFile) -> None:
    job = new_id()
    spool.put(job, request_file, region)
    looks = Looks()
    with looking(spool, looks):
        spool.record(StateFile(Job(job, "running")), "start")
        spool.beat("1", 1)
        assert not looks.wait(0.4)


def test_it_looks_now_and_then_where_nothing_is_reported_and_after_a_look_that_failed(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lookout, "SWEEP_S", 0.1)

    class Failing(Looks):
        def __call__(self) -> None:
            super().__call__()
            raise OSError("unreadable")

    looks = Failing()
    with looking(spool, looks):
        assert looks.wait(3)
        assert looks.wait(3)
    assert "unreadable" in caplog.text


def test_where_the_system_reports_nothing_the_clock_is_enough(
    spool: Spool, region: Path, request_file: RequestFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_watches_left(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("watchfiles.watch", no_watches_left)
    monkeypatch.setattr(lookout, "SWEEP_S", 0.05)
    looks = Looks()
    with looking(spool, looks):
        before = looks.count
        for _ in range(3):
            assert looks.wait(5)
        assert looks.count > before
    assert "looking every 0.05 s" in caplog.text
