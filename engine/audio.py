"""Reading sound: one scan that finds out whether a file can be used, then block after block of the region asked for."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soxr  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray

from host_bridge.errors import BadAudio, BadRequest
from host_bridge.sound import AudioFile, audio_file
from host_bridge.vocabulary import Hertz, Progress, Samples, quietly

_VALUES = 1 << 19
"""How many numbers are read at once while scanning, over all channels: 4 MiB."""

_LARGEST = np.finfo(np.float32).max
"""Beyond it lies infinity in the files that we write."""

_CANCELLING = 0.1
"""Channels whose mean keeps less than this share of their mean energy are out of phase."""

LOWEST_HZ = 20.0
"""What lies below it nobody hears: an offset, rumble. The model does not hear it either, and no stem gets it."""


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
    mean: NDArray[np.float64]
    """(channels,) of the region: its offset."""
    fold: NDArray[np.float64]
    """(channels,) weights that make the mono signal which a mono model hears."""
    file: AudioFile
    """How it is read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what may be missing of the file, where its format cannot tell."""
        return self.file.notes

    def blocks(self, size: int, around: int = 0) -> Iterator[tuple[Samples, NDArray[np.float64]]]:
        """The region in steps of `size` samples: each position in it, and (n + 2 around, channels) samples that reach
        from `position - around` to `position + n + around`, zeros where the region does not.

        n is `size`, less at the end. In float64, which holds every PCM and float format without rounding, so that mix
        minus stems loses nothing. Reads once, forwards, and holds a block at a time. Raises BadAudio when the file has
        changed since it was scanned.
        """
        with self.file.opened() as reader:
            held = np.zeros((around, self.channels))
            at, end = int(self.start), self.start + self.length
            for position in range(0, self.length, size):
                n = min(size, self.length - position)
                wanted = n + 2 * around - len(held)
                read = reader.read(at, min(wanted, end - at))
                at += len(read)
                block = np.concatenate([held, read, np.zeros((wanted - len(read), self.channels))])
                held = block[n:].copy()
                yield Samples(position), block


def open_source(
    path: Path, start_s: float | None = None, length_s: float | None = None, progress: Progress = quietly
) -> Source:
    """Scan a file once and find the region of `length_s` seconds from `start_s` on; None: from the start, to the end.

    A length beyond the end is cut there. The whole file must be sound, but only the region must be free of NaN.
    Raises BadAudio for what cannot be used, BadRequest for a region that is not in the file, CannotWrite where there is no
    room to decode it, and Cancelled through `progress`.
    """
    if start_s is not None and not (math.isfinite(start_s) and start_s >= 0):
        raise BadRequest(f"A region cannot start at {start_s} s.", "Give a start of 0 s or more.")
    if length_s is not None and not (math.isfinite(length_s) and length_s > 0):
        raise BadRequest(f"A region cannot be {length_s} s long.", "Give a length above 0 s.")
    file = audio_file(path, progress)
    with path.open("rb") as raw:
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    start = Samples(round(Fraction(start_s or 0) * file.rate))
    if start >= file.samples:
        raise BadRequest(
            f"A region cannot start at {start_s} s: {path.name} ends at {file.samples / file.rate:.3f} s.",
            "Start before its end.",
        )
    end = file.samples if length_s is None else min(file.samples, start + max(1, round(Fraction(length_s) * file.rate)))
    peak, mean, fold = _scan(file, start, Samples(end))
    length = Samples(end - start)
    return Source(path, file.rate, file.channels, file.samples, start, length, sha256, peak, mean, fold, file)


def heard(source: Source, rate: Hertz) -> Iterator[NDArray[np.float32]]:
    """The region as a mono model hears it: folded, at `rate`, in pieces (n,), without what lies below `LOWEST_HZ`; lengths as
    `resampled` says."""
    mono = (((block - source.mean) @ source.fold).astype(np.float32) for _, block in source.blocks(1 << 16))
    return audible(resampled(mono, source.rate, rate), rate)


def heard_by(source: Source, rate: Hertz, channels: int) -> Iterator[NDArray[np.float32]]:
    """The region as a model of so many channels hears it, in pieces (n, channels): as it is where it has as many, else
    folded, on each of them alike."""
    if channels == source.channels > 1:
        blocks = ((block - source.mean).astype(np.float32) for _, block in source.blocks(1 << 16))
        return audible(resampled(blocks, source.rate, rate, channels), rate)
    return (np.repeat(piece[:, None], channels, 1) for piece in heard(source, rate))


def audible(pieces: Iterable[NDArray[np.float32]], rate: Hertz) -> Iterator[NDArray[np.float32]]:
    """Pieces (n,) or (n, channels) without what lies below `LOWEST_HZ`: a Butterworth high-pass of the second order.

    A constant offset is better taken away before, for the filter hears it begin.
    """
    from scipy import signal

    if rate <= 2 * LOWEST_HZ:
        yield from (np.zeros_like(piece) for piece in pieces)
        return
    sections = signal.butter(2, LOWEST_HZ, "highpass", fs=rate, output="sos")
    state: NDArray[np.float64] | None = None
    for piece in pieces:
        if state is None:
            state = np.zeros((len(sections), 2, *piece.shape[1:]))
        made, state = signal.sosfilt(sections, piece, axis=0, zi=state)
        yield made.astype(np.float32)


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


def _scan(file: AudioFile, start: Samples, end: Samples) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Read all that is not known to be there: the peak, the mean and the fold of what lies in [start, end).

    Raises BadAudio for numbers that are no sound, and where a file ends before its end.
    """
    channels, step = file.channels, max(1, _VALUES // file.channels)
    first, last = (0, file.samples) if file.is_promise else (start, end)
    peak, mean_energy, sums, energies = 0.0, 0.0, np.zeros(channels), np.zeros(channels)
    with file.opened() as reader:
        for at in range(first, last, step):
            block = reader.read(at, min(step, last - at))
            inside = block[max(0, start - at) : max(0, end - at)]
            finite = (np.abs(inside) <= _LARGEST).all(axis=1)  # NaN is not
            if not finite.all():
                when_s = (max(start, at) + int(np.argmin(finite))) / file.rate
                raise BadAudio(
                    f"{file.path.name} holds numbers that are no sound (NaN or infinite) at {when_s:.3f} s.",
                    "Render it again, or take a region without that place.",
                )
            peak = max(peak, float(np.abs(inside).max(initial=0)))
            sums += inside.sum(axis=0)
            energies += np.square(inside).sum(axis=0)
            mean_energy += float(np.square(inside.mean(axis=1)).sum())
    fold = np.full(channels, 1 / channels)
    if mean_energy < _CANCELLING * energies.mean():
        fold = np.eye(channels)[np.argmax(energies)]
    return peak, sums / (end - start), fold
