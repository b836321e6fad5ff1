"""Changes to files, planned before anything happens: said in a dry run, done all or not at all otherwise."""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from host_bridge import atomic
from installers.service import CannotInstall


@dataclass(frozen=True, slots=True)
class Step:
    """One change. told: what it is, for people. do: makes it, and leaves with the stack how to unmake it."""

    told: str
    do: Callable[[ExitStack], None]


def put(path: Path, data: bytes, what: str) -> Step:
    """Give a file these bytes, whole or not at all; where the name is a link, its target gets them, and keeps its rights."""

    def do(undo: ExitStack) -> None:
        target = path.resolve()
        _make_folders(target.parent, undo)
        before = target.read_bytes() if target.exists() else None
        atomic.write(target, data, None)
        undo.callback(target.unlink) if before is None else undo.callback(atomic.write, target, before, None)

    return Step(f"{what} {path}", do)


def move(path: Path, to: Path, what: str) -> Step:
    """Rename whatever lies there, a link itself and not what it points to."""

    def do(undo: ExitStack) -> None:
        path.rename(to)
        undo.callback(to.rename, path)

    return Step(f"{what} {path}, now {to.name}", do)


def take_away(path: Path) -> Step:
    """Remove a file."""

    def do(undo: ExitStack) -> None:
        before, mode = path.read_bytes(), path.stat().st_mode
        path.unlink()
        undo.callback(path.chmod, mode)
        undo.callback(atomic.write, path, before, None)

    return Step(f"taken away: {path}", do)


def take_away_folder(path: Path) -> Step:
    """Remove a folder if it is empty."""

    def do(undo: ExitStack) -> None:
        with suppress(OSError):  # somebody else uses it by now
            path.rmdir()
            undo.callback(path.mkdir)

    return Step(f"taken away if empty: {path}", do)


def take(steps: Iterable[Step]) -> None:
    """Do all of them, or leave everything as it was. Raises CannotInstall."""
    with ExitStack() as undo:
        try:
            for step in steps:
                step.do(undo)
        except OSError as error:
            refused = f"{error.filename or 'A file'} cannot be changed: {error.strerror or error}."
            raise CannotInstall(refused, "Check the permissions there; everything is as it was.") from error
        undo.pop_all()


def _make_folders(folder: Path, undo: ExitStack) -> None:
    for missing in reversed([each for each in (folder, *folder.parents) if not each.exists()]):
        missing.mkdir()
        undo.callback(missing.rmdir)
