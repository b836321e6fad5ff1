"""Whether anybody still has a file open for writing, as far as the system tells."""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path


def being_written(path: Path) -> bool | None:
    """Whether somebody has the file open for writing; None where the system does not say: on macOS, on a network's disk.

    Linux and Windows are asked; the way for Windows has not been run there. Raises OSError where the file cannot be opened.
    """
    if sys.platform == "linux":
        return _leased(path)
    if sys.platform == "win32":
        return _shared(path)
    return None


if sys.platform == "linux":
    import fcntl

    def _leased(path: Path) -> bool | None:
        """By a lease for reading, which Linux grants only where nobody writes (fcntl(2)); by /proc where it grants none."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK):
                return True
        else:
            return False
        finally:
            os.close(descriptor)
        return True if _open_in_proc(path) else None  # another file system or owner: others may have it open unseen

    def _open_in_proc(path: Path) -> bool:
        """Whether a process of this user has it open for writing."""
        wanted = path.stat()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended, or is another user's
                for entry in os.scandir(process / "fd"):
                    with suppress(OSError, ValueError):
                        about = entry.stat()
                        if (about.st_dev, about.st_ino) == (wanted.st_dev, wanted.st_ino) and _writes(process, entry.name):
                            return True
        return False

    def _writes(process: Path, descriptor: str) -> bool:
        lines = (process / "fdinfo" / descriptor).read_text(encoding="ascii").splitlines()
        flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
        return flags & os.O_ACCMODE != os.O_RDONLY


if sys.platform == "win32":
    import ctypes

    _READ, _NO_WRITERS, _EXISTING, _SHARING_VIOLATION = 0x80000000, 5, 3, 32

    def _shared(path: Path) -> bool | None:
        """By opening it so that nobody else may write, which Windows refuses where somebody can already."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateFileW.restype = ctypes.c_void_p
        handle = kernel.CreateFileW(str(path), _READ, _NO_WRITERS, None, _EXISTING, 0, None)
        if handle == ctypes.c_void_p(-1).value:
            return True if ctypes.get_last_error() == _SHARING_VIOLATION else None
        kernel.CloseHandle(ctypes.c_void_p(handle))
        return False
