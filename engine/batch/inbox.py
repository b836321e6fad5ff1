"""A watched folder: what is put into `inbox` comes out separated in `outbox`, and goes to `inbox/done` or `inbox/failed`.

Nothing is remembered but what lies there: stopped at any moment and started again, it goes on where it was.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine import delivery
from engine.batch.gather import has_sound
from engine.batch.notes import note_of, plain_name, said_of
from engine.batch.task import Outcome, Task
from engine.batch.writers import being_written
from engine.measure import sha256
from engine.request import Request
from host_bridge.errors import ZeroStemError
from host_bridge.text import printable, shortened
from presets import PresetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.batch.crew import Watch
    from engine.separation import Wish

SETTLED_S = 2.0
"""A file that nobody has written to for so long, and that nobody has open for writing, has arrived."""
UNSURE_S = 10.0
"""The same where the system does not say whether it is open: copies over a network stall for seconds."""
LOOK_AGAIN_S = 10.0
"""A file that failed stays so long in the inbox: one that goes on growing, or gets its note only now, is tried again."""
POLL_S = 0.5
_AGAIN = "To try again, mend that and move the file back into the inbox; `song [drums, bass].wav` names what is wanted."

Meaning = Callable[[Mapping[str, Any], Path, str], "tuple[Request, Wish]"]
"""From what a file says of itself, its folder and its name to what is wanted of it. Raises BadRequest or PresetError."""
Stamp = tuple[tuple[int, int] | None, ...]
"""Of a file and its note: size and time of the last change, None where there is none."""


class Workers(Protocol):
    """What works: a `Crew`, or a stand-in."""

    def run(self, tasks: "Sequence[Task]", watch: "Watch" = ...) -> Iterator[Outcome]:
        """Do all of them, in any order."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of one input: where it lies now, and its results or the reason why there are none."""

    path: Path
    moved_to: Path
    out: Path | None
    error: str = ""
    todo: str = ""


@dataclass(frozen=True, slots=True)
class _Failure:
    """What went wrong with an input as it was at `stamp`, and since when it is known."""

    stamp: Stamp
    error: str
    todo: str
    since: float


@dataclass(eq=False, slots=True)
class Inbox:
    """The folder `root` with its `inbox` and `outbox`.

    clock: seconds, never going back. writing: whether a file is open for writing, None where nobody knows.
    """

    root: Path
    meaning: Meaning
    clock: Callable[[], float] = time.monotonic
    writing: Callable[[Path], bool | None] = being_written
    _seen: dict[Path, tuple[Stamp, float]] = field(default_factory=dict)
    _failures: dict[Path, _Failure] = field(default_factory=dict)

    @property
    def inbox(self) -> Path:
        """Where files are put."""
        return self.root / "inbox"

    @property
    def outbox(self) -> Path:
        """Where stems come out, a folder per input."""
        return self.root / "outbox"

    def prepare(self) -> None:
        """Make the folders that are not there. Raises CannotWrite."""
        with delivery.spoken(self.root):
            for folder in (self.inbox / "done", self.inbox / "failed", self.outbox):
                folder.mkdir(parents=True, exist_ok=True)

    def ready(self) -> list[Path]:
        """What has arrived whole, in order of name: inputs that nobody has changed for some seconds, nor their notes.

        One that failed is among them only when it has changed since.
        """
        with delivery.spoken(self.inbox):
            paths = self._inputs()
        now, before = self.clock(), self._seen
        self._seen = {}
        for path in paths:
            stamp = _stamp(path)
            was, since = before.get(path, (stamp, now))
            self._seen[path] = (stamp, since if was == stamp else now)
        return [path for path, (stamp, since) in self._seen.items() if self._is_whole(path, stamp, now - since)]

    def _is_whole(self, path: Path, stamp: Stamp, still_s: float) -> bool:
        if still_s < SETTLED_S or (path in self._failures and self._failures[path].stamp == stamp):
            return False
        try:
            written = [self.writing(each) for each in (path, note_of(path)) if os.path.isfile(each)]  # noqa: PTH113 - see notes
        except OSError:  # what cannot be opened fails, and is told why
            written = []
        return True not in written and (None not in written or still_s >= UNSURE_S)

    @property
    def waits(self) -> bool:
        """Whether inputs were there at the last look that have not gone since."""
        return any(path.exists() for path in self._seen)

    def attend(self, paths: list[Path], workers: Workers) -> Iterator[Arrived]:
        """Separate these and put each where it belongs; one that changes meanwhile stays, and waits anew.

        One that fails stays for `LOOK_AGAIN_S` before it is told and put away.
        """
        yield from self._given_up()
        tasks: dict[Path, Task] = {}
        stamps = {path: stamp for path in paths if (stamp := _stamp(path))[0]}  # what is gone again is forgotten
        for path, stamp in stamps.items():
            try:
                out, name = self._place(path, {task.wish.out for task in tasks.values()})
                request, wish = self.meaning(said_of(path), out, name)
            except (ZeroStemError, PresetError) as error:
                self._failures[path] = _Failure(stamp, error.what, error.todo, self.clock())
            else:
                tasks[path] = Task(path, request, wish)
        for outcome in workers.run(list(tasks.values())):
            path = outcome.task.path
            if _stamp(path) != stamps[path]:
                continue
            if outcome.state == "failed":
                self._failures[path] = _Failure(stamps[path], outcome.error, outcome.todo, self.clock())
            else:
                self._failures.pop(path, None)
                yield Arrived(path, self._move(path, "done"), outcome.task.wish.out)

    def _given_up(self) -> Iterator[Arrived]:
        """Those that failed and have not changed since."""
        for path, failure in list(self._failures.items()):
            if _stamp(path) != failure.stamp:  # gone, or to be tried again
                del self._failures[path]
            elif self.clock() - failure.since >= LOOK_AGAIN_S:
                del self._failures[path]
                yield self._failed(path, failure.error, failure.todo)

    def _place(self, path: Path, taken: set[Path | None]) -> tuple[Path, str]:
        """A folder in the outbox that is new, or holds what an earlier try made of this very input; and the files' name."""
        name = delivery.input_name(plain_name(path))
        number = 1
        while True:
            out = self.outbox / (name if number == 1 else f"{name} ({number})")
            if out not in taken and (not out.exists() or delivery.input_sha256(out / f"{name}.json") == sha256(path)):
                return out, name
            number += 1

    def _failed(self, path: Path, error: str, todo: str) -> Arrived:
        moved = self._move(path, "failed")
        with delivery.spoken(moved.parent):
            text = f"{printable(error)}\n{printable(todo)}\n{_AGAIN}\n"
            _reason_of(moved).write_text(text, encoding="utf-8")
        return Arrived(path, moved, None, error, todo)

    def _move(self, path: Path, where: str) -> Path:
        """Bring an input and its note to `inbox/done` or `inbox/failed`, numbered where its name is taken there.

        A note that another input waits with stays for that one, and a copy goes along.
        """
        number = 1
        while True:
            to = self.inbox / where / (path.name if number == 1 else shortened(path.stem, f" ({number}){path.suffix}"))
            if not any(map(os.path.lexists, (to, note_of(to), _reason_of(to)))):
                break
            number += 1
        note = note_of(path)
        with delivery.spoken(to.parent):
            to.parent.mkdir(parents=True, exist_ok=True)
            if os.path.isfile(note):  # noqa: PTH113 - see notes
                if any(other != path and note_of(other) == note for other in self._inputs()):
                    shutil.copyfile(note, note_of(to))
                else:
                    note.rename(note_of(to))
            path.rename(to)
        return to

    def _inputs(self) -> list[Path]:
        return sorted(path for path in self.inbox.iterdir() if has_sound(path.name) and not path.is_dir())


def _reason_of(path: Path) -> Path:
    """Where it is told why an input failed."""
    return path.with_name(shortened(path.name, ".txt"))


def _stamp(path: Path) -> Stamp:
    """Sizes and times of a file and its note: equal as long as nobody writes to either."""
    stamps: list[tuple[int, int] | None] = []
    for each in (path, note_of(path)):
        try:
            found = each.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((found.st_size, found.st_mtime_ns))
    return tuple(stamps)
