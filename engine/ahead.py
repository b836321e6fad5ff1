"""Reading ahead: the next group of windows is read and resampled while the network works on this one."""

from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Generator[T, None, None]:
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


class _End:
    """What comes after the last."""


_END = _End()
