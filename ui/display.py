"""Whether Qt can open a window here, asked in a process of its own: where it cannot, Qt ends the process that tries."""

import ctypes
import os
import subprocess
import sys

from host_bridge.errors import BridgeError

SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
PATIENCE_S = 15.0
"""For a display on another machine that does not answer."""
_TRY = """\
import resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from PyQt6.QtGui import QGuiApplication
QGuiApplication(sys.argv[:1])
"""
_PACKAGES = {
    "libxcb-cursor.so.0": "libxcb-cursor0", "libxkbcommon-x11.so.0": "libxkbcommon-x11-0", "libEGL.so.1": "libegl1",
    "libxcb-icccm.so.4": "libxcb-icccm4", "libxcb-image.so.0": "libxcb-image0", "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0", "libxcb-shape.so.0": "libxcb-shape0",
}  # fmt: skip
"""What Qt's window system for X wants of the system, and Debian's packages for it."""


class DisplayProbe:
    """Opens a window in another process while the panel loads. On other systems than Linux there always is a display."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        if sys.platform.startswith("linux") and any(os.environ.get(name) for name in SCREENS):
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-c", _TRY],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True, errors="replace",
            )  # fmt: skip

    def check(self, *, picture: bool) -> None:
        """Wait for its end. Raises BridgeError where no window can be opened; a picture is then drawn without a screen."""
        try:
            self._check()
        except BridgeError:
            if not picture:
                raise
            os.environ["QT_QPA_PLATFORM"] = "offscreen"

    def _check(self) -> None:
        if not sys.platform.startswith("linux"):
            return
        if self._process is None:
            raise BridgeError("There is no screen here to open a window on.", "Start the panel in a desktop session.")
        try:
            said = self._process.communicate(timeout=PATIENCE_S)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            said = "the display does not answer"
        if self._process.returncode == 0:
            return
        set_ = ", ".join(f"{name}={os.environ[name]}" for name in SCREENS if os.environ.get(name))
        missing = missing_libraries() if 'plugin "xcb"' in said else []
        if missing:
            what = f"Qt cannot open a window, for {', '.join(missing)} cannot be loaded ({set_})."
            raise BridgeError(what, f"Install it (Debian: `apt install {' '.join(_PACKAGES[name] for name in missing)}`).")
        why = _reason(said)
        raise BridgeError(
            f"Qt cannot open a window on this display ({set_}){why}.",
            "Start the panel in a desktop session that is yours, and check these variables.",
        )


def missing_libraries() -> list[str]:
    """The libraries that Qt's window system wants and the system has not."""
    missing = []
    for name in _PACKAGES:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append(name)
    return missing


def _reason(said: str) -> str:
    """Qt's first line that says why, without its name of the module, or a traceback's last; nothing where it said nothing."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(("Fatal Python", "Aborted"))]
    if not lines:
        return ""
    line = lines[-1] if lines[0].startswith("Traceback") else lines[0]
    return f": {line.partition(': ')[2] or line}".rstrip(".")
