"""From a selection to tracks: which samples a job asks for, where its stems lie, and how they sound beside their source."""

from pathlib import Path
from typing import Any

import pytest

from host_bridge.spool.documents import read_request
from host_bridge.spool.job_folders import Spool

RATE = 8_000
ASK = 'stage.answer ("drums, bass\\n\\n100\\nn\\nn\\nn") '
DONE = """
for _, id in ipairs (stage.daemon.ids ()) do stage.daemon.finish (id) end
stage.pass (5)
"""
ITEM = """
local track = stage.track ("Guitar")
local item = stage.item (track, { file = FILE, position = 1.5, length = 2, take = { D_STARTOFFS = 0.25 } })
stage.select (item)
"""


def request_of(place: Path) -> Any:
    (job,) = Spool(place / "home" / "spool").ids()
    return read_request((place / "home" / "spool" / job / "request.json").read_bytes())


def test_a_plain_item_is_named_by_its_samples_and_nothing_is_copied(play: Any, place: Path, song: Path) -> None:
    told = play(ITEM + ASK + 'stage.run ("separate")')
    request = request_of(place)
    assert [(part.path, part.channel, part.start, part.length) for part in request.source] == [
        (song, channel, RATE // 4, 2 * RATE) for channel in (0, 1)
    ]
    assert (request.region.start, request.region.rate) == (12_000, RATE)
    assert [(stem.prompt, stem.strength) for stem in request.stems] == [("drums", 1), ("bass", 1)]
    assert (request.host, request.name, request.deliver) == ("reaper", "Guitar 1.500s", place / "media")
    (job,) = told.jobs
    assert told.executed == [f'"{place}/zerostem here/python" -P -m host_bridge ring {job}']
    assert list((place / "home" / "spool" / job).iterdir()) == [place / "home" / "spool" / job / "request.json"]


def test_stems_come_right_below_their_track_at_the_very_sample_in_one_undo_step(play: Any, place: Path) -> None:
    told = play('stage.track ("Before")' + ITEM + 'stage.track ("After")' + ASK + 'stage.run ("separate")' + DONE)
    assert [track["name"] for track in told.tracks] == ["Before", "Guitar", "drums", "bass", "rest", "After"]
    for name in ("drums", "bass", "rest"):
        item = told.item(name)
        assert (item["values"]["D_POSITION"], item["values"]["D_LENGTH"]) == (1.5, 2)
        assert item["take"]["values"]["D_STARTOFFS"] == 0
        assert item["take"]["file"] == f"{place}/media/Guitar 1.500s - {name}.wav"
        assert told.track(name)["values"]["D_VOL"] == 1
        assert (item["values"]["B_LOOPSRC"], item["values"]["D_FADEINLEN"], item["values"]["D_FADEOUTLEN"]) == (0, 0, 0)
    assert told.undo == ["ZeroStem: separate by prompt"]
    assert told.item("Guitar")["values"]["B_MUTE"] == 0
    assert (told.messages, told.console, told.running, told.waiting) == ([], "", 0, None)
    assert told.item("Guitar")["selected"]


def test_a_position_between_two_samples_stays_there(play: Any, place: Path) -> None:
    told = play(
        ITEM + "take = item.takes[1].values take.D_STARTOFFS = 0.25 + 0.3 / 8000\n" + ASK + 'stage.run ("separate")' + DONE
    )
    assert {part.start for part in request_of(place).source} == {RATE // 4}
    assert {part.length for part in request_of(place).source} == {2 * RATE + 1}
    assert told.item("bass")["take"]["values"]["D_STARTOFFS"] == pytest.approx(0.3 / 8000, abs=1e-12)
    assert told.item("bass")["values"]["D_POSITION"] == 1.5
