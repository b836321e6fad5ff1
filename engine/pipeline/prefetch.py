"""Background reading and writing: while the network runs, the next group of windows is read and the last results are
written."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def prefetch(items: Iterable[T]) -> Generator[T, None, None]:
    """Prefetch: a background thread computes the next item while the caller uses this one; buffer size 1.

    An exception of the iterable is raised in place of its item. When the iteration ends, however it ends, the thread has ended.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "reading") as reader:
        coming: Future[T | _End] = reader.submit(next, source, _END)
        while not isinstance(item := coming.result(), _End):
            coming = reader.submit(next, source, _END)
            yield item


@contextmanager
def write_behind(work: Callable[[T], None]) -> Iterator[Callable[[T], None]]:
    """Write-behind: a background thread calls `work` on each item in order; at most one item waits.

    An exception for an item is raised when the next one is put, or at the end. When the block ends all items are processed.
    """
    with ThreadPoolExecutor(1, "writing") as writer:
        going: Future[None] | None = None

        def put(item: T) -> None:
            nonlocal going
            if going is not None:
                going.result()
            going = writer.submit(work, item)

        yield put
        if going is not None:
            going.result()


class _End:
    """Marks the end of the iteration."""


_END = _End()
