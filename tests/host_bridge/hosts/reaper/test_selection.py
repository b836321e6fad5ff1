"""What is separated: whatever is selected, however it lies there; and what cannot be, with a sentence each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from host_bridge.sound.wav import time_reference
from host_bridge.spool.documents import RequestFile, read_request
from host_bridge.spool.job_folders import Spool

RATE = 8_000
ANSWER = 'stage.answer ("drums\\n\\n100\\nn\\nn\\nn") stage.run ("separate") '
AS_HEARD = 'stage.answer ("drums\\n\\n100\\ny\\nn\\nn") stage.run ("separate") stage.pass (3)'
FINISH = "for _, id in ipairs (stage.daemon.ids ()) do stage.daemon.finish (id) end stage.pass (5)"


def requests(place: Path) -> list[RequestFile]:
    spool = place / "home" / "spool"
    return [read_request((spool / job / "request.json").read_bytes()) for job in sorted(Spool(spool).ids())]


def region(place: Path) -> np.ndarray:
    (job,) = Spool(place / "home" / "spool").ids()
    return np.asarray(soundfile.read(place / "home" / "spool" / job / "region.wav", dtype="float32", always_2d=True)[0])


def item(**about: str) -> str:
    told = {"file": "FILE", "position": "1.5", "length": "1", **about}
    return (
        'local track = stage.track ("Guitar") stage.select (stage.item (track, { '
        + ", ".join(f"{key} = {value}" for key, value in told.items())
        + " })) "
    )


def test_each_selected_item_is_a_job_of_its_own(play: Any, place: Path) -> None:
    scene = """
    local one, two = stage.track ("One"), stage.track ("Two")
    for _, each in ipairs ({ { one, 0 }, { one, 1 }, { two, 0.5 } }) do
        stage.select (stage.item (each[1], { file = FILE, position = each[2], length = 1, take = { D_STARTOFFS = each[2] } }))
    end
    """
    told = play(scene + ANSWER + FINISH)
    assert sorted((request.name, request.source[0].start) for request in requests(place)) == [
        ("One 0.000s", 0), ("One 1.000s", RATE), ("Two 0.500s", RATE // 2),
    ]  # fmt: skip
    assert [track["name"] for track in told.tracks].count("drums") == 3
    assert told.tracks[0]["name"] == "One"
    assert len(told.undo) == 3
    assert told.waiting is None
    assert len(told.executed) == 1  # one bell wakes the daemon, which finds the others by itself


def test_a_time_selection_takes_its_part_of_the_items_that_it_crosses(play: Any, place: Path) -> None:
    scene = (
        item(position="1", length="2")
        + 'stage.select (stage.item (stage.track ("Far"), { file = FILE, position = 9, length = 1 }))'
    )
    told = play(scene + "P.project.loop = { 1.5, 2.25 }" + ANSWER + FINISH)
    (request,) = requests(place)
    assert (request.source[0].start, request.source[0].length) == (RATE // 2, RATE * 3 // 4)
    values = told.item("drums")["values"]
    assert (values["D_POSITION"], values["D_LENGTH"]) == (1.5, 0.75)


def test_a_time_selection_on_a_selected_track_is_read_with_all_its_items(play: Any, place: Path, song: Path) -> None:
    scene = """
    P.project.rate, P.project.fixed_rate = 8000, 1
    local track = stage.track ("Guitar")
    stage.item (track, { file = FILE, position = 1, length = 1, values = { D_VOL = 0.5 } })
    stage.item (track, { file = FILE, position = 2, length = 1, take = { D_STARTOFFS = 1 } })
    stage.select (track)
    P.project.loop = { 1.5, 2.5 }
    """
    told = play(scene + ANSWER + "stage.pass (3)" + FINISH)
    mix = soundfile.read(song, dtype="float32")[0]
    half = RATE // 2
    wanted = np.concatenate([0.5 * mix[half : 2 * half], mix[2 * half : 3 * half]])
    np.testing.assert_allclose(region(place), wanted, atol=1e-7)
    assert told.item("drums")["values"]["D_POSITION"] == 1.5
    (job,) = Spool(place / "home" / "spool").ids()
    assert time_reference(place / "home" / "spool" / job / "region.wav") == 12_000


@pytest.mark.parametrize(
    ("about", "wanted"),
    [
        ({"take": "{ D_PLAYRATE = 0.5 }"}, lambda mix: np.repeat(mix[: RATE // 2], 2, axis=0)),
        ({"reversed": "true"}, lambda mix: mix[::-1][:RATE]),
        ({"take": "{ I_CHANMODE = 3 }"}, lambda mix: mix[:RATE, :1]),
        ({"take": "{ D_PITCH = 2 }"}, lambda mix: mix[:RATE]),
        ({"length": "4"}, lambda mix: np.concatenate([mix, mix[:RATE]])),
    ],
    ids=["stretched", "reversed", "left only", "pitched", "looped"],
)
def test_a_take_that_does_not_play_its_file_as_it_is_goes_through_the_accessor(
    play: Any, place: Path, song: Path, about: dict[str, str], wanted: Any
) -> None:
    told = play(item(**about) + ANSWER + "stage.pass (3)")
    heard, mix = region(place), soundfile.read(song, dtype="float32")[0]
    if "PLAYRATE" in str(about):  # which of two neighbours a position between them gives is REAPER's own affair
        assert heard.shape == wanted(mix).shape
    else:
        np.testing.assert_array_equal(heard, wanted(mix))
    assert not requests(place)[0].source
    assert told.messages == []


@pytest.mark.parametrize("unlike", ['source.type = "MP3"', "markers = 1"])
def test_a_format_that_is_counted_otherwise_or_a_stretch_marker_goes_through_the_accessor(
    play: Any, place: Path, song: Path, unlike: str
) -> None:
    play(item() + f"track.items[1].takes[1].{unlike} " + ANSWER + "stage.pass (3)")
    np.testing.assert_array_equal(region(place), soundfile.read(song, dtype="float32")[0][:RATE])


def test_a_take_that_reaper_cannot_read_is_told_of(play: Any, place: Path) -> None:
    told = play(item(take="{ D_PITCH = 1 }") + "track.items[1].takes[1].broken = true " + ANSWER + "stage.pass (3)")
    assert "REAPER cannot read the sound of “Guitar”. Glue the item, and try again." in told.console
    assert not list((place / "home" / "spool").iterdir())


def test_a_project_that_was_never_saved_gets_its_stems_where_reaper_records(play: Any, place: Path) -> None:
    unsaved = "os.remove (P.project.path) assert (P.project.name == '') "
    told = play(item() + unsaved + ANSWER + FINISH)
    assert Path(told.item("drums")["take"]["file"]).parent == place / "media"


def test_a_spool_that_cannot_be_written_is_told_of(play: Any, place: Path) -> None:
    (place / "home").mkdir()
    (place / "home" / "spool").write_text("")
    told = play(item() + ANSWER + "stage.daemon.ids = function () return {} end")
    assert "cannot be made. Check the disk's space" in told.messages[0]


def test_an_item_that_is_longer_than_its_file_and_not_looped_ends_with_it(play: Any, place: Path) -> None:
    told = play(item(length="9", values="{ B_LOOPSRC = 0 }") + ANSWER + FINISH)
    assert requests(place)[0].source[0].length == 3 * RATE
    assert told.item("drums")["values"]["D_LENGTH"] == 3


def test_volume_pan_and_fades_of_an_item_are_those_of_its_stems(play: Any, place: Path) -> None:
    scene = item(
        values="{ D_VOL = 0.5, D_FADEINLEN = 0.1, D_FADEOUTLEN = 0.2, C_FADEINSHAPE = 3 }", take="{ D_VOL = -2, D_PAN = 0.3 }"
    )
    told = play(scene + ANSWER + FINISH)
    assert requests(place)[0].source
    for name in ("drums", "rest"):
        found = told.item(name)
        assert {key: found["values"][key] for key in ("D_VOL", "D_FADEINLEN", "D_FADEOUTLEN", "C_FADEINSHAPE")} == {
            "D_VOL": 0.5, "D_FADEINLEN": 0.1, "D_FADEOUTLEN": 0.2, "C_FADEINSHAPE": 3,
        }  # fmt: skip
        assert (found["take"]["values"]["D_VOL"], found["take"]["values"]["D_PAN"]) == (-2, 0.3)


def test_a_muted_item_is_separated_all_the_same(play: Any, place: Path) -> None:
    told = play(item(values="{ B_MUTE = 1 }") + ANSWER + FINISH)
    assert told.item("drums")["values"]["B_MUTE"] == 0
    assert requests(place)[0].source


def test_as_heard_is_rendered_and_every_render_setting_is_as_before(play: Any, place: Path, song: Path) -> None:
    scene = """
    P.project.rate = 8000
    local other, track = stage.track ("Other"), stage.track ("Guitar", { D_VOL = 0.5 })
    stage.select (other, stage.item (track, { file = FILE, position = 1.5, length = 1, fx = 1 }))
    stage.said = {}
    for key, value in pairs (P.project.render) do stage.said[#stage.said + 1] = key .. "=" .. value end
    """
    told = play(scene + AS_HEARD)
    mix = soundfile.read(song, dtype="float32")[0]
    np.testing.assert_allclose(region(place), 0.5 * mix[:RATE], atol=1e-7)
    assert sorted(f"{key}={value}" for key, value in told.render.items()) == sorted(told.said)
    assert {key: told.rendered[key] for key in ("RENDER_SETTINGS", "RENDER_NORMALIZE", "RENDER_ADDTOPROJ")} == {
        "RENDER_SETTINGS": 2, "RENDER_NORMALIZE": 0, "RENDER_ADDTOPROJ": 0,
    }  # fmt: skip
    assert [track["selected"] for track in told.tracks] == [True, False]


def test_a_render_that_fails_puts_everything_back_and_is_told_in_a_sentence(play: Any) -> None:
    scene = item() + "stage.options.render_fails = true stage.said = { P.project.render.RENDER_FILE }"
    told = play(scene + AS_HEARD)
    assert told.render["RENDER_FILE"] == told.said[0]
    assert "has not rendered" in told.console
    assert told.jobs == []


def test_what_is_to_be_rendered_is_not_once_another_project_is_in_front(play: Any) -> None:
    second = "stage.select (stage.item (track, { file = FILE, position = 4, length = 1 })) "
    other = 'P.projects[2] = P.make.fresh_project (stage.folder, "other.rpp") P.project = P.projects[2] stage.pass (1) '
    told = play(item() + second + AS_HEARD.replace("stage.pass (3)", other))
    assert "is no longer in front" in told.console
    assert len([name for name in told.jobs if not name.startswith(".")]) == 1


NOTHING = "Nothing is selected. Select an item, or a track and a time range, and try again."


@pytest.mark.parametrize(
    ("scene", "sentence"),
    [
        ('stage.track ("Guitar")', NOTHING),
        ('stage.select (stage.track ("Guitar"))', "no time range"),
        (item(empty="true"), "is empty"),
        (item(midi="true"), "is MIDI"),
        (item(file="GONE") + "os.remove (GONE)", "offline or missing"),
        (item(fx="1"), "effects or envelopes"),
        (item(envelopes="1"), "effects or envelopes"),
        (item(length="0"), "no length"),
    ],
    ids=["nothing", "no range", "empty", "midi", "gone", "effects", "envelopes", "no length"],
)
def test_what_cannot_be_separated_is_refused_in_a_sentence_and_leaves_nothing(
    play: Any, place: Path, song: Path, scene: str, sentence: str
) -> None:
    gone = place / "gone.wav"
    gone.write_bytes(song.read_bytes())
    told = play(scene + ANSWER + "stage.pass (1)", GONE=str(gone))
    (message,) = told.messages
    assert sentence in message
    assert message.count(". ") == 1
    assert (told.jobs, told.undo, told.running) == ([], [], 0)
    assert not list((place / "home").rglob(".*.new"))


def test_a_track_without_sound_in_the_range_is_refused(play: Any, place: Path) -> None:
    told = play('stage.select (stage.track ("Guitar")) P.project.loop = { 1, 2 }' + ANSWER + "stage.pass (3)")
    assert "There is no sound in this part of “Guitar”." in told.console
    assert not list((place / "home" / "spool").iterdir())


def test_of_several_items_those_that_can_be_separated_are(play: Any, place: Path) -> None:
    told = play(item() + "stage.select (stage.item (track, { position = 5, length = 1, midi = true }))" + ANSWER)
    assert len(requests(place)) == 1
    assert "is MIDI" in told.messages[0]


def test_a_sound_that_changes_while_it_is_read_is_not_separated(play: Any, place: Path) -> None:
    scene = (
        item(take="{ D_PITCH = 1 }", length="90")
        + ANSWER
        + "P.project.tracks[1].items[1].takes[1].changed = true stage.pass (1)"
    )
    told = play(scene)
    assert "was changed while its sound was read" in told.console
    assert not list((place / "home" / "spool").iterdir())
