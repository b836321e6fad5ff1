"""What is put into the inbox comes out separated or is told why not, once it has arrived, and nothing is lost or done twice."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile

from engine.batch.crew import Watch
from engine.batch.inbox import LOOK_AGAIN_S, SETTLED_S, UNSURE_S, Arrived, Inbox
from engine.batch.notes import KEYS, plain_name, said_of
from engine.batch.task import Outcome, Task, attend
from engine.request import Request
from engine.separation import Wish, _loaded
from host_bridge.cli import main
from host_bridge.errors import BadRequest

pytestmark = pytest.mark.process

RATE = 16_000


def song(path: Path, seed: int = 0) -> Path:
    soundfile.write(path, 0.1 * np.random.default_rng(seed).normal(size=RATE // 2), RATE)
    return path


class Here:
    """Does a crew's work in this process. meanwhile: what happens while the first input is worked on."""

    def __init__(self, *_: object, meanwhile: Callable[[], object] | None = None, execution: str = "auto") -> None:
        self.meanwhile = meanwhile

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def run(self, tasks: Sequence[Task], watch: Watch | None = None) -> Iterator[Outcome]:
        for task in tasks:
            outcome = attend(_loaded("pocket", "cpu"), task, lambda _done, _stage: None)
            if self.meanwhile:
                self.meanwhile()
            yield outcome


def meaning(said: Mapping[str, Any], out: Path, name: str) -> tuple[Request, Wish]:
    return Request.of(said.get("prompt", ()), said.get("strength", 1.0), method="mixture", steps=2), Wish(out, name)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def box(tmp_path: Path, clock: Clock) -> Inbox:
    made = Inbox(tmp_path / "box", meaning, clock)
    made.prepare()
    return made


def arrived(box: Inbox, clock: Clock, workers: Here | None = None) -> list[Arrived]:
    """All that arrives once two looks have been taken, and what had failed and did not change."""
    box.ready()
    clock.now += SETTLED_S
    told = list(box.attend(box.ready(), workers or Here()))
    clock.now += LOOK_AGAIN_S
    return [*told, *box.attend([], Here())]


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("file", "name", "prompts"),
    [
        ("song [drums, bass].wav", "song", ["drums", "bass"]),
        ("song[drums].flac", "song", ["drums"]),
        ("my song (live) [ acoustic guitar ,, bass ] .wav", "my song (live)", ["acoustic guitar", "bass"]),
        ("a [b] c [drums].wav", "a [b] c", ["drums"]),
        ("song.wav", "song", None),
        ("song [].wav", "song []", None),
        ("[drums].wav", "[drums]", None),
        ("song [drums] 2.wav", "song [drums] 2", None),
    ],
)
def test_a_name_says_what_is_wanted(tmp_path: Path, file: str, name: str, prompts: list[str] | None) -> None:
    assert plain_name(tmp_path / file) == name
    assert said_of(tmp_path / file).get("prompt") == prompts


def test_a_note_says_it_with_every_option_and_wins_over_the_name(tmp_path: Path) -> None:
    (tmp_path / "song [drums].toml").write_text('prompt = "bass"\nstrength = 0.5\nnot = "piano"\nsteps = 9\nrest = false\n')
    said = said_of(tmp_path / "song [drums].wav")
    assert said == {"prompt": ["bass"], "strength": [0.5], "unlike": "piano", "steps": 9, "rest": False}


def test_a_note_may_set_what_the_command_line_may() -> None:
    from engine.commands.inbox import parser

    longs = {option[2:] for action in parser()._actions for option in action.option_strings if option.startswith("--")}
    assert longs - set(KEYS) == {"help", "name", "device", "execution", "no-rest", "jobs", "once"}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("prompts = 'drums'", "Did you mean 'prompt'"),
        ("steps = 2.5", "a whole number"),
        ("steps = true", "a whole number"),
        ("rest = 1", "true or false"),
        ("prompt = []", "a list of them"),
        ("prompt = [1]", "a list of them"),
        ("strength = 'loud'", "a number"),
        ("prompt = ", "not valid TOML"),
    ],
)
def test_a_note_that_makes_no_sense_is_told_in_two_sentences(tmp_path: Path, text: str, word: str) -> None:
    (tmp_path / "song.toml").write_text(text)
    with pytest.raises(BadRequest, match=re.escape(word)):
        said_of(tmp_path / "song.wav")


def test_inputs_come_out_separated_and_go_to_done_with_their_notes(box: Inbox, clock: Clock) -> None:
    song(box.inbox / "song [drums, bass].wav")
    song(box.inbox / "take.flac")
    (box.inbox / "take.toml").write_text('prompt = "piano"')
    told = arrived(box, clock)
    assert [(each.path.name, each.error) for each in told] == [("song [drums, bass].wav", ""), ("take.flac", "")]
    assert listing(box.inbox) == ["done/song [drums, bass].wav", "done/take.flac", "done/take.toml"]
    stems = [f"song/song - {kind}.wav" for kind in ("bass", "drums", "rest")]
    assert listing(box.outbox) == sorted(
        [*stems, "song/song.json", "take/take - piano.wav", "take/take - rest.wav", "take/take.json"]
    )


def test_what_fails_goes_to_failed_with_the_reason_beside_it_and_the_rest_is_done(box: Inbox, clock: Clock) -> None:
    song(box.inbox / "song [drums].wav")
    song(box.inbox / "nothing said.wav")
    song(box.inbox / "odd [didgeridoo].wav")
    (box.inbox / "broken [drums].wav").write_text("no sound at all" * 100)
    told = {each.path.name: each.error for each in arrived(box, clock)}
    assert told.keys() == {"song [drums].wav", "nothing said.wav", "odd [didgeridoo].wav", "broken [drums].wav"}
    failed = box.inbox / "failed"
    assert "No prompt was given" in (failed / "nothing said.wav.txt").read_text()
    assert "didgeridoo" in (failed / "odd [didgeridoo].wav.txt").read_text()
    assert "is not audio" in (failed / "broken [drums].wav.txt").read_text()
    assert (failed / "broken [drums].wav").read_text().startswith("no sound")
    assert [path.name for path in box.outbox.iterdir()] == ["song"]


def test_a_file_is_left_alone_until_it_has_stopped_growing(box: Inbox, clock: Clock) -> None:
    whole = song(box.root / "whole.wav").read_bytes()
    path = box.inbox / "song [drums].wav"
    for size in (100, 5000, len(whole)):
        path.write_bytes(whole[:size])
        assert box.ready() == []
        clock.now += SETTLED_S - 0.1
        assert box.ready() == []
    clock.now += 0.2
    assert box.ready() == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells by a lease who writes")
def test_a_copy_that_stalls_is_waited_for_as_long_as_it_is_open(box: Inbox, clock: Clock) -> None:
    whole = song(box.root / "whole.wav").read_bytes()
    path = box.inbox / "song [drums].wav"
    with path.open("wb") as copy:
        copy.write(whole[:5000])
        copy.flush()
        for _ in range(5):
            assert arrived(box, clock) == []
            clock.now += 7.0
        copy.write(whole[5000:])
    (told,) = arrived(box, clock)
    assert not told.error
    assert told.moved_to.read_bytes() == whole


def test_a_copy_that_is_closed_and_goes_on_after_seven_seconds_comes_out_whole(box: Inbox, clock: Clock) -> None:
    whole = song(box.root / "whole.wav").read_bytes()
    path = box.inbox / "song [drums].wav"
    path.write_bytes(whole[:5000])
    box.ready()
    clock.now += SETTLED_S
    assert list(box.attend(box.ready(), Here())) == []  # it was tried, and is cut off
    clock.now += 7.0 - SETTLED_S
    assert box.ready() == []
    assert list(box.attend([], Here())) == []
    assert box.waits
    path.write_bytes(whole)
    (told,) = arrived(box, clock)
    assert not told.error
    assert listing(box.inbox) == ["done/song [drums].wav"]


def test_a_note_that_comes_seconds_after_its_file_is_still_followed(box: Inbox, clock: Clock) -> None:
    song(box.inbox / "song.wav")
    box.ready()
    clock.now += SETTLED_S
    assert list(box.attend(box.ready(), Here())) == []  # nobody said what is wanted
    (box.inbox / "song.toml").write_text("prompt = 'drums'")
    (told,) = arrived(box, clock)
    assert not told.error


def test_where_nobody_knows_who_writes_a_file_has_to_lie_still_for_longer(box: Inbox, clock: Clock) -> None:
    box.writing = lambda _path: None
    path = song(box.inbox / "song [drums].wav")
    box.ready()
    clock.now += UNSURE_S - 0.1
    assert box.ready() == []
    clock.now += 0.1
    assert box.ready() == [path]


def test_two_files_with_one_note_are_both_done_as_it_says(box: Inbox, clock: Clock) -> None:
    song(box.inbox / "song.wav")
    song(box.inbox / "song.flac", seed=1)
    (box.inbox / "song.toml").write_text("prompt = 'drums'")
    told = arrived(box, clock)
    assert [each.error for each in told] == ["", ""]
    assert listing(box.inbox) == ["done/song (2).toml", "done/song (2).wav", "done/song.flac", "done/song.toml"]
    assert sorted(path.name for path in box.outbox.iterdir()) == ["song", "song (2)"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")
def test_names_of_any_bytes_and_of_any_length_are_taken(box: Inbox, clock: Clock) -> None:
    names = [b"bad\xff [drums].wav", b"new\nline\x1b[31m [drums].wav", b"x" * 251 + b".wav", "é".encode() * 125 + b"x.wav"]
    for seed, name in enumerate(names):
        song(box.root / "made.wav", seed).rename(box.inbox / os.fsdecode(name))
    told = arrived(box, clock)
    assert [each.error for each in told if each.error] == ["No prompt was given."] * 2  # no room for them in the names
    assert sorted(map(os.fsencode, [each.path.name for each in told])) == sorted(names)
    assert sorted(os.fsencode(path.name) for path in (box.inbox / "done").iterdir()) == sorted(names[:2])
    assert {each.moved_to.name for each in told} >= {os.fsdecode(name) for name in names}
    assert len(list((box.inbox / "failed").glob("*.txt"))) == 2


def test_a_note_that_is_still_being_written_is_waited_for(box: Inbox, clock: Clock) -> None:
    path = song(box.inbox / "song.wav")
    box.ready()
    clock.now += SETTLED_S - 0.1
    (box.inbox / "song.toml").write_text("prompt = ")
    assert box.ready() == []
    clock.now += 0.2
    assert box.ready() == []
    clock.now += SETTLED_S
    assert box.ready() == [path]


def test_what_changes_while_it_is_worked_on_stays_and_is_done_anew(box: Inbox, clock: Clock) -> None:
    path = song(box.inbox / "song [drums].wav")
    assert arrived(box, clock, Here(meanwhile=lambda: song(path, seed=1))) == []
    assert path.exists()
    assert box.ready() == []
    (told,) = arrived(box, clock)
    assert told.moved_to == box.inbox / "done" / path.name


def test_what_is_taken_away_again_is_forgotten(box: Inbox, clock: Clock) -> None:
    path = song(box.inbox / "song [drums].wav")
    box.ready()
    clock.now += SETTLED_S
    ready = box.ready()
    path.unlink()
    assert list(box.attend(ready, Here())) == []
    assert listing(box.root) == []


def test_other_files_and_folders_are_left_alone(box: Inbox, clock: Clock) -> None:
    for name in ("readme.txt", "alone.toml", ".song [drums].wav", "song [drums].wav.part"):
        (box.inbox / name).write_text("x")
    (box.inbox / "album [drums].wav").mkdir()
    before = listing(box.inbox)
    assert arrived(box, clock) == []
    assert listing(box.inbox) == before
    assert not box.waits


def test_another_song_of_the_same_name_overwrites_nothing(box: Inbox, clock: Clock) -> None:
    for seed in range(2):
        song(box.inbox / "song [drums].wav", seed)
        arrived(box, clock)
    assert listing(box.inbox) == ["done/song [drums] (2).wav", "done/song [drums].wav"]
    assert sorted(path.name for path in box.outbox.iterdir()) == ["song", "song (2)"]
    song(box.inbox / "song [drums].wav", seed=2)
    song(box.inbox / "song.wav", seed=3)
    (box.inbox / "song.toml").write_text("prompt = 'drums'")
    arrived(box, clock)
    assert sorted(path.name for path in box.outbox.iterdir()) == ["song", "song (2)", "song (3)", "song (4)"]


def test_what_was_done_but_not_yet_moved_when_all_ended_is_not_done_twice(box: Inbox, clock: Clock) -> None:
    path = song(box.inbox / "song [drums].wav")
    bytes_in = path.read_bytes()
    arrived(box, clock)
    stem = box.outbox / "song" / "song - drums.wav"
    before = stem.stat().st_mtime_ns
    (box.inbox / "done" / path.name).unlink()
    path.write_bytes(bytes_in)
    (told,) = arrived(Inbox(box.root, meaning, clock), clock)
    assert told.out == stem.parent
    assert stem.stat().st_mtime_ns == before
    assert [each.name for each in box.outbox.iterdir()] == ["song"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The command without waiting and without processes; it takes over SIGTERM, which is given back."""
    monkeypatch.setattr("engine.batch.inbox.SETTLED_S", 0.0)
    monkeypatch.setattr("engine.batch.inbox.LOOK_AGAIN_S", 0.0)
    monkeypatch.setattr("engine.batch.crew.Crew", Here)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_commands_options_stand_for_what_a_file_does_not_say(
    tmp_path: Path, at_once: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "inbox").mkdir()
    song(tmp_path / "inbox" / "plain.wav")
    song(tmp_path / "inbox" / "named [bass].wav")
    words = ["inbox", str(tmp_path), "--once", "-d", "cpu", "-p", "drums", "--method", "mixture", "--steps", "2", "--no-rest"]
    assert main(words) == 0
    assert listing(tmp_path / "outbox") == [
        "named/named - bass.wav",
        "named/named.json",
        "plain/plain - drums.wav",
        "plain/plain.json",
    ]
    assert f"plain.wav: stems in {tmp_path / 'outbox' / 'plain'}" in capsys.readouterr().out
    (tmp_path / "inbox" / "bad [drums].wav").write_text("x")
    assert main(words) == 1


def test_the_command_runs_until_it_is_stopped(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "host_bridge", "inbox", str(tmp_path / "box"), "-d", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        assert "watching" in running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert said == "zerostem: Stopped. Nothing unfinished was kept.\n"
    assert sorted(path.name for path in (tmp_path / "box").iterdir()) == ["inbox", "outbox"]
