"""Sound on disk, read where it is needed: a few blocks are kept, never a whole file."""

import os
import weakref
from collections import OrderedDict
from contextlib import ExitStack, nullcontext
from pathlib import Path
from threading import RLock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from host_bridge.sound import AudioFile, Reader, audio_file
from host_bridge.vocabulary import Hertz, Samples

Frames = NDArray[np.float32]
"""(frames, channels), full scale +-1."""

BLOCK = 1 << 15
"""Frames that are read at once: two thirds of a second at 48 kHz."""
KEPT = 24
"""Blocks of one file in memory: 6 MB of stereo, enough for what is played, what comes next, and a loop of 16 s."""


class Sound(Protocol):
    """Something that can be played and drawn, whatever it is made of."""

    @property
    def rate(self) -> Hertz:
        """Frames per second."""
        ...

    @property
    def channels(self) -> int:
        """How many."""
        ...

    @property
    def frames(self) -> Samples:
        """How long it is."""
        ...

    def read(self, start: int, count: int) -> Frames:
        """(count, channels) from `start` on, which may lie anywhere: before and behind the sound is silence.

        Any thread may ask. The array is the asker's own.
        """
        ...


class File:
    """An audio file. Raises BadAudio where it cannot be read, CannotWrite where there is no room to decode it.

    audio: the same file, if it has been looked into before. held: stay open, so that a file that is replaced meanwhile can be
    heard to its end; where the system refuses to replace a file that is open (Windows), it is opened anew for every block.
    """

    def __init__(self, path: Path, audio: AudioFile | None = None, *, held: bool = os.name != "nt") -> None:
        self.path = path
        self.audio = audio or audio_file(path)
        self._lock = RLock()
        self._blocks: OrderedDict[int, Frames] = OrderedDict()
        self._open = ExitStack()
        self._held: Reader | None = None
        if held:
            with self._lock:
                self._held = self._open.enter_context(self.audio.opened())
                weakref.finalize(self, self._open.close)

    @property
    def rate(self) -> Hertz:
        """Frames per second."""
        return self.audio.rate

    @property
    def channels(self) -> int:
        """How many."""
        return self.audio.channels

    @property
    def frames(self) -> Samples:
        """How long it is."""
        return self.audio.samples

    def read(self, start: int, count: int) -> Frames:
        """(count, channels) from `start` on, silence outside. Raises BadAudio where the disk refuses."""
        out = np.zeros((count, self.channels), np.float32)
        first, last = max(start, 0), min(start + count, self.frames)
        for number in range(first // BLOCK, -(-last // BLOCK) if last > first else 0):
            begin = number * BLOCK
            block = self._block(number)
            low, high = max(first, begin), min(last, begin + len(block))
            if high > low:
                out[low - start : high - start] = block[low - begin : high - begin]
        return out

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._held = None
            self._open.close()
            self._blocks.clear()

    def _block(self, number: int) -> Frames:
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
            begin = number * BLOCK
            with nullcontext(self._held) if self._held else self.audio.opened() as reader:
                block: Frames = reader.read(begin, min(BLOCK, self.frames - begin)).astype(np.float32)
            self._blocks[number] = block
            if len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)
            return block


class Shifted:
    """Another sound, moved `by` frames later (or earlier, below 0), and `frames` long: a stretch of it, or it within more."""

    def __init__(self, sound: Sound, by: int, frames: int) -> None:
        self._sound, self._by, self._frames = sound, by, frames

    @property
    def rate(self) -> Hertz:
        """The other's."""
        return self._sound.rate

    @property
    def channels(self) -> int:
        """The other's."""
        return self._sound.channels

    @property
    def frames(self) -> Samples:
        """How long this one is."""
        return Samples(self._frames)

    def read(self, start: int, count: int) -> Frames:
        """(count, channels) from `start` on, silence outside."""
        out = np.zeros((count, self.channels), np.float32)
        first, last = max(start, 0), min(start + count, self._frames)
        if last > first:
            out[first - start : last - start] = self._sound.read(first - self._by, last - first)
        return out


class Taken:
    """What was taken out of a mix to leave its rest: mix less rest, where the stem itself was not written."""

    def __init__(self, mix: Sound, rest: Sound) -> None:
        self._mix, self._rest = mix, rest

    @property
    def rate(self) -> Hertz:
        """The mix's."""
        return self._mix.rate

    @property
    def channels(self) -> int:
        """The mix's."""
        return self._mix.channels

    @property
    def frames(self) -> Samples:
        """The mix's."""
        return self._mix.frames

    def read(self, start: int, count: int) -> Frames:
        """(count, channels) from `start` on, silence outside."""
        return self._mix.read(start, count) - self._rest.read(start, count)
