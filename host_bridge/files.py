"""Small files that are whole or not there: written aside, brought to the disk, renamed into place; read without links."""

import errno
import os
import secrets
import stat
from pathlib import Path

from host_bridge.errors import BadSpool
from host_bridge.text import shortened

LARGEST = 4 << 20
"""Bytes that a JSON file of ours never reaches; a sidecar of a hundred stems has some tens of thousands."""

_FULL = "Free some space there, then try again."
_CLOSED = "Make it writable for you, or choose another spool."
_TODO = {errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EACCES: _CLOSED, errno.EPERM: _CLOSED, errno.EROFS: _CLOSED}
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # opening a pipe would wait for somebody at its other end


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a file into place so that whoever reads it, after any crash, finds all of the old one or all of the new.

    Raises BadSpool.
    """
    aside = path.with_name(shortened(f".{path.name}", f".{secrets.token_hex(4)}"))
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK, mode), "wb") as file:  # noqa: PTH123 - by descriptor
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise refusal(path, error) from error
    finally:
        if os.path.lexists(aside):
            aside.unlink()


def append_line(path: Path, line: bytes) -> None:
    """Add one line to a journal and bring it to the disk. A line that a crash has cut off is closed first.

    Raises BadSpool.
    """
    try:
        with open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK, 0o600), "rb+", buffering=0) as file:  # noqa: PTH123
            end = file.seek(0, os.SEEK_END)
            if end:
                file.seek(end - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line + b"\n")
            os.fsync(file.fileno())
    except OSError as error:
        raise refusal(path, error) from error


def read_plain(path: Path) -> bytes | None:
    """A regular file's bytes; None where nothing lies. Raises BadSpool for a link, a pipe, a folder, a huge file."""
    try:
        if path.is_symlink():  # O_NOFOLLOW says so too, but not on Windows
            raise BadSpool(f"{path} is a link.", "Put the file itself there.")
        descriptor = os.open(path, os.O_RDONLY | _NO_LINK | _NO_WAIT)
        try:
            about = os.fstat(descriptor)
            if not stat.S_ISREG(about.st_mode):
                raise BadSpool(f"{path} is not a regular file.", "Put a plain file there.")
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


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, so that a rename outlives a power cut. Windows does so by itself."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle(aside: Path, place: Path) -> None:
    """Bring a file that was written aside to the disk, then rename it into place. Raises BadSpool."""
    try:
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(place)
        sync_folder(place.parent)
    except OSError as error:
        raise refusal(place, error) from error


def refusal(path: Path, error: OSError, done: str = "written") -> BadSpool:
    """What the system refuses, in two sentences."""
    todo = _TODO.get(error.errno or 0, "Check the disk and the folder's permissions.")
    return BadSpool(f"{path} cannot be {done}: {error.strerror or error}.", todo)
