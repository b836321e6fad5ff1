"""macOS: all of ZeroStem into this user's home, by `installers/macos.sh`. Never run there: only its parts are tested."""

import sys
from dataclasses import replace

from host_bridge.cli import safely
from installers import linux, whole
from installers.door import Door


def door() -> Door:
    """The command in ~/.local/bin, which a Mac does not look into by itself."""
    found = (
        "If `zerostem` is not found: run echo 'export PATH=\"$HOME/.local/bin:$PATH\"' >> ~/.zprofile, and open a new window."
    )
    return replace(linux.door(), found=found)


if __name__ == "__main__":
    sys.exit(safely(lambda words: whole.main(door(), words), sys.argv[1:]))
