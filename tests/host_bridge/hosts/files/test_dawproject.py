"""A DAWproject keeps to Bitwig's own schemas, and holds every sound bit by bit at its place in time.

`schema/` holds Project.xsd and MetaData.xsd of github.com/bitwig/dawproject, under the licence that lies beside them.
"""

import os
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import soundfile
import xmlschema

from host_bridge.errors import BadAudio, CannotWrite
from host_bridge.hosts.files.dawproject import Clip, Track, write

SCHEMA = Path(__file__).parent / "schema"


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "mix.wav", tmp_path / "drums <&> \x01 bass.wav"]
    for number, path in enumerate(paths, 1):
        soundfile.write(
            path, np.random.default_rng(number).uniform(-0.5, 0.5, (4410 * number, number)), 44_100, subtype="FLOAT"
        )
    return paths


@pytest.fixture
def project(sounds: list[Path], tmp_path: Path) -> Path:
    mix, drums = sounds
    tracks = [
        Track("Mix", [Clip("a", mix, 1.5, 0.1), Clip("b", mix, 3.0, 0.05, 0.02, 0.01, 0.005)], muted=True),
        Track('Mix - "drums" <&> \x01 ü', [Clip("d", drums, 1.5, 0.2)]),
        Track("empty", []),
    ]
    path = tmp_path / "song.dawproject"
    write(path, "Song <1>\x00", tracks, (93.5, 6, 8))
    return path


def xml(project: Path, name: str = "project.xml") -> ET.Element:
    with zipfile.ZipFile(project) as packed:
        return ET.fromstring(packed.read(name))


@pytest.mark.parametrize(("name", "schema"), [("project.xml", "Project.xsd"), ("metadata.xml", "MetaData.xsd")])
def test_it_keeps_to_the_schema(project: Path, name: str, schema: str) -> None:
    xmlschema.XMLSchema(SCHEMA / schema).validate(xml(project, name))


def test_the_schema_finds_what_is_wrong(project: Path) -> None:
    root = xml(project)
    root.find(".//Clip").attrib.pop("time")  # type: ignore[union-attr]
    assert not xmlschema.XMLSchema(SCHEMA / "Project.xsd").is_valid(root)


def test_every_clip_lies_at_its_place_and_finds_its_sound(project: Path, sounds: list[Path]) -> None:
    root = xml(project)
    tracks = {track.get("id"): track for track in root.findall("Structure/Track")}
    lanes = root.findall("Arrangement/Lanes/Lanes")
    assert [tracks[lane.get("track")].get("name") for lane in lanes] == ["Mix", 'Mix - "drums" <&> \ufffd ü', "empty"]
    clips = [clip.attrib for clip in lanes[0].iter("Clip")]
    assert [(clip["time"], clip["duration"], clip["playStart"]) for clip in clips] == [
        ("1.5", "0.1", "0.0"),
        ("3.0", "0.05", "0.02"),
    ]
    assert (clips[1]["fadeInTime"], clips[1]["fadeOutTime"]) == ("0.01", "0.005")
    audio = lanes[1].find("Clips/Clip/Audio")
    assert audio is not None
    assert (audio.get("channels"), audio.get("sampleRate"), float(audio.get("duration", 0))) == ("2", "44100", 0.2)
    place = audio.find("File").get("path")  # type: ignore[union-attr]
    with zipfile.ZipFile(project) as packed:
        assert packed.read(str(place)) == sounds[1].read_bytes()
        assert len(packed.namelist()) == 4
        assert packed.testzip() is None


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such file")
def test_sound_is_packed_under_names_that_every_system_can_unpack(sounds: list[Path], tmp_path: Path) -> None:
    odd = sounds[0].rename(tmp_path / 'C:\\take*1 "a"?.wav')
    write(tmp_path / "odd.dawproject", "Song", [Track("Mix", [Clip("a", odd, 0.0, 0.1)])], (120.0, 4, 4))
    told = xml(tmp_path / "odd.dawproject").find(".//File")
    assert told is not None
    assert told.get("path") == "audio/01 C__take_1 _a__.wav"
    with zipfile.ZipFile(tmp_path / "odd.dawproject") as packed:
        assert packed.read("audio/01 C__take_1 _a__.wav") == odd.read_bytes()


def test_the_source_is_silent_and_the_rest_is_heard_through_the_master(project: Path) -> None:
    root = xml(project)
    channels = root.findall("Structure/Track/Channel")
    assert [channel.find("Mute").get("value") for channel in channels] == ["true", "false", "false", "false"]  # type: ignore[union-attr]
    assert {channel.get("destination") for channel in channels[:3]} == {channels[3].get("id")}
    assert channels[3].get("role") == "master"


def test_tempo_and_signature_are_told(project: Path) -> None:
    transport = xml(project).find("Transport")
    assert transport is not None
    assert [child.get("value") or (child.get("numerator"), child.get("denominator")) for child in transport] == [
        "93.500000",
        ("6", "8"),
    ]


def test_what_lies_there_is_not_replaced_and_nothing_is_left_behind(project: Path, sounds: list[Path], tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CannotWrite, match="is there already"):
        write(project, "x", [], (120.0, 4, 4))
    with pytest.raises(CannotWrite, match="cannot be written"):
        write(tmp_path / "none" / "x.dawproject", "x", [], (120.0, 4, 4))
    sounds[0].write_bytes(b"no sound")
    with pytest.raises(BadAudio, match="not audio that can be read"):
        write(tmp_path / "x.dawproject", "x", [Track("t", [Clip("c", sounds[0], 0.0, 1.0)])], (120.0, 4, 4))
    assert sorted(tmp_path.iterdir()) == before
