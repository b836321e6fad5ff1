"""The talk with Audacity over real named pipes: answered, refused, or given up in time."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from host_bridge.hosts.audacity.pipe import LONGEST, Ends, NoAnswer, NoAudacity, Pipe, Unwilling, written

if TYPE_CHECKING:
    from tests.host_bridge.hosts.audacity.conftest import Audacity


def test_an_answer_is_told_and_a_second_talk_works_like_the_first(audacity: "Audacity") -> None:
    for _ in range(2):
        with Pipe(audacity.ends) as pipe:
            assert '"name":"mix"' in pipe.say("GetInfo", {"Type": "Tracks"})


def test_what_audacity_will_not_do_is_said_with_the_command(audacity: "Audacity") -> None:
    with Pipe(audacity.ends) as pipe, pytest.raises(Unwilling, match=r"would not do `Nonsense: A=\"1\"`"):
        pipe.say("Nonsense", {"A": 1})


def test_no_audacity_is_said_at_once_and_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(NoAudacity, match=r"does not run, or listens to no scripts.*mod-script-pipe to Enabled"):
        Pipe(Ends(str(tmp_path / "to"), str(tmp_path / "from")))


def test_a_pipe_that_an_ended_audacity_left_behind_holds_nobody_up(tmp_path: Path) -> None:
    for name in ("to", "from"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(NoAudacity, match="does not run"):
        Pipe(Ends(str(tmp_path / "to"), str(tmp_path / "from")))


def test_a_dialog_that_holds_audacity_up_is_given_up_in_time_and_the_talk_is_over(
    audacity: "Audacity", in_time: Callable[[float, float], None]
) -> None:
    audacity.silent.add("Import2")
    with Pipe(audacity.ends) as pipe:
        begun = time.monotonic()
        with pytest.raises(NoAnswer, match=r"has not answered for 0 seconds.*dialog"):
            pipe.say("Import2", {"Filename": "/nowhere"}, 0.2)
        with pytest.raises(NoAnswer, match="dialog"):  # its answer could still come, and would be taken for another's
            pipe.say("GetInfo", {"Type": "Tracks"})
        in_time(time.monotonic() - begun, 2)


def test_an_audacity_that_never_opens_the_way_back_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host_bridge.hosts.audacity.pipe.PATIENCE_S", 0.2)
    for name in ("to", "from"):
        os.mkfifo(tmp_path / name)
    deaf = os.open(tmp_path / "to", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(NoAnswer, match="dialog"):
        Pipe(Ends(str(tmp_path / "to"), str(tmp_path / "from")))
    os.close(deaf)


def test_an_audacity_that_ends_in_the_middle_is_said(audacity: "Audacity") -> None:
    with Pipe(audacity.ends) as pipe, pytest.raises(NoAnswer, match="has ended the talk"):
        pipe.say("Quit")


def test_a_command_that_audacity_would_cut_is_not_sent(audacity: "Audacity") -> None:
    with Pipe(audacity.ends) as pipe:
        with pytest.raises(Unwilling, match="too long"):
            pipe.say("SetTrackStatus", {"Name": "ü" * (LONGEST // 2)})
        pipe.say("GetInfo", {"Type": "Tracks"})


@pytest.mark.parametrize("name", ["plain", 'a "big" drum', "back\\slash", "end\\", "ünï 日本", "a: b=c"])
def test_names_come_through_as_they_are(audacity: "Audacity", name: str) -> None:
    with Pipe(audacity.ends) as pipe:
        pipe.say("SetTrackStatus", {"Name": name})
    assert audacity.tracks[0]["name"] == name


def test_a_line_end_cannot_smuggle_in_a_second_command() -> None:
    with pytest.raises(Unwilling, match="no line ends"):
        written("SetTrackStatus", {"Name": "drums\nExit:"})


def test_windows_has_pipes_of_its_own_and_ends_lines_otherwise() -> None:
    ends = Ends.usual("win32")
    assert (ends.to, ends.back, ends.end) == (r"\\.\pipe\ToSrvPipe", r"\\.\pipe\FromSrvPipe", "\r\n\0")


def test_no_thread_is_left_when_a_talk_is_over(audacity: "Audacity") -> None:
    before = set(threading.enumerate())
    with Pipe(audacity.ends):
        (ours,) = set(threading.enumerate()) - before
    ours.join(2)
    assert not ours.is_alive()
