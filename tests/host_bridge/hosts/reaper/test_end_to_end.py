"""All the way with the real daemon: an item is selected, a prompt given, and tracks are there that sound as they must."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import build_msg

import presets
from host_bridge.bwf import time_reference
from host_bridge.client import Client

pytestmark = pytest.mark.process

COMMAND = (sys.executable, "-m", "host_bridge")
START_S, LENGTH_S, OFFSET_S = 61.5, 1.75, 0.5
PATIENCE_S = 90.0
SELECT = f"""
local track = stage.track ("Band Ü")
local take = {{ D_STARTOFFS = {OFFSET_S} }}
stage.select (stage.item (track, {{ file = FILE, position = {START_S}, length = {LENGTH_S}, take = take }}))
stage.answer ("drums\\n\\n100\\nn\\nn\\nn")
local function there () return #P.project.tracks > 1 end
stage.run ("separate")
"""
SEPARATE = SELECT + f"assert (stage.pass ({PATIENCE_S}, there)) stage.pass (0.3)"


class Surface:
    """REAPER's control surface, as the pattern file has it: what comes in runs actions, and faders send what they send."""

    def __init__(self, pattern: Path, bell: Path) -> None:
        lines = [line.split() for line in pattern.read_text(encoding="utf-8").splitlines() if line and line[0] not in "# "]
        self.patterns = {words[0]: [word.split("/", 1) for word in words[1:]] for words in lines}
        self._bell, self._socket = bell, socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.1)
        self.port: int = self._socket.getsockname()[1]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._hear)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

    def _hear(self) -> None:
        while not self._ending.is_set():
            try:
                message = OscMessage(self._socket.recv(65_535))
            except TimeoutError:
                continue
            if ["s", message.address[1:]] in self.patterns["ACTION"]:
                self._bell.with_suffix(".new").write_text(message.params[0])
                self._bell.with_suffix(".new").replace(self._bell)

    def move_fader(self, track: int, position: float, device_port: int) -> None:
        """Move a track's fader; position: 0..1."""
        for kind, address in self.patterns["TRACK_VOLUME"]:
            assert kind == "n"
            packet = build_msg("/" + address.replace("@", str(track)), [position]).dgram
            self._socket.sendto(packet, ("127.0.0.1", device_port))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, install: Callable[..., Path]) -> Iterator[Path]:
    """One home for all, with the real command in our scripts and one daemon, which is ended with the last test."""
    folder = install(tmp_path_factory.mktemp("real home"), COMMAND)
    (folder / "home" / "config").mkdir(parents=True)
    yield folder
    environment = {**os.environ, "ZEROSTEM_HOME": str(folder / "home")}
    subprocess.run([*COMMAND, "stop"], env=environment, check=False, capture_output=True)


@pytest.fixture(scope="module", autouse=True)
def surface(place: Path) -> Iterator[Surface]:
    """REAPER's ear, at the port that the daemon finds in hosts.toml."""
    with Surface(place / "reaper" / "OSC" / "ZeroStem.ReaperOSC", place / "bell") as made:
        (place / "home" / "config" / "hosts.toml").write_text(f"[reaper]\nport = {made.port}\n")
        yield made


@pytest.fixture(scope="module")
def song(place: Path) -> Path:
    """Some seconds of the demo's mix."""
    sound, rate = soundfile.read(presets.DEMO / "mix.flac", dtype="float32")
    soundfile.write(place / "mix.wav", sound[: 4 * rate], rate, subtype="FLOAT")
    return place / "mix.wav"


def test_a_selected_item_becomes_tracks_that_add_up_to_it(play: Any, place: Path, song: Path) -> None:
    told = play(SEPARATE, real=True)
    assert [track["name"] for track in told.tracks] == ["Band Ü", "drums", "rest"]
    rate = soundfile.info(song).samplerate
    first, length = round(OFFSET_S * rate), round(LENGTH_S * rate)
    region = soundfile.read(song, start=first, frames=length, always_2d=True)[0]
    parts = []
    for name in ("drums", "rest"):
        item = told.item(name)
        assert (item["values"]["D_POSITION"], item["values"]["D_LENGTH"]) == (START_S, LENGTH_S)
        file = Path(item["take"]["file"])
        assert file.parent == place / "media"
        assert time_reference(file) == round(START_S * rate)
        parts.append(soundfile.read(file, always_2d=True)[0])
        assert parts[-1].shape == region.shape
    assert np.abs(sum(parts) - region).max() < 1e-6
    assert np.abs(parts[0]).max() > 0.01
    assert told.undo == ["ZeroStem: separate by prompt"]
    assert (told.messages, told.console, told.waiting) == ([], "", None)


def test_a_stem_gets_another_strength_and_undo_brings_the_old_sound_back(play: Any) -> None:
    scene = """
    local before = P.project.tracks[2].items[1].takes[1].source.path
    stage.select (P.project.tracks[2])
    P.project.tracks[1].items[1].selected = false
    stage.answer ("40 %")
    stage.run ("strength")
    local function changed () return P.project.tracks[2].items[1].takes[1].source.path ~= before end
    assert (stage.pass (90, changed))
    stage.said = { P.project.tracks[2].items[1].takes[1].source.path, P.project.tracks[3].items[1].takes[1].source.path }
    R.Undo_DoUndo2 (0)
    """
    told = play(SEPARATE + scene, real=True)
    assert [asked["values"] for asked in told.asked][1:] == ["100"]
    old = [soundfile.read(told.item(name)["take"]["file"])[0] for name in ("drums", "rest")]
    new = [soundfile.read(path)[0] for path in told.said]
    assert np.abs(sum(new) - sum(old)).max() < 1e-6
    assert np.abs(new[0] - old[0]).max() > 0.001
    assert told.undo == ["ZeroStem: separate by prompt"]
    assert (told.messages, told.console, told.waiting) == ([], "", None)


def test_what_the_daemon_refuses_is_told_in_its_own_words(play: Any) -> None:
    told = play(
        SELECT.replace('"drums\\n\\n', '"\\nkazoo-choir\\n')
        + f"assert (stage.pass ({PATIENCE_S}, function () return next (P.project.ext) == nil end)) stage.pass (0.3)",
        real=True,
    )
    assert "There is no preset called 'kazoo-choir'." in told.seen[-1]
    assert (told.messages, told.undo, len(told.tracks)) == ([], [], 1)


def test_the_daemons_bell_brings_stems_in_when_no_script_runs(play: Any) -> None:
    told = play(SELECT + f"stage.close_scripts () assert (stage.pass ({PATIENCE_S}, there))", real=True)
    assert [track["name"] for track in told.tracks] == ["Band Ü", "drums", "rest"]
    assert told.waiting is None


def test_a_fader_that_is_tied_moves_its_stem(place: Path, surface: Surface, monkeypatch: pytest.MonkeyPatch, play: Any) -> None:
    told = play(SEPARATE, real=True)
    job = told.item("drums")["ext"]["P_EXT:zerostem_job"]
    monkeypatch.setenv("ZEROSTEM_HOME", str(place / "home"))
    with Client.find("test") as client:
        client.tie(3, job, "drums")
        surface.move_fader(2, 0.9, client.engine.udp)
        surface.move_fader(3, 0.25, client.engine.udp)
        until = time.monotonic() + PATIENCE_S
        while (client.spool.result(job) or {})["stems"][0]["strength"] != 0.25:
            assert time.monotonic() < until
            time.sleep(0.05)
