"""The start of the panel, and its picture."""

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QApplication

from host_bridge.errors import BridgeError, CannotWrite
from host_bridge.settings import places
from ui import looks, texts
from ui.link import Link
from ui.panel import Panel
from ui.studio import Studio
from ui.timing import timer

THEMES = {"system": None, "dark": looks.DARK, "light": looks.LIGHT}
DEMO_PROMPTS = ("drums", "bass", "trumpet")
DEMO_PATIENCE_S, ENDING_S = 180.0, 20.0
SIGNALS_MS = 200
"""Python sees a Ctrl+C only between two steps of its own, so it takes one now and then."""
SETTLE_S = 1.2
"""So long nothing must have been computed before a picture is taken."""


def main(files: list[Path], screenshot: Path | None = None, *, demo: bool = False, theme: str = "system") -> int:
    """Open the panel and come back when it is closed. Of several files the first is shown. A display is there (`ui.display`).

    screenshot: write a picture of it and end; demo: with the demo region, separated just now by a daemon that ends with it.
    """
    with ExitStack() as house:
        if screenshot is not None and demo:
            house.enter_context(_home_of_its_own())
        application = application_of()
        signal.signal(signal.SIGINT, lambda *_: application.quit())
        timer(application, SIGNALS_MS, lambda: None).start()
        panel = made(theme, wake=screenshot is None or demo)
        house.callback(panel.close)
        if screenshot is not None and demo:
            house.callback(_end_daemon, panel.studio)
        if demo:
            panel.studio.open_demo()
        for file in files[:1]:
            panel.open(file)
        panel.show()
        panel.studio.start()
        if screenshot is not None:
            return _picture(panel, screenshot, separated=demo)
        return int(application.exec())


def application_of() -> QApplication:
    """The one application of this process."""
    if isinstance(there := QApplication.instance(), QApplication):
        return there
    application = QApplication(sys.argv[:1])
    application.setApplicationName("zerostem")
    application.setApplicationDisplayName(texts.TITLE)
    application.setStyle("Fusion")
    return application


def made(theme: str = "system", *, wake: bool = True) -> Panel:
    """A panel with everything behind it, not shown yet. wake: whether it may start a daemon."""
    panel = Panel(Studio(Link(wake=wake)), THEMES[theme])
    sys.excepthook = _net(panel)
    return panel


Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]


def _net(panel: Panel) -> Hook:
    """The last net: what no one expected is written down and said, and the panel goes on."""

    def caught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        path = places().log / "panel.log"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write("".join(traceback.format_exception(kind, error, trace)))
        except OSError:
            sys.__excepthook__(kind, error, trace)
        panel.studio.link.complained.emit(
            BridgeError(texts.FAULT.format(kind=kind.__name__), texts.FAULT_TODO.format(path=path))
        )

    return caught


# The picture.


@contextmanager
def _home_of_its_own() -> Iterator[None]:
    """A home for the time of a picture: nothing of the user's is shown, and nothing is left there."""
    before = os.environ.get("ZEROSTEM_HOME")
    with tempfile.TemporaryDirectory(prefix="zerostem-panel-", ignore_cleanup_errors=True) as folder:
        os.environ["ZEROSTEM_HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["ZEROSTEM_HOME"]
            else:
                os.environ["ZEROSTEM_HOME"] = before


def _picture(panel: Panel, path: Path, *, separated: bool) -> int:
    """Write what is to be seen, once all of it has been drawn. Raises CannotWrite, BridgeError."""
    studio = panel.studio
    if separated:
        _await(lambda: studio.session.region is not None and studio.standing == "there", DEMO_PATIENCE_S)
        for prompt in DEMO_PROMPTS:
            studio.ask_for(prompt)
        studio.choose(DEMO_PROMPTS[0])
        studio.separate()
        _await(lambda: panel.playback.ready, DEMO_PATIENCE_S)
    _await(_quiet(studio), DEMO_PATIENCE_S)
    if not panel.grab().save(str(path)):
        raise CannotWrite(f"{path} cannot be written.", "Choose a folder that is there, and a name that ends in .png.")
    return 0


def _end_daemon(studio: Studio) -> None:
    """End the daemon that was started for the picture, and wait until it has gone. Raises BridgeError."""
    studio.link.ask(lambda client: client.stop())
    _await(lambda: not places().runtime.exists(), ENDING_S)


def _quiet(studio: Studio) -> Callable[[], bool]:
    """Whether nothing has been computed any more for a while."""
    since = [time.monotonic()]

    def true() -> bool:
        if not studio.idle:
            since[0] = time.monotonic()
        return time.monotonic() - since[0] > SETTLE_S

    return true


def _await(true: Callable[[], bool], patience_s: float) -> None:
    """Let the panel live until something is true. Raises BridgeError where it never is."""
    until = time.monotonic() + patience_s
    while not true():
        if time.monotonic() > until:
            raise BridgeError("The panel's demo did not come to its end.", "Look into the daemon's log.")
        QGuiApplication.processEvents()
        time.sleep(0.01)
