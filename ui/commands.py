"""The panel's door: `zerostem panel`, which says in a sentence what is missing where it cannot open."""

from importlib.util import find_spec
from pathlib import Path

from host_bridge.arguments import Parser
from host_bridge.errors import BadRequest
from ui import display

NEEDED = ("PyQt6", "pyqtgraph")
LIBRARIES = (
    "libdbus-1-3", "libegl1", "libfontconfig1", "libgl1", "libglib2.0-0", "libxcb-cursor0", "libxcb-icccm4", "libxcb-keysyms1",
    "libxcb-shape0", "libxkbcommon-x11-0",
)  # fmt: skip
"""Debian packages that, with what they depend on, bring all that Qt and its plug-in for X want of the system."""
THEMES = ("system", "dark", "light")


def panel(argv: list[str]) -> int:
    """Run `zerostem panel` with these arguments, until its window is closed. Raises BadRequest, CannotWrite."""
    parser = Parser("zerostem panel", description="The window: drop a file in, name a sound, hear the stem.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="an audio file to open; of several the first")
    parser.add_argument("--theme", choices=THEMES, default="system", help="its colours (default: the system's)")
    parser.add_argument("--demo", action="store_true", help="open the mix that comes along")
    parser.add_argument("--screenshot", type=Path, metavar="PNG", help="write a picture of the window, and end")
    options = parser.parse_args(argv)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        what = f"The panel needs {' and '.join(missing)}."
        raise BadRequest(what, "Install it: `pip install 'zerostem[panel]'`; everything else works without.")
    trial = display.Trial()  # it runs while the panel is loaded
    try:
        from ui.app import main
    except ImportError as error:  # libraries of the system's that Qt wants
        todo = f"Install what it wants (Debian: `apt install {' '.join(LIBRARIES)}`)."
        raise BadRequest(f"Qt cannot be loaded: {error}.", todo) from error

    trial.check(picture=options.screenshot is not None)
    return main([path.absolute() for path in options.files], options.screenshot, demo=options.demo, theme=options.theme)
