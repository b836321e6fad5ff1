"""What holds of all our Lua: clean, known calls only, small steps; and the strict REAPER is strict."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[4]
LUA = ROOT / "tests" / "lua"
SOURCES = sorted([*(ROOT / "host_bridge" / "hosts" / "reaper").glob("*.lua")])
CALL = re.compile(r"\breaper\.(\w+)")
LISTED = re.compile(r'^\t(\w+) = "[PTMKCARINSBF*]*",$', re.MULTILINE)
ITEM = 'local track = stage.track ("Guitar") stage.select (stage.item (track, { file = FILE, position = 1.5, length = 1 })) '
ANSWER = 'stage.answer ("drums\\n\\n100\\nn\\nn\\nn") stage.run ("separate") '
FINISH = "stage.pass (1) for _, id in ipairs (stage.daemon.ids ()) do stage.daemon.finish (id) end stage.pass (5) "


def test_every_function_of_reapers_that_we_call_is_in_the_table_of_facts_and_no_other() -> None:
    called = {name for source in SOURCES for name in CALL.findall(source.read_text(encoding="utf-8"))}
    listed = LISTED.findall((LUA / "signatures.lua").read_text(encoding="utf-8"))
    assert called == {*listed}
    assert len(listed) == len({*listed}) > 60


@pytest.fixture(scope="session")
def luacheck(need: Callable[..., None]) -> str:
    need("luacheck")
    return "luacheck"


def test_luacheck_has_nothing_to_say_of_our_lua(luacheck: str) -> None:
    done = subprocess.run(
        [luacheck, "--no-color", "host_bridge/lua", "host_bridge/hosts/reaper", "tests/lua"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_luacheck_has_nothing_to_say_of_what_is_installed(luacheck: str, place: Path) -> None:
    built = sorted((place / "reaper" / "Scripts" / "ZeroStem").glob("*.lua"))
    assert len(built) == 6
    words = ["--no-color", "--std", "lua53", "--read-globals", "reaper", "--globals", "gfx", "--ignore", "43.", "631"]
    done = subprocess.run([luacheck, *map(str, built), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_scripts_run_in_the_older_lua_too(play: Any, need: Callable[..., None]) -> None:
    need("lua5.3")
    told = play(ITEM + ANSWER + FINISH, lua="lua5.3")
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest"]


def test_a_long_sound_is_read_in_many_steps_none_of_them_long(play: Any) -> None:
    """Twenty seconds at 8 kHz; `play` itself refuses a step that is too long."""
    told = play(
        ITEM + "track.items[1].values.D_LENGTH = 20 track.items[1].takes[1].values.D_PITCH = 1 " + ANSWER + "stage.pass (2)"
    )
    blocks = told.calls["GetAudioAccessorSamples"]
    assert blocks == -(-20 * 8_000 // 8192)
    assert any("Reading..." in text for text in told.seen)
    assert "Waiting..." in told.seen[-1]


def test_the_window_can_be_closed_while_sound_is_read_stays_closed_and_reading_goes_on(play: Any) -> None:
    told = play(
        ITEM
        + "track.items[1].values.D_LENGTH = 60 track.items[1].takes[1].values.D_PITCH = 1 "
        + ANSWER
        + """
        stage.pass (0.2)
        local window = stage.window ()
        stage.close_window ()
        local read = P.calls.GetAudioAccessorSamples
        for turn = 1, 10 do
            stage.pass (0.1)
            assert (not window.open, "it is open again")
        end
        assert (P.calls.GetAudioAccessorSamples > read, "reading has stopped")
        assert (window.opened == 1, "it was opened twice")
        stage.pass (5)
        """
    )
    assert told.calls["GetAudioAccessorSamples"] == -(-60 * 8_000 // 8192)
    assert len(told.jobs) == 1


def test_reading_can_be_stopped_and_leaves_nothing(play: Any, place: Path) -> None:
    scene = ITEM + "track.items[1].values.D_LENGTH = 60 track.items[1].takes[1].values.D_PITCH = 1 " + ANSWER
    told = play(scene + "stage.press_stop (1) stage.pass (1)")
    assert told.running == 0
    assert not list((place / "home" / "spool").iterdir())


def test_a_script_that_is_closed_while_it_reads_leaves_nothing(play: Any, place: Path) -> None:
    scene = ITEM + "track.items[1].values.D_LENGTH = 60 track.items[1].takes[1].values.D_PITCH = 1 " + ANSWER
    play(scene + "stage.pass (0.1) stage.close_scripts ()")
    assert not list((place / "home" / "spool").iterdir())


def test_an_error_of_our_own_is_a_sentence_and_no_box_of_reapers(play: Any) -> None:
    with pytest.raises(AssertionError, match="Something went wrong in this script"):
        play("P.breaks = { CountSelectedMediaItems = 'boom' } " + ANSWER)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ("R.InsertTrackAtIndx (0, false)", "no function InsertTrackAtIndx"),
        ("R.GetTrack (0)", "wants 2 arguments and got 1"),
        ("R.GetTrack (0, 0, 0)", "wants 2 arguments and got 3"),
        ("R.GetTrack (0, 0.5)", "argument 2: 0.5"),
        ("R.GetTrack (0, 'x')", "argument 2: x"),
        ("R.GetTrackGUID (nil)", "argument 1: nil"),
        ("R.GetTrackGUID ((R.EnumProjects (-1)))", "argument 1"),
        ("local track = stage.track ('a').handle print (track.name)", "pointers have no field name"),
        ("R.ShowConsoleMsg ('a\\0b')", "argument 1"),
        ("R.SetMediaTrackInfo_Value (stage.track ('a').handle, 'D_VOLUME', 1)", "no such value, D_VOLUME"),
        ("R.ExecProcess ('sleep 1', 0)", "keep REAPER waiting"),
        ("R.Undo_EndBlock2 (0, 'x', -1)", "not begun"),
        ("R.GetUserInputs ('x', 1, 'a,b', '1')", "captions"),
        ("local s = P.make.source (FILE).handle R.PCM_Source_Destroy (s) R.GetMediaSourceType (s)", "argument 1"),
    ],
)
def test_the_strict_reaper_refuses_what_the_real_one_may_let_pass(play: Any, call: str, sentence: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(sentence)):
        play(call)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("undefined_name ()", "reads the unknown undefined_name"),
        ("require 'x'", "reads the unknown require"),
        ("leak = 1", "makes a global, leak"),
        ("reaper.PreventUIRefresh (1)", "PreventUIRefresh is left at 1"),
        ("reaper.Undo_BeginBlock2 (0)", "undo block is left open"),
        ("gfx.color = 1", "gfx has no color"),
        ("reaper.defer (function () end) reaper.Main_OnCommand (50005, 0)", "REAPER would ask"),
    ],
)
def test_the_strict_reaper_watches_over_scripts(play: Any, place: Path, script: str, sentence: str) -> None:
    (place / "reaper" / "Scripts" / "ZeroStem" / "ZeroStem - Import finished stems.lua").write_text(script)
    with pytest.raises(AssertionError, match=re.escape(sentence)):
        play('stage.run ("import")')


def test_the_strict_reaper_counts_the_time_of_a_step(play: Any, place: Path) -> None:
    script = "for index = 1, 20000 do reaper.time_precise () end"
    (place / "reaper" / "Scripts" / "ZeroStem" / "ZeroStem - Import finished stems.lua").write_text(script)
    with pytest.raises(AssertionError, match=r"assert 0\.0"):
        play('stage.run ("import")')
