"""Stretches of a file as a file of their own, which libsndfile and FFmpeg read as if nothing else were there."""

import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import BinaryIO

from host_bridge.sound.layout import Span


class Spans:
    """Read only. What the disk refuses is kept in `trouble`, for both libraries call from C, where nothing can be raised."""

    def __init__(self, file: BinaryIO, spans: Sequence[Span]) -> None:
        self._file, self._spans = file, spans
        self._begins = [0, *accumulate(end - begin for begin, end in spans)]
        self._at = 0
        self.trouble: OSError | None = None

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes, across the borders of spans."""
        left = self._begins[-1] - self._at
        left = left if count < 0 else min(count, left)
        pieces = []
        while left > 0:
            index = bisect_right(self._begins, self._at) - 1
            inside = self._at - self._begins[index]
            try:
                self._file.seek(self._spans[index][0] + inside)
                piece = self._file.read(min(left, self._begins[index + 1] - self._at))
            except OSError as error:
                self.trouble = error
                break
            if not piece:
                break
            pieces.append(piece)
            self._at, left = self._at + len(piece), left - len(piece)
        return b"".join(pieces)

    def readinto(self, buffer: memoryview) -> int:
        """As `read`, into a buffer."""
        got = self.read(len(buffer))
        buffer[: len(got)] = got
        return len(got)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._begins[-1]}[whence])
        return self._at

    def tell(self) -> int:
        """The place."""
        return self._at

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def writable(self) -> bool:
        """No."""
        return False
