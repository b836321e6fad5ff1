"""One item of a REAPER project: what it plays, and whether that can be separated offline.

What an item plays is known here only as far as the file says it plainly: a stretch of one audio file, at its own speed and
pitch, without effects of its own. Whatever else an item may do makes it unfit, with the reason.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PureWindowsPath

from host_bridge.hosts.files.rpp import Block, Said, exact, key, words

READ = {"WAVE", "FLAC", "MP3", "VORBIS", "OPUS"}
"""Sources that are a file of sound; REAPER calls AIFF a WAVE as well."""
OTHERS = {
    "MIDI": "is MIDI, which has no sound of its own",
    "MIDIPOOL": "is MIDI, which has no sound of its own",
    "SECTION": "plays a section of its file, or plays it backwards",
    "RPP_PROJECT": "is a project of its own",
    "VIDEO": "is a video",
}
CARRIED = (b"POSITION", b"LENGTH", b"SNAPOFFS", b"FADEIN", b"FADEOUT", b"FADEFLAG", b"BEAT", b"MUTE")
"""What a stem's item takes over from its source as it is."""
_PLAIN_BLOCKS = {b"<SOURCE", b"<NOTES"}


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a track. Seconds are exact, as the file has them. unfit: why it cannot be separated, "" where it can."""

    number: int
    name: str
    position_s: Fraction
    length_s: Fraction
    offset_s: Fraction
    """Where in its file it begins; below 0 it begins with silence."""
    loops: bool
    file: Path | None
    lossy: bool
    """A file whose length in samples is told differently by different decoders."""
    unfit: str
    fade_in_s: Fraction
    fade_out_s: Fraction
    kept: tuple[bytes, ...]
    """Lines that its stems' items take over, without their indentation and end."""
    block: Block


def read_item(lines: list[bytes], block: Block, number: int, folder: Path, *, in_lanes: bool) -> Item:
    """An item as its active take has it: the first take stands before any TAKE line, each other after one.

    in_lanes: its track has lanes, of which not all may play.
    """
    own = list(block.own())
    starts = [block.first, *(at for at in own if key(lines[at]) == b"TAKE"), block.last]
    active = next((at for at in range(1, len(starts) - 1) if "SEL" in words(lines[starts[at]])[1:]), 0)
    span = range(starts[active], starts[active + 1])
    item, take = Said(lines, (at for at in own if at < starts[1])), Said(lines, (at for at in own if at in span))
    inner = [each for each in block.inner if each.first in span]
    source = next((each for each in inner if key(lines[each.first]) == b"<SOURCE"), None)
    kind = (words(lines[source.first])[1:2] or [""])[0] if source else ""
    told = Said(lines, source.own()).word(b"FILE", 1) if source else ""
    file = found_file(folder, told) if told else None
    position, length = exact(item.word(b"POSITION", 1)), exact(item.word(b"LENGTH", 1))
    # A later take says pan, volume and law for itself.
    mine = (
        ((b"TAKEVOLPAN", 1), (b"TAKEVOLPAN", 2), (b"TAKEVOLPAN", 3)) if active else tuple((b"VOLPAN", at) for at in (2, 3, 4))
    )
    pan, volume, law = (take.word(*place, usual) for place, usual in zip(mine, ("0", "1", "-1"), strict=True))
    loud = f"VOLPAN {item.word(b'VOLPAN', 1, '1')} {pan} {volume} {law}".encode()

    def reasons() -> Iterator[str]:
        if position is None or length is None or position < 0 or length <= 0:
            yield "has no place or no length"
        if in_lanes:
            yield "lies in a lane, and which lanes play is not told plainly"
        if item.word(b"ALLTAKES", 1, "0") != "0" and len(starts) > 2:
            yield "plays all its takes at once"
        yield from _of_take(take, [key(lines[each.first]) for each in inner])
        if kind not in READ:
            yield OTHERS.get(kind, f"holds a {kind}, which is no file of sound" if kind else "holds no sound")
        elif file is None:
            yield f"plays {told or 'a file'}, which is missing"

    return Item(
        number=number,
        name=take.word(b"NAME", 1) or (file.stem if file else PureWindowsPath(told).stem) or f"item {number}",
        position_s=position or Fraction(0),
        length_s=length or Fraction(0),
        offset_s=exact(take.word(b"SOFFS", 1)) or Fraction(0),
        loops=item.word(b"LOOP", 1, "0") != "0",
        file=file,
        lossy=kind in {"MP3", "VORBIS", "OPUS"},
        unfit=next(reasons(), ""),
        fade_in_s=exact(item.word(b"FADEIN", 2)) or Fraction(0),
        fade_out_s=exact(item.word(b"FADEOUT", 2)) or Fraction(0),
        kept=(*(line for name in CARRIED for line in item.line(name)), loud, *take.line(b"CHANMODE")),
        block=block,
    )


def _of_take(take: Said, blocks: list[bytes]) -> Iterator[str]:
    """Why what this take plays is not just what its file holds."""
    if exact(take.word(b"PLAYRATE", 1, "1")) != 1:
        yield f"plays at {take.word(b'PLAYRATE', 1)} times its speed"
    if exact(take.word(b"PLAYRATE", 3, "0")) != 0:
        yield f"is pitched by {take.word(b'PLAYRATE', 3)} semitones"
    if b"SM" in take:
        yield "has stretch markers"
    for name in blocks:
        if name not in _PLAIN_BLOCKS:
            yield "has effects of its own" if name == b"<TAKEFX" else f"has a {name[1:].decode(errors='replace')} of its own"


def placed(folder: Path, word: str) -> Path | None:
    """The path that a word means to a project in `folder`, whichever system wrote it, whether or not anything lies there.

    None where it cannot be on this system: a drive or a network share of Windows elsewhere, a path from the root on Windows.
    """
    path = folder / word
    if _exists(path):
        return path
    if os.name == "nt":
        return None if word.startswith("/") and not word.startswith("//") else path
    return None if PureWindowsPath(word).drive else folder / word.replace("\\", "/")


def found_file(folder: Path, word: str) -> Path | None:
    """The file that a word names from a project's folder; None where there is none."""
    path = placed(folder, word)
    try:
        return path if path is not None and path.is_file() else None
    except (OSError, ValueError):  # too long for a name, or a NUL in it
        return None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
