"""Windows: all of ZeroStem into this user's home, by `installers/windows.ps1`. Never run there: only its parts are tested."""

import os
import sys
from pathlib import Path

from host_bridge.cli import safely
from installers import whole
from installers.door import Door


def door() -> Door:
    """The command in a folder that Windows has on every user's path; percent signs would be variables, so they are doubled."""
    local = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    text = f'@"{sys.executable.replace("%", "%%")}" -P -m host_bridge %*\n'
    found = "If `zerostem` is not found: open a new window."
    return Door(local / "Microsoft" / "WindowsApps" / "zerostem.cmd", text, ("@rem ", ""), found)


if __name__ == "__main__":
    sys.exit(safely(lambda words: whole.main(door(), words), sys.argv[1:]))
