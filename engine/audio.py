"""Reading sound: one scan that finds out whether a file can be used, then block after block of the region asked for."""

import hashlib
import math
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray

from host_bridge.errors import BadAudio, BadRequest
from host_bridge.vocabulary import Hertz, Samples

_VALUES = 1 << 19
"""How many numbers are decoded at once while scanning, over all channels: 4 MiB."""

_ENDLESS = (1 << 63) - 1
"""libsndfile's length of a FLAC stream whose header leaves the length open."""

_LARGEST = np.finfo(np.float32).max
"""Beyond it lies infinity in the files that we write."""

_CANCELLING = 0.1
"""Channels whose mean keeps less than this share of their mean energy are out of phase."""


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A file read from front to back. soundfile seeks after each read, which endless FLAC does not survive."""

    def seekable(self) -> bool:
        """No; `seek` itself still works where libsndfile's is exact."""
        return False


@dataclass(frozen=True, slots=True)
class Source:
    """A region of an audio file that was found fit for use. Positions and lengths are in samples at `rate`."""

    path: Path
    rate: Hertz
    channels: int
    samples: Samples
    """Of the whole file, as decoded."""
    start: Samples
    length: Samples
    """Of the region, at least 1."""
    sha256: str
    """Of the file's bytes."""
    peak: float
    """The largest magnitude in the region; full scale is 1."""
    fold: NDArray[np.float64]
    """(channels,) weights that make the mono signal which a mono model hears."""

    def blocks(self, size: int, around: int = 0) -> Iterator[tuple[Samples, NDArray[np.float64]]]:
        """The region in steps of `size` samples: each position in it, and (n + 2 around, channels) samples that reach
        from `position - around` to `position + n + around`, zeros where the region does not.

        n is `size`, less at the end. In float64, which holds every PCM and float format without rounding, so that mix
        minus stems loses nothing. Reads once, forwards, and holds a block at a time. Raises BadAudio when the file has
        changed since it was scanned.
        """
        with _opened(self.path) as file:
            _skip(file, self.start)
            held = np.zeros((around, self.channels))
            left = int(self.length)
            for position in range(0, self.length, size):
                n = min(size, self.length - position)
                wanted = n + 2 * around - len(held)
                read = file.read(min(wanted, left), dtype="float64", always_2d=True)
                if len(read) < min(wanted, left):
                    raise BadAudio(f"{self.path.name} changed while it was read.", "Let it be, and try again.")
                left -= len(read)
                block = np.concatenate([held, read, np.zeros((wanted - len(read), self.channels))])
                held = block[n:].copy()
                yield Samples(position), block


def open_source(path: Path, start_s: float | None = None, length_s: float | None = None) -> Source:
    """Scan a file once and find the region of `length_s` seconds from `start_s` on; None: from the start, to the end.

    A length beyond the end is cut there. The whole file must be sound, but only the region must be free of NaN.
    Raises BadAudio for what cannot be used, BadRequest for a region that is not in the file.
    """
    if start_s is not None and not (math.isfinite(start_s) and start_s >= 0):
        raise BadRequest(f"A region cannot start at {start_s} s.", "Give a start of 0 s or more.")
    if length_s is not None and not (math.isfinite(length_s) and length_s > 0):
        raise BadRequest(f"A region cannot be {length_s} s long.", "Give a length above 0 s.")
    look(path)
    with path.open("rb") as raw:
        _refuse_cut_off(path, raw)
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    with _opened(path) as file:
        rate, channels = Hertz(file.samplerate), int(file.channels)
        start = Samples(round(Fraction(start_s or 0) * rate))
        end = _ENDLESS if length_s is None else start + max(1, round(Fraction(length_s) * rate))
        samples, peak, fold = _scan(path, file, start, end)
        if samples < file.frames and _is_promise(file, path, samples):
            raise _cut_off(path)
    if samples == 0:
        raise BadAudio(f"{path.name} holds no sound.", "Export it again from where it was made.")
    if start >= samples:
        raise BadRequest(
            f"A region cannot start at {start_s} s: {path.name} ends at {samples / rate:.3f} s.",
            "Start before its end.",
        )
    length = Samples(min(end, samples) - start)
    return Source(path, rate, channels, samples, start, length, sha256, peak, fold)


def heard(source: Source, rate: Hertz) -> Iterator[NDArray[np.float32]]:
    """The region as a mono model hears it: folded, at `rate`, in pieces (n,); lengths as `resampled` says."""
    mono = ((block @ source.fold).astype(np.float32) for _, block in source.blocks(1 << 16))
    return resampled(mono, source.rate, rate)


def heard_by(source: Source, rate: Hertz, channels: int) -> Iterator[NDArray[np.float32]]:
    """The region as a model of so many channels hears it, in pieces (n, channels): as it is where it has as many, else
    folded, on each of them alike."""
    if channels == source.channels > 1:
        blocks = (block.astype(np.float32) for _, block in source.blocks(1 << 16))
        return resampled(blocks, source.rate, rate, channels)
    return (np.repeat(piece[:, None], channels, 1) for piece in heard(source, rate))


def resampled(
    pieces: Iterable[NDArray[np.float32]], source: Hertz, target: Hertz, channels: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """Pieces (n,), or (n, channels) where a number is given, at another rate, without lag: sample k of the result is the
    moment k / target.

    N samples become ceil(N target / source). soxr rounds to nearest and makes nothing of a very short sound, so silence
    follows the last piece, and what is too many is cut. At equal rates the samples stay as they are.
    """
    if source == target:
        yield from pieces
        return
    stream = soxr.ResampleStream(source, target, channels or 1, dtype="float32", quality="VHQ")
    taken = given = 0
    for piece in pieces:
        taken += len(piece)
        made = stream.resample_chunk(piece)
        given += len(made)
        if len(made):
            yield made
    missing = math.ceil(taken * target / source) - given
    length = math.ceil(source / target) + 1
    silence = np.zeros(length if channels is None else (length, channels), np.float32)
    yield stream.resample_chunk(silence, last=True)[:missing]


def look(path: Path) -> None:
    """Raise BadAudio for whatever is not a file with something in it, without opening it: a pipe would hang."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise BadAudio(f"{path} does not exist.", "Check the name and the folder.") from None
    except (OSError, ValueError) as error:
        raise BadAudio(f"{path} cannot be read: {error}.", "Check its name and its permissions.") from error
    if stat.S_ISDIR(found.st_mode):
        raise BadAudio(f"{path} is a folder.", "Name an audio file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise BadAudio(f"{path} is a pipe or a device, not a file.", "Save the sound to a file first.")
    if found.st_size == 0:
        raise BadAudio(f"{path.name} is empty.", "Export it again from where it was made.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise BadAudio(f"{path.name} cannot be read: {error.strerror}.", "Check its permissions.") from error


@contextmanager
def _opened(path: Path) -> Iterator[_Forward]:
    """The file, open; whatever libsndfile finds wrong with it from then on is BadAudio."""
    try:
        file = _Forward(os.fsencode(path))
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: headerless .raw
        raise BadAudio(
            f"{path.name} is not audio that can be read, or its beginning is damaged.",
            "Convert it to WAV, FLAC, AIFF, OGG or MP3.",
        ) from error
    try:
        with file:
            yield file
    except soundfile.LibsndfileError as error:
        raise _cut_off(path) from error


def _cut_off(path: Path) -> BadAudio:
    return BadAudio(f"{path.name} is cut off or damaged: its sound ends too soon.", "Copy or export it again.")


def _skip(file: _Forward, start: Samples) -> None:
    """Go to `start`: by a seek where samples lie side by side, by reading where a seek may miss."""
    if file.format != "FLAC" and file.subtype.startswith(("PCM", "FLOAT", "DOUBLE")):
        file.seek(start)
        return
    step = max(1, _VALUES // file.channels)
    for at in range(0, start, step):
        file.read(min(step, start - at), dtype="float64")


def _scan(path: Path, file: _Forward, start: Samples, end: int) -> tuple[Samples, float, NDArray[np.float64]]:
    """Decode everything: samples in the file, and the peak and the fold of what lies in [start, end)."""
    channels = file.channels
    step = max(1, _VALUES // channels)
    at, peak, energies, mean_energy = 0, 0.0, np.zeros(channels), 0.0
    while len(block := file.read(step, dtype="float64", always_2d=True)):
        inside = block[max(0, start - at) : max(0, end - at)]
        finite = (np.abs(inside) <= _LARGEST).all(axis=1)  # NaN is not
        if not finite.all():
            when_s = (max(start, at) + int(np.argmin(finite))) / file.samplerate
            raise BadAudio(
                f"{path.name} holds numbers that are no sound (NaN or infinite) at {when_s:.3f} s.",
                "Render it again, or take a region without that place.",
            )
        peak = max(peak, float(np.abs(inside).max(initial=0)))
        energies += np.square(inside).sum(axis=0)
        mean_energy += float(np.square(inside.mean(axis=1)).sum())
        at += len(block)
    fold = np.full(channels, 1 / channels)
    if mean_energy < _CANCELLING * energies.mean():
        fold = np.eye(channels)[np.argmax(energies)]
    return Samples(at), peak, fold


def _is_promise(file: _Forward, path: Path, samples: Samples) -> bool:
    """Whether a file of which `samples` were decoded really said that it holds more.

    An endless FLAC did not. An MP3 did only in a Xing or Info header, and within 1 %: without one, libsndfile guesses
    from the bitrate of the first frame.
    """
    if file.format != "MP3":
        return bool(file.frames != _ENDLESS)
    with path.open("rb") as raw:
        head = raw.read(10)
        if head[:3] == b"ID3":  # a tag that may hold pictures; its size is four times 7 bits
            raw.seek(10 + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
        head = raw.read(1024)
    return (b"Xing" in head or b"Info" in head) and bool(samples < 0.99 * file.frames)


def _refuse_cut_off(path: Path, file: BinaryIO) -> None:
    """Raise BadAudio where the header of a WAV, AIFF, CAF or OGG file promises bytes that are not there, then rewind.

    libsndfile shortens such files in silence. Sizes of 0 and of all ones are those of streams, and promise nothing.
    """
    size = path.stat().st_size
    kind = file.read(12)[:4]
    if kind in _CHUNKED:
        first, layout, sound = _CHUNKED[kind]
        head = struct.Struct(layout)
        at, wide = first, 0
        while at + head.size <= size:
            file.seek(at)
            name, said = head.unpack(file.read(head.size))
            at += head.size
            if name == b"ds64":
                wide = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))[0]
            if name == sound:
                said = wide if kind in {b"RF64", b"BW64"} and said == 0xFFFFFFFF else said
                if said not in {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF} and at + said > size:
                    raise _cut_off(path)
                break
            at += said + (0 if kind == b"caff" else said % 2)
    elif kind == b"OggS":
        file.seek(max(0, size - 66_000))  # a page is at most 65307 bytes
        tail = file.read()
        page = tail[tail.rfind(b"OggS") :]
        if len(page) < 27 or len(page) < 27 + page[26] + sum(page[27 : 27 + page[26]]):
            raise _cut_off(path)
    file.seek(0)


_CHUNKED = {
    b"RIFF": (12, "<4sI", b"data"),
    b"RIFX": (12, ">4sI", b"data"),
    b"RF64": (12, "<4sI", b"data"),
    b"BW64": (12, "<4sI", b"data"),
    b"FORM": (12, ">4sI", b"SSND"),
    b"caff": (8, ">4sQ", b"data"),
}
"""First bytes -> where the chunks begin, how a chunk's name and size are laid out, which chunk holds the sound."""
