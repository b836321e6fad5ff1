"""REAPER: one script per action, told apart by its last line, registered under ids that never change, and an OSC pattern."""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from host_bridge.hosts.base import Edit, Facts
from host_bridge.hosts.build import build
from host_bridge.paths import PORT

HERE = Path(__file__).parent
SCRIPTS = PurePosixPath("Scripts")
OURS = "ZeroStem"
"""The folder below Scripts that is ours."""
PATTERN = "ZeroStem.ReaperOSC"
REGISTER = PurePosixPath("reaper-kb.ini")
MAIN_SECTION = 0

ACTIONS = {
    "separate": "ZeroStem: Separate selection by prompt...",
    "again": "ZeroStem: Separate again with last settings",
    "strength": "ZeroStem: Set strength of selected stem...",
    "highlight": "ZeroStem: Highlight by prompt...",
    "import": "ZeroStem: Import finished stems",
    "panel": "ZeroStem: Open ZeroStem panel",
}
"""By the name in `main.lua`: what REAPER's action list shows."""

_REGISTERED = re.compile(rb'^SCR[ \t]+\d+[ \t]+\d+[ \t]+"?ZEROSTEM_[A-Z]+"?[ \t][^\n]*(?:\n|\Z)', re.MULTILINE)
_OSC = "For faders, and for stems that come in although no script runs, add OSC in Preferences, Control/OSC/web,"
_FOLDERS = {
    "darwin": ("Library/Application Support/REAPER",),
    "win32": ("AppData/Roaming/REAPER",),
    "linux": (".config/REAPER", ".var/app/fm.reaper.Reaper/config/REAPER"),
}
_NAMED_BY = {"win32": "APPDATA", "linux": "XDG_CONFIG_HOME"}


def command_id(action: str) -> str:
    """The id under which REAPER and OSC know an action, with the underscore that REAPER puts before a script's own."""
    return f"_ZEROSTEM_{action.upper()}"


def script_name(action: str) -> str:
    """The file of an action; REAPER shows it where it has no better name."""
    return ACTIONS[action].replace(": ", " - ", 1).rstrip(".") + ".lua"


class Reaper:
    """The host as `base.Host` has it. A portable REAPER is installed into by its folder, the one with reaper.ini."""

    name = "reaper"
    title = "REAPER"
    processes = ("reaper", "REAPER", "reaper.exe")
    port: int | None = 8000

    def folders(self, system: str, home: Path, environment: Mapping[str, str]) -> list[Path]:
        """Where REAPER keeps its settings ("resource path")."""
        named = environment.get(_NAMED_BY.get(system, ""), "")
        usual = [home / folder for folder in _FOLDERS.get(system, _FOLDERS["linux"])]
        return list(dict.fromkeys([Path(named) / "REAPER", *usual] if named else usual))

    def files(self, facts: Facts) -> dict[PurePosixPath, bytes]:
        """A script for each action, and the OSC pattern."""
        modules = build(HERE / "main.lua", facts)
        scripts = {
            SCRIPTS / OURS / script_name(action): b"-- "
            + title.encode()
            + b"\n"
            + modules
            + f"\nperform ('{action}')\n".encode()
            for action, title in ACTIONS.items()
        }
        return {**scripts, PurePosixPath("OSC") / PATTERN: (HERE / PATTERN).read_bytes()}

    def edits(self, facts: Facts) -> tuple[Edit, ...]:  # noqa: ARG002 - the same on every machine
        """The actions in REAPER's list, under their own ids."""
        return (Edit(REGISTER, _registered, _unregistered),)

    def advice(self) -> tuple[str, ...]:
        """What is left to the person."""
        return (
            f"In REAPER's action list (the ? key) search for ZeroStem: select an item and run “{ACTIONS['separate']}”.",
            f"{_OSC} with the pattern config ZeroStem, device port {PORT}, local listen port {self.port}, both at 127.0.0.1.",
        )


def _registered(data: bytes) -> bytes:
    """Our lines come first, so that whatever end the file's last line has stays as it is."""
    end = "\r\n" if b"\r\n" in data else "\n"
    lines = (
        f'SCR 4 {MAIN_SECTION} {command_id(action)[1:]} "Custom: {title}" "{OURS}/{script_name(action)}"{end}'
        for action, title in ACTIONS.items()
    )
    return "".join(lines).encode() + _unregistered(data)


def _unregistered(data: bytes) -> bytes:
    return _REGISTERED.sub(b"", data)


HOST = Reaper()
