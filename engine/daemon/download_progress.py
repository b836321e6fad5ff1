"""Progress of a model download, sent at most five times a second, and its cancellation."""

import time
from collections.abc import Callable

from host_bridge.errors import Cancelled
from host_bridge.protocol.messages import Message, ProgressMessage, one_line

EVERY_S = 0.2
MIN_SHARE_FOR_ETA = 0.01
"""Below this share no remaining time is estimated."""


class DownloadProgress:
    """A download's progress callable. tell: sends a message. stopped: whether to stop, by raising Cancelled."""

    def __init__(self, id: str, tell: Callable[[Message], None], stopped: Callable[[], bool]) -> None:  # noqa: A002 - its id
        self._id, self._tell, self._stopped = id, tell, stopped
        self._began, self._said, self._permille = 0.0, -EVERY_S, 0
        self._first: float | None = None

    def __call__(self, done: float, stage: str) -> None:
        """Report progress, at most five times a second. Raises Cancelled."""
        if self._stopped():
            raise Cancelled
        now = time.monotonic()
        if self._first is None and done > 0:  # asking the hub, and checking what is here, says nothing about its pace
            self._first, self._began = done, now
        if now - self._said < EVERY_S and done < 1:
            return
        self._said, self._permille = now, max(self._permille, min(round(1000 * done), 999))
        here = done - (self._first or 0.0)
        eta_s = round((now - self._began) * (1 - done) / here) if here > MIN_SHARE_FOR_ETA else -1
        self._tell(ProgressMessage(self._id, self._permille, one_line(stage, 200), eta_s))
