"""Splits long sound into overlapping windows, and joins the results with cross-fades (overlap-add) in a file.

Positions are frames of the backbone's grid. Fades of neighbours sum to one, so masks still sum to the mixture at every seam.
Results are on disk, so length costs no memory.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Block = NDArray[np.float32]

OVERLAP = 4
"""A window shares at least a quarter (1 / OVERLAP) of its length with the next."""


@dataclass(frozen=True, slots=True)
class ChunkLayout:
    """Where windows of `size` frames lie over a region of `frames` frames; the last one ends with it."""

    frames: int
    size: int

    @property
    def starts(self) -> list[int]:
        """First frame of each window, ascending; one window, reaching beyond the end, where the region is shorter."""
        last = max(self.frames - self.size, 0)
        return [*range(0, last, self.size - self.size // OVERLAP), last]

    def fades(self) -> Iterator[NDArray[np.float32]]:
        """The weight of each window's frames, (size,) per window; all weights over a frame sum to one."""
        starts = self.starts
        rises = [_rise(self.size, *pair) for pair in itertools.pairwise(starts)]
        for index, start in enumerate(starts):
            weight = np.ones(self.size, np.float32)
            if index:
                weight *= rises[index - 1][: self.size]
            if index < len(rises):
                step = starts[index + 1] - start
                weight[step:] *= 1 - rises[index][: self.size - step]
            yield weight


def _rise(size: int, before: int, after: int) -> NDArray[np.float32]:
    """The fade-in of the window at `after`: half a cosine in the middle of what it shares with the one at `before`."""
    shared = before + size - after
    length = min(shared, size // OVERLAP)
    rise = np.ones(size, np.float32)
    rise[: (shared - length) // 2] = 0
    bend = 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
    rise[(shared - length) // 2 : (shared - length) // 2 + length] = bend
    return rise


def cut_chunks(sound: Iterable[Block], layout: ChunkLayout, hop: int) -> Iterator[Block]:
    """Cut a stream of (n, channels) blocks into the layout's windows (channels, size x hop), zero-padded at the end."""
    stream, length = iter(sound), layout.size * hop
    kept, first = next(stream), 0
    for start in layout.starts:
        blocks = [kept[start * hop - first :]]
        while sum(map(len, blocks)) < length and (block := next(stream, None)) is not None:
            blocks.append(block)
        kept, first = np.concatenate(blocks), start * hop
        window = kept[:length].T
        yield np.pad(window, ((0, 0), (0, length - window.shape[1])))


class OverlapAddFile:
    """Results of all windows, overlap-added in a file: (slots, C, frames, M) float32.

    slots are prompts. Windows must be appended in the order of the layout, all of them before anything is read. Frames are
    written one after another as they become final; a memory map would turn a full disk into a crash.
    """

    def __init__(self, path: Path, layout: ChunkLayout, slots: int, channels: int, bands: int) -> None:
        self.layout, self._path, self._frame = layout, path, (slots, channels, bands)
        self._places = zip(layout.starts, [*layout.starts[1:], layout.starts[-1] + layout.size], layout.fades(), strict=True)
        self._open = np.zeros((layout.size, *self._frame), np.float32)
        path.write_bytes(b"")

    def append(self, window: NDArray[np.float32]) -> None:
        """Append the next window's result (slots, C, size, M). Raises OSError where the disk refuses it."""
        start, following, fade = next(self._places)
        self._open += np.moveaxis(window * fade[:, None], 2, 0)
        final = following - start
        with self._path.open("ab") as file:
            file.write(self._open[:final].tobytes())
        self._open = np.concatenate([self._open[final:], np.zeros((final, *self._frame), np.float32)])

    def read(self, first: int, last: int) -> NDArray[np.float32]:
        """Frames first..last, both counted, (slots, C, last - first + 1, M); beyond either end the edge's frame again."""
        frames = np.arange(first, last + 1).clip(0, self.layout.frames - 1)
        size = int(np.prod(self._frame))
        offset, count = 4 * size * int(frames[0]), size * int(frames[-1] - frames[0] + 1)
        values = np.fromfile(self._path, np.float32, count, offset=offset).reshape(-1, *self._frame)
        return np.moveaxis(values[frames - frames[0]], 0, 2)
