"""`zerostem project`: items of a closed REAPER project become tracks of stems at the very same place; nothing else changes."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import xmlschema
from numpy.typing import NDArray

from engine.commands import project as command
from host_bridge.cli import main
from host_bridge.hosts.files.tracks import Track, read

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "host_bridge" / "hosts" / "files" / "schema" / "Project.xsd"
RATE = 48_000

HEAD = """\
<REAPER_PROJECT 0.1 "7.22/x" 1
  RECORD_PATH "Takes" ""
  TEMPO 100 4 4
  <TRACK {A}
    NAME Mix
    NCHAN 2
""".replace("\n", "\r\n")
TAIL = "  >\r\n  <TRACK {B}\r\n    NAME Room\r\n    AUXRECV 0 0 1\r\n  >\r\n>\r\n"


def item(position: str, length: str, offset: str = "0", file: str = "mix.wav", more: str = "", loop: int = 0) -> str:
    lines = [
        "<ITEM", f"POSITION {position}", f"LENGTH {length}", f"LOOP {loop}", "FADEOUT 1 0.1 0 1 0 0 0", f"SOFFS {offset}",
        *([more] if more else []), "<SOURCE WAVE", f'FILE "{file}"', ">", ">",
    ]  # fmt: skip
    return "".join(f"    {line}\r\n" for line in lines)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    t = np.arange(2 * RATE) / RATE
    noise = np.random.default_rng(0).normal(size=(len(t), 2))
    soundfile.write(tmp_path / "mix.wav", 0.2 * np.sin(2 * np.pi * 220 * t)[:, None] + 0.05 * noise, RATE, subtype="PCM_24")
    return tmp_path


def made(folder: Path, *items: str) -> Path:
    path = folder / "My song.RPP"
    path.write_bytes((HEAD + "".join(items) + TAIL).encode())
    return path


def run(path: Path, *words: object) -> int:
    return main(["project", str(path), "--method", "mixture", "--device", "cpu", "--track", "Mix", *map(str, words)])


def heard(path: Path, number: int) -> NDArray[np.float64]:
    """What a track plays, (samples, channels) from 0 s on, as REAPER would: every item at its place, to the nearest sample."""
    track: Track = read(path).tracks[number - 1]
    out = np.zeros((5 * RATE, 2))
    for each in track.items:
        assert each.unfit == ""
        assert each.file is not None
        sound, rate = soundfile.read(each.file, always_2d=True)
        assert rate == RATE
        first, length = round(each.offset_s * RATE), round(each.length_s * RATE)
        played = np.vstack([np.zeros((max(0, -first), 2)), sound[max(0, first) :]])[:length]
        at = round(each.position_s * RATE)
        out[at : at + len(played)] += played
    return out


def test_stems_and_rest_add_up_to_the_source_at_the_very_same_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(
        folder,
        item("0.5", "0.5", "0.25"),
        item("1.2000104166", "0.4", "1.00000520833"),  # between two samples
        item("2", "3", "1.5"),  # longer than what is left of its file
        item("3.9", "0.3", "-0.1"),  # begins before its file does
    )
    before = path.read_bytes()
    assert run(path, "-p", "drums", "-p", "bass") == 0
    said = capsys.readouterr().out
    assert (folder / "My song.RPP-zerostem-bak").read_bytes() == before
    assert str(folder / "My song.RPP-zerostem-bak") in said
    project = read(path)
    assert [track.name for track in project.tracks] == ["Mix", "Mix - drums", "Mix - bass", "Mix - rest", "Room"]
    assert b"AUXRECV 0 0 1" in path.read_bytes()
    total = sum(heard(path, number) for number in (2, 3, 4))
    assert np.abs(heard(path, 1)).max() > 0.1
    assert np.abs(total - heard(path, 1)).max() < 1e-6
    assert all((folder / "Takes" / "My song stems") in (each.file or path).parents for each in project.tracks[1].items)


def test_a_second_run_keeps_the_first_ones_stems_and_project(folder: Path) -> None:
    path = made(folder, item("0", "0.2"))
    assert run(path, "-p", "drums") == 0
    first = path.read_bytes()
    stems = {file: file.read_bytes() for file in (folder / "Takes").rglob("*.wav")}
    assert run(path, "-p", "drums", "-w", "0.5", "--mute") == 0
    assert path.read_bytes().count(b"MUTE 1 0") == 1
    assert {file: file.read_bytes() for file in stems} == stems
    assert (folder / "My song (2).RPP-zerostem-bak").read_bytes() == first
    assert (folder / "Takes" / "My song stems (2)").is_dir()
    assert len(read(path).tracks) == 6


def test_items_that_cannot_be_separated_are_named_and_the_others_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "noise.wav").write_bytes(b"no sound")
    path = made(
        folder,
        item("0", "0.2"),
        item("1", "0.2", more="PLAYRATE 0.5 1 0 -1 0 0.0025"),
        item("2", "3", loop=1),
        item("2", "3", "7"),
        item("3", "1", file="gone.wav"),
        item("3", "1", file="noise.wav"),
    )
    assert run(path, "-p", "drums") == 1
    told = capsys.readouterr().err.splitlines()
    for number, why in (
        (2, "plays at 0.5 times its speed"),
        (3, "plays its file more than once"),
        (4, "plays only what lies beyond the end of its file"),
        (5, "plays gone.wav, which is missing"),
        (6, "plays noise.wav, which cannot be read"),
    ):
        assert [line for line in told if f"Item {number}," in line and why in line]
    assert [len(track.items) for track in read(path).tracks] == [6, 1, 1, 0]


def test_an_item_that_fails_on_the_way_is_named_and_the_others_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound, _ = soundfile.read(folder / "mix.wav")
    sound[10] = np.nan
    soundfile.write(folder / "nan.wav", sound, RATE, subtype="FLOAT")
    path = made(folder, item("0", "0.2", file="nan.wav"), item("1", "0.2"))
    assert run(path, "-p", "drums") == 1
    assert "Item 1, nan" in capsys.readouterr().err
    assert len(read(path).tracks[1].items) == 1


def test_with_nothing_to_do_the_project_is_as_it_was(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(folder, item("0", "0.2", more="SM 0 0"))
    before = sorted(folder.rglob("*"))
    assert run(path, "-p", "drums") == 2
    assert "has stretch markers" in capsys.readouterr().err
    assert sorted(folder.rglob("*")) == before


def test_out_writes_a_new_project_and_leaves_the_old(folder: Path) -> None:
    path = made(folder, item("0", "0.2"))
    before = path.read_bytes()
    assert run(path, "-p", "drums", "--out", folder / "new.RPP") == 0
    assert path.read_bytes() == before
    assert not list(folder.glob("*bak*"))
    assert len(read(folder / "new.RPP").tracks) == 4
    assert run(path, "-p", "drums", "--out", folder / "new.RPP") == 1
    assert run(path, "-p", "drums", "--out", folder.parent / "elsewhere.RPP") == 2


def test_a_project_that_was_saved_meanwhile_is_left_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(folder, item("0", "0.2"))
    real = command._separated

    def saving(*words: object) -> object:
        path.write_bytes(path.read_bytes().replace(b"TEMPO 100", b"TEMPO 101"))
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "_separated", saving)
    assert run(path, "-p", "drums") == 0
    assert "saved meanwhile" in capsys.readouterr().err
    assert len(read(path).tracks) == 2
    assert len(read(folder / "My song with stems.RPP").tracks) == 4


def test_who_stops_it_finds_everything_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(folder, item("0", "0.2"), item("1", "0.2"))
    before = {file: file.read_bytes() for file in folder.iterdir()}
    real, calls = command._separated, []

    def stopping(*words: object) -> object:
        calls.append(words)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(command, "_separated", stopping)
    assert run(path, "-p", "drums") == 130
    assert {file: file.read_bytes() for file in folder.rglob("*")} == before


def test_who_stops_it_after_the_project_was_written_keeps_the_stems(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = made(folder, item("0", "0.2"))
    real = command._write

    def stopped(*words: object, **more: object) -> object:
        real(*words, **more)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_write", stopped)
    assert run(path, "-p", "drums") == 130
    assert [each.unfit for track in read(path).tracks for each in track.items] == ["", "", ""]


def test_a_dawproject_holds_source_and_stems_and_the_reaper_project_stays(folder: Path) -> None:
    path = made(folder, item("0.5", "0.5", "0.25"), item("2", "0.25", "-0.125"))
    before = path.read_bytes()
    target = folder / "song.dawproject"
    files = {*folder.rglob("*")}
    assert run(path, "-p", "drums", "--dawproject", target) == 0
    assert path.read_bytes() == before
    assert {*folder.rglob("*")} == files | {target}
    with zipfile.ZipFile(target) as packed:
        schema = xmlschema.XMLSchema(SCHEMA)
        schema.validate(packed.read("project.xml").decode())
        text = packed.read("project.xml").decode()
        assert len([name for name in packed.namelist() if name.startswith("audio/")]) == 5
    assert all(f'name="{name}"' in text for name in ("Mix", "Mix - drums", "Mix - rest"))
    assert text.count('time="0.5" duration="0.5"') == 3
    assert text.count('time="2.125" duration="0.125" playStart="0.0"') == 3  # it begins with silence
    assert run(path, "-p", "drums", "--dawproject", target) == 1
    assert run(path, "-p", "drums", "--dawproject", folder / "x", "--out", folder / "y") == 2


@pytest.mark.parametrize("words", [["--start", "1"], ["--length", "1"]])
def test_regions_are_the_items(folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made(folder, item("0", "0.2")), "-p", "drums", *words) == 2
    assert "Leave out" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_told_and_the_project_stays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = made(folder, item("0", "0.2"))
    (folder / "Takes").write_text("a file where the folder for media should be")
    before = path.read_bytes()
    assert run(path, "-p", "drums") == 1
    assert "lies below a file" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_sound_that_is_not_there_gets_no_track(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(folder / "mix.wav", np.zeros((RATE, 2)), RATE)
    path = made(folder, item("0", "0.5"))
    assert main(["project", str(path), "--track", "1", "-p", "drums", "--steps", "2", "--device", "cpu"]) == 0
    assert "mix: done, without drums" in capsys.readouterr().out
    assert [track.name for track in read(path).tracks] == ["Mix", "Mix - rest", "Room"]
