"""Compressed sound by its frames and pages: where one stream ends and the next begins, and whether the last one is whole.

MP3s, Oggs and FLACs that were joined play as one and are read as one: each part is decoded by itself, so that each loses its
own encoder's delay and nothing else. Lengths in headers are not asked: every frame is looked at.
Sources: ISO 11172-3 and 13818-3 (MPEG audio), the Xing and LAME headers, ISO 13818-7 (ADTS), RFC 3533 (Ogg), RFC 9639 (FLAC).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from host_bridge.sound.layout import ENDS_EARLY, Coded, Flac, Layout, Span, after_id3, bytes_at, cut_off

_BUFFER = 1 << 20
SEARCHED = 1 << 17
"""How far into a file the first frame is looked for where FFmpeg says that there is one."""
_SURE = 3
"""So many frames, one right behind the other, are no chance."""
_MISSING = 0.01
"""A share of the frames that a Xing header names; less may be the fault of whoever wrote it, and is only spoken of."""
_STRAY = 1 << 10
VORBIS_BLOCK = 1 << 13
"""Samples of the longest block."""

_V1 = {
    3: (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    2: (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
}
_V2 = {
    3: (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    1: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""kbit/s by the bits for the layer: 3 is layer I, 1 is layer III."""
_RATES = (44_100, 48_000, 32_000)


class _Window:
    """A file's bytes at any place, of which a stretch is held."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self.size, self._at, self._held = file, size, 0, b""

    def __call__(self, at: int, count: int) -> bytes:
        if not (self._at <= at and at + count <= self._at + len(self._held)):
            self._at, self._held = at, bytes_at(self._file, at, max(count, _BUFFER))
        return self._held[at - self._at : at - self._at + count]


def mpeg_frame(head: bytes) -> int:
    """The bytes of the MPEG audio frame (layers I to III) that begins so, 0 where none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, speed = head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or layer == 0 or rate == 3 or speed in {0, 15}:
        return 0
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * (_V1 if version == 3 else _V2)[layer][speed]
    padded = head[2] >> 1 & 1
    if layer == 3:
        return (12 * bits // hertz + padded) * 4
    return (72 if layer == 1 and version != 3 else 144) * bits // hertz + padded


def adts_frame(head: bytes) -> int:
    """The bytes of the AAC frame that begins so, 0 where none does."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[2] >> 2 & 15 > 12:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length >= 7 else 0


@dataclass(slots=True)
class _Run:
    """Frames that follow each other without anything between them."""

    begin: int
    end: int
    frames: int = 0
    promised: int | None = None


def _first(at: Callable[[int, int], bytes], size: int, begin: int, reach: int, frame: Callable[[bytes], int]) -> int | None:
    """Where the first of a few frames in a row begins, from `begin` on, at most `reach` bytes further."""
    for place in range(begin, min(begin + reach, size - 4)):
        if at(place, 1) == b"\xff" and frame(at(place, 8)):
            behind, found = place, 0
            while found < _SURE and behind < size and (length := frame(at(behind, 8))):
                behind, found = behind + length, found + 1
            if found == _SURE or (found and behind == size):
                return place
    return None


def _promised(at: Callable[[int, int], bytes], begin: int) -> int | None:
    """How many frames follow this one, by its Xing, Info or VBRI header; None: it is none; 0: it does not say."""
    head = at(begin, 4)
    mono, first = head[3] >> 6 == 3, head[1] >> 3 & 3 == 3
    place = begin + 4 + ((17 if mono else 32) if first else (9 if mono else 17))
    said = at(place, 12)
    if said[:4] in {b"Xing", b"Info"} and len(said) == 12:
        return int.from_bytes(said[8:], "big") if said[7] & 1 else 0
    said = at(begin + 36, 18)
    return int.from_bytes(said[14:18], "big") if said[:4] == b"VBRI" else None


def _tag(at: Callable[[int, int], bytes], begin: int, size: int) -> int:
    """Where a tag that begins here ends; `begin` where there is none."""
    head = at(begin, 32)
    if head[:3] == b"ID3" and len(head) >= 10 and not any(byte & 0x80 for byte in head[6:10]):
        return begin + 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    if head[:3] == b"TAG":
        return min(begin + 128, size)
    if head[:8] == b"APETAGEX" and len(head) >= 24:
        return begin + int.from_bytes(head[12:16], "little") + (32 if head[23] & 0xA0 == 0xA0 else 0)
    if head[:11] == b"LYRICSBEGIN":
        found = at(begin, 1 << 16).find(b"LYRICS200")
        return begin + found + 9 if found > 0 else begin
    return begin


def _runs(
    at: Callable[[int, int], bytes], begin: int, size: int, frame: Callable[[bytes], int]
) -> tuple[list[_Run], int, bool]:
    """All frames from the first one on, in runs; the bytes that are neither frames nor tags; whether the last one is cut."""
    runs, place, stray, mpeg = [_Run(begin, begin)], begin, 0, frame is mpeg_frame
    while place < size:
        head = at(place, 8)
        if length := frame(head):
            if place + length > size:
                return runs, stray, True
            run = runs[-1]
            if mpeg and (promised := _promised(at, place)) is not None:
                if run.frames:
                    runs.append(run := _Run(place, place))
                run.promised, run.frames = promised, -1  # the header itself is no sound
            run.frames, run.end = run.frames + 1, place + length
            place += length
            continue
        behind = _tag(at, place, size)
        if behind == place:
            found = _first(at, size, place + 1, size, frame)
            behind = size if found is None else found
            stray += behind - place
        place = behind
        if place < size and runs[-1].end > runs[-1].begin:
            runs.append(_Run(place, place))
        elif place < size:
            runs[-1].begin = place
    return [run for run in runs if run.end > run.begin], stray, False


def frames(path: Path, file: BinaryIO, size: int, reach: int = 1) -> Coded | None:
    """MPEG audio or ADTS that begins within `reach` bytes, behind tags and zeros; None where neither does. Raises BadAudio."""
    at, begin = _Window(file, size), after_id3(file, 0)
    head = at(begin, SEARCHED)
    begin += len(head) - len(head.lstrip(b"\0"))
    for frame, name in ((mpeg_frame, "mp3"), (adts_frame, "aac")):
        first = _first(at, size, begin, reach, frame)
        if first is None:
            continue
        runs, stray, ends_early = _runs(at, first, size, frame)
        if not runs:
            continue
        notes = [ENDS_EARLY.format(name=path.name)] if ends_early else []
        lost = [(run.promised - run.frames, run.promised) for run in runs if run.promised and run.promised > run.frames]
        if any(missing > 1 and missing > _MISSING * promised for missing, promised in lost):
            raise cut_off(path)
        if any(missing > 1 for missing, _ in lost) and not ends_early:
            notes.append(f"{path.name} holds a little less sound than its header names: it may be cut off.")
        if stray >= _STRAY:
            notes.append(
                f"{path.name} holds {stray} bytes between its frames that are no sound: something may be missing there."
            )
        return Coded(tuple((run.begin, run.end) for run in runs), name, notes=tuple(notes))
    return None


def ogg(path: Path, file: BinaryIO, size: int) -> Layout:
    """Ogg, page by page: chained streams are parts. Raises BadAudio where a page is missing or cut off."""
    at, place, begins, sounding, ended = _Window(file, size), 0, [0], False, True
    lengths: list[int | None] = []
    vorbis, granule = False, -1
    numbers: dict[int, int] = {}
    while place < size:
        head = at(place, 27 + 255)
        if head[:4] != b"OggS":
            behind = _tag(at, place, size)
            if behind == place:
                if not sounding or (size - place < 4 and not head.strip(b"\0")):
                    break
                raise cut_off(path)
            place = behind
            continue
        if len(head) < 27 or len(head) < 27 + head[26]:
            raise cut_off(path)
        length = 27 + head[26] + sum(head[27 : 27 + head[26]])
        if place + length > size:
            raise cut_off(path)
        serial, number = struct.unpack("<II", head[14:22])
        if head[5] & 2:
            if sounding:
                begins.append(place)
                lengths.append(granule if vorbis else None)
                numbers.clear()
            sounding, vorbis, granule = False, at(place + 28, 7) == b"\1vorbis" and not numbers, -1
        else:
            sounding = True
            if serial in numbers and number != numbers[serial] + 1:
                raise cut_off(path)
        ended, granule = bool(head[5] & 4), int.from_bytes(head[6:14], "little", signed=True)
        numbers[serial] = number
        place += length
    lengths.append(granule if vorbis else None)
    notes = () if ended else (f"{path.name} ends without the mark of its end: it may be cut off.",)
    return Coded(tuple(zip(begins, [*begins[1:], place], strict=True)), "ogg", tuple(lengths), VORBIS_BLOCK, notes)


def flac(_path: Path, file: BinaryIO, size: int) -> Layout:
    """FLAC, alone, joined, or as a stream that does not say how long it is."""
    begin = after_id3(file, 0)
    begins = [begin]
    mark, place, held = b"fLaC\0\0\0\x22", begin + 4, b""
    while block := bytes_at(file, place, _BUFFER):
        window = held + block
        found = window.find(mark)
        while found >= 0:
            begins.append(place - len(held) + found)
            found = window.find(mark, found + 1)
        place, held = place + len(block), window[-len(mark) + 1 :]
    spans = tuple(zip(begins, [*begins[1:], size], strict=True))
    total = int.from_bytes(bytes_at(file, begin + 21, 5), "big") & 0xFFFFFFFFF  # STREAMINFO's 36 bits
    if len(spans) == 1 and total and not _goes_on(file, spans[0], total):
        return Flac(spans[0])
    return Coded(spans, "flac")


def _goes_on(file: BinaryIO, span: Span, total: int) -> bool:
    """Whether the last frame of a FLAC lies beyond the samples that its header promises."""
    smallest, largest = struct.unpack(">HH", bytes_at(file, span[0] + 8, 4))
    tail = bytes_at(file, max(span[0], span[1] - SEARCHED), SEARCHED)
    place = tail.rfind(b"\xff")
    while place >= 0:
        head = tail[place : place + 16]
        if len(head) == 16 and head[1] in {0xF8, 0xF9} and (number := _frame_number(head)) is not None:
            return number * (1 if head[1] == 0xF9 else max(smallest, largest)) >= total
        place = tail.rfind(b"\xff", 0, place)
    return False


def _frame_number(head: bytes) -> int | None:
    """The number of a FLAC frame, or of its first sample, coded like UTF-8; None where its checksum is wrong."""
    ones = 8 - (~head[4] & 0xFF).bit_length()
    more = max(0, ones - 1)
    if ones in {1, 8} or any(byte & 0xC0 != 0x80 for byte in head[5 : 5 + more]):
        return None
    number = head[4] & (0x7F if not ones else 0x7F >> ones)
    for byte in head[5 : 5 + more]:
        number = number << 6 | byte & 0x3F
    end = 5 + more + {6: 1, 7: 2}.get(head[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    check = 0
    for byte in head[:end]:
        check ^= byte
        for _ in range(8):
            check = (check << 1 ^ (0x107 if check & 0x80 else 0)) & 0xFF
    return number if check == head[end] else None


def boxes(path: Path, file: BinaryIO, size: int) -> Layout:
    """MP4, M4A and QuickTime: every box must be there. Raises BadAudio."""
    place = 0
    while place + 8 <= size:
        said, name = struct.unpack(">I4s", bytes_at(file, place, 8))
        said = int.from_bytes(bytes_at(file, place + 8, 8), "big") if said == 1 else said
        if said == 0:  # to the end
            break
        if place + said > size and name in {b"mdat", b"moov", b"moof"}:
            raise cut_off(path)
        place += max(said, 8)
    return Coded(((0, size),))


def matroska(path: Path, file: BinaryIO, size: int) -> Layout:
    """Matroska and WebM: the segment must be there, where it says its size. Raises BadAudio."""
    head = bytes_at(file, 0, 4096)
    length, place = _ebml(head, 4)
    place += length
    if head[place : place + 4] == b"\x18\x53\x80\x67":
        said, body = _ebml(head, place + 4)
        if said != (1 << 7 * (body - place - 4)) - 1 and body + said > size:
            raise cut_off(path)
    return Coded(((0, size),))


def _ebml(head: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    width = 9 - head[at].bit_length() if head[at : at + 1] and head[at] else 8
    return int.from_bytes(head[at : at + width], "big") & ((1 << 7 * width) - 1), at + width


def by_content(path: Path, file: BinaryIO, size: int) -> Layout | None:
    """What a file holds that is made of frames, pages or boxes; None for what is not known here. Raises BadAudio."""
    head = bytes_at(file, after_id3(file, 0), 12)
    if head[:4] == b"fLaC":
        return flac(path, file, size)
    if head[:4] == b"OggS":
        return ogg(path, file, size)
    if head[4:8] in {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}:
        return boxes(path, file, size)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return matroska(path, file, size)
    return None
