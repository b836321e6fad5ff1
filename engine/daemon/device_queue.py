"""The turns at the device: who looks at a region goes first, everybody else in the order of asking."""

import heapq
from collections.abc import Callable
from itertools import count
from threading import Condition

DeviceTask = Callable[[], None]
"""What the device's thread does for one who has waited."""

NOW, IN_ORDER = 0, 1
"""Ranks: a stem that somebody is listening to, and a whole job."""


class DeviceQueue:
    """Turns that wait. Any thread may put one, the device's alone takes them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, DeviceTask]] = []
        self._numbers = count()
        self._change = Condition()
        self._closed = False

    def put(self, turn: DeviceTask, rank: int = IN_ORDER) -> None:
        """Wait for the device, behind those of the same rank."""
        with self._change:
            heapq.heappush(self._waiting, (rank, next(self._numbers), turn))
            self._change.notify()

    def take(self, timeout_s: float | None = None, least: int = IN_ORDER) -> DeviceTask | None:
        """The next turn of rank `least` or before it; None when none came in time, or the line is closed."""
        with self._change:
            self._change.wait_for(lambda: self._closed or (self._waiting and self._waiting[0][0] <= least), timeout_s)
            if self._closed or not self._waiting or self._waiting[0][0] > least:
                return None
            return heapq.heappop(self._waiting)[2]

    def close(self) -> None:
        """Let nobody pass any more; what waits is in the spool."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    @property
    def closed(self) -> bool:
        """Whether the day is over."""
        return self._closed
