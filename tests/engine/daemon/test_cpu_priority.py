"""What computes steps back for a DAW that plays: behind other threads, and on fewer cores."""

import os
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

from engine.daemon import cpu_priority


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    cpu_priority._all_threads.cache_clear()
    torch.set_num_threads(4)
    yield
    cpu_priority._all_threads.cache_clear()
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("host", "left_free", "threads"),
    [("reaper", None, 3), ("Ardour", None, 3), ("cli", None, 4), ("panel", None, 4), ("", None, 4), ("cli", 2, 2), ("", 9, 1)],
)
def test_a_core_is_left_to_a_daw_unless_the_user_says_otherwise(host: str, left_free: int | None, threads: int) -> None:
    assert cpu_priority.limit_threads(host, left_free) == torch.get_num_threads() == threads
    assert cpu_priority.limit_threads("cli", 0) == torch.get_num_threads() == 4  # and taken again when the DAW asks no more


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a thread's priority")
def test_the_thread_that_computes_and_those_it_starts_go_behind_all_others() -> None:
    found, before = [], _niceness()

    def work() -> None:
        cpu_priority.lower_priority()
        child = threading.Thread(target=lambda: found.append(_niceness()))
        child.start()
        child.join()
        found.append(_niceness())

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()
    assert found == [max(cpu_priority.NICENESS, before)] * 2
    assert _niceness() == before


def _niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
