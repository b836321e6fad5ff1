"""What looking into an audio file has found: plain samples at known bytes, or something to be decoded."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from host_bridge.errors import BadAudio
from host_bridge.vocabulary import Hertz

Span = tuple[int, int]
"""A stretch of a file, in bytes: its first, and the one after its last."""

ENDS_EARLY = "{name} ends within a sample or a frame: it may be cut off."
"""A note on formats that do not say how long they are."""


@dataclass(frozen=True, slots=True)
class Pcm:
    """Samples without compression, by libsndfile's names. spans: where they lie, in their order."""

    subtype: str
    endian: str
    rate: Hertz
    channels: int
    width: int
    """Bytes of one sample of all channels."""
    spans: tuple[Span, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Flac:
    """One FLAC stream that says how long it is: read in place."""

    span: Span


@dataclass(frozen=True, slots=True)
class Coded:
    """Compressed sound, or what is not known here. spans: parts that follow each other, each a whole stream by itself.

    format: FFmpeg's name of it, None: it finds out. lengths: how many samples each part really has, where its last block is
    padded, by less than `block` samples. sndfile: libsndfile decodes it better.
    """

    spans: tuple[Span, ...]
    format: str | None = None
    lengths: tuple[int | None, ...] = ()
    block: int = 0
    notes: tuple[str, ...] = ()
    sndfile: bool = False


Layout = Pcm | Flac | Coded


def cut_off(path: Path) -> BadAudio:
    """What is said of a file that holds less than it promises."""
    return BadAudio(f"{path.name} is cut off or damaged: its sound ends too soon.", "Copy or export it again.")


def bytes_at(file: BinaryIO, at: int, count: int) -> bytes:
    """Up to `count` bytes from `at` on."""
    file.seek(at)
    return file.read(count)


def after_id3(file: BinaryIO, at: int) -> int:
    """Where an ID3v2 tag that begins at `at` ends; `at` where there is none."""
    while (head := bytes_at(file, at, 10))[:3] == b"ID3" and len(head) == 10 and not any(byte & 0x80 for byte in head[6:]):
        at += 10 + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        at += 10 if head[5] & 0x10 else 0  # a footer
    return at
