"""What the tests of the panel share: Qt without a screen, a panel that is always closed, and a daemon in a home of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

    from ui.panel import Panel

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

RATE = 22_050
PATIENCE_S = 60.0


class Until(Protocol):
    """Let the panel live until something is true."""

    def __call__(self, true: Callable[[], object], patience_s: float = PATIENCE_S) -> None: ...


@pytest.fixture(scope="session")
def qt(need: Callable[..., None]) -> None:
    """Qt with its libraries, or the reason why there is none."""
    pytest.importorskip("PyQt6.sip", reason="PyQt6 is not installed: pip install 'zerostem[panel]'")
    need("qt")
    pytest.importorskip("pyqtgraph", reason="pyqtgraph is not installed: pip install 'zerostem[panel]'")


@pytest.fixture
def application(qt: None) -> "QApplication":
    """The one application."""
    from ui.app import application_of

    return application_of()


@pytest.fixture
def until(application: "QApplication") -> Until:
    """See `Until`."""

    def wait(true: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        end = time.monotonic() + patience_s
        while not true():
            assert time.monotonic() < end, "it did not come to be in time"
            application.processEvents()
            time.sleep(0.002)

    return wait


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """Whatever is raised in a slot, where nobody could catch it; a test with any of it fails."""
    from PyQt6.QtCore import qInstallMessageHandler

    caught: list[BaseException] = []

    def keep(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        caught.append(error)

    def hear(_level: object, _context: object, words: str | None) -> None:
        if words and "propagateSizeHints" not in words:  # the offscreen platform says that of every window
            caught.append(Warning(words))

    monkeypatch.setattr(sys, "excepthook", keep)
    before = qInstallMessageHandler(hear)
    yield caught
    qInstallMessageHandler(before)
    assert not caught


@pytest.fixture
def panels(application: "QApplication", faults: list[BaseException]) -> Iterator[Callable[..., "Panel"]]:
    """Makes panels, and closes them. wake: may it start a daemon of its own?"""
    from ui import app

    made: list[Panel] = []

    def make(*, wake: bool = False, theme: str = "dark") -> "Panel":
        hook = sys.excepthook
        panel = app.made(theme, wake=wake)
        sys.excepthook = hook
        made.append(panel)
        panel.show()
        panel.studio.start()
        return panel

    yield make
    for panel in made:
        panel.close()
    application.processEvents()


class Daemon:
    """The real daemon, in a process and in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Let it begin, and wait until it listens."""
        command = [sys.executable, "-m", "host_bridge", "daemon", "--device", "cpu", "--port", "0"]
        environment = {**os.environ, "ZEROSTEM_HOME": str(self.home)}
        self._process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        assert "Listening" in self._process.stderr.readline()

    def kill(self) -> None:
        """Let it die without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@pytest.fixture
def daemon(home: Path) -> Iterator[Daemon]:
    """A daemon that has not been started yet, in this test's home."""
    made = Daemon(home)
    yield made
    made.kill()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon for all tests of a file that want one which lives."""
    made = Daemon(tmp_path_factory.mktemp("shared"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def served(shared: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    """This test's home is the one where that daemon lives."""
    monkeypatch.setenv("ZEROSTEM_HOME", str(shared.home))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Three seconds of a tone and of noise, in stereo."""
    path = tmp_path / "song.wav"
    times_s = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(0).normal(size=(len(times_s), 2))
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 220 * times_s)[:, None] + 0.05 * noise, RATE)
    return path
