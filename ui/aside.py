"""Work that takes longer than a blink, done in other threads; what comes of it arrives in the thread of the windows."""

from collections.abc import Callable
from itertools import count
from typing import Any

from PyQt6.QtCore import QObject, QThreadPool, pyqtSignal

from host_bridge.cli import logged
from host_bridge.errors import Cancelled, ZeroStemError


def as_fault(error: Exception) -> ZeroStemError:
    """A fault of our own as a person is told of it; the log gets the traceback."""
    return ZeroStemError(logged(error, ["panel"]), "Run `zerostem doctor` and report both.")


class Aside(QObject):
    """A few threads. Of works under the same `key` only the newest counts: older ones are left out, or their answers are.

    threads: 1 where works must come one after another.
    """

    complained = pyqtSignal(object)
    """A ZeroStemError of a work that named nobody for it."""
    _came = pyqtSignal(object, object, str, int)

    def __init__(self, threads: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(threads)
        self._numbers, self._newest = count(1), dict[str, int]()
        self._came.connect(self._hand_over)

    def __call__(
        self,
        work: Callable[[], Any],
        then: Callable[[Any], None] = lambda _answer: None,
        otherwise: Callable[[ZeroStemError], None] | None = None,
        key: str = "",
    ) -> None:
        """Have something done; `then` or `otherwise` is called with what came of it."""
        number = self._newest[key] = next(self._numbers)

        def turn() -> None:
            if self._is_stale(key, number):
                return
            try:
                answer = work()
            except Cancelled:
                return
            except ZeroStemError as error:
                self._came.emit(otherwise or self.complained.emit, error, key, number)
            except Exception as error:  # noqa: BLE001 - raised in a thread of Qt's it would end the panel
                self._came.emit(otherwise or self.complained.emit, as_fault(error), key, number)
            else:
                self._came.emit(then, answer, key, number)

        self._pool.start(turn)

    @property
    def idle(self) -> bool:
        """Whether nothing is being done."""
        return self._pool.activeThreadCount() == 0

    def close(self) -> None:
        """Begin nothing more, and wait for what runs."""
        self._newest.clear()
        self._pool.clear()
        self._pool.waitForDone()

    def _is_stale(self, key: str, number: int) -> bool:
        return bool(key) and self._newest.get(key) != number

    def _hand_over(self, act: Callable[[Any], None], answer: object, key: str, number: int) -> None:
        if not self._is_stale(key, number):
            act(answer)
