"""Audacity: nothing is put into it; its own mod-script-pipe is switched on, through which `zerostem audacity` talks to it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from host_bridge.hosts.base import Edit, Facts

_OFF = re.compile(rb"^(\[Module\]\r?\n(?:[^\[\r\n][^\r\n]*\r?\n|\r?\n)*?)mod-script-pipe=([02-9])(\r?)$", re.MULTILINE)
_OURS = re.compile(rb"^# ZeroStem: mod-script-pipe was (\d)\r?\n(?:mod-script-pipe=\d(\r?)$)?", re.MULTILINE)


def switched_on(settings: bytes) -> bytes:
    """audacity.cfg with the module enabled, and a line of comment that says what was there; Audacity keeps comments.

    Where Audacity has never listed the module nothing changes: it trusts only what it has found itself.
    """
    return _OFF.sub(rb"\1# ZeroStem: mod-script-pipe was \2\3\nmod-script-pipe=1\3", settings, count=1)


def switched_back(settings: bytes) -> bytes:
    """audacity.cfg as it was before."""
    return _OURS.sub(lambda ours: b"mod-script-pipe=" + ours[1] + ours[2] if ours[2] is not None else b"", settings)


@dataclass(frozen=True, slots=True)
class Audacity:
    """As `base.Host` has it."""

    name: str = "audacity"
    title: str = "Audacity"
    processes: tuple[str, ...] = ("audacity",)
    port: int | None = None

    def folders(self, system: str, home: Path, environment: Mapping[str, str]) -> list[Path]:
        """Where audacity.cfg lies."""
        if system == "win32":
            return [Path(environment.get("APPDATA") or home / "AppData/Roaming") / "audacity"]
        if system == "darwin":
            return [home / "Library/Application Support/audacity"]
        settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        return [settings / "audacity", home / ".var/app/org.audacityteam.Audacity/config/audacity", home / ".audacity-data"]

    def files(self, facts: Facts) -> dict[PurePosixPath, bytes]:  # noqa: ARG002 - it has none
        """None."""
        return {}

    def edits(self, facts: Facts) -> tuple[Edit, ...]:  # noqa: ARG002 - the pipe needs none of them
        """Its module for scripts."""
        return (Edit(PurePosixPath("audacity.cfg"), switched_on, switched_back),)

    def advice(self) -> tuple[str, ...]:
        """How to see whether it worked."""
        return (
            "Where `zerostem audacity` finds none: enable mod-script-pipe in Preferences, Modules, and start Audacity again.",
            "Select a part of a track in Audacity, then run `zerostem audacity -p drums`.",
        )


HOST = Audacity()
