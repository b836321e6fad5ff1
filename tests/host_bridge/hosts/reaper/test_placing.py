"""Where stems go in a project, whatever has happened to it meanwhile; and what becomes of jobs that nobody waits for."""

from pathlib import Path
from typing import Any

import pytest

from host_bridge.spool.job_folders import Spool

ITEM = """
local track = stage.track ("Guitar")
local item = stage.item (track, { file = FILE, position = 1.5, length = 1 })
stage.select (item)
"""
PLAIN, MUTED, FOLDER = "drums\\n\\n100\\nn\\nn\\nn", "drums\\n\\n100\\nn\\ny\\nn", "drums, bass\\n\\n100\\nn\\nn\\ny"
FINISH = " for _, id in ipairs (stage.daemon.ids ()) do stage.daemon.finish (id) end stage.pass (5)\n"


FAIL = """
stage.daemon.state (stage.daemon.ids ()[1], "failed", { code = 424, error = "It is too large. Close others." })
stage.pass (5)
"""


def separate(answer: str = PLAIN) -> str:
    return f' stage.answer ("{answer}") stage.run ("separate")\n'


def depths(told: Any) -> list[tuple[str, int]]:
    return [(track["name"], track["values"]["I_FOLDERDEPTH"]) for track in told.tracks]


def test_stems_stay_in_the_folder_of_a_track_that_closes_it(play: Any) -> None:
    scene = 'stage.track ("Bus", { I_FOLDERDEPTH = 1 })' + ITEM + 'track.values.I_FOLDERDEPTH = -1 stage.track ("After")'
    told = play(scene + separate() + FINISH)
    assert depths(told) == [("Bus", 1), ("Guitar", 0), ("drums", 0), ("rest", -1), ("After", 0)]


def test_stems_in_a_folder_of_their_own_close_it_and_what_their_track_closed(play: Any) -> None:
    scene = 'stage.track ("Bus", { I_FOLDERDEPTH = 1 })' + ITEM + "track.values.I_FOLDERDEPTH = -1"
    told = play(scene + separate(FOLDER) + FINISH)
    assert depths(told) == [("Bus", 1), ("Guitar", 0), ("Guitar stems", 1), ("drums", 0), ("bass", 0), ("rest", -2)]


def test_stems_have_the_colour_of_their_track(play: Any) -> None:
    told = play(ITEM + "track.values.I_CUSTOMCOLOR = 0x1a0b0c0" + separate() + FINISH)
    assert [track["values"]["I_CUSTOMCOLOR"] for track in told.tracks] == [0x1A0B0C0] * 3


def test_the_source_is_muted_where_that_is_wanted_in_the_same_undo_step(play: Any) -> None:
    told = play(ITEM + separate(MUTED) + FINISH)
    assert told.item("Guitar")["values"]["B_MUTE"] == 1
    assert len(told.undo) == 1


def test_undo_right_away_leaves_no_script_with_media_that_is_gone(play: Any) -> None:
    undone = """
    for _, id in ipairs (stage.daemon.ids ()) do stage.daemon.finish (id) end
    assert (stage.pass (3, function () return #P.project.tracks > 1 end))
    for index = 2, 3 do P.project.tracks[index].items[1].takes[1].source.valid = false end
    R.Undo_DoUndo2 (0)
    stage.pass (4)
    """
    told = play(ITEM + separate() + undone)
    assert ([track["name"] for track in told.tracks], told.running) == (["Guitar"], 0)


def test_undo_takes_all_of_it_back(play: Any) -> None:
    told = play(ITEM + separate(MUTED) + FINISH + "R.Undo_DoUndo2 (0)")
    assert [track["name"] for track in told.tracks] == ["Guitar"]
    assert told.item("Guitar")["values"]["B_MUTE"] == 0


def test_of_an_item_that_was_separated_in_part_only_that_part_is_muted(play: Any) -> None:
    told = play(ITEM + "P.project.loop = { 1.75, 2 }" + separate(MUTED) + FINISH)
    parts = [
        (item["values"]["D_POSITION"], item["values"]["D_LENGTH"], item["values"]["B_MUTE"])
        for item in told.track("Guitar")["items"]
    ]
    assert sorted(parts) == [(1.5, 0.25, 0), (1.75, 0.25, 1), (2, 0.5, 0)]
    assert sorted(item["take"]["values"]["D_STARTOFFS"] for item in told.track("Guitar")["items"]) == [0, 0.25, 0.5]


def test_highlight_raises_the_stem_and_mutes_what_it_came_from(play: Any) -> None:
    told = play(ITEM + ' stage.answer ("drums\\n6\\nn") stage.run ("highlight")' + FINISH)
    assert told.track("drums")["values"]["D_VOL"] == pytest.approx(10 ** (6 / 20))
    assert told.track("rest")["values"]["D_VOL"] == 1
    assert told.item("Guitar")["values"]["B_MUTE"] == 1


def test_a_sound_that_is_not_there_is_told_and_gets_no_track(play: Any) -> None:
    finish = "stage.daemon.finish (stage.daemon.ids ()[1], { absent = { bass = true } }) stage.pass (3)"
    told = play(ITEM + separate("drums, bass\\n\\n100\\nn\\nn\\nn") + finish)
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest"]
    assert "Not found: bass." in told.seen[-1]
    assert told.running == 1  # the window stays, so that it is read


def test_of_a_track_that_is_gone_the_stems_come_at_the_end_and_it_is_told(play: Any) -> None:
    told = play(ITEM + 'stage.track ("After")' + separate() + "table.remove (P.project.tracks, 1)" + FINISH)
    assert [track["name"] for track in told.tracks] == ["After", "drums", "rest"]
    assert "is gone: they are at the end." in told.seen[-1]
    assert told.item("drums")["values"]["D_POSITION"] == 1.5


def test_the_project_knows_its_jobs_when_every_script_was_closed(play: Any) -> None:
    told = play(
        ITEM
        + separate()
        + "stage.close_scripts ()"
        + FINISH
        + 'assert (#P.project.tracks == 1) stage.run ("import") stage.pass (3)'
    )
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest"]
    assert (told.waiting, told.dirty) == (None, True)


def test_a_window_that_is_closed_loses_nothing(play: Any) -> None:
    told = play(ITEM + separate() + "stage.pass (1) stage.close_window () stage.pass (1)" + FINISH)
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest"]


def test_two_scripts_at_once_bring_the_stems_in_once(play: Any) -> None:
    scene = ITEM + separate() + "stage.pass (0.5)" + separate() + "stage.pass (0.5)" + FINISH
    told = play(scene + 'stage.run ("import") stage.run ("import") stage.pass (5)')
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest", "drums", "rest"]
    assert len(told.undo) == 2
    assert len({item["take"]["file"] for track in told.tracks[1:] for item in track["items"]}) >= 2


def test_a_bell_while_a_script_watches_asks_nobody_anything(play: Any) -> None:
    told = play(ITEM + separate() + "stage.pass (0.5) stage.run ('import') stage.pass (0.5)" + FINISH)
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest"]
    assert (told.messages, told.console) == ([], "")


def test_stems_wait_until_their_project_is_in_front(play: Any) -> None:
    scene = """
    stage.pass (0.5)
    local other = P.make.fresh_project (stage.folder .. "/other", "other.rpp")
    P.projects[2], P.project = other, other
    """
    back = "assert (#other.tracks == 0) P.project = P.projects[1] stage.pass (5)"
    told = play(ITEM + separate() + scene + FINISH + back)
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest"]


def test_stop_ends_a_job_by_its_file(play: Any, place: Path) -> None:
    told = play(ITEM + separate() + "stage.pass (1) stage.press_stop (1)")
    (job,) = told.jobs
    assert Spool(place / "home" / "spool").wants_cancel(job)
    assert "Stopping..." in told.seen[-1]
    known = f"""P.project.ext["ZeroStem/{job}"] = "track=x start=0 stop=1 offset=0" stage.run ("import") stage.pass (0.5)"""
    told = play(known + f'stage.daemon.state ("{job}", "cancelled") stage.pass (4)')
    assert told.waiting is None
    assert told.running == 0


def test_a_job_that_fails_is_told_in_the_window_and_nothing_pops_up(play: Any) -> None:
    told = play(ITEM + separate() + "stage.pass (1)" + FAIL)
    assert told.seen[-1] == "Guitar 1.500s: It is too large. Close others.\n"
    assert (told.messages, told.console, told.undo, told.waiting) == ([], "", [], None)


def test_a_job_that_fails_while_no_window_is_open_is_told_in_the_console(play: Any) -> None:
    told = play(ITEM + separate() + "stage.pass (1) stage.close_window () stage.pass (0.2)" + FAIL)
    assert told.console == "ZeroStem: It is too large. Close others.\n"
    assert told.messages == []


def test_a_daemon_that_does_not_answer_is_told_of_while_the_job_waits(play: Any) -> None:
    told = play(ITEM + separate() + "stage.pass (50)")
    assert "does not answer" in told.seen[-1]
    assert told.waiting is not None


def test_a_daemon_whose_heart_beats_may_take_its_time(play: Any) -> None:
    told = play(ITEM + separate() + "for beat = 1, 30 do stage.daemon.beat (beat) stage.pass (2) end")
    assert "does not answer" not in "".join(told.seen)


def test_a_daemon_of_another_version_is_told_of_and_the_job_is_kept(play: Any, place: Path) -> None:
    change = """
    local path = stage.spool .. "/" .. stage.daemon.ids ()[1] .. "/state.json"
    io.open (path, "w"):write ('{"schema": "zerostem-state/2"}'):close ()
    stage.pass (1)
    """
    told = play(ITEM + separate() + change)
    assert "another version" in told.seen[-1]
    assert "zerostem install reaper" in told.seen[-1]
    assert told.waiting is not None


def test_without_zerostem_a_sentence_says_how_to_get_it_back(play: Any, place: Path) -> None:
    again = "Install ZeroStem's scripts again: `zerostem install reaper`."
    (place / "zerostem here" / "python").unlink()
    for action in ("separate", "again", "highlight", "strength", "panel"):
        told = play(ITEM + f'stage.run ("{action}")')
        assert told.messages == [f"ZeroStem is no longer at {place / 'zerostem here'}/python. {again}"]
        assert (told.executed, told.jobs) == ([], [])


def test_a_file_that_cannot_be_read_leaves_the_project_as_it_was(play: Any) -> None:
    broken = "stage.pass (0.3) P.breaks = { AddTakeToMediaItem = 'no more memory' }"
    told = play(ITEM + separate() + broken + FINISH)
    assert [track["name"] for track in told.tracks] == ["Guitar"]
    assert told.undo == []
    assert "REAPER has not taken the stems" in told.seen[-1]
    assert told.waiting is not None


def test_stems_that_could_not_be_delivered_are_asked_for_again_and_then_told_of(play: Any) -> None:
    finish = "stage.daemon.finish (stage.daemon.ids ()[1], { undelivered = true })"
    told = play(ITEM + separate() + finish + " stage.pass (25)")
    assert told.executed[-1].endswith(f" deliver {told.jobs[0]}")
    assert "could not be copied" in told.seen[-1]
    assert told.waiting is not None


def test_a_bell_for_another_project_or_for_what_is_there_already_is_not_heard(play: Any) -> None:
    other = 'P.projects[2] = P.make.fresh_project (stage.folder, "other.rpp") P.project = P.projects[2] stage.close_scripts () '
    told = play(ITEM + separate() + "stage.pass (0.5)" + other + "stage.run ('import') stage.pass (3)")
    assert (told.console, told.seen[1:]) == ("", [])
    told = play(ITEM + separate() + FINISH + "stage.run ('import') stage.pass (1)")
    assert told.console == ""


def test_a_track_that_goes_before_its_item_is_a_job_is_no_trouble(play: Any) -> None:
    several = "for index = 1, 3 do stage.select (stage.item (track, { file = FILE, position = 4 * index, length = 1 })) end "
    slow = "item.takes[1].values.D_PITCH = 1 item.values.D_LENGTH = 30 "
    gone = """
    P.project.tracks, track.valid = {}, false
    for _, each in ipairs (track.items) do each.valid, each.takes[1].valid = false, false end
    """
    told = play(ITEM + several + slow + separate() + gone + "stage.pass (4)")
    assert len([name for name in told.jobs if not name.startswith(".")]) == 3
    assert "was changed while its sound was read" in told.console


def test_scripts_that_reapack_brought_watch_by_themselves_and_can_be_started_again(play: Any) -> None:
    unnamed = 'for _, each in ipairs (P.commands) do if each.name == "_ZEROSTEM_IMPORT" then each.name = "_RS0123" end end '
    told = play(ITEM + unnamed + separate() + "stage.pass (1)" + separate() + "stage.pass (1)" + FINISH)
    assert [track["name"] for track in told.tracks] == ["Guitar", "drums", "rest", "drums", "rest"]
    assert told.running == 0


def test_a_window_that_was_closed_opens_again_for_a_new_job(play: Any) -> None:
    closed = "stage.pass (1) stage.close_window () stage.pass (1) assert (not stage.window ())"
    play(ITEM + separate() + closed + separate() + "stage.pass (1) assert (stage.window ())")


def test_stems_in_a_folder_without_the_track_they_came_from_find_a_place(play: Any) -> None:
    told = play(ITEM + separate(FOLDER) + "P.project.tracks = {}" + FINISH)
    assert depths(told) == [("Stems", 1), ("drums", 0), ("bass", 0), ("rest", -1)]


def test_nothing_to_import_is_no_window_in_the_way(play: Any) -> None:
    told = play('stage.run ("import") stage.pass (3)')
    assert "waits for no stems" in told.console
    assert (told.messages, told.seen, told.running) == ([], [], 0)
