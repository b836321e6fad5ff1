"""A bar on stderr for whatever takes its time, with the time to go."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from host_bridge.vocabulary import Progress


@contextmanager
def bar(title: str) -> Iterator[Progress]:
    """Yields the progress to report to; nothing is shown where nobody looks."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    text = TextColumn(f"{escape(title)}: {{task.description}}")
    columns = (text, BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("reading", total=1.0)
        yield lambda done, stage: shown.update(task, completed=done, description=escape(stage))
