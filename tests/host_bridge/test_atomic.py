"""Writing whole files: what is in use for a moment is waited for, and a disk that knows no fsync costs nothing."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_bridge import atomic
from host_bridge.files import write_whole
from host_bridge.handover import deliver
from installers import steps


def busy(times: int, number: int, act: Callable[..., Any]) -> Callable[..., Any]:
    """`act`, which the system refuses at first."""
    left = times

    def refused(*words: Any, **more: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(number, os.strerror(number))
        return act(*words, **more)

    return refused


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EBUSY])
def test_a_file_that_is_read_just_now_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = tmp_path / "state.json"
    atomic.write(path, b"old")
    monkeypatch.setattr(os, "replace", busy(4, number, os.replace))
    atomic.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


def test_a_file_that_stays_in_use_is_given_up_after_a_second_and_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    atomic.write(path, b"old")
    monkeypatch.setattr(os, "replace", busy(10**9, errno.EACCES, os.replace))
    began = time.monotonic()
    with pytest.raises(PermissionError):
        atomic.write(path, b"new")
    assert time.monotonic() - began >= atomic.PATIENCE_S
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_what_waiting_does_not_mend_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "replace", busy(1, number, os.replace))  # another try would be well
    with pytest.raises(OSError, match=os.strerror(number)):
        atomic.write(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", sorted({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}))
def test_a_share_that_knows_no_fsync_is_written_to_and_delivered_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", busy(10**9, number, os.fsync))
    write_whole(tmp_path / "a.json", b"x")
    (tmp_path / "share").mkdir()
    [place] = deliver([tmp_path / "a.json"], tmp_path / "share", "job")
    assert place.read_bytes() == b"x"
    steps.take([steps.put(tmp_path / "b", b"y", "written:")])
    assert (tmp_path / "b").read_bytes() == b"y"


def of_folders(number: int, act: Callable[[int], None]) -> Callable[[int], None]:
    """fsync that a disk refuses for folders alone."""

    def refused(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):  # noqa: PTH112
            raise OSError(number, os.strerror(number))
        act(descriptor)

    return refused


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="/proc says what a descriptor is of")
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EBADF, errno.EACCES])
def test_a_folder_that_cannot_be_synced_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(os, "fsync", of_folders(number, os.fsync))
    write_whole(tmp_path / "a.json", b"x")
    assert (tmp_path / "a.json").read_bytes() == b"x"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="/proc says what a descriptor is of")
def test_a_delivery_that_was_done_is_not_called_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stem.wav").write_bytes(b"sound")
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os, "fsync", of_folders(errno.EIO, os.fsync))
    assert deliver([tmp_path / "stem.wav"], tmp_path / "out", "job") == [tmp_path / "out" / "stem.wav"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EMLINK, errno.EACCES])
def test_stems_are_delivered_where_no_hard_links_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (tmp_path / "stem.wav").write_bytes(b"sound")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stem.wav").write_bytes(b"another's")
    monkeypatch.setattr(os, "link", busy(10**9, number, os.link))
    assert deliver([tmp_path / "stem.wav"], tmp_path / "out", "job") == [tmp_path / "out" / "stem (2).wav"]
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["stem (2).wav", "stem.wav"]
    assert (tmp_path / "out" / "stem.wav").read_bytes() == b"another's"


def test_what_need_not_outlive_a_power_cut_waits_for_no_disk_and_for_no_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", busy(10**9, errno.EIO, os.fsync))
    atomic.write(tmp_path / "state.json", b"50 %", durable=False)
    assert (tmp_path / "state.json").read_bytes() == b"50 %"
    monkeypatch.setattr(os, "replace", busy(10**9, errno.EACCES, os.replace))
    monkeypatch.setattr(time, "sleep", lambda _s: pytest.fail("it waited"))
    with pytest.raises(PermissionError):
        atomic.write(tmp_path / "state.json", b"60 %", durable=False)


def test_a_name_as_long_as_the_disk_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 125 + ".json")
    atomic.write(path, b"x")
    assert path.read_bytes() == b"x"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_rights_are_those_that_were_asked_for_or_those_of_the_file_before(tmp_path: Path) -> None:
    atomic.write(tmp_path / "secret", b"x")
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    (tmp_path / "script").write_bytes(b"x")
    (tmp_path / "script").chmod(0o755)
    atomic.write(tmp_path / "script", b"y", None)
    assert (tmp_path / "script").stat().st_mode & 0o777 == 0o755
