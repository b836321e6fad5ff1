"""What is selected in Audacity is known to the sample, and stems come into the right place, whatever it prints."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

from host_bridge.errors import BadAudio, BadRequest
from host_bridge.hosts.audacity import project, switched_back, switched_on
from host_bridge.hosts.audacity.pipe import Pipe, Unwilling
from host_bridge.types import Hertz, Samples

if TYPE_CHECKING:
    from tests.host_bridge.hosts.audacity.conftest import Audacity

RATE = Hertz(48_000)


@pytest.mark.parametrize(
    ("start_s", "end_s"),
    [
        (0.0, 1.0),
        (0.0, 1e-4),
        (13.123456789, 13.123487),
        (99.99996, 100.00004),
        (3599.123456789, 3661.98765),
        (36000.1, 36000.2),
    ],
)
def test_a_selection_is_read_far_below_a_sample_and_stays(audacity: "Audacity", start_s: float, end_s: float) -> None:
    audacity.selection = (start_s, end_s)
    with Pipe(audacity.ends) as pipe:
        found = project.selection(pipe)
    assert abs(found.start_s - start_s) * RATE < 0.05
    assert abs(found.end_s - end_s) * RATE < 0.05
    assert audacity.selection == pytest.approx((start_s, end_s), abs=1e-6)
    assert audacity.tracks[0]["selected"]
    assert not audacity.labels


def test_labels_that_the_user_has_are_neither_mistaken_nor_lost(audacity: "Audacity") -> None:
    mine = [(1.0, 2.0), (1.0, 2.0), (5.0, 5.0)]
    audacity.labels = list(mine)
    audacity.remember()
    audacity.selection = (1.0, 2.0)
    with Pipe(audacity.ends) as pipe:
        found = project.selection(pipe)
    assert (found.start_s, found.end_s) == pytest.approx((1.0, 2.0), abs=1e-8)
    assert audacity.labels == mine


def test_nothing_selected_is_said_and_leaves_no_label(audacity: "Audacity") -> None:
    with Pipe(audacity.ends) as pipe:
        with pytest.raises(BadRequest, match=r"but a point\. Drag"):
            project.selection(pipe)
        audacity.selection, audacity.tracks[0]["selected"] = (1.0, 2.0), False
        with pytest.raises(BadRequest, match="No track is selected"):
            project.selection(pipe)
    assert not audacity.labels


@pytest.mark.parametrize("name", ["plain", 'a "big" drum', "back\\slash", 'both \\" of them', "ünï"])
def test_tracks_are_read_whatever_their_names_hold(audacity: "Audacity", name: str) -> None:
    audacity.tracks[0]["name"] = name
    with Pipe(audacity.ends) as pipe:
        (track,) = project.tracks(pipe)
    assert (track.name, track.channels, track.selected, track.sounds) == (name, 2, True, True)


@pytest.mark.parametrize("usual", [None, "2", "3"])
def test_an_export_is_float_and_the_users_own_format_is_put_back(
    audacity: "Audacity", tmp_path: Path, usual: str | None
) -> None:
    audacity.selection = (1.5, 2.5)
    if usual is not None:
        audacity.preferences[project.FORMAT] = usual
    with Pipe(audacity.ends) as pipe:
        start, rate = project.export(pipe, project.selection(pipe), tmp_path / "region.wav")
    about = soundfile.info(tmp_path / "region.wav")
    assert (start, rate, about.frames, about.channels, about.subtype) == (72_000, 48_000, 48_000, 2, "FLOAT")
    assert audacity.preferences[project.FORMAT] == (usual or project.PCM_16)


def stem(folder: Path, name: str) -> Path:
    path = folder / f"{name}.wav"
    soundfile.write(path, np.zeros((10, 2)), RATE, subtype="FLOAT")
    return path


def test_stems_come_in_order_below_their_source_and_the_selection_is_as_before(audacity: "Audacity", tmp_path: Path) -> None:
    audacity.tracks.append({**audacity.tracks[0], "name": "other", "selected": False})
    audacity.remember()
    audacity.selection = (1.0, 2.0)
    files = [(stem(tmp_path, "a"), 'a "big" drum'), (stem(tmp_path, "b"), "rest")]
    with Pipe(audacity.ends) as pipe:
        chosen = project.selection(pipe)
        made = list(project.placed(pipe, chosen, files, Samples(48_001), RATE))
    assert [track["name"] for track in audacity.tracks] == ["mix", 'a "big" drum', "rest", "other"]
    assert [track.index for track in made] == [1, 2]
    assert [round(track["start"] * RATE, 6) for track in audacity.tracks[1:3]] == [48_001, 48_001]
    assert [track["selected"] for track in audacity.tracks] == [True, False, False, False]
    assert audacity.selection == pytest.approx((1.0, 2.0), abs=1e-8)


def test_a_second_selection_does_not_undo_what_was_placed(audacity: "Audacity", tmp_path: Path) -> None:
    audacity.selection = (1.0, 2.0)
    with Pipe(audacity.ends) as pipe:
        chosen = project.selection(pipe)
        list(project.placed(pipe, chosen, [(stem(tmp_path, "a"), "drums")], Samples(48_000), RATE))
        project.selection(pipe)
    assert [(track["name"], track["start"]) for track in audacity.tracks] == [("mix", 0.0), ("drums", 1.0)]


def test_a_stem_that_is_missing_is_never_asked_of_audacity(audacity: "Audacity", tmp_path: Path) -> None:
    audacity.selection = (1.0, 2.0)
    with Pipe(audacity.ends) as pipe:
        chosen = project.selection(pipe)
        with pytest.raises(BadAudio, match=r"nowhere\.wav is not there"):
            list(project.placed(pipe, chosen, [(tmp_path / "nowhere.wav", "drums")], Samples(0), RATE))
    assert not [line for line in audacity.heard if line.startswith("Import2")]


def test_an_import_that_brought_nothing_is_said(audacity: "Audacity", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audacity.selection = (1.0, 2.0)
    monkeypatch.setattr(audacity, "on_import2", lambda _values: None, raising=False)
    with Pipe(audacity.ends) as pipe:
        chosen = project.selection(pipe)
        with pytest.raises(Unwilling, match="has not imported"):
            list(project.placed(pipe, chosen, [(stem(tmp_path, "a"), "drums")], Samples(0), RATE))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"[Module]\nmod-script-pipe=4\n[X]\n", b"[Module]\n# ZeroStem: mod-script-pipe was 4\nmod-script-pipe=1\n[X]\n"),
        (
            b"[Module]\r\nmod-x=2\r\nmod-script-pipe=0",
            b"[Module]\r\nmod-x=2\r\n# ZeroStem: mod-script-pipe was 0\nmod-script-pipe=1",
        ),
        (b"[Module]\nmod-script-pipe=1\n", b"[Module]\nmod-script-pipe=1\n"),
        (b"[Module]\n[ModulePath]\nmod-script-pipe=4\n", b"[Module]\n[ModulePath]\nmod-script-pipe=4\n"),
    ],
)
def test_the_module_is_switched_on_where_audacity_lists_it_and_back_again(before: bytes, after: bytes) -> None:
    assert switched_on(before) == after
    assert switched_on(after) == after
    assert switched_back(after) == before
