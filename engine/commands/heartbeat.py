"""A line on stderr for what takes minutes: what is measured, and how far it is."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def heartbeat(what: str) -> Iterator[Callable[[], None]]:
    """Call what is given after each part that is done."""
    from rich.console import Console

    began, ticks = time.monotonic(), 0
    with Console(stderr=True).status(what) as line:

        def done() -> None:
            nonlocal ticks
            ticks += 1
            line.update(f"{what}: {ticks} done in {time.monotonic() - began:.0f} s")

        yield done
