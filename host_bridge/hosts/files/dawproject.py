"""Writes a DAWproject: a ZIP with the arrangement as XML and all sound, which Bitwig, Studio One, Cubase and others open.

The form is version 1.0 of github.com/bitwig/dawproject; times are in seconds, and clips lie where they lay.
"""

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count
from pathlib import Path
from xml.etree import ElementTree as ET

from host_bridge.errors import CannotWrite
from host_bridge.sound import audio_file


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of a file on the timeline. offset_s: how far into the file it begins."""

    name: str
    file: Path
    start_s: float
    length_s: float
    offset_s: float = 0.0
    fade_in_s: float = 0.0
    fade_out_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Track:
    """A track of clips. muted: it is there, and silent."""

    name: str
    clips: Sequence[Clip]
    muted: bool = False


def write(path: Path, title: str, tracks: Sequence[Track], tempo: tuple[float, int, int]) -> None:
    """Write a whole project, all sound in it. tempo: beats per minute, and the time signature.

    Raises CannotWrite, also when something lies at `path` already, and BadAudio for a file that cannot be read.
    """
    files = list(dict.fromkeys(clip.file for track in tracks for clip in track.clips))
    names = {file: f"audio/{number:02} {_portable(file.name)}" for number, file in enumerate(files, 1)}
    text = _xml(arrangement(tracks, names, tempo))
    about = ET.Element("MetaData")
    ET.SubElement(about, "Title").text = _legal(title)
    aside = path.with_name(f".{path.name}.zerostem-{os.getpid()}")
    try:
        if os.path.lexists(path):
            raise CannotWrite(f"{path} is there already.", "Choose another name.")
        with zipfile.ZipFile(aside, "x", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr("project.xml", text)
            packed.writestr("metadata.xml", _xml(about))
            for file, name in names.items():
                packed.write(file, name, zipfile.ZIP_STORED)  # sound hardly gets smaller
        aside.rename(path)
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror or error}."
        raise CannotWrite(what, "Make room there, or choose another folder.") from error
    finally:
        aside.unlink(missing_ok=True)


def arrangement(tracks: Sequence[Track], names: dict[Path, str], tempo: tuple[float, int, int]) -> ET.Element:
    """The project's XML; `names` says where each file lies in the ZIP. Raises BadAudio."""
    ids = (f"id{number}" for number in count())
    master, beats = next(ids), tempo
    project = ET.Element("Project", version="1.0")
    ET.SubElement(project, "Application", name="ZeroStem", version=version("zerostem"))
    transport = ET.SubElement(project, "Transport")
    ET.SubElement(transport, "Tempo", unit="bpm", value=f"{beats[0]:.6f}", id=next(ids), name="Tempo")
    signature = {"numerator": str(beats[1]), "denominator": str(beats[2])}
    ET.SubElement(transport, "TimeSignature", signature, id=next(ids))
    structure = ET.SubElement(project, "Structure")
    lanes = ET.SubElement(ET.SubElement(project, "Arrangement", id=next(ids)), "Lanes", timeUnit="seconds", id=next(ids))
    for track in tracks:
        sounds = {clip.file: _sound(clip.file) for clip in track.clips}
        wide = max((channels for channels, _, _ in sounds.values()), default=2)
        lane = next(ids)
        told = ET.SubElement(structure, "Track", contentType="audio", loaded="true", id=lane, name=_legal(track.name))
        _channel(told, ids, role="regular", audioChannels=str(wide), destination=master, muted=track.muted)
        clips = ET.SubElement(ET.SubElement(lanes, "Lanes", track=lane, id=next(ids)), "Clips", id=next(ids))
        for clip in track.clips:
            _clip(clips, clip, names[clip.file], sounds[clip.file], next(ids))
    told = ET.SubElement(structure, "Track", contentType="audio notes", loaded="true", id=next(ids), name="Master")
    _channel(told, ids, role="master", audioChannels="2", id=master)
    ET.SubElement(project, "Scenes")
    return project


def _channel(track: ET.Element, ids: Iterator[str], *, muted: bool = False, **told: str) -> None:
    channel = ET.SubElement(track, "Channel", {"id": next(ids), **told})
    ET.SubElement(channel, "Mute", value=str(muted).lower(), id=next(ids), name="Mute")
    ET.SubElement(channel, "Pan", unit="normalized", value="0.5", min="0", max="1", id=next(ids), name="Pan")
    ET.SubElement(channel, "Volume", unit="linear", value="1.0", min="0", max="2", id=next(ids), name="Volume")


def _clip(clips: ET.Element, clip: Clip, place: str, sound: tuple[int, int, float], name: str) -> None:
    channels, rate, long_s = sound
    told = {"time": repr(clip.start_s), "duration": repr(clip.length_s), "playStart": repr(clip.offset_s)}
    fades = {"fadeTimeUnit": "seconds", "fadeInTime": repr(clip.fade_in_s), "fadeOutTime": repr(clip.fade_out_s)}
    made = ET.SubElement(clips, "Clip", {**told, **fades, "contentTimeUnit": "seconds", "name": _legal(clip.name)})
    audio = ET.SubElement(made, "Audio", channels=str(channels), duration=repr(long_s), sampleRate=str(rate), id=name)
    ET.SubElement(audio, "File", path=place)


def _sound(file: Path) -> tuple[int, int, float]:
    """Channels, rate in hertz and length in seconds."""
    told = audio_file(file)
    return told.channels, told.rate, told.samples / told.rate


def _xml(root: ET.Element) -> bytes:
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="UTF-8", xml_declaration=True))


def _portable(name: str) -> str:
    """A file's name as every system can unpack it."""
    return re.sub(r'[\\/:*?"<>|]', "_", _legal(name))


def _legal(text: str) -> str:
    """The text with a sign of replacement for each that XML cannot hold."""
    return "".join(sign if sign.isprintable() or sign == " " else "\N{REPLACEMENT CHARACTER}" for sign in text)
