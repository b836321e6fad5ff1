"""Timers in one line."""

from collections.abc import Callable

from PyQt6.QtCore import QObject, QTimer


def timer(parent: QObject, every_ms: int, act: Callable[[], object], *, once: bool = False) -> QTimer:
    """A timer that is not started yet; once: it stops after it has acted."""
    made = QTimer(parent)
    made.setInterval(every_ms)
    made.setSingleShot(once)
    made.timeout.connect(act)
    return made
