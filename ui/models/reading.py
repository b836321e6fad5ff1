"""Sound on disk, read where it is needed: a few blocks are kept, never a whole file."""

import os
from collections import OrderedDict
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from host_bridge.errors import BadAudio
from host_bridge.vocabulary import Hertz, Samples
from ui import texts

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
    """An audio file. Raises BadAudio where it cannot be read.

    held: stay open, so that a file that is replaced meanwhile can be heard to its end; where the system refuses to replace
    a file that is open (Windows), it is opened anew for every block.
    """

    def __init__(self, path: Path, *, held: bool = os.name != "nt") -> None:
        self.path = path
        self._lock = RLock()
        self._blocks: OrderedDict[int, Frames] = OrderedDict()
        self._file: Any = None
        with self._lock:
            file = self._opened()
            self._rate, self._channels, self._frames = file.samplerate, file.channels, file.frames
            if held:
                self._file = file
            else:
                file.close()
        if not 0 < self._frames < 2**62:  # libsndfile's length of a stream that does not say how long it is
            self.close()
            raise BadAudio(texts.NO_LENGTH.format(name=path.name), texts.EXPORT_AGAIN)

    @property
    def rate(self) -> Hertz:
        """Frames per second."""
        return Hertz(self._rate)

    @property
    def channels(self) -> int:
        """How many."""
        return int(self._channels)

    @property
    def frames(self) -> Samples:
        """How long it is, as its header says."""
        return Samples(self._frames)

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
            if self._file is not None:
                self._file.close()
                self._file = None
            self._blocks.clear()

    def _block(self, number: int) -> Frames:
        with self._lock:
            if number in self._blocks:
                self._blocks.move_to_end(number)
                return self._blocks[number]
            file = self._file or self._opened()
            try:
                file.seek(number * BLOCK)
                block: Frames = file.read(BLOCK, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise self._refusal(error) from error
            finally:
                if file is not self._file:
                    file.close()
            self._blocks[number] = block
            if len(self._blocks) > KEPT:
                self._blocks.popitem(last=False)
            return block

    def _opened(self) -> Any:
        if not self.path.is_file():  # opening a pipe would wait for ever
            raise BadAudio(texts.NO_FILE.format(name=self.path.name), texts.NO_FILE_TODO)
        try:
            return soundfile.SoundFile(os.fsencode(self.path))
        except (soundfile.LibsndfileError, TypeError, OSError) as error:
            raise self._refusal(error) from error

    def _refusal(self, error: Exception) -> BadAudio:
        what = texts.NO_AUDIO_WHY.format(name=self.path.name, why=str(error).rstrip("."))
        return BadAudio(what, texts.NO_AUDIO_TODO)


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
