"""The talk with the daemon, in a thread of its own: questions go in, messages and answers come out as signals."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Any, Literal

from PyQt6.QtCore import QObject, QThread, pyqtSignal

from host_bridge.client import Client, NoDaemon
from host_bridge.errors import ZeroStemError
from host_bridge.waking import awake
from ui.aside import as_fault

NAME = "zerostem panel"
Standing = Literal["looking", "starting", "there", "gone"]

TURN_S = 0.03
"""How long a question may wait while the thread listens."""
SILENCE_S = 5.0
"""The daemon's heart beats every 2 s; after so long without it the daemon is asked whether it is there."""
AGAIN_S = 0.5
"""Between two looks for a daemon that is gone."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the daemon, and what is done with the answer, or with the error, in the thread of the windows."""

    ask: Callable[[Client], Any]
    then: Callable[[Any], None]
    otherwise: Callable[[ZeroStemError], None]


class Link(QThread):
    """Keeps a client of the daemon's, finds the daemon again when it is gone, and starts one where it is needed.

    A question that the daemon's end came between is asked again of the next one: every message may come twice and means
    the same. wake: whether a daemon may be started at all.
    """

    heard = pyqtSignal(object)
    """A message that nobody asked for."""
    stands = pyqtSignal(str)
    """A `Standing`, whenever it changes."""
    complained = pyqtSignal(object)
    """The ZeroStemError for which there is no daemon."""
    _answered = pyqtSignal(object, object)

    def __init__(self, *, wake: bool = True, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._may_wake, self._wanted = wake, wake
        self._questions: deque[Question] = deque()
        self._ending = Event()
        self._standing: Standing | None = None
        self._answered.connect(lambda act, answer: act(answer))

    def ask(
        self,
        question: Callable[[Client], Any],
        then: Callable[[Any], None] = lambda _answer: None,
        otherwise: Callable[[ZeroStemError], None] | None = None,
    ) -> None:
        """Have the thread ask the daemon; a daemon that is gone is started for it."""
        self._wanted = True
        self._questions.append(Question(question, then, otherwise or self.complained.emit))

    def wake(self) -> None:
        """Start a daemon if there is none."""
        self._wanted = True

    def close(self) -> None:
        """End the thread; what has not been asked is not asked any more."""
        self._ending.set()
        self.wait()

    def run(self) -> None:
        """The thread: as long as there is a daemon talk to it, else look for one."""
        self._be("looking")
        while not self._ending.is_set():
            try:
                with self._found() as client:
                    client.notify()
                    self._wanted = False
                    self._be("there")
                    self._talk(client)
            except NoDaemon as error:
                self._lose(error)
            except ZeroStemError as error:  # a daemon of another version, a runtime file that cannot be read
                self.complained.emit(error)
                self._lose(error)
            except Exception as error:  # noqa: BLE001 - a fault of ours must not end the talk for good; the log gets the traceback
                self.complained.emit(fault := as_fault(error))
                self._lose(fault)

    def _found(self) -> Client:
        try:
            return Client.find(NAME)
        except NoDaemon:
            if not (self._wanted and self._may_wake):
                raise
            self._be("starting")
            return awake(NAME)

    def _lose(self, error: ZeroStemError) -> None:
        if self._standing == "starting":  # it was tried and said why not: once is enough until somebody asks again
            self._wanted = False
            self.complained.emit(error)
        if self._standing != "looking" or not (self._wanted and self._may_wake):
            self._be("gone")
        self._ending.wait(AGAIN_S)

    def _talk(self, client: Client) -> None:
        last = time.monotonic()
        while not self._ending.is_set():
            while self._questions and not self._ending.is_set():
                self._put(client, self._questions[0])
                self._questions.popleft()
            message = client.listen(TURN_S)
            if message is not None:
                last = time.monotonic()
                self.heard.emit(message)
            elif time.monotonic() - last > SILENCE_S:
                client.ping()
                last = time.monotonic()

    def _put(self, client: Client, question: Question) -> None:
        try:
            answer = question.ask(client)
        except NoDaemon:
            raise  # it stays the first in the line, for the next daemon
        except ZeroStemError as error:
            self._answered.emit(question.otherwise, error)
        except Exception as error:  # noqa: BLE001 - the other questions are still to be asked
            self._answered.emit(question.otherwise, as_fault(error))
        else:
            self._answered.emit(question.then, answer)

    def _be(self, standing: Standing) -> None:
        if standing != self._standing:
            self._standing = standing
            self.stands.emit(standing)
