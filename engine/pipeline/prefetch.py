"""Beside the network: the next group of windows is read and resampled, and the last one's answers are written."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def prefetch(items: Iterable[T]) -> Generator[T, None, None]:
    """The same items in the same order, each made by another thread while its forerunner is used; one is held at most.

    What making an item raises is raised where the item would have come. When the iteration ends, however it ends, the other
    thread has ended too.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "reading") as reader:
        coming: Future[T | _End] = reader.submit(next, source, _END)
        while not isinstance(item := coming.result(), _End):
            coming = reader.submit(next, source, _END)
            yield item


@contextmanager
def write_behind(work: Callable[[T], None]) -> Iterator[Callable[[T], None]]:
    """Hand items to `work` in another thread, one after another; one waits at most.

    What it raises for an item is raised when the next one is handed over, or at the end. When the block ends all is done.
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
    """What comes after the last."""


_END = _End()
