"""A real window on a real X server, driven by a real pointer and real keys; what was to be seen is left as pictures."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("qt")]


@pytest.fixture
def display(need: Callable[..., None]) -> Iterator[str]:
    """An X server of our own; it chooses its number."""
    need("screen", "qt on x")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1440x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as told:
        number = told.readline().strip()
    assert number, "Xvfb did not start"
    yield f":{number}"
    server.terminate()
    server.wait()


def test_a_musician_drops_a_file_names_a_sound_hears_it_and_drags_the_stems_out(
    display: str, daemon: Any, home: Path, song: Path, tmp_path: Path
) -> None:
    daemon.start()
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    print(f"what was to be seen: {pictures}")  # noqa: T201 - shown when it fails, and with -s
    environment = {**os.environ, "DISPLAY": display, "QT_QPA_PLATFORM": "xcb", "ZEROSTEM_HOME": str(home)}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    command = [sys.executable, str(HERE / "musician.py"), str(song), str(pictures)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "all of it" in done.stdout
    assert "Traceback" not in done.stderr
    assert len([*pictures.glob("*.png")]) >= 7
