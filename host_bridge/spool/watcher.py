"""Watches the spool for jobs and `cancel` files that no message announced."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from host_bridge.types import is_id

log = logging.getLogger(__name__)

SWEEP_S = 2.0
"""A look is taken this often even where the system reports nothing, as on network folders."""
SETTLE_MS = 20
"""Changes so close together are one look."""


class SpoolWatcher:
    """A thread that calls `look` when the spool changes, and every 2 s anyway.

    What `look` raises is logged, and the next look is taken all the same.
    """

    def __init__(self, root: Path, look: Callable[[], None]) -> None:
        self._root, self._look, self._ending = root, look, threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lookout")

    def start(self) -> None:
        """Start the thread; it scans at once."""
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        self._guarded()
        try:
            self._told_of_changes()
        except Exception:  # no watches left for this user, a folder out of reach: the clock is enough
            log.warning("the system reports no changes in the spool: looking every %g s", SWEEP_S, exc_info=True)
        while not self._ending.wait(SWEEP_S):
            self._guarded()

    def _told_of_changes(self) -> None:
        from watchfiles import watch

        for _changes in watch(
            self._root,
            watch_filter=lambda _change, path: self._is_news(Path(path)),
            stop_event=self._ending,
            debounce=SETTLE_MS * 5,
            step=SETTLE_MS,
            rust_timeout=int(1000 * SWEEP_S),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        ):
            self._guarded()

    def _is_news(self, path: Path) -> bool:
        """Whether a changed path is a job's folder or its `cancel` file; everything else is written by the daemon itself."""
        return (path.parent == self._root and is_id(path.name)) or path.name == "cancel"

    def _guarded(self) -> None:
        try:
            self._look()
        except Exception:  # a look that fails must not be the last one
            log.exception("the spool could not be looked through")
