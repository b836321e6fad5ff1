"""A REAPER project's tracks: those that there are, and new ones right under the one whose stems they hold."""

import re
import stat
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from host_bridge.hosts.files.items import Item, placed, read_item
from host_bridge.hosts.files.rpp import BadProject, Block, Said, exact, key, parse, quoted

LARGEST = 1 << 30
"""Bytes; projects with thousands of plugins' states have tens of millions."""
_RECEIVE = re.compile(rb"(\s*AUXRECV\s+)(\d{1,9})(?!\d)")


@dataclass(frozen=True, slots=True)
class Track:
    """One track; `number` counts from 1, as REAPER shows it."""

    number: int
    name: str
    items: tuple[Item, ...]
    block: Block


@dataclass(frozen=True, slots=True)
class Clip:
    """A stem of one item: the file, and how far into it the item begins."""

    item: Item
    name: str
    file: Path
    offset_s: Fraction


@dataclass(frozen=True, slots=True)
class Project:
    """A project as it lies on the disk."""

    path: Path
    data: bytes
    lines: list[bytes]
    tracks: tuple[Track, ...]
    media: Path
    """The folder where REAPER puts what is recorded; the project's own where this system does not have that one."""
    media_missing: str
    """The folder that the project names and this system does not have; "" where it has it."""
    tempo: tuple[float, int, int]
    """Beats per minute at the start, and the time signature."""

    def track(self, name: str) -> Track:
        """The one track of that name, or of that number. Raises BadProject."""
        found = [track for track in self.tracks if track.name == name]
        found = found or [track for track in self.tracks if str(track.number) == name]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = ", ".join(str(track.number) for track in found)
            raise BadProject(f"{len(found)} tracks are called {name}: {numbers}.", "Give --track the number of one.")
        known = ", ".join(f"{track.number} {track.name}".rstrip() for track in self.tracks) or "none"
        raise BadProject(f"{self.path.name} has no track {name}.", f"Its tracks are: {known}.")

    def with_stems(self, source: Track, stems: Sequence[tuple[str, Sequence[Clip]]], *, mute: bool = False) -> bytes:
        """The file with new tracks right under `source`: a name and the clips of each. All other lines stay as they are,
        but for the numbers by which tracks hear each other, and for the end of a folder that has moved.

        mute: the items that have clips are silent from now on, their clips are not.
        """
        lines, after = self.lines, source.block.last + 1
        indent, end = _around(lines[source.block.first])
        changed = self._renumbered(source, len(stems))
        for item in {clip.item.number: clip.item for _, clips in stems for clip in clips}.values() if mute else ():
            at = next((at for at in item.block.own() if key(lines[at]) == b"MUTE"), None)
            if at is None:
                changed[item.block.first] = lines[item.block.first] + indent + b"    MUTE 1 0" + end
            else:
                changed[at] = re.sub(rb"(\s*MUTE\s+)\S+", rb"\g<1>1", lines[at], count=1)
        said = Said(lines, source.block.own())
        bus, depth = said.line(b"ISBUS"), _whole(said.word(b"ISBUS", 2))
        if depth < 0:  # the last new track ends the folder from now on
            at = next(at for at in source.block.own() if key(lines[at]) == b"ISBUS")
            changed[at] = lines[at].replace(lines[at].strip(), b"ISBUS 0 0")
        # Colour, volume and channels of the source; a folder's volume is heard by its children anyway.
        looks = (b"PEAKCOL", b"NCHAN") if depth > 0 else (b"PEAKCOL", b"VOLPAN", b"NCHAN")
        kept = [line for name in looks for line in said.line(name)]
        new: list[bytes] = []
        for number, (name, clips) in enumerate(stems, 1):
            closing = bus if depth < 0 and number == len(stems) else [b"ISBUS 0 0"]
            new += [indent + line + end for line in _track(name, clips, [*kept, *closing], self.path.parent)]
        before = [changed.get(at, line) for at, line in enumerate(lines)]
        return b"".join([*before[:after], *new, *before[after:]])

    def _renumbered(self, source: Track, more: int) -> dict[int, bytes]:
        """The lines by which tracks hear others that come after the source, whose numbers grow by so many."""
        changed = {}
        for track in self.tracks:
            for at in track.block.own():
                heard = _RECEIVE.match(self.lines[at])
                if heard and int(heard[2]) >= source.number:
                    changed[at] = heard[1] + str(int(heard[2]) + more).encode() + self.lines[at][heard.end() :]
        return changed


def read(path: Path) -> Project:
    """A project with its tracks and items. Raises BadProject."""
    try:
        if path.is_symlink():
            raise BadProject(f"{path.name} is a link.", "Name the project itself.")
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise BadProject(f"{path.name} is not a file.", "Name an .RPP file that REAPER has saved.")
        if about.st_size > LARGEST:
            raise BadProject(f"{path.name} has {about.st_size} bytes, too many for a project.", "Name an .RPP file.")
        data = path.read_bytes()
    except OSError as error:
        raise BadProject(f"{path} cannot be read: {error.strerror}.", "Check the name and its permissions.") from error
    lines, root = parse(data, path.name)
    folder = path.absolute().parent
    blocks = [block for block in root.inner if key(lines[block.first]) == b"<TRACK"]
    tracks = tuple(_read_track(lines, block, number, folder) for number, block in enumerate(blocks, 1))
    said = Said(lines, root.own())
    beats = exact(said.word(b"TEMPO", 1)) or 0
    count, of = (_whole(said.word(b"TEMPO", at)) or 4 for at in (2, 3))
    tempo = (float(beats) if 0 < beats < 10000 else 120.0, count, of)
    record_path = said.word(b"RECORD_PATH", 1)
    media = _media(folder, record_path)
    return Project(path.absolute(), data, lines, tracks, media or folder, "" if media else record_path, tempo)


def _media(folder: Path, word: str) -> Path | None:
    """The folder of recordings that a project in `folder` names; None where this system does not have it.

    It need not be there yet, but a whole path has to begin with a folder that is.
    """
    path = placed(folder, word)
    if path is None or not Path(word).is_absolute():
        return path
    try:
        return path if path.is_dir() or path.parent.is_dir() else None
    except (OSError, ValueError):
        return None


def _read_track(lines: list[bytes], block: Block, number: int, folder: Path) -> Track:
    said = Said(lines, block.own())
    in_lanes = said.word(b"FREEMODE", 1) == "2"  # REAPER 7's fixed lanes
    items = [inner for inner in block.inner if key(lines[inner.first]) == b"<ITEM"]
    read = tuple(read_item(lines, item, at, folder, in_lanes=in_lanes) for at, item in enumerate(items, 1))
    return Track(number, said.word(b"NAME", 1), read, block)


def _track(name: str, clips: Sequence[Clip], kept: Sequence[bytes], folder: Path) -> list[bytes]:
    guid = _guid()
    lines = [b"<TRACK " + guid, b"  NAME " + quoted(name), *(b"  " + line for line in kept), b"  TRACKID " + guid]
    for clip in clips:
        place = clip.file.relative_to(folder) if clip.file.is_relative_to(folder) else clip.file
        lines += [
            b"  <ITEM",
            *(b"    " + line for line in clip.item.kept),
            b"    LOOP 0",
            b"    SEL 0",
            b"    IGUID " + _guid(),
            b"    NAME " + quoted(clip.name),
            f"    SOFFS {float(clip.offset_s):.15f}".encode(),
            b"    PLAYRATE 1 1 0 -1 0 0.0025",
            b"    GUID " + _guid(),
            b"    <SOURCE WAVE",
            b"      FILE " + quoted(str(place)),
            b"    >",
            b"  >",
        ]
    return [*lines, b">"]


def _around(line: bytes) -> tuple[bytes, bytes]:
    """A line's indentation and its end."""
    return line[: len(line) - len(line.lstrip())], line[len(line.rstrip(b"\r\n")) :]


def _whole(word: str) -> int:
    return int(word) if re.fullmatch(r"-?\d{1,9}", word, re.ASCII) else 0


def _guid() -> bytes:
    return f"{{{str(uuid.uuid4()).upper()}}}".encode()
