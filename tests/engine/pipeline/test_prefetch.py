"""What is read ahead and written behind keeps its order, raises its errors in their places, and leaves no thread."""

import threading
from collections.abc import Iterator

import pytest

from engine.pipeline.prefetch import prefetch, write_behind


def test_items_come_in_their_order_and_one_is_made_while_another_is_used() -> None:
    made = [threading.Event() for _ in range(4)]

    def making() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    found = []
    for number in prefetch(making()):
        if number + 1 < len(made):
            assert made[number + 1].wait(10)  # while this one is used
        found.append(number)
    assert found == [0, 1, 2, 3]
    assert list(prefetch([])) == []


def test_what_goes_wrong_is_raised_where_the_item_would_have_come() -> None:
    def making() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    items = prefetch(making())
    assert next(items) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(items)


def test_whoever_stops_early_leaves_no_thread_and_only_one_item_too_many() -> None:
    made = []

    def making() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = prefetch(making())
    assert next(items) == 0
    items.close()
    assert len(made) <= 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("reading")]


def test_what_is_handed_over_is_done_in_order_and_beside_the_next() -> None:
    done, free = list[int](), threading.Event()

    def work(number: int) -> None:
        assert free.wait(10)
        done.append(number)

    with write_behind(work) as put:
        put(0)  # returns, though it cannot be done yet
        assert done == []
        free.set()
        put(1)
        put(2)
    assert done == [0, 1, 2]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("writing")]


@pytest.mark.parametrize("items", [1, 3])
def test_work_that_fails_behind_is_heard_of(items: int) -> None:
    def work(_number: int) -> None:
        raise OSError("the disk is full")

    def go() -> None:
        with write_behind(work) as put:
            for number in range(items):
                put(number)

    with pytest.raises(OSError, match="the disk is full"):
        go()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("writing")]


def test_what_goes_wrong_in_front_is_what_is_raised() -> None:
    def go() -> None:
        with write_behind(lambda _: None) as put:
            put(1)
            raise KeyError("front")

    with pytest.raises(KeyError, match="front"):
        go()
