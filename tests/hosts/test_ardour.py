"""The real Ardour: a region is separated by our action, the stems come in at the very sample, and one undo takes them out."""

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pythonosc.osc_message_builder import OscMessageBuilder

from host_bridge.hosts.ardour import HOST, slots
from host_bridge.hosts.base import Facts
from host_bridge.settings import places

if TYPE_CHECKING:
    from tests.hosts.conftest import Program, Screen

HERE = Path(__file__).parent
DEMO = Path(__file__).parents[2] / "presets" / "demo" / "mix.flac"
RATE, AT, CUT = 44_100, 31_337, 5_003
"""The session's rate; where the mix lies in it; and what of the mix's beginning its region leaves out."""
LONG = 2 * RATE + 77
OSC = 3819
FLOAT_FORMAT = "20b4ab09-6452-4cb3-bd66-b921cdbd2942"
"""Ardour's own: 32 bit floats at the session's rate."""
pytestmark = [pytest.mark.daw, pytest.mark.skipif(sys.platform != "linux", reason="Ardour is tried on Linux only")]

CONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<Ardour>
  <Config>
    <Option name="hide-dummy-backend" value="0"/>
    <Option name="try-autostart-engine" value="1"/>
  </Config>
  <Extra><AudioMIDISetup><EngineStates>
    <State backend="None (Dummy)" driver="Normal Speed" device="Silence" input-device="" output-device=""
      sample-rate="44100" buffer-size="1024" n-periods="0" input-latency="0" output-latency="0" lm-input="" lm-output=""
      active="1" use-buffered-io="0" midi-option="1 in, 1 out, Silence" lru="1"/>
  </EngineStates></AudioMIDISetup></Extra>
</Ardour>
"""
PRESET = f"""<?xml version="1.0" encoding="UTF-8"?>
<ExportPreset id="b81d6e00-0000-4000-8000-0000000000f1" name="Floats">
  <ExportFormat id="{FLOAT_FORMAT}"/>
  <ExportFilename><Folder relative="true" path="/export"/>
    <Field name="label" enabled="false"/><Field name="session" enabled="false"/><Field name="revision" enabled="false"/>
    <Field name="time" enabled="false" value="T_None"/><Field name="date" enabled="false" value="D_None"/></ExportFilename>
</ExportPreset>
"""
OSC_ON = (
    '<Protocol name="Open Sound Control (OSC)" active="1" debugmode="0" address-only="0" remote-port="8000" banksize="0" '
    'striptypes="31" feedback="0" gainmode="0" send-page-size="0" plug-page-size="0"/>'
)
BEGIN = """
AudioEngine:set_backend ("None (Dummy)", "", "")
local session = create_session (arg[1], "song", tonumber (arg[2]))
session:new_audio_track (2, 2, nil, 1, "Mix", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
session:new_audio_track (1, 2, nil, 1, "Other", ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, true)
sleep (1) -- connections are made in another thread
session:save_state ("")
session:close ()
quit ()
"""
TRACKS = """
local told = {}
for route in Session:get_tracks ():iter () do
	local line = string.format ("%d %s", route:presentation_info_ptr ():order (), route:name ())
	for region in route:to_track ():playlist ():region_list ():iter () do
		local place, length = region:position ():samples (), region:length ():samples ()
		line = line .. string.format (" | %d %d %s", place, length, tostring (region:muted ()))
	end
	told[#told + 1] = line
end
return table.concat (told, "\\n")
"""
BRING_THE_MIX = """
local files = C.StringVector ()
files:push_back ("{mix}")
Editor:do_import (files, Editing.ImportSerializeFiles, Editing.ImportToTrack, ARDOUR.SrcQuality.SrcBest,
	ARDOUR.MidiTrackNameSource.SMFTrackName, ARDOUR.MidiTempoMapDisposition.SMFTempoIgnore,
	Temporal.timepos_t ({at} - {cut}), ARDOUR.PluginInfo (), Session:route_by_name ("Mix"):to_track (), false)
for region in Session:route_by_name ("Mix"):to_track ():playlist ():region_list ():iter () do
	region:trim_front (Temporal.timepos_t ({at}))
	region:trim_end (Temporal.timepos_t ({at} + {long}))
end
"""
CAN_SELECT = """
for region in Session:route_by_name ("Mix"):to_track ():playlist ():region_list ():iter () do
	return tostring (Editor:regionview_from_region (region) ~= nil)
end
"""
SELECT = """
local chosen = ArdourUI.SelectionList ()
for region in Session:route_by_name ("Mix"):to_track ():playlist ():region_list ():iter () do
	chosen:push_back (Editor:regionview_from_region (region))
end
Editor:set_selection (chosen, ArdourUI.SelectionOp.Set)
"""
UNMUTE = """
for region in Session:route_by_name ("Mix"):to_track ():playlist ():region_list ():iter () do region:set_muted (false) end
"""
FADER = """
Session:route_by_name ("Mix"):gain_control ():set_value ({gain}, PBD.GroupControlDisposition.NoGroup)
"""
MUTE = """
for route in Session:get_tracks ():iter () do
	Session:set_control (route:mute_control (), ({muted})[route:name ()] and 1 or 0, PBD.GroupControlDisposition.NoGroup)
end
"""
MUTED = """
local told = {}
for route in Session:get_tracks ():iter () do
	if route:mute_control ():get_value () > 0 then told[#told + 1] = route:name () end
end
table.sort (told)
return table.concat (told, " ")
"""
EXPORT = """
local export = Session:simple_export ()
export:set_name ("{name}")
export:set_folder ("{folder}")
export:set_range ({at}, {at} + {long})
export:set_preset ("b81d6e00-0000-4000-8000-0000000000f1")
return tostring (export:run_export ())
"""


class Ardour:
    """An Ardour with one session, and the hands and eyes of its user."""

    def __init__(self, session: Path, begin: "Callable[[], Program]") -> None:
        self.session, self._begin = session, begin
        self._program: Program | None = None

    def start(self) -> None:
        """Open the session, and wait until Ardour does what it is told."""
        self._program = self._begin().__enter__()
        end = time.monotonic() + 60
        while f"{OSC:04X}" not in listening():
            assert self._program.runs, self._program.said
            assert time.monotonic() < end, "Ardour does not open the session"
            time.sleep(0.1)
        time.sleep(1)  # what comes before it has opened the session is lost
        self.do("return Session:name ()", 60)

    def end(self) -> None:
        if self._program is not None:
            self._program.__exit__()
            self._program = None

    def ring(self, address: str, *values: str) -> None:
        """Say something by OSC. Ardour never answers."""
        message = OscMessageBuilder(address)
        for value in values:
            message.add_arg(value, "s")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(message.build().dgram, ("127.0.0.1", OSC))

    def act(self, slot: int) -> None:
        self.ring("/access_action", f"LuaAction/script-{slot}")

    def do(self, lua: str, patience_s: float = 30) -> str:
        """Have a Lua text run inside Ardour; what it returns, as text."""
        answer = self.session / "answered.txt"
        answer.unlink(missing_ok=True)
        (self.session / "asked.lua").write_text(lua)
        end = time.monotonic() + patience_s
        self.act(1)
        while not answer.exists():
            assert time.monotonic() < end, "Ardour does not answer"
            time.sleep(0.02)
        state, _, told = answer.read_text().partition("\n")
        assert state == "ok", told
        return told

    def mute(self, *names: str) -> None:
        """Mute these tracks and no others. It happens in the audio thread, whose turn comes when it comes."""
        self.do(MUTE.format(muted="{ " + ", ".join(f"{name} = true" for name in names) + " }"))
        end = time.monotonic() + 20
        while self.do(MUTED) != " ".join(sorted(names)):
            assert time.monotonic() < end, "Ardour mutes nothing"
            time.sleep(0.05)
        time.sleep(0.2)  # and it fades

    def select(self) -> None:
        """Select the mix's region, once it is drawn: Ardour draws later what changes now."""
        end = time.monotonic() + 20
        while self.do(CAN_SELECT) != "true":
            assert time.monotonic() < end, "the region is not drawn"
            time.sleep(0.05)
        self.do(SELECT)

    @property
    def tracks(self) -> dict[str, list[tuple[int, int, bool]]]:
        """By name, from the top: where each region begins, how long it is, whether it is muted."""
        found = {}
        for line in sorted(self.do(TRACKS).splitlines(), key=lambda line: int(line.split()[0])):
            name, *regions = line.split(" ", 1)[1].split(" | ")
            words = [region.split() for region in regions]
            found[name] = [(int(start), int(length), muted == "true") for start, length, muted in words]
        return found

    @property
    def jobs(self) -> list[dict[str, object]]:
        """What the session remembers of its jobs."""
        ledger = self.session / "zerostem.json"
        told: list[dict[str, object]] = json.loads(ledger.read_text())["jobs"] if ledger.exists() else []
        return told


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home for Ardour and ZeroStem, whose daemon is started by the first bell."""
    root = tmp_path_factory.mktemp("ardour")
    (root / "zerostem" / "config").mkdir(parents=True)
    (root / "zerostem" / "config" / "hosts.toml").write_text(f"[ardour]\nport = {OSC}\n")
    yield root
    environment = {**os.environ, "ZEROSTEM_HOME": str(root / "zerostem")}
    subprocess.run([sys.executable, "-m", "host_bridge", "stop"], env=environment, check=False, capture_output=True)


@pytest.fixture(scope="module")
def mix(house: Path) -> NDArray[np.float32]:
    """The demo's mix, as a file of floats that Ardour imports unchanged."""
    sound, rate = soundfile.read(DEMO, dtype="float32", always_2d=True)
    assert rate == RATE
    soundfile.write(house / "mix.wav", sound, rate, subtype="FLOAT")
    return np.asarray(sound)


@pytest.fixture(scope="module")
def ardour(
    house: Path,
    mix: NDArray[np.float32],
    screen: "Screen",
    program: "type[Program]",
    need: Callable[..., None],
    ardour_lua: Callable[..., str],
    ardour_safe: dict[str, str],
) -> Iterator[Ardour]:
    """Ardour on a session with the mix in it, its settings as `zerostem install ardour` leaves those of a user with actions."""
    need("ardour", "ardour7-lua")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZEROSTEM_HOME", str(house / "zerostem"))
        ours = places()
    facts = Facts((sys.executable, "-P", "-m", "host_bridge"), ours.spool, ours.runtime)
    config = house / ".config" / "ardour7"
    files = {".a7": b"", "config": CONFIG.encode(), "export/floats.preset": PRESET.encode()}
    (edit,) = HOST.edits(facts)
    separate = HOST.files(facts)[PurePosixPath("scripts/zerostem_separate.lua")]
    own = slots.written(1, slots.Action("Hands", (HERE / "hands.lua").read_bytes()))
    own += slots.written(20, slots.Action("Drums", separate, arguments={"sounds": "drums, bass", "wait": "no"}))
    heard = {"sounds": "drums", "wait": "no", "heard": "yes"}
    own += slots.written(21, slots.Action("Drums as heard", separate, arguments=heard))
    user = slots.EMPTY.replace(b"c2NyaXB0cyA9IHt9IA==", base64.b64encode(b"scripts = {} " + own))
    files |= {str(path): data for path, data in HOST.files(facts).items()} | {str(edit.path): edit.add(user)}
    for name, data in files.items():
        (config / name).parent.mkdir(parents=True, exist_ok=True)
        (config / name).write_bytes(data)
    session = house / "song"
    ardour_lua(BEGIN, house, session, RATE)
    file = session / "song.ardour"
    text = re.sub(r"<EngineHints[^>]*/>", "", file.read_text())
    file.write_text(re.sub(r'<Protocol name="Open Sound Control \(OSC\)"[^>]*/>', OSC_ON, text))
    variables = ardour_safe | {"DISPLAY": screen.name, "ZEROSTEM_HOME": str(house / "zerostem"), "OMP_NUM_THREADS": "1"}
    made = Ardour(session, lambda: program(["ardour", "-n", "-a", "-d", str(session)], house, variables))
    try:
        made.start()
        made.do(BRING_THE_MIX.format(mix=house / "mix.wav", at=AT, cut=CUT, long=LONG))
        yield made
    finally:
        made.end()


def listening() -> set[str]:
    """The UDP ports that somebody listens at, in hexadecimal."""
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return {line.split()[1].rpartition(":")[2] for line in lines}


def stems_are_in(ardour: Ardour, jobs: int) -> bool:
    return len(ardour.jobs) == jobs and all("made" in job for job in ardour.jobs)


def exported(ardour: Ardour, name: str, *muted: str) -> NDArray[np.float32]:
    """What the mixer gives where the region lies, some tracks muted."""
    ardour.mute(*muted)
    folder = ardour.session / "export"
    assert ardour.do(EXPORT.format(name=name, folder=folder, at=AT, long=LONG)) == "true"
    ardour.mute()
    sound, rate = soundfile.read(folder / f"{name}.wav", dtype="float32")
    assert rate == RATE
    return np.asarray(sound)


def level_db(sound: NDArray[np.float32]) -> float:
    return float(20 * np.log10(max(np.abs(sound).max(), 1e-20)))


def test_an_action_that_asks_nothing_puts_stems_right_below_their_source_at_the_very_sample(
    ardour: Ardour, until: Callable[..., None]
) -> None:
    ardour.select()
    ardour.act(20)
    until(lambda: stems_are_in(ardour, 1), "the daemon rings, and the stems are in", 90)
    place = [(AT, LONG, False)]
    assert ardour.tracks == {"Mix": place, "drums": place, "bass": place, "rest": place, "Other": []}
    assert list(ardour.tracks) == ["Mix", "drums", "bass", "rest", "Other"]


def test_stems_and_rest_are_the_mix_in_ardours_own_mixer(ardour: Ardour, mix: NDArray[np.float32]) -> None:
    whole = exported(ardour, "whole", "drums", "bass", "rest")
    parts = exported(ardour, "parts", "Mix")
    middle = slice(100, LONG - 100)  # Ardour fades every region in and out for 64 samples
    assert np.array_equal(whole[middle], mix[CUT : CUT + LONG][middle])
    assert level_db(whole - parts) < -100
    assert level_db(parts) > -20


def test_one_undo_takes_all_stems_out_and_one_redo_brings_them_back(ardour: Ardour, until: Callable[..., None]) -> None:
    before = ardour.tracks
    ardour.ring("/undo")
    until(lambda: not any(ardour.tracks[name] for name in ("drums", "bass", "rest")), "undone")
    assert ardour.tracks["Mix"] == before["Mix"]
    ardour.ring("/redo")
    until(lambda: ardour.tracks == before, "done again")


def test_empty_tracks_of_stems_go_away_once_the_person_agrees(
    ardour: Ardour, screen: "Screen", until: Callable[..., None]
) -> None:
    before = ardour.tracks
    ardour.ring("/undo")
    until(lambda: not ardour.tracks["rest"], "undone")
    ardour.act(4)
    for _ in range(3):  # Ardour asks for each, and offers to do nothing
        until(lambda: screen.windows("Remove"), "Ardour asks")
        (asks,) = screen.windows("Remove")
        screen.press("Remove", "key", "Tab", "Return")
        until(lambda asks=asks: asks not in screen.windows("Remove"), "the dialog goes")
    until(lambda: ardour.tracks == {"Mix": before["Mix"], "Other": []}, "the tracks are gone")


def test_the_dialog_asks_for_sounds_shows_how_far_it_is_and_mutes_the_source(
    ardour: Ardour, screen: "Screen", until: Callable[..., None]
) -> None:
    ardour.select()
    ardour.act(2)
    until(lambda: screen.windows("separate by prompt"), "the dialog")
    screen.press("separate by prompt", "type", "bass")
    screen.press("separate by prompt", "key", "Tab", "Tab", "Tab", "Tab", "space")  # past strength, rest, as heard: to mute
    screen.press("separate by prompt", "key", "alt+o")
    until(lambda: stems_are_in(ardour, 2), "the stems are in", 60)
    until(lambda: not screen.windows("ZeroStem"), "no window is left")
    place = [(AT, LONG, False)]
    assert ardour.tracks == {"Mix": [(AT, LONG, True)], "bass": place, "rest": place, "Other": []}
    ardour.ring("/undo")
    until(lambda: ardour.tracks == {"Mix": place, "bass": [], "rest": [], "Other": []}, "all of it is undone at once")
    ardour.ring("/redo")
    until(lambda: ardour.tracks["Mix"] == [(AT, LONG, True)] and ardour.tracks["bass"], "done again")


def test_nothing_selected_is_said_and_the_action_stays(ardour: Ardour, screen: "Screen", until: Callable[..., None]) -> None:
    for _ in range(2):
        ardour.do("Editor:get_selection ():clear_all ()")
        ardour.act(2)
        until(lambda: screen.windows("ZeroStem"), "it is said")
        screen.press("ZeroStem", "key", "Return")
        until(lambda: not screen.windows("ZeroStem"), "the sentence goes")


def test_a_session_that_was_closed_meanwhile_gets_its_stems_later(ardour: Ardour, until: Callable[..., None]) -> None:
    before = ardour.tracks
    ardour.select()
    ardour.act(20)
    until(lambda: len(ardour.jobs) == 3, "the job is written")
    ardour.do('Session:save_state ("")')
    ardour.end()
    assert not ardour.jobs[2]["brought"]
    result = ardour.session.parent / "zerostem" / "spool" / str(ardour.jobs[2]["id"]) / "result.json"
    until(result.exists, "the job is done without Ardour", 60)
    ardour.start()
    assert ardour.tracks == before
    ardour.act(3)
    until(lambda: stems_are_in(ardour, 3), "the stems are in")
    assert [name for name, regions in ardour.tracks.items() if regions == [(AT, LONG, False)]][-5:] == [
        "drums", "bass 1", "rest 1", "bass", "rest",
    ]  # fmt: skip


def test_as_heard_takes_the_fader_along(ardour: Ardour, mix: NDArray[np.float32], until: Callable[..., None]) -> None:
    ardour.do(UNMUTE + FADER.format(gain=0.5))
    time.sleep(1)  # a fader glides to where it is put
    ardour.select()
    ardour.act(21)
    until(lambda: stems_are_in(ardour, 4), "the stems are in", 60)
    region = ardour.session.parent / "zerostem" / "spool" / str(ardour.jobs[3]["id"]) / "region.wav"
    sound, rate = soundfile.read(region, dtype="float32")
    assert (rate, sound.shape) == (RATE, (LONG, 2))
    middle = slice(100, LONG - 100)
    assert level_db(sound[middle] - 0.5 * mix[CUT : CUT + LONG][middle]) < -80
