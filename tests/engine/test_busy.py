"""The bench beside a busy process compares what it says it compares."""

import re

import pytest

from engine.bench import busy

WORKER = """
import os, sys, time
waits = {without!r} or "passive"
for line in sys.stdin:
    print({{"passive": 2.0}}.get(waits, 4.0), flush=True)
"""


def test_its_rows_are_the_time_alone_beside_a_busy_process_and_with_threads_that_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(busy, "WORKER", WORKER)
    asked = []
    told = busy.told("pocket", lambda: asked.append(1))
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in told.splitlines()[2:]]
    assert [row[1:3] for row in rows] == [["2.00", "1.00"], ["2.00", "1.00"], ["4.00", "2.00"]]
    assert rows[1][0] == "beside a busy process"
    assert rows[1][3] == "2.5"
    assert len(asked) == 3 * busy.TIMES


def test_its_worker_is_the_engine_with_the_variables_of_ours_or_without_them() -> None:
    code = busy.WORKER.format(model="pocket", seconds=8.0, without=busy.WAITING)
    compile(code, "worker", "exec")
    before_torch = code.split("from engine.separation")[0]
    assert re.findall(r"'(\w+)'", before_torch) == list(busy.WAITING)
