"""WAV, RF64, Wave64, AIFF, CAF and AU by their headers: which bytes are samples, whatever the sizes in front of them say.

libsndfile reads all of these, but shortens in silence what is cut off, and stops at the first part of what was joined. So the
headers are read here, and libsndfile gets the samples alone.
Sources: Microsoft's and IBM's RIFF; EBU Tech 3306 (RF64); Sony's Wave64; Apple's AIFF-C and CAF; the AU of NeXT and Sun.
"""

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from host_bridge.errors import BadAudio
from host_bridge.sound.layout import ENDS_EARLY, Coded, Layout, Pcm, Span, bytes_at, cut_off
from host_bridge.vocabulary import Hertz

_PCM, _FLOAT, _ALAW, _ULAW, _EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_INTEGERS = {1: "PCM_S8", 2: "PCM_16", 3: "PCM_24", 4: "PCM_32"}
_FLOATS = {4: "FLOAT", 8: "DOUBLE"}
_ADPCM = {0x0002, 0x0011}
"""Their last block is padded, and `fact` says by how much."""
_RIFFS = {b"RIFF", b"RIFX", b"RF64", b"BW64"}
_UNKNOWN_64 = 1 << 62
"""Sizes from here on, all ones among them, are those of streams."""
_STRAY = 1 << 12
"""Bytes after the sound that belong to nothing: from so many on they are spoken of."""


def is_open_ended(said: int) -> bool:
    """Whether a 32-bit size is one that programs write who do not know it yet.

    All ones (FFmpeg), 0x7FFFF000 (SoX), 0x80000000 (arecord), 0x7F000000 (SoX's AIFF), and each less or more a header.
    """
    return any(
        low <= said <= high for low, high in ((0x7EFFFF00, 0x7F000100), (0x7FFF0000, 0x80000100), (0xFFFF0000, 0xFFFFFFFF))
    )


@dataclass(slots=True)
class _Format:
    """A `fmt ` chunk."""

    tag: int
    channels: int
    rate: int
    width: int
    bits: int
    block: int = 0
    """Samples in a block of ADPCM."""

    @classmethod
    def of(cls, body: bytes, order: str) -> "_Format":
        tag, channels, rate, _, width, bits = struct.unpack(order + "HHIIHH", body[:16].ljust(16, b"\0"))
        if tag == _EXTENSIBLE and len(body) >= 26:
            tag = struct.unpack(order + "H", body[24:26])[0]
        block = struct.unpack(order + "H", body[18:20])[0] if tag in _ADPCM and len(body) >= 20 else 0
        return cls(tag, channels, rate, width, bits, block)

    def subtype(self, path: Path) -> str | None:
        """libsndfile's name, None for what is compressed. Raises BadAudio where the numbers contradict each other."""
        if self.tag not in {_PCM, _FLOAT, _ALAW, _ULAW}:
            return None
        if not self.channels or not self.rate:
            raise BadAudio(
                f"{path.name} contradicts itself: its header names {self.channels} channels at {self.rate} Hz.",
                "Export it again from where it was made.",
            )
        each = -(-self.bits // 8)
        if not self.bits or self.width != each * self.channels:
            raise BadAudio(
                f"{path.name} contradicts itself: its header names {self.bits} bits a sample, "
                f"and {self.width} bytes for the samples of {self.channels} channels.",
                "Export it again from where it was made.",
            )
        if self.tag == _PCM:
            return "PCM_U8" if each == 1 else _INTEGERS.get(each)
        if self.tag == _FLOAT:
            return _FLOATS.get(each)
        return {_ALAW: "ALAW", _ULAW: "ULAW"}[self.tag] if each == 1 else None


@dataclass(slots=True)
class _Part:
    """One RIFF or Wave64 of a file, which may hold several, one after the other."""

    begin: int
    order: str = "<"
    format: _Format | None = None
    samples: int | None = None
    """What `fact` says."""
    wide: int | None = None
    """The 64-bit size of the sound in `ds64`."""
    spans: list[Span] = field(default_factory=list)
    open_ended: bool = False


def wav(path: Path, file: BinaryIO, size: int) -> Layout:
    """RIFF, RIFX, RF64 and BW64, also several of them one behind the other. Raises BadAudio."""
    parts, notes = list[_Part](), list[str]()
    at: int | None = 0
    while at is not None:
        part, following, stray = _riff(path, file, at, size)
        if stray >= _STRAY:
            notes.append(f"{path.name} goes on for {stray} bytes behind the sound that its header names: they are left out.")
        parts.append(part)
        at = following
    return _joined(path, parts, size, notes)


def w64(path: Path, file: BinaryIO, size: int) -> Layout:
    """Sony's Wave64: chunks named by 16 bytes, sizes of 64 bits that count the header as well. Raises BadAudio."""
    part, at = _Part(0), 40
    while at + 24 <= size:
        name, said = struct.unpack("<16sQ", bytes_at(file, at, 24))
        body, length = at + 24, said - 24
        if name[:4] == b"fmt ":
            part.format = _Format.of(bytes_at(file, body, 40), "<")
        elif name[:4] == b"fact":
            part.samples = int.from_bytes(bytes_at(file, body, 8), "little")
        elif name[:4] == b"data":
            if said in {0, 24} or said >= _UNKNOWN_64:
                length, part.open_ended = size - body, True
            if body + length > size:
                raise cut_off(path)
            part.spans.append((body, body + length))
        if length < 0:
            break
        at = body + length + -length % 8
    return _joined(path, [part], size, [])


def _riff(path: Path, file: BinaryIO, begin: int, size: int) -> tuple[_Part, int | None, int]:
    """One RIFF; where another begins behind it; and how many bytes behind the sound belong to nothing."""
    kind, said_whole = bytes_at(file, begin, 4), bytes_at(file, begin + 4, 4)
    order = ">" if kind == b"RIFX" else "<"
    whole = begin + 8 + struct.unpack(order + "I", said_whole)[0]
    part, at = _Part(begin, order), begin + 12
    while at + 8 <= size:
        name, said = struct.unpack(order + "4sI", bytes_at(file, at, 8))
        body = at + 8
        if part.spans and name in _RIFFS and bytes_at(file, at + 8, 4) == b"WAVE":
            return part, at, 0
        if not _is_name(name):
            return part, None, size - at
        if name == b"ds64":
            part.wide = int.from_bytes(bytes_at(file, body + 8, 8), "little")
        elif name == b"fmt ":
            part.format = _Format.of(bytes_at(file, body, min(said, 40)), order)
        elif name == b"fact":
            part.samples = struct.unpack(order + "I", bytes_at(file, body, 4).ljust(4, b"\0"))[0]
        elif name == b"data":
            said = _sound_bytes(path, file, part, (kind, whole, said), body, size)
            if said:
                part.spans.append((body, body + said))
        at = _behind(file, body, said)
    return part, None, 0


def _sound_bytes(path: Path, file: BinaryIO, part: _Part, told: tuple[bytes, int, int], body: int, size: int) -> int:
    """How many bytes of a `data` chunk that begins at `body` are sound. told: kind and end of the RIFF, size of the chunk."""
    kind, whole, said = told
    left = size - body
    if kind in {b"RF64", b"BW64"} and part.wide is not None and said in {0, 0xFFFFFFFF}:
        said = part.wide
        part.open_ended = left > 0 and (said == 0 or said >= _UNKNOWN_64)
    elif said == 0:  # a recorder that crashed has not come back to fill it in; an empty file has nothing behind it
        first = bytes_at(file, body, 4)
        rightly = (whole >= size - 1 and not is_open_ended(whole - 8 - part.begin)) or first in _RIFFS
        part.open_ended = left > 0 and not (rightly and (_is_name(first) or not left))
    else:
        said += max(0, left - said) >> 32 << 32  # larger than 32 bits can say, by a program that did not mind
        part.open_ended = said > left and is_open_ended(said)
    if part.open_ended:
        return left
    if said > left:
        raise cut_off(path)
    return said


def _joined(path: Path, parts: list[_Part], size: int, notes: list[str]) -> Layout:
    """All parts as one: as samples where they are of one kind, else to be decoded one after the other."""
    parts = [part for part in parts if part.format is not None and (part.spans or len(parts) == 1)] or parts[:1]
    first = parts[0].format
    if first is None:
        return Coded(((0, size),))
    subtype = first.subtype(path)
    if subtype is not None and all(part.format == first and part.order == parts[0].order for part in parts):
        spans = tuple(span for part in parts for span in part.spans)
        if any(part.open_ended and (part.spans[-1][1] - part.spans[-1][0]) % first.width for part in parts if part.spans):
            notes.append(ENDS_EARLY.format(name=path.name))
        order = "BIG" if parts[0].order == ">" else "LITTLE"
        return Pcm(subtype, order, Hertz(first.rate), first.channels, first.width, spans, tuple(notes))
    ends = [*(part.begin for part in parts[1:]), size]
    lengths = tuple(part.samples for part in parts) if first.tag in _ADPCM else ()
    spans = tuple((part.begin, end) for part, end in zip(parts, ends, strict=True))
    return Coded(spans, "wav", lengths, first.block, tuple(notes))


def _is_name(name: bytes) -> bool:
    return len(name) == 4 and all(0x20 <= byte < 0x7F for byte in name)


def _behind(file: BinaryIO, body: int, said: int) -> int:
    """Where the next chunk begins: after an odd size and its padding, which some programs forget."""
    end = body + said
    if said % 2 and not (_is_name(bytes_at(file, end, 4)) and not _is_name(bytes_at(file, end + 1, 4))):
        end += 1
    return end


def aiff(path: Path, file: BinaryIO, size: int) -> Layout:
    """AIFF and AIFF-C. Raises BadAudio."""
    whole, at = 8 + struct.unpack(">4xI", bytes_at(file, 0, 8))[0], 12
    common, span, open_ended = b"", None, False
    while at + 8 <= size:
        name, said = struct.unpack(">4sI", bytes_at(file, at, 8))
        body = at + 8
        if name == b"COMM":
            common = bytes_at(file, body, min(said, 22)).ljust(22, b"\0")
            common = common if said > 18 else common[:18] + b"NONE"
        elif name == b"SSND" and span is None:
            skipped = int.from_bytes(bytes_at(file, body, 4), "big")
            left = size - body
            open_ended = (said == 0 and whole < size and left > 8) or (said > left and is_open_ended(said - 8))
            said = left if open_ended else said
            if said > left:
                raise cut_off(path)
            span = (body + 8 + skipped, max(body + said, body + 8 + skipped))
        at = _behind(file, body, said)
    if not common or span is None:
        return Coded(((0, size),))
    channels, _, bits, exponent, mantissa, code = struct.unpack(">HIHHQ4s", common)
    subtype, order, each = _aiff_subtype(code, -(-bits // 8))
    rate = round(mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63)) if exponent & 0x7FFF < 16446 else 0
    if subtype is None or not channels or not rate:
        return Coded(((0, size),))
    return _plain(path, subtype, order, rate, channels, each * channels, span, open_ended)


def _aiff_subtype(code: bytes, each: int) -> tuple[str | None, str, int]:
    """libsndfile's name, the order of bytes, and the bytes of a sample, by AIFF-C's name of a compression."""
    fixed = {b"fl32": ("FLOAT", 4), b"fl64": ("DOUBLE", 8), b"ulaw": ("ULAW", 1), b"alaw": ("ALAW", 1), b"raw ": ("PCM_U8", 1)}
    if code.lower() in fixed:
        subtype, each = fixed[code.lower()]
        return subtype, "BIG", each
    if code in {b"NONE", b"twos", b"sowt", b"in24", b"in32"}:
        each = {b"in24": 3, b"in32": 4}.get(code, each)
        return _INTEGERS.get(each), "LITTLE" if code == b"sowt" else "BIG", each
    return None, "BIG", each


def caf(path: Path, file: BinaryIO, size: int) -> Layout:
    """Apple's Core Audio Format. Raises BadAudio."""
    at, described, span, open_ended = 8, b"", None, False
    while at + 12 <= size:
        name, said = struct.unpack(">4sQ", bytes_at(file, at, 12))
        body = at + 12
        if name == b"desc":
            described = bytes_at(file, body, 32)
        elif name == b"data":
            open_ended = said >= _UNKNOWN_64 or (said == 0 and size - body > 4)
            said = size - body if open_ended else said
            if body + said > size:
                raise cut_off(path)
            span = (body + 4, body + max(said, 4))
        at = body + said
    if len(described) < 32 or span is None:
        return Coded(((0, size),))
    rate, code, flags, packet, frames, channels, bits = struct.unpack(">d4sIIIII", described)
    if code in {b"ulaw", b"alaw"}:
        subtype, each = code.decode().upper(), 1
    elif code == b"lpcm" and channels and frames == 1:
        each = packet // channels
        subtype = (_FLOATS if flags & 1 else _INTEGERS).get(each, "")
    else:
        subtype, each = "", 0
    if not subtype or not channels or packet != each * channels or 8 * each < bits or not 1 <= rate < 1 << 31:
        return Coded(((0, size),), sndfile=code == b"alac")  # FFmpeg takes what the last packet lacks off twice
    return _plain(path, subtype, "LITTLE" if flags & 2 else "BIG", round(rate), channels, packet, span, open_ended)


def au(path: Path, file: BinaryIO, size: int) -> Layout:
    """NeXT's and Sun's AU, of either order. Raises BadAudio."""
    head = bytes_at(file, 0, 24)
    order = ">" if head[:4] == b".snd" else "<"
    begin, said, code, rate, channels = struct.unpack(order + "5I", head[4:].ljust(20, b"\0"))
    codes = {1: "ULAW", 2: "PCM_S8", 3: "PCM_16", 4: "PCM_24", 5: "PCM_32", 6: "FLOAT", 7: "DOUBLE", 27: "ALAW"}
    if code not in codes or not rate or not channels or begin > size:
        return Coded(((0, size),), sndfile=True)
    open_ended = is_open_ended(said) or (said == 0 and size > begin)
    if not open_ended and begin + said > size:
        raise cut_off(path)
    each = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}[code]
    span = (begin, size if open_ended else begin + said)
    return _plain(path, codes[code], "BIG" if order == ">" else "LITTLE", rate, channels, each * channels, span, open_ended)


def _plain(path: Path, subtype: str, order: str, rate: int, channels: int, width: int, span: Span, open_ended: bool) -> Pcm:
    ends_early = open_ended and (span[1] - span[0]) % width
    return Pcm(
        subtype, order, Hertz(rate), channels, width, (span,), (ENDS_EARLY.format(name=path.name),) if ends_early else ()
    )


def by_header(path: Path, file: BinaryIO, size: int) -> Layout | None:
    """What a file holds that begins like one of these; None for any other."""
    head = bytes_at(file, 0, 16)
    rows: tuple[tuple[bool, Callable[[Path, BinaryIO, int], Layout]], ...] = (
        (head[:4] in _RIFFS and head[8:12] == b"WAVE", wav),
        (head == b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", w64),
        (head[:4] == b"FORM" and head[8:12] in {b"AIFF", b"AIFC"}, aiff),
        (head[:4] == b"caff", caf),
        (head[:4] in {b".snd", b"dns."}, au),
    )
    found = next((read for fits, read in rows if fits), None)
    return None if found is None else found(path, file, size)


def size_of(file: BinaryIO) -> int:
    """The bytes of an open file."""
    return file.seek(0, os.SEEK_END)
