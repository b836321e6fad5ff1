"""macOS: a launchd agent, started at logon and again when the daemon fails, not when it was told to stop."""

import os
import plistlib
from pathlib import Path

from installers.system import Program, ServiceSystem

LABEL = "org.zerostem.daemon"


def path() -> Path:
    """Where a user's own agents lie."""
    return Path.home() / "Library" / "LaunchAgents" / f"{LABEL}.plist"


def text(program: Program) -> str:
    """The property list."""
    said = str(program.log / "service.log")
    told = {
        "Label": LABEL,
        "ProgramArguments": list(program.words),
        "EnvironmentVariables": dict(program.variables),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ProcessType": "Interactive",  # else macOS slows it down, and it renders while somebody waits
        "StandardOutPath": said,
        "StandardErrorPath": said,
    }
    return plistlib.dumps(told, sort_keys=False).decode()


_DOMAIN = f"gui/{os.getuid()}" if hasattr(os, "getuid") else "gui"  # Windows reads this table as well

SYSTEM = ServiceSystem(
    name="launchd agent",
    path=path,
    text=text,
    comment=("<!-- ", " -->"),
    encoding="utf-8",
    start=lambda path: (("launchctl", "bootstrap", _DOMAIN, str(path)),),
    nudge=(("launchctl", "kickstart", f"{_DOMAIN}/{LABEL}"),),
    leave=(("launchctl", "bootout", f"{_DOMAIN}/{LABEL}"),),
    gone=(),
    look=f"launchctl print {_DOMAIN}/{LABEL}",
)
