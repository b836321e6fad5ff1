"""Small files that are whole or not there, with sentences for what the system refuses; read without following links."""

import errno
import os
import stat
from pathlib import Path

from host_bridge import atomic
from host_bridge.errors import BadSpool

LARGEST = 4 << 20
"""Bytes that a JSON file of ours never reaches; a sidecar of a hundred stems has some tens of thousands."""

_FULL = "Free some space there, then try again."
_CLOSED = "Make it writable for you, or choose another spool."
_TODO = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EACCES: _CLOSED, errno.EPERM: _CLOSED, errno.EROFS: _CLOSED}
_REPLACED_S = 0.3 if os.name == "nt" else 0.0
"""There a file that is replaced at this moment cannot be opened."""
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for somebody at its other end


def write_whole(path: Path, data: bytes, mode: int | None = 0o600, *, durable: bool = True) -> None:
    """As `atomic.write`. Raises BadSpool."""
    try:
        atomic.write(path, data, mode, durable=durable)
    except OSError as error:
        raise refusal(path, error) from error


def append_line(path: Path, line: bytes) -> None:
    """Add one line to a journal and bring it to the disk. A line that a crash has cut off is closed first.

    Raises BadSpool.
    """
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK
        descriptor = atomic.patiently(lambda: os.open(path, flags, 0o600), _REPLACED_S)
        with open(descriptor, "rb+", buffering=0) as file:  # noqa: PTH123 - by descriptor
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line + b"\n")
            atomic.sync(file.fileno())
    except OSError as error:
        raise refusal(path, error) from error


def read_plain(path: Path, *, own: bool = False) -> bytes | None:
    """A regular file's bytes; None where nothing lies. own: it must belong to this user, where systems tell.

    Raises BadSpool for a link, a pipe, a folder, a huge file.
    """
    try:
        if path.is_symlink():  # O_NOFOLLOW says so too, but not on Windows
            raise BadSpool(f"{path} is a link.", "Put the file itself there.")
        flags = os.O_RDONLY | _NO_LINK | _NO_WAIT | getattr(os, "O_BINARY", 0)
        descriptor = atomic.patiently(lambda: os.open(path, flags), _REPLACED_S)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise BadSpool(f"{path} is not a regular file.", "Put a plain file there.")
            if own and hasattr(os, "geteuid") and about.st_uid != os.geteuid():
                raise BadSpool(f"{path} belongs to another user.", "Remove it; nothing that it says can be trusted.")
            if about.st_size > LARGEST:
                raise BadSpool(f"{path} is too large, {about.st_size} bytes.", f"Keep it below {LARGEST}.")
            with open(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refusal(path, error, "read") from error


def settle(aside: Path, place: Path) -> None:
    """Bring a file that was written aside to the disk, then rename it into place. Raises BadSpool."""
    try:
        atomic.place(aside, place)
    except OSError as error:
        raise refusal(place, error) from error


def refusal(path: Path, error: OSError, done: str = "written") -> BadSpool:
    """What the system refuses, in two sentences."""
    todo = _TODO.get(error.errno or 0, "Check the disk and the folder's permissions.")
    return BadSpool(f"{path} cannot be {done}: {error.strerror or error}.", todo)
