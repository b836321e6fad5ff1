"""macOS: all of ZeroStem into this user's home, by `installers/macos.sh`. Never run there: only its parts are tested."""

import sys
from dataclasses import replace

from host_bridge.cli import safely
from installers import install_all, linux
from installers.launcher_script import LauncherScript


def launcher() -> LauncherScript:
    """The command in ~/.local/bin, which a Mac does not look into by itself."""
    found = (
        "If `zerostem` is not found: run echo 'export PATH=\"$HOME/.local/bin:$PATH\"' >> ~/.zprofile, and open a new window."
    )
    return replace(linux.launcher(), found=found)


if __name__ == "__main__":
    sys.exit(safely(lambda words: install_all.main(launcher(), words), sys.argv[1:]))
