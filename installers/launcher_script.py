"""The command `zerostem` where a shell finds it: one small file that calls the application's own environment."""

import os
from dataclasses import dataclass
from pathlib import Path

from installers import receipt
from installers.file_transaction import Step, put, take, take_away, take_away_folder
from installers.service import Say


@dataclass(frozen=True, slots=True)
class LauncherScript:
    """One system's way: the file, what it says, how its form begins and ends a comment, and how to come to be found."""

    path: Path
    text: str
    comment: tuple[str, str]
    found: str
    """What to do where the file's folder is not on the path."""


def install(launcher: LauncherScript, say: Say) -> None:
    """Write the file; a stranger's stays. Raises CannotInstall."""
    before = _read(launcher.path)
    paper = receipt.read(before or "")
    if before is not None and not (paper and paper.whole):
        say(f"{launcher.path} is not as we write it, and stays.")
        return
    made = paper.folders_made if paper else len([folder for folder in launcher.path.parents if not folder.exists()])
    text = receipt.signed(launcher.text, launcher.comment, made)
    if text != before:
        take([put(launcher.path, text.replace("\n", os.linesep).encode(), "written:")])
    if os.name != "nt":
        launcher.path.chmod(0o755)
    say(f"The command: {launcher.path}")
    if str(launcher.path.parent) not in os.environ.get("PATH", "").split(os.pathsep):
        say(launcher.found)


def uninstall(launcher: LauncherScript, say: Say) -> None:
    """Take the file away if it is as we wrote it. Raises CannotInstall."""
    before = _read(launcher.path)
    paper = receipt.read(before or "")
    if before is not None and paper and paper.whole:
        steps: list[Step] = [take_away(launcher.path)]
        take([*steps, *map(take_away_folder, list(launcher.path.parents)[: paper.folders_made])])
        say(f"Taken away: {launcher.path}")


def _read(path: Path) -> str | None:
    """What lies there; None for nothing, "" for what is no text."""
    if not os.path.lexists(path):
        return None
    try:
        return path.read_bytes().decode().replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        return ""
