"""Linux: all of ZeroStem into this user's home, by `installers/linux.sh`."""

import shlex
import sys
from pathlib import Path

from host_bridge.cli import safely
from installers import whole
from installers.door import Door


def door() -> Door:
    """The command in ~/.local/bin, which most distributions have on the path."""
    found = 'If `zerostem` is not found: add export PATH="$HOME/.local/bin:$PATH" to ~/.profile, and log in again.'
    text = f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m host_bridge "$@"\n'
    return Door(Path.home() / ".local" / "bin" / "zerostem", text, ("# ", ""), found)


if __name__ == "__main__":
    sys.exit(safely(lambda words: whole.main(door(), words), sys.argv[1:]))
