"""The project that is open in Audacity: what is selected in it, that as a file, and stems as tracks in the right place.

Audacity 3 prints times with six digits, which an hour into a song is 480 samples. So a selection is read in two steps: a label
says where it lies, roughly; then it is moved by a known distance to just after zero, where six digits are far below a sample.
"""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from host_bridge.errors import BadAudio, BadRequest
from host_bridge.hosts.audacity.pipe import LONGEST, NoAnswer, Pipe, Unwilling
from host_bridge.vocabulary import Hertz, Samples

FORMAT = "/FileFormats/ExportFormat_SF1_Type/WAV_10000"
FLOAT, PCM_16 = "6", "2"
"""Values of that preference: what we need, and what Audacity writes where the user has never chosen."""
APART_S = 0.5
"""Between the two ends of a selection that was moved to zero, so that they cannot change places."""
POINT_S = 5e-6
"""What is shorter than a sample is no selection."""
DISK_BYTES_PER_S = 10e6
"""What a slow disk takes, for how long an export or an import may last."""
NAME_BYTES = LONGEST - 100

_NAME = re.compile(r'("name":")(.*)(", "focused":)')
_LABEL = re.compile(r"\[ (-?[\d.]+(?:e[-+]?\d+)?), (-?[\d.]+(?:e[-+]?\d+)?), \"")

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Track:
    """A track of the open project. index: from 0, from the top."""

    index: int
    name: str
    channels: int
    selected: bool
    sounds: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user has selected: from start to end, in seconds, on these tracks, which all hold sound."""

    start_s: float
    end_s: float
    tracks: tuple[Track, ...]

    @property
    def channels(self) -> int:
        """As many as the widest of its tracks has."""
        return max(track.channels for track in self.tracks)


def tracks(pipe: Pipe) -> list[Track]:
    """All tracks, from the top. Raises NoAnswer, Unwilling."""
    told = pipe.say("GetInfo", {"Type": "Tracks", "Format": "JSON"})
    # Audacity escapes quotes in a name, but not what stands before them.
    whole = _NAME.sub(lambda name: name[1] + json.dumps(name[2].replace('\\"', '"'))[1:-1] + name[3], told)
    return [
        Track(index, each["name"], each.get("channels", 0), each["selected"] == 1, each["kind"] == "wave")
        for index, each in enumerate(json.loads(whole))
    ]


def selection(pipe: Pipe) -> Selection:
    """What is selected, within a twentieth of a sample. It stays so; labels that come up meanwhile are undone.

    Raises BadRequest where nothing is selected, NoAnswer, Unwilling.
    """
    selected = [track for track in tracks(pipe) if track.selected]
    sounding = tuple(track for track in selected if track.sounds)
    if not sounding:
        raise BadRequest("No track is selected in Audacity.", "Select the part of a track that you want to separate.")
    before = _labels(pipe)
    labels = 0
    try:
        pipe.say("AddLabel")
        labels += 1
        first = _labels(pipe)
        rough = _added(before, first)
        moved = (_just_before(rough[0]), _just_before(rough[1]) - APART_S)
        pipe.say("Select", {"Start": _digits(-moved[0]), "End": _digits(-moved[1]), "RelativeTo": "Selection"})
        pipe.say("AddLabel")
        labels += 1
        fine = _added(first, _labels(pipe))
    finally:
        for _ in range(labels):
            pipe.say("Undo")
    found = Selection(fine[0] + moved[0], fine[1] + moved[1], sounding)
    select(pipe, found.start_s, found.end_s, selected)
    if found.end_s - found.start_s < POINT_S:
        raise BadRequest("Nothing is selected in Audacity but a point.", "Drag over the part that you want to separate.")
    return found


def select(pipe: Pipe, start_s: float, end_s: float, chosen: list[Track]) -> None:
    """Select this stretch of these tracks, and nothing else. Raises NoAnswer, Unwilling."""
    pipe.say("Select", {"Start": _digits(start_s), "End": _digits(end_s), "RelativeTo": "ProjectStart"})
    for number, track in enumerate(chosen):
        pipe.say("SelectTracks", {"Track": track.index, "TrackCount": 1, "Mode": "Add" if number else "Set"})


def export(pipe: Pipe, chosen: Selection, file: Path) -> tuple[Samples, Hertz]:
    """Write what is selected, as it is heard, into a new float32 WAV; returns where it lies on the timeline.

    The user's own choice of a format is put back. Raises NoAnswer, Unwilling, BadAudio.
    """
    patience_s = _patience((chosen.end_s - chosen.start_s) * 192_000 * 4 * chosen.channels)
    try:
        usual = pipe.say("GetPreference", {"Name": FORMAT})
    except Unwilling:  # never chosen
        usual = PCM_16
    pipe.say("SetPreference", {"Name": FORMAT, "Value": FLOAT, "Reload": 0})
    try:
        pipe.say("Export2", {"Filename": file, "NumChannels": chosen.channels}, patience_s)
    finally:
        pipe.say("SetPreference", {"Name": FORMAT, "Value": usual, "Reload": 0})
    if not file.is_file():
        raise NoAnswer("Audacity has exported nothing.", "Look whether it plays, records or shows a dialog, and try again.")
    about = soundfile.info(os.fsencode(file))
    if not about.frames:
        raise BadAudio("What is selected in Audacity holds no sound.", "Select a part that has a waveform.")
    return Samples(round(chosen.start_s * about.samplerate)), Hertz(about.samplerate)


def placed(pipe: Pipe, chosen: Selection, files: Sequence[tuple[Path, str]], start: Samples, rate: Hertz) -> Iterator[Track]:
    """Import files under these names, each a new track below the last one that was separated; then select as before.

    Where that track has gone meanwhile, they stay at the bottom. Raises as `export`.
    """
    now = tracks(pipe)
    known = {(track.name, track.channels) for track in chosen.tracks}
    there = [each.index for each in now if (each.name, each.channels) in known]
    last = chosen.tracks[-1].index
    above = last if last in there else max(there, default=len(now) - 1)
    for number, (file, name) in enumerate(files):
        yield _placed(pipe, file, name, start, rate, above + number)
    select(pipe, chosen.start_s, chosen.end_s, list(chosen.tracks))


def _placed(pipe: Pipe, file: Path, name: str, start: Samples, rate: Hertz, above: int) -> Track:
    if not (file.is_file() and file.stat().st_size):
        raise BadAudio(f"{file} is not there.", "Separate once more.")  # Audacity would stop with a dialog
    before = tracks(pipe)
    pipe.say("Import2", {"Filename": file}, _patience(file.stat().st_size))
    after = tracks(pipe)
    if len(after) != len(before) + 1:
        raise Unwilling(f"Audacity has not imported {file.name}.", "Look whether it shows a dialog, and import it by hand.")
    short = name.encode()[:NAME_BYTES].decode(errors="ignore")
    pipe.say("SelectTracks", {"Track": len(before), "TrackCount": 1, "Mode": "Set"})
    pipe.say("SetTrackStatus", {"Name": short, "Selected": 1, "Focused": 1})
    pipe.say("SetClip", {"At": 0, "Start": _digits(start / rate)})
    # Audacity's history knows neither name nor place before another command writes into it: the next undo would lose them.
    for command in ["TrackMoveUp"] * (len(before) - above - 1) or ["TrackMoveUp", "TrackMoveDown"]:
        pipe.say(command)
    return Track(above + 1, short, after[-1].channels, True, True)


def mute(pipe: Pipe, chosen: Selection) -> None:
    """Mute its tracks, which Audacity's history knows only once another command has followed. Raises NoAnswer, Unwilling."""
    for track in chosen.tracks:
        pipe.say("SelectTracks", {"Track": track.index, "TrackCount": 1, "Mode": "Set"})
        pipe.say("SetTrackAudio", {"Mute": 1})


def _labels(pipe: Pipe) -> Counter[Span]:
    told = pipe.say("GetInfo", {"Type": "Labels", "Format": "JSON"})
    return Counter((float(label[1]), float(label[2])) for label in _LABEL.finditer(told))


def _added(before: Counter[Span], after: Counter[Span]) -> Span:
    new = list((after - before).elements())
    if len(new) != 1:
        raise Unwilling("Audacity has not said what is selected.", "Close its dialogs, stop playing, and try again.")
    return new[0]


def _just_before(printed: float) -> float:
    """A time that is surely earlier than one that was printed with six digits, and hardly so."""
    digit = 10.0 ** (math.floor(math.log10(abs(printed))) - 5) if printed else 0.0
    return printed - digit


def _digits(seconds: float) -> str:
    return f"{seconds:.12f}"


def _patience(size: float) -> float:
    """Seconds, for so many bytes on a disk."""
    return 30 + size / DISK_BYTES_PER_S
