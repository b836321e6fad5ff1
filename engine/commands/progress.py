"""Progress bars on stderr, the same for every command; nothing is shown where nobody looks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from host_bridge.text import printable
from host_bridge.vocabulary import Progress


class Bar(Protocol):
    """One bar that is shown: how far it is, up to its total, and at what. title: another one from now on."""

    def __call__(self, done: float, stage: str, title: str | None = None) -> None:
        """Show it."""


@contextmanager
def bars(*, timed: bool = True, transient: bool = True) -> Iterator[Callable[..., Bar]]:
    """Yields `add(title, stage="", total=1.0, done=0.0)`, which shows one more bar.

    timed: with the time to go, as far as the last steps tell. transient: whether the bars go away at the end.
    """
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Shown

    def text(template: str) -> TextColumn:
        return TextColumn(template, markup=False)

    columns: list[ProgressColumn] = [text("{task.fields[title]}"), BarColumn(), TaskProgressColumn()]
    columns += [*([TimeRemainingColumn()] if timed else []), text("{task.description}")]
    shown = Shown(
        *columns,
        console=Console(stderr=True),
        transient=transient,
        disable=not sys.stderr.isatty(),
        redirect_stdout=sys.stdout.isatty(),  # what goes into a file or a pipe is left alone
    )

    def add(title: str, stage: str = "", total: float = 1.0, done: float = 0.0) -> Bar:
        line = shown.add_task(printable(stage), total=total, title=printable(title))
        shown.update(line, completed=done)

        def update(done: float, stage: str, title: str | None = None) -> None:
            shown.update(line, completed=done, description=printable(stage))
            if title is not None:
                shown.update(line, title=printable(title))

        return update

    with shown:
        yield add


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """A bar for one thing that takes its time; yields the progress to report to."""
    with bars() as add:
        yield add(title, "reading")
