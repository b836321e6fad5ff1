"""A job followed to its end, with a bar for people who look."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from host_bridge.client import Client, Refused
from host_bridge.errors import Cancelled as Stopped
from host_bridge.messages import Cancelled, Fail, Message, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar


@contextmanager
def bar() -> Iterator["Bar"]:
    """A line per job on stderr, where somebody looks."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.fields[job]}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as made:
        yield made


def said(message: Progress) -> str:
    """Stage and time to go, in words."""
    from rich.markup import escape

    minutes, seconds = divmod(message.eta_s, 60)
    return escape(message.stage) + (f", {minutes}:{seconds:02} to go" if message.eta_s >= 0 else "")


def followed(client: Client, job: str) -> Message:
    """The end of a job, its way shown. Raises Refused for one that failed, Cancelled, NoDaemon."""
    last: Message | None = None
    with bar() as shown:
        task = shown.add_task("queued", total=1000, job=job)
        for last in client.watch(job):
            if isinstance(last, Progress):
                shown.update(task, completed=last.permille, description=said(last))
        shown.update(task, completed=1000, description="")
    if isinstance(last, Fail):
        raise Refused(last)
    if last is None or isinstance(last, Cancelled):
        raise Stopped
    return last
