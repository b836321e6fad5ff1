"""A DAW's lines in `hosts.toml`, by which the daemon tells it that a job is done; a port that the user wrote there stays."""

import re
import tomllib
from pathlib import Path

from installers.file_transaction import Step, put, take_away, take_away_folder
from installers.service import CannotInstall

FILE = "hosts.toml"
_MARK = "# by `zerostem install`; edit it, and it is yours"


def added(config: Path, name: str, port: int) -> list[Step]:
    """Name the DAW's usual port, unless the file names one already. Raises CannotInstall."""
    path = config / FILE
    text = _text(path)
    if name in _told(path, text):
        return []
    # In front: a table in TOML ends where the next begins, so the rest need not be touched, nor its last line's end.
    return [put(path, f"[{name}]  {_MARK}\nport = {port}\n{text}".encode(), f"written, [{name}] with port {port}:")]


def taken(config: Path, name: str) -> list[Step]:
    """Take our lines out as far as they are as we wrote them; a file that held nothing else goes away."""
    path = config / FILE
    old = _text(path)
    ours = re.search(rf"^\[{re.escape(name)}\]  {re.escape(_MARK)}\nport = (\d+)\n", old, re.MULTILINE)
    if ours is None or _told(path, old).get(name) != {"port": int(ours[1])}:  # the user has added a key
        return []
    new = old[: ours.start()] + old[ours.end() :]
    return [put(path, new.encode(), f"taken out, [{name}]:")] if new else [take_away(path), take_away_folder(config)]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _told(path: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> CannotInstall:
    return CannotInstall(f"{path} cannot be read: {error}.", "Mend it or move it away, and do this again.")
