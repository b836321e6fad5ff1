"""A daemon that a client starts outlives the start, and its end is taken note of."""

import os
import time
from pathlib import Path

import pytest

from host_bridge import waking

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for Python is a shell script")


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for the interpreter that says a line as the daemon does, and stays for as long as a file does."""
    stand_in, alive = tmp_path / "python", tmp_path / "alive"
    alive.touch()
    stand_in.write_text(f"#!/bin/sh\necho ' Listening. ' >&2\nwhile [ -e '{alive}' ]; do sleep 0.05; done\n", encoding="utf-8")
    stand_in.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(stand_in))
    return alive


def test_its_first_words_are_heard_while_it_runs_on_and_one_that_ended_is_let_go_of(python: Path) -> None:
    assert waking._started() == "Listening."
    (first,) = waking._daemons
    assert first.poll() is None
    assert waking._started() == "Listening."
    assert len(waking._daemons) == 2
    python.unlink()
    for daemon in waking._daemons:
        assert daemon.wait(10) == 0
    assert waking._started() == "Listening."
    assert first not in waking._daemons
    (last,) = waking._daemons
    until = time.monotonic() + 10
    while last.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    assert last.returncode == 0  # its end is known, and no zombie is left
