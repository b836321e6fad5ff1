"""A watched folder: what is put into `inbox` comes out separated in `outbox`, and goes to `inbox/done` or `inbox/failed`.

Nothing is remembered but what lies there: stopped at any moment and started again, it goes on where it was.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engine import delivery
from engine.batch.gather import has_sound
from engine.batch.notes import note_of, plain_name, said_of
from engine.batch.task import Outcome, Task
from engine.measure import sha256
from engine.request import Request
from host_bridge.errors import ZeroStemError
from presets import PresetError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.batch.crew import Watch
    from engine.separation import Wish

SETTLED_S = 2.0
"""A file that nobody has written to for so long has arrived: hosts and browsers write many times a second."""
POLL_S = 0.5
_AGAIN = "To try again, mend that and move the file back into the inbox; `song [drums, bass].wav` names what is wanted."

Meaning = Callable[[Mapping[str, Any], Path, str], "tuple[Request, Wish]"]
"""From what a file says of itself, its folder and its name to what is wanted of it. Raises BadRequest or PresetError."""
Stamp = tuple[tuple[int, int] | None, ...]


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


@dataclass(eq=False, slots=True)
class Inbox:
    """The folder `root` with its `inbox` and `outbox`; clock: seconds, never going back."""

    root: Path
    meaning: Meaning
    clock: Callable[[], float] = time.monotonic
    _seen: dict[Path, tuple[Stamp, float]] = field(default_factory=dict)

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
        """What has arrived whole: inputs that are as they were for `SETTLED_S`, they and their notes, in order of name."""
        with delivery.spoken(self.inbox):
            paths = sorted(path for path in self.inbox.iterdir() if has_sound(path.name) and not path.is_dir())
        now, before = self.clock(), self._seen
        self._seen = {}
        for path in paths:
            stamp = _stamp(path)
            was, since = before.get(path, (stamp, now))
            self._seen[path] = (stamp, since if was == stamp else now)
        return [path for path, (_, since) in self._seen.items() if now - since >= SETTLED_S]

    @property
    def waits(self) -> bool:
        """Whether inputs were there at the last look that have not gone since."""
        return any(path.exists() for path in self._seen)

    def attend(self, paths: list[Path], workers: Workers) -> Iterator[Arrived]:
        """Separate these and put each where it belongs; one that changes meanwhile stays, and waits anew."""
        tasks: dict[Path, Task] = {}
        stamps = {path: stamp for path in paths if (stamp := _stamp(path))[0]}  # what is gone again is forgotten
        for path in stamps:
            try:
                out, name = self._place(path, {task.wish.out for task in tasks.values()})
                request, wish = self.meaning(said_of(path), out, name)
            except (ZeroStemError, PresetError) as error:
                yield self._failed(path, error.what, error.todo)
            else:
                tasks[path] = Task(path, request, wish)
        for outcome in workers.run(list(tasks.values())):
            path = outcome.task.path
            if _stamp(path) != stamps[path]:
                continue
            if outcome.state == "failed":
                yield self._failed(path, outcome.error, outcome.todo)
            else:
                yield Arrived(path, self._move(path, "done"), outcome.task.wish.out)

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
            moved.with_name(f"{moved.name}.txt").write_text(f"{error}\n{todo}\n{_AGAIN}\n", encoding="utf-8")
        return Arrived(path, moved, None, error, todo)

    def _move(self, path: Path, where: str) -> Path:
        """Bring an input and its note to `inbox/done` or `inbox/failed`, numbered where its name is taken there."""
        number = 1
        while True:
            stem = path.stem if number == 1 else f"{path.stem} ({number})"
            to = self.inbox / where / f"{stem}{path.suffix}"
            if not (to.exists() or note_of(to).exists() or to.with_name(f"{to.name}.txt").exists()):
                break
            number += 1
        with delivery.spoken(to.parent):
            to.parent.mkdir(parents=True, exist_ok=True)
            if note_of(path).is_file():
                note_of(path).rename(note_of(to))
            path.rename(to)
        return to


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
