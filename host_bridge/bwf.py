"""Float32 WAV that knows where it came from: a `bext` chunk before the sound, and RF64 once it outgrows RIFF."""

import struct
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from host_bridge.errors import BadAudio, CannotWrite
from host_bridge.vocabulary import Hertz, Samples

RIFF_LIMIT = 0xFFFFFFFF
"""The largest size, in bytes, that a RIFF header can say. Beyond it the file is RF64 (EBU Tech 3306)."""

ORIGINATOR = "ZeroStem"

_ZERO = Samples(0)

_BEXT = struct.Struct("<256s32s32s10s8sQH64s190x")  # EBU Tech 3285, version 1, without a coding history
_DS64 = struct.Struct("<QQQI")
_TIME_REFERENCE = 338  # bytes into the bext chunk


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body


class Writer:
    """A WAV file written block by block: IEEE float (tag 3), `bext` before `data`, RF64 when it must be.

    `start` is where the first sample lies on the timeline, in samples at the file's own rate. `description` is kept in
    UTF-8 as far as 256 bytes go. The date is left blank: the same sound gives the same bytes. Used in a `with`, a file
    whose writing raised is removed again. Raises CannotWrite, also when something already lies at `path`.
    """

    def __init__(self, path: Path, rate: Hertz, channels: int, start: Samples = _ZERO, description: str = "") -> None:
        self.path, self.rate, self.channels = path, rate, channels
        words = description.encode()[:256].decode(errors="ignore").encode()
        self._bext = _BEXT.pack(words, ORIGINATOR.encode(), b"", b"", b"", start, 1, b"")
        self._frames = 0
        try:
            self._file: BinaryIO = path.open("xb")
            self._file.write(self._header())
        except OSError as error:
            raise self._refusal(error) from error

    def write(self, block: NDArray[np.floating]) -> None:
        """Append (n, channels) samples, full scale +-1; nothing is scaled or clipped. Raises CannotWrite."""
        if block.ndim != 2 or block.shape[1] != self.channels:
            raise ValueError(f"a block of shape {block.shape} for {self.channels} channels")
        try:
            self._file.write(np.ascontiguousarray(block, "<f4").data)
        except OSError as error:
            raise self._refusal(error) from error
        self._frames += len(block)

    def close(self) -> None:
        """Say in the header how long the sound has become. Raises CannotWrite."""
        if self._file.closed:
            return
        try:
            with self._file:  # closes it whatever happens
                self._file.seek(0)
                self._file.write(self._header())
        except OSError as error:
            raise self._refusal(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.close()
        except CannotWrite:
            self.path.unlink(missing_ok=True)
            if kind is None:
                raise
        if kind is not None:
            self.path.unlink(missing_ok=True)

    def _header(self) -> bytes:
        """Everything before the sound. Always as long: what is `ds64` in RF64 is `JUNK` in RIFF (EBU Tech 3306)."""
        width = 4 * self.channels
        data_size = self._frames * width
        layout = struct.pack("<HHIIHHH", 3, self.channels, self.rate, self.rate * width, width, 32, 0)
        head_size = 12 + (8 + _DS64.size) + (8 + _BEXT.size) + (8 + len(layout)) + (8 + 4) + 8
        size = head_size - 8 + data_size
        if size > RIFF_LIMIT:
            first = b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE"
            sizes = _chunk(b"ds64", _DS64.pack(size, data_size, self._frames, 0))
            frames = said = 0xFFFFFFFF
        else:
            first = b"RIFF" + struct.pack("<I", size) + b"WAVE"
            sizes = _chunk(b"JUNK", bytes(_DS64.size))
            frames, said = self._frames, data_size
        facts = _chunk(b"fmt ", layout) + _chunk(b"fact", struct.pack("<I", frames))
        return first + sizes + _chunk(b"bext", self._bext) + facts + b"data" + struct.pack("<I", said)

    def _refusal(self, error: OSError) -> CannotWrite:
        return CannotWrite(
            f"{self.path.name} cannot be written: {error.strerror or error}.",
            "Make room there, or choose another folder, and try again.",
        )


def time_reference(path: Path) -> Samples | None:
    """Where a WAV file (RIFF or RF64) says that it starts, in samples at its own rate; None where it does not say.

    Raises BadAudio for a file that cannot be read at all.
    """
    if not path.is_file():  # opening a pipe would wait for ever
        raise BadAudio(f"{path.name} is missing or not a file.", "Check the name and the folder.")
    try:
        with path.open("rb") as file:
            for name, size in _chunks(file):
                if name == b"bext" and size >= _TIME_REFERENCE + 8:
                    said = file.read(_TIME_REFERENCE + 8)[_TIME_REFERENCE:]
                    return Samples(int.from_bytes(said, "little")) if len(said) == 8 else None
    except OSError as error:
        raise BadAudio(f"{path.name} cannot be read: {error.strerror or error}.", "Check its permissions.") from error
    return None


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk, the file standing at its first byte; a 64-bit `data` size comes from `ds64`."""
    kind, _, form = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    if kind not in {b"RIFF", b"RF64", b"BW64"} or form != b"WAVE":
        return
    data_size = 0
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        at = file.tell()
        if name == b"ds64":
            data_size = int.from_bytes(file.read(16)[8:], "little")
            file.seek(at)
        elif name == b"data" and size == 0xFFFFFFFF:
            size = data_size
        yield name, size
        if size >= 1 << 62:  # a stream that does not say
            return
        file.seek(at + size + size % 2)
