"""A talk with a running Audacity through mod-script-pipe: a command a line, an answer each, none waited for without end.

A dialog that Audacity shows stops its answers until somebody closes it, and a named pipe whose other end is gone can block
whoever opens it. So a thread of its own opens and reads, and all waiting is for that thread, with an end.
"""

import errno
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from host_bridge.errors import BridgeError
from host_bridge.types import is_line

PATIENCE_S = 8.0
"""For a command that computes nothing: they take 30 to 150 ms."""
MOMENT_S = 1.0
"""For Audacity to listen again."""
LONGEST = 1000
"""Bytes of a command: Audacity reads lines into 1024 bytes, and would take the rest of a longer one for another command."""
FINISHED = "BatchCommand finished: "


class NoAudacity(BridgeError):
    """Audacity does not run, or listens to no scripts."""


class NoAnswer(BridgeError):
    """Audacity said nothing in time, or went away."""


class Unwilling(BridgeError):
    """Audacity refused a command."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the two pipes are: ours to write to, ours to read from; and how a line ends there."""

    to: str
    back: str
    end: str = "\n"

    @classmethod
    def usual(cls, system: str = sys.platform) -> "Ends":
        """As mod-script-pipe names them on such a system."""
        if system == "win32":
            return cls(r"\\.\pipe\ToSrvPipe", r"\\.\pipe\FromSrvPipe", "\r\n\0")
        user = os.getuid()
        return cls(f"/tmp/audacity_script_pipe.to.{user}", f"/tmp/audacity_script_pipe.from.{user}")  # noqa: S108 - its choice


class Pipe:
    """One talk. Use it in a `with`, or close it; Audacity serves one at a time. clock: seconds, never going back."""

    def __init__(self, ends: Ends | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._ends, self._clock = ends or Ends.usual(), clock
        self._to = _opened(self._ends.to)
        self._over: NoAnswer | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="audacity", daemon=True)
        self._reader.start()
        try:
            self.say("GetInfo", {"Type": "Tracks"})  # one that changes nothing, should it be answered after we have gone
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up, and wait until Audacity has: the next one's answers would come to us."""
        self._hang_up()
        self._reader.join(MOMENT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def say(self, command: str, values: Mapping[str, object] | None = None, patience_s: float | None = None) -> str:
        """Have Audacity do something; returns what it says to it. Raises NoAnswer, Unwilling."""
        patience_s = PATIENCE_S if patience_s is None else patience_s
        line = written(command, values or {})
        self._send(line)
        until = self._clock() + patience_s
        heard: list[str] = []
        while True:
            try:
                came = self._lines.get(timeout=max(0.0, until - self._clock()))
            except queue.Empty:
                what = f"Audacity has not answered for {patience_s:.0f} seconds."
                raise self._ended(what, "Look whether it shows a dialog, close that, and try again.") from None
            if came is None:
                raise self._ended("Audacity has ended the talk.", "Look whether it still runs, and try again.")
            if came.startswith(FINISHED):
                break
            heard.append(came)
        said = "\n".join(heard).strip()
        if not came.endswith("OK"):
            why = f": {said.rstrip('.')}" if said else ""
            raise Unwilling(f"Audacity would not do `{line}`{why}.", "Undo in Audacity, and try again.")
        return said

    def _ended(self, what: str, todo: str) -> NoAnswer:
        """The talk is over: an answer that comes later would be taken for the next command's. Every further one says why."""
        self._hang_up()
        self._over = NoAnswer(what, todo)
        return self._over

    def _hang_up(self) -> None:
        to, self._to = self._to, -1
        if to >= 0:
            os.close(to)

    def _send(self, line: str) -> None:
        if self._over is not None:
            raise NoAnswer(self._over.what, self._over.todo)
        data = (line + self._ends.end).encode()
        if len(data) > LONGEST:
            raise Unwilling(f"A command is too long for Audacity: `{line[:60]}...`.", "Use shorter names and folders.")
        try:
            os.write(self._to, data)  # shorter than PIPE_BUF: all of it or none
        except OSError as error:
            raise self._ended("Audacity has ended the talk.", "Look whether it still runs, and try again.") from error

    def _read(self) -> None:
        """Open the way back, which may take for ever, and pass its lines on until it ends."""
        try:
            with Path(self._ends.back).open(encoding="utf-8", errors="replace") as back:
                for line in back:
                    if text := line.strip("\r\n\0"):
                        self._lines.put(text)
        except OSError:
            pass
        self._lines.put(None)


def written(command: str, values: Mapping[str, object]) -> str:
    """A command as Audacity reads it: `Select: Start="1.5" Mode="Set"`. Raises Unwilling for what does not fit into a line."""
    line = f"{command}: " + " ".join(f'{key}="{_escaped(str(value))}"' for key, value in values.items())
    if not is_line(line):
        raise Unwilling(f"Audacity takes no line ends, and {line!r} has one.", "Rename the file or the stem.")
    return line.strip()


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _opened(path: str) -> int:
    """The way to Audacity. After the talk before this one it needs a moment until it listens again."""
    absent = NoAudacity(
        "Audacity does not run, or listens to no scripts.",
        "Start it; set mod-script-pipe to Enabled in its Preferences, Modules; start it once more.",
    )
    until = time.monotonic() + MOMENT_S
    while True:
        try:
            return os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except FileNotFoundError as error:
            raise absent from error
        except OSError as error:
            if error.errno != errno.ENXIO:
                what = f"The way to Audacity cannot be opened: {error.strerror}."
                raise NoAudacity(what, "End other programs that talk to Audacity, and try again.") from error
            if time.monotonic() > until:  # the pipe of an Audacity that has ended
                raise absent from error
            time.sleep(0.01)
