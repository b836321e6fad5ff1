"""Real DAWs on a screen that nobody sees, each with a home of its own; whatever was started here is ended by its number."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Self

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="session", name="until")
def _until() -> "Callable[..., None]":
    return until


def until(true: Callable[[], object], what: str, patience_s: float = 30.0) -> None:
    """Wait for something to come true."""
    end = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def program() -> "type[Program]":
    return Program


class Program:
    """A process with all its children, in a home and a runtime folder of its own; ended when the `with` is left."""

    def __init__(self, words: list[str], home: Path, variables: Mapping[str, str]) -> None:
        own = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
        self.environment = kept | own | dict(variables)
        self._words, self._log = words, home / f"{Path(words[0]).name}.log"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._words, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and what it has started, and wait for that."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, how)
            self._process.wait(20)

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")


@pytest.fixture(scope="session")
def ardour_safe() -> dict[str, str]:
    """Ardour before 8.5 damages its memory on processors with AVX-512 (its commit d023ea0d77); so it is not to use that."""
    return {"ARDOUR_FPU_FLAGS": "31"}


@pytest.fixture(scope="session")
def ardour_lua(ardour_safe: dict[str, str]) -> Callable[..., str]:
    """Run a script in Ardour's own Lua, without a window -> what it printed."""

    def run(script: str, home: Path, *words: object) -> str:
        file = home / "script.lua"
        file.write_text(script)
        done = subprocess.run(
            ["ardour7-lua", file, *map(str, words)],
            env={**os.environ, **ardour_safe, "HOME": str(home)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    return run


class Screen:
    """An X server without a screen. name: what DISPLAY is to be."""

    def __init__(self, name: str) -> None:
        self.name = name

    def press(self, title: str, *words: str) -> None:
        """Have xdotool do something in the window whose title holds this text, as a person's hands would.

        There is no window manager here to give a new window the keyboard.
        """
        window = self.windows(title)[-1]
        for each in (["windowfocus", window], list(words)):
            subprocess.run(["xdotool", *each], env={**os.environ, "DISPLAY": self.name}, check=True, timeout=20)
            time.sleep(0.2)

    def windows(self, title: str) -> list[str]:
        """The visible windows whose title holds this text."""
        words = ["xdotool", "search", "--onlyvisible", "--name", title]
        done = subprocess.run(
            words, env={**os.environ, "DISPLAY": self.name}, check=False, capture_output=True, text=True, timeout=20
        )
        return done.stdout.split()

    def picture(self, path: Path) -> None:
        """What a person would see now."""
        from PIL import ImageGrab

        ImageGrab.grab(xdisplay=self.name).save(path)


@pytest.fixture(scope="session")
def screen(need: Callable[..., None]) -> Iterator[Screen]:
    need("screen")
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x1000x24", "-nolisten", "tcp"]
    server = subprocess.Popen(words, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            yield Screen(f":{told.readline().strip()}")
    finally:
        server.terminate()
        server.wait(20)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed leaves a picture: most often a dialog is in the way."""
    report = yield
    screen = getattr(item, "funcargs", {}).get("screen")
    if call.when == "call" and call.excinfo is not None and screen is not None:
        path = item.config.rootpath / ".pytest_cache" / f"{item.name}.png"
        path.parent.mkdir(exist_ok=True)
        screen.picture(path)
        report.sections.append(("what the screen showed", str(path)))
    return report
