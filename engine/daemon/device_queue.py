"""A priority queue of tasks for the device: a stem that somebody listens to first, everything else in order."""

import heapq
from collections.abc import Callable
from itertools import count
from threading import Condition

DeviceTask = Callable[[], None]
"""A task for the device's thread."""

NOW, IN_ORDER = 0, 1
"""Priorities: a stem that somebody is listening to, and a whole job."""


class DeviceQueue:
    """Tasks that wait for the device. Any thread may put one; only the device's thread takes them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, DeviceTask]] = []
        self._numbers = count()
        self._change = Condition()
        self._closed = False

    def put(self, turn: DeviceTask, rank: int = IN_ORDER) -> None:
        """Enqueue a task behind those of the same priority."""
        with self._change:
            heapq.heappush(self._waiting, (rank, next(self._numbers), turn))
            self._change.notify()

    def take(self, timeout_s: float | None = None, least: int = IN_ORDER) -> DeviceTask | None:
        """The next task of priority `least` or higher; None on timeout or when the queue is closed."""
        with self._change:
            self._change.wait_for(lambda: self._closed or (self._waiting and self._waiting[0][0] <= least), timeout_s)
            if self._closed or not self._waiting or self._waiting[0][0] > least:
                return None
            return heapq.heappop(self._waiting)[2]

    def close(self) -> None:
        """Close the queue; whatever waits is still in the spool."""
        with self._change:
            self._closed = True
            self._change.notify_all()

    @property
    def closed(self) -> bool:
        """Whether the queue is closed."""
        return self._closed
