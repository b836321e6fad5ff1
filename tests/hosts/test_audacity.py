"""The real Audacity: what is selected is separated, and the stems lie below it to the sample; its dialogs hold nobody up."""

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from host_bridge.cli import main
from host_bridge.hosts.audacity import HOST, pipe, project
from host_bridge.hosts.audacity.pipe import Ends, NoAnswer, NoAudacity, Pipe
from host_bridge.hosts.base import Facts
from host_bridge.vocabulary import Hertz

if TYPE_CHECKING:
    from tests.hosts.conftest import Program, Screen

DEMO = Path(__file__).parents[2] / "presets" / "demo" / "mix.flac"
RATE = Hertz(44_100)
START_S, END_S = 3.123456789, 5.000011
"""Between two samples, as a mouse selects."""
START, END = round(START_S * RATE), round(END_S * RATE)
SETTINGS = """PrefsVersion=1.1.1r1
[Version]
Major=3
Minor=2
Micro=4
[GUI]
ShowSplashScreen=0
[Update]
UpdateNoticeShown=1
DefaultUpdatesChecking=0
[SamplingRate]
DefaultProjectSampleRate=44100
[Directories]
TempDir={folder}
"""

pytestmark = [pytest.mark.daw, pytest.mark.skipif(sys.platform != "linux", reason="Audacity is tried on Linux only")]

LAUNCHES = 3
Run = Callable[..., tuple[int, str, str]]


class Audacity:
    """A running Audacity with the demo's mix in it."""

    def __init__(self, program: "Program", mix: Path) -> None:
        self.program, self.mix = program, mix

    def heard(self, tracks: list[int], folder: Path) -> NDArray[np.float32]:
        """What these tracks sound like together, from the very beginning."""
        file = Path(tempfile.mkdtemp(dir=folder)) / "heard.wav"
        with Pipe() as talk:
            every = project.tracks(talk)
            project.select(talk, 0, 20, [every[index] for index in tracks])
            project.export(talk, project.selection(talk), file)
        sound, rate = soundfile.read(file, dtype="float32")
        assert rate == RATE
        return np.asarray(sound)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for Audacity and ZeroStem, whose daemon the first command starts."""
    root = tmp_path_factory.mktemp("audacity")
    yield root
    environment = {**os.environ, "ZEROSTEM_HOME": str(root / "zerostem")}
    subprocess.run([sys.executable, "-m", "host_bridge", "stop"], env=environment, check=False, capture_output=True)


@pytest.fixture
def run(house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`zerostem audacity` with these words -> exit code, what it printed, what it complained of."""
    monkeypatch.setenv("ZEROSTEM_HOME", str(house / "zerostem"))

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["audacity", *words])
        said = capsys.readouterr()
        return code, said.out, said.err.removeprefix("zerostem: ")

    return call


@pytest.fixture(scope="module")
def audacity(
    house: Path,
    screen: "Screen",
    program: "type[Program]",
    need: Callable[..., None],
    until: Callable[..., None],
) -> Iterator[Audacity]:
    """Audacity as `zerostem install audacity` leaves it: it has run once before, and so has listed its modules itself."""
    need("audacity")
    ends = Ends.usual()
    try:
        Pipe().close()
        pytest.skip("an Audacity of somebody's listens to scripts already")
    except NoAudacity:
        for end in (ends.to, ends.back):
            Path(end).unlink(missing_ok=True)
    mix = house / "mix.wav"
    sound, _ = soundfile.read(DEMO, dtype="float32")
    soundfile.write(mix, sound, RATE, subtype="FLOAT")
    settings = house / ".config" / "audacity" / "audacity.cfg"
    settings.parent.mkdir(parents=True)
    (house / "first").mkdir()
    (house / "second").mkdir()
    (house / "third").mkdir()
    settings.write_text(SETTINGS.format(folder=house / "first"))
    with program(["audacity"], house, {"DISPLAY": screen.name}):
        until(lambda: b"\nmod-script-pipe=4" in settings.read_bytes(), "Audacity lists its modules")
        until(lambda: screen.windows("Audacity"), "its window")
    (edit,) = HOST.edits(Facts(("zerostem",), house, house))
    settings.write_bytes(edit.add(settings.read_bytes().replace(b"first", b"second")))
    with ExitStack() as stack:
        launches = 0
        while True:
            launches += 1
            running = stack.enter_context(program(["audacity"], house, {"DISPLAY": screen.name}))
            until(lambda: Path(ends.to).exists() and stat.S_ISFIFO(Path(ends.to).stat().st_mode), "the pipe")
            until(lambda: screen.windows("Audacity"), "its window")
            try:
                until(answers, "Audacity answers", 20)
                break
            except AssertionError:  # now and then it is born deaf: its plugin host has made the pipes anew under it
                if launches == LAUNCHES:
                    raise
                stack.close()
                for end in (ends.to, ends.back):
                    Path(end).unlink(missing_ok=True)
                settings.write_bytes(settings.read_bytes().replace(b"second", b"third"))  # where nothing is to be recovered
        with Pipe() as talk:
            talk.say("Import2", {"Filename": mix}, 30)
        yield Audacity(running, mix)
    for end in (ends.to, ends.back):
        Path(end).unlink(missing_ok=True)


def answers() -> bool:
    try:
        Pipe().close()
    except (NoAudacity, NoAnswer):
        return False
    return True


def select(start_s: float, end_s: float) -> None:
    with Pipe() as talk:
        project.select(talk, start_s, end_s, project.tracks(talk)[:1])


def test_what_is_selected_is_read_to_the_sample_and_exported_bit_for_bit(audacity: Audacity, tmp_path: Path) -> None:
    select(START_S, END_S)
    with Pipe() as talk:
        chosen = project.selection(talk)
        again = project.selection(talk)
        start, rate = project.export(talk, chosen, tmp_path / "region.wav")
    assert abs(chosen.start_s - START_S) * RATE < 0.05
    assert abs(chosen.end_s - END_S) * RATE < 0.05
    assert again.tracks == chosen.tracks
    assert abs(again.start_s - chosen.start_s) + abs(again.end_s - chosen.end_s) < 2e-6
    assert (start, rate) == (START, RATE)
    region, _ = soundfile.read(tmp_path / "region.wav", dtype="float32")
    mix, _ = soundfile.read(audacity.mix, dtype="float32")
    assert np.array_equal(region, mix[START:END])


def test_stems_lie_below_their_source_to_the_sample_and_add_up_to_it(audacity: Audacity, run: Run, tmp_path: Path) -> None:
    select(START_S, END_S)
    code, said, complaint = run("-p", "drums", "-p", "bass", "--steps", "2", "--mute")
    assert (code, complaint) == (0, "")
    assert said == "Track 2: drums\nTrack 3: bass\nTrack 4: rest\n"
    with Pipe() as talk:
        rows = json.loads(talk.say("GetInfo", {"Type": "Tracks", "Format": "JSON"}))
        assert [row["name"] for row in rows] == ["mix", "drums", "bass", "rest"]
        assert [row["mute"] for row in rows] == [1, 0, 0, 0]
        assert [row["selected"] for row in rows] == [1, 0, 0, 0]
        assert abs(project.selection(talk).start_s - START_S) * RATE < 0.05
    mix, _ = soundfile.read(audacity.mix, dtype="float32")
    parts = audacity.heard([1, 2, 3], tmp_path)
    region = slice(START, END)
    assert np.abs(parts[region] - mix[region]).max() < 1e-6  # -120 dBFS
    assert not parts[:START].any()
    assert not parts[END:].any()
    assert np.abs(audacity.heard([1], tmp_path)[region]).max() > 0.01


def test_a_mono_track_gives_mono_stems(audacity: Audacity, run: Run, tmp_path: Path) -> None:
    mono = tmp_path / "alone.wav"
    sound, _ = soundfile.read(audacity.mix, dtype="float32")
    soundfile.write(mono, sound[:RATE, 0], RATE, subtype="FLOAT")
    with Pipe() as talk:
        talk.say("Import2", {"Filename": mono}, 30)
        last = len(project.tracks(talk)) - 1
        project.select(talk, 0.25, 0.75, project.tracks(talk)[-1:])
    assert run("-p", "drums", "--steps", "1", "--no-rest")[0] == 0
    with Pipe() as talk:
        assert [track.channels for track in project.tracks(talk)[last:]] == [1, 1]


def test_nothing_selected_is_said(audacity: Audacity, run: Run) -> None:
    select(1.0, 1.0)
    sentences = "Nothing is selected in Audacity but a point. Drag over the part that you want to separate.\n"
    assert run("-p", "drums") == (2, "", sentences)
    with Pipe() as talk:
        talk.say("SelectNone")
    code, _, said = run("-p", "drums")
    assert code == 2
    assert said.startswith("No track is selected in Audacity. ")


def test_a_dialog_that_is_open_is_given_up_in_time_and_harms_nothing(
    audacity: Audacity,
    run: Run,
    screen: "Screen",
    until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    in_time: Callable[[float, float], None],
) -> None:
    with Pipe() as talk, pytest.raises(NoAnswer):
        talk.say("Import2", {"Filename": "/nowhere/at all.wav"}, 1)
    monkeypatch.setattr(pipe, "PATIENCE_S", 1.0)
    begun = time.monotonic()
    code, _, said = run("-p", "drums")
    assert (code, said) == (
        1,
        "Audacity has not answered for 1 seconds. Look whether it shows a dialog, close that, and try again.\n",
    )
    in_time(time.monotonic() - begun, 5)
    monkeypatch.undo()
    screen.press("Error", "key", "Return")
    until(answers, "Audacity answers again", 20)
    assert audacity.program.runs


def test_a_start_in_seconds_is_refused_for_the_selection_says_it(run: Run) -> None:
    code, _, said = run("-p", "drums", "--start", "3")
    assert (code, said) == (2, "The region is what is selected in Audacity. Select it there; leave --start and --length out.\n")


def test_an_audacity_that_has_ended_is_said(audacity: Audacity, run: Run) -> None:
    audacity.program.end()
    code, _, said = run("-p", "drums")
    assert (code, said.split(". ")[0]) == (1, "Audacity does not run, or listens to no scripts")
