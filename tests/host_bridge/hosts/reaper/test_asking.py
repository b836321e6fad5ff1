"""What is typed into the dialogs: what it means, what is remembered of it, and a sentence for each thing it cannot mean."""

from pathlib import Path
from typing import Any

import pytest

from host_bridge.forms import RequestFile, read_request
from host_bridge.spool import Spool

ITEM = """
local track = stage.track ("Guitar")
local item = stage.item (track, { file = FILE, position = 1.5, length = 1 })
stage.select (item)
"""


def typed(*fields: str) -> str:
    return 'stage.answer ("' + "\\n".join(fields) + '")'


def requests(place: Path) -> list[RequestFile]:
    spool = place / "home" / "spool"
    return [read_request((spool / job / "request.json").read_bytes()) for job in sorted(Spool(spool).ids())]


def test_a_preset_may_stand_for_the_sounds(play: Any, place: Path) -> None:
    play(ITEM + typed("", "band", "100", "n", "n", "n") + 'stage.run ("separate")')
    (request,) = requests(place)
    assert (request.preset, request.stems) == ("band", ())


@pytest.mark.parametrize(
    ("text", "strength"), [("70", 0.7), ("70 %", 0.7), ("0.7", 0.7), ("0,7", 0.7), ("1", 1.0), ("0", 0.0), ("0.5%", 0.005)]
)
def test_a_strength_may_be_typed_as_people_do(play: Any, place: Path, text: str, strength: float) -> None:
    play(ITEM + typed("drums", "", text, "n", "n", "n") + 'stage.run ("separate")')
    assert requests(place)[0].stems[0].strength == pytest.approx(strength)


@pytest.mark.parametrize(
    ("sounds", "preset", "text", "strengths"),
    [
        ("", "band", "60", [0.6, 0.6, 0.6, 0.6]),  # the typed strength is that of the preset's sounds
        ("", "band", "100", [1.0, 1.0, 1.0, 1.0]),
        ("", "band", "0", [0.0, 0.0, 0.0, 0.0]),
        ("", "band", "", [0.8, 0.8, 0.8, 0.8]),  # the preset's own
        ("drums, bass", "band", " ", [0.8, 0.8]),
        ("drums, bass", "band", "60", [0.6, 0.6]),
        ("drums, bass", "", "", [1.0, 1.0]),
        ("drums", "", "70", [0.7]),
    ],
)
def test_a_typed_strength_goes_before_the_presets_and_an_empty_one_leaves_it(
    play: Any, place: Path, home: Path, sounds: str, preset: str, text: str, strengths: list[float]
) -> None:
    own = home / "config" / "presets"
    own.mkdir(parents=True)
    four = 'prompts = ["drums", "bass", "piano", "voice"]'
    (own / "band.toml").write_text(f'title = "Four"\nkind = "stems"\n{four}\nstrength = 0.8\n', encoding="utf-8")
    play(ITEM + typed(sounds, preset, text, "n", "n", "n") + 'stage.run ("separate")')
    spool = Spool(place / "home" / "spool")
    (job,) = spool.ids()
    assert [stem.strength for stem in spool.request(job).stems] == strengths


def test_what_was_typed_stands_there_the_next_time_and_is_used_again(play: Any, place: Path) -> None:
    scene = (
        ITEM
        + typed("drums,  a “small” flute", "", "70", "n", "y", "n")
        + 'stage.run ("separate") stage.run ("again") stage.run ("separate")'
    )
    told = play(scene)
    assert told.asked[0]["values"] == "\n\n\nn\nn\nn"
    assert told.asked[1]["values"] == "drums,  a “small” flute\n\n70\nn\ny\nn"
    assert len(told.asked) == 2  # and the last one was closed
    assert [[stem.prompt for stem in request.stems] for request in requests(place)] == [["drums", "a “small” flute"]] * 2


def test_a_dialog_that_is_closed_does_nothing(play: Any) -> None:
    told = play(ITEM + 'stage.run ("separate") stage.run ("highlight")')
    assert len(told.asked) == 2
    assert (told.messages, told.console, told.jobs, told.executed) == ([], "", [], [])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (("", "", "100", "n", "n", "n"), "No sound is named."),
        (("drums, Drums", "", "100", "n", "n", "n"), "stands there twice"),
        (("a/b", "", "100", "n", "n", "n"), "one line without / and"),
        (("...", "", "100", "n", "n", "n"), "one line without / and"),
        (("x" * 501, "", "100", "n", "n", "n"), "too long"),
        ((", ".join(f"sound {index}" for index in range(65)), "", "100", "n", "n", "n"), "more than 64"),
        (("drums", "", "700", "n", "n", "n"), "0 to 100 %"),
        (("drums", "", "much", "n", "n", "n"), "0 to 100 %"),
        (("drums", "", "%", "n", "n", "n"), "0 to 100 %"),
        (("drums", "", "100", "maybe", "n", "n"), "neither y nor n"),
    ],
)
def test_what_cannot_be_meant_is_told_in_a_sentence(play: Any, fields: tuple[str, ...], sentence: str) -> None:
    told = play(ITEM + typed(*fields) + 'stage.run ("separate")')
    (message,) = told.messages
    assert sentence in message
    assert told.jobs == []


@pytest.mark.parametrize("gain", ["loud", "60", ""])
def test_a_gain_that_cannot_be_meant_is_told_of(play: Any, gain: str) -> None:
    told = play(ITEM + typed("drums", gain, "n") + 'stage.run ("highlight")')
    assert "decibels between -24 and 24" in told.messages[0]


def test_again_without_a_first_time_says_what_is_missing(play: Any) -> None:
    assert "No sound is named." in play(ITEM + 'stage.run ("again")').messages[0]


def test_the_panel_is_opened_by_our_command(play: Any) -> None:
    told = play('stage.run ("panel")')
    assert [words.split()[-1] for words in told.executed] == ["panel"]
    assert (told.messages, told.running) == ([], 0)


def test_strength_wants_a_stem_to_be_selected(play: Any) -> None:
    told = play(ITEM + 'stage.run ("strength")')
    assert told.messages == [
        "No stem of ZeroStem's is selected. Select the track or the item of one; the rest follows by itself."
    ]
    assert told.asked == []


STEMS = (
    ITEM
    + typed('drums, the \\"big\\" bass', "", "100", "n", "n", "n")
    + """
stage.run ("separate")
local id = stage.daemon.ids ()[1]
stage.daemon.finish (id)
stage.pass (5)
item.selected = false
stage.select (P.project.tracks[3].items[1])
stage.answer ("30")
stage.run ("strength")
stage.said = { P.project.tracks[3].items[1].takes[1].source.path }
local token = P.executed[#P.executed]:match ("answer%-([%w]+)%.json")
local function answer (text)
    local file = io.open (stage.spool .. "/.answer-" .. token .. ".json", "w")
    file:write ('{"schema": "zerostem-answer/1", "error": "' .. text .. '"}')
    file:close ()
end
"""
)


def test_a_strength_names_the_stem_by_its_number_so_that_no_name_gets_into_a_command(play: Any, place: Path) -> None:
    told = play(STEMS)
    assert told.asked[-1]["title"] == 'ZeroStem: the "big" bass'
    assert told.asked[-1]["values"] == "100"
    assert f" strength {told.jobs[0]} /2 0.300 --deliver --answer {place / 'home'}/spool/.answer-" in told.executed[-1]


def test_a_stem_that_was_rendered_again_takes_the_old_ones_place_under_a_new_name(play: Any) -> None:
    told = play(STEMS + """stage.daemon.finish (id, { strengths = { ['the "big" bass'] = 0.3 } }) answer ("") stage.pass (3)""")
    (before,) = told.said
    after = told.item('the "big" bass')["take"]["file"]
    assert after == before.replace(".wav", " (2).wav")
    assert Path(before).read_bytes() != Path(after).read_bytes()
    assert told.undo == ["ZeroStem: separate by prompt", "ZeroStem: strength of a stem"]
    assert (told.messages, told.console, told.waiting) == ([], "", None)
    assert not [name for name in told.jobs if name.startswith(".answer")]


def test_a_strength_that_is_refused_is_told_and_changes_nothing(play: Any) -> None:
    told = play(STEMS + 'answer ("The model is gone. Fetch it.") stage.pass (3)')
    assert "The model is gone. Fetch it." in told.seen[-1]
    assert told.item('the "big" bass')["take"]["file"] == told.said[0]
    assert len(told.undo) == 1


def test_a_stem_that_is_no_longer_in_the_project_is_told_of(play: Any) -> None:
    told = play(STEMS + 'P.project.tracks = {} answer ("") stage.pass (3)')
    assert "no longer in the project" in told.seen[-1]
