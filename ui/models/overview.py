"""The picture of a waveform at any zoom: the lowest and highest sample of every stretch, without the file in memory.

A file is read once, block by block, into peaks of `CELL` frames: 12 MB for an hour of stereo at 48 kHz. Coarser pictures are
made from these, finer ones from the file itself.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from host_bridge.sound import audio_file
from host_bridge.vocabulary import Progress, quietly
from ui.models.reading import File, Frames, Sound
from ui.models.region import Region

CELL = 256
"""Frames whose lowest and highest sample are kept."""
LEVEL = 16
"""Cells of one level that make one of the next."""
GULP = CELL * LEVEL * 64
"""Frames that are read at once: 5 s at 48 kHz."""

Peaks = NDArray[np.float32]
"""(channels, columns, 2): lowest and highest."""


class Overview:
    """Of a file, or of a region of one. Peaks may be asked for while another thread scans: what is not read yet is 0.

    Raises BadAudio.
    """

    def __init__(self, source: Path | Region) -> None:
        known = source.file if isinstance(source, Region) else None
        self._audio = known or audio_file(source.audio if isinstance(source, Region) else source)
        self._sound: Sound = source.sound() if isinstance(source, Region) else File(source, self._audio)
        self.path = source.audio if isinstance(source, Region) else source
        self._start = source.start if isinstance(source, Region) else 0
        self.rate, self.channels, self.frames = self._sound.rate, self._sound.channels, self._sound.frames
        self._levels = [np.zeros((self.channels, -(-self.frames // CELL), 2), np.float32)]
        while self._levels[-1].shape[1] > LEVEL:
            self._levels.append(np.zeros((self.channels, -(-self._levels[-1].shape[1] // LEVEL), 2), np.float32))
        self._read = 0

    @property
    def read_s(self) -> float:
        """How far it has been read, in seconds."""
        return self._read / self.rate

    @property
    def whole(self) -> bool:
        """Whether all of it has been read."""
        return self._read >= self.frames

    def scan(self, progress: Progress = quietly) -> None:
        """Read it all, once; again goes on where it was stopped. Raises BadAudio, and Cancelled through `progress`."""
        with self._audio.opened() as reader:
            while not self.whole:
                progress(self._read / self.frames, "reading")
                block = reader.read(self._start + self._read, min(GULP, self.frames - self._read))
                self._take(block.astype(np.float32))
        progress(1.0, "reading")

    def peaks(self, start_s: float, end_s: float, columns: int) -> Peaks:
        """(channels, columns, 2) of the stretch, each column the lowest and highest of its share; silence outside.

        The finest level whose cells are no wider than a column is used, below `CELL` frames a column the file itself.
        """
        edges = np.linspace(start_s * self.rate, end_s * self.rate, columns + 1)
        per_column = (edges[-1] - edges[0]) / columns
        if per_column < CELL:
            return self._fine(edges)
        level = min(int(np.log(per_column / CELL) / np.log(LEVEL)), len(self._levels) - 1)
        cells, width = self._levels[level], CELL * LEVEL**level
        first = np.floor(edges[:-1] / width).astype(np.int64)
        last = np.maximum(np.ceil(edges[1:] / width).astype(np.int64), first + 1)
        return _folded(cells, first, last)

    def _fine(self, edges: NDArray[np.float64]) -> Peaks:
        """From the samples: every column at least the sample below its left edge, so that the line is without gaps."""
        first = np.floor(edges[:-1]).astype(np.int64)
        last = np.maximum(np.ceil(edges[1:]).astype(np.int64), first + 1)
        begin = int(first[0])
        samples = self._sound.read(begin, int(last[-1]) - begin).T
        return _folded(np.stack([samples, samples], -1), first - begin, last - begin)

    def _take(self, block: Frames) -> None:
        """Fold the next stretch into every level. It begins at a whole cell of the second level."""
        at, count = self._read, len(block)
        padded = np.pad(block, ((0, -count % CELL), (0, 0)), mode="edge").T.reshape(self.channels, -1, CELL)
        fresh = np.stack([padded.min(2), padded.max(2)], -1)
        begin = at // CELL
        self._levels[0][:, begin : begin + fresh.shape[1]] = fresh
        for below, level in zip(self._levels, self._levels[1:], strict=False):
            first, end = begin // LEVEL, -(-(begin + fresh.shape[1]) // LEVEL)
            reach = below[:, first * LEVEL : end * LEVEL]
            fresh = _grouped(np.pad(reach, ((0, 0), (0, -reach.shape[1] % LEVEL), (0, 0)), mode="edge"))
            level[:, first:end] = fresh
            begin = first
        self._read = at + count


def _grouped(cells: Peaks) -> Peaks:
    """(channels, n, 2) -> (channels, n / LEVEL, 2)."""
    groups = cells.reshape(len(cells), -1, LEVEL, 2)
    return np.stack([groups[..., 0].min(2), groups[..., 1].max(2)], -1)


def _folded(cells: Peaks, first: NDArray[np.int64], last: NDArray[np.int64]) -> Peaks:
    """Of each column the lowest and highest of its cells, from `first` up to `last`; outside is silence."""
    count = cells.shape[1]
    inside = (last > 0) & (first < count)
    out = np.zeros((len(cells), len(first), 2), np.float32)
    if not inside.any():
        return out
    low, high = np.clip(first[inside], 0, count - 1), np.clip(last[inside], 1, count)
    marks = np.stack([low, np.minimum(high, count)], 1).ravel()
    guarded = np.pad(cells, ((0, 0), (0, 1), (0, 0)), mode="edge")  # reduceat takes no mark at the very end
    out[:, inside, 0] = np.minimum.reduceat(guarded[..., 0], marks, axis=1)[:, ::2]
    out[:, inside, 1] = np.maximum.reduceat(guarded[..., 1], marks, axis=1)[:, ::2]
    return out
