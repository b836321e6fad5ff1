"""Writing files so that a reader, after any crash, finds all of the old file or all of the new one.

A file is written beside its place, brought to the disk (fsync) and renamed over it. Nothing here makes sentences for people:
what the system refuses is raised as OSError; `files` puts it into words.
"""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

PATIENCE_S = 1.0
"""How long to try again while another program has a file open. On Windows, and on shares that Windows serves, a file that is
being read cannot be replaced; a virus scanner opens every new file for a moment."""
_BUSY = {errno.EACCES, errno.EPERM, errno.EBUSY, getattr(errno, "ETXTBSY", errno.EBUSY)}
_NO_FSYNC = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
"""What file systems say that know no fsync: CIFS, FUSE and 9p mounts."""
_NO_FSYNC_OF_FOLDERS = _NO_FSYNC | {errno.EBADF, errno.EACCES, errno.EPERM, errno.EISDIR}
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_LONGEST_NAME = 40
"""Characters of a file's own name in its temporary one: with them it stays below every file system's limit."""

T = TypeVar("T")


def write(path: Path, data: bytes, mode: int | None = 0o600, *, durable: bool = True) -> None:
    """Give a file these bytes, whole or not at all. Raises OSError; then the old file is as it was.

    mode: the file's rights; None: those of the file that is replaced, else the system's usual ones. durable: whether it must
    outlive a power cut; without, nothing waits for the disk, and a file that is in use is not waited for either.
    """
    aside = path.with_name(f".{path.name[:_LONGEST_NAME]}.{secrets.token_hex(4)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(aside, flags, 0o666 if mode is None else mode), "wb") as file:  # noqa: PTH123 - by descriptor
            file.write(data)
            file.flush()
            if durable:
                sync(file.fileno())
        if mode is None and path.exists():
            shutil.copymode(path, aside)
        replace(aside, path, PATIENCE_S if durable else 0.0)
        if durable:
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def place(aside: Path, path: Path) -> None:
    """Bring a file that was written aside to the disk, then rename it over `path`. Raises OSError."""
    sync_file(aside)
    replace(aside, path)
    sync_folder(path.parent)


def replace(aside: Path, path: Path, patience_s: float = PATIENCE_S) -> None:
    """Rename a file over another one, which may be in use for a moment. Raises OSError."""
    patiently(lambda: aside.replace(path), patience_s)


def rename(path: Path, to: Path, patience_s: float = PATIENCE_S) -> None:
    """Rename a file or a folder to a name that is free; on Windows a file in it may be in use for a moment. Raises OSError."""
    patiently(lambda: path.rename(to), patience_s)


def remove(path: Path, patience_s: float = PATIENCE_S) -> None:
    """Remove a file if it is there. Raises OSError."""
    patiently(lambda: path.unlink(missing_ok=True), patience_s if os.name == "nt" else 0.0)


def patiently(act: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Do it, again and again for so long as another program is in the way. Raises OSError."""
    until, pause_s = time.monotonic() + patience_s, 0.002
    while True:
        try:
            return act()
        except OSError as error:
            if error.errno not in _BUSY or time.monotonic() >= until:
                raise
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 0.1)


def sync_file(path: Path) -> None:
    """Bring a file's bytes to the disk. Raises OSError."""
    with path.open("rb+") as file:
        sync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, so that a rename outlives a power cut. Raises OSError.

    Windows does so by itself; where a file system cannot, there is nothing more that could be done.
    """
    if os.name == "nt":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno in _NO_FSYNC_OF_FOLDERS:  # a folder that may be written to and not read
            return
        raise
    try:
        sync(descriptor, _NO_FSYNC_OF_FOLDERS)
    finally:
        os.close(descriptor)


def sync(descriptor: int, unknown: set[int] = _NO_FSYNC) -> None:
    """Bring an open file to the disk, where its file system knows how to; unknown: errors that say that it does not.

    Raises OSError.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in unknown:
            raise
