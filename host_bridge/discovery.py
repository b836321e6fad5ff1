"""How the daemon is found, and how there is never more than one: `engine.json` to read, and two locks that die with it."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from host_bridge.errors import BadSpool, BridgeError
from host_bridge.files import read_plain, refusal, write_whole
from host_bridge.forms import EngineFile, read_engine, write_engine
from host_bridge.settings import places


class AlreadyRuns(BridgeError):
    """Another daemon has the spool, or serves this user."""


@contextmanager
def only_one(spool: Path) -> Iterator[None]:
    """Be the only daemon of this user and of this spool; the system ends it with the process, however that dies.

    Raises AlreadyRuns, BadSpool.
    """
    with ExitStack() as held:
        for lock in (places().runtime.with_suffix(".lock"), spool / ".lock"):
            held.enter_context(_held(lock))
        yield


def announce(engine: EngineFile) -> None:
    """Tell every client of this user where the daemon is; nobody else may read the token. Raises BadSpool."""
    path = places().runtime
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise refusal(path.parent, error) from error
    write_whole(path, write_engine(engine), 0o600)


def withdraw(engine: EngineFile) -> None:
    """Take the announcement back, if it is still this one."""
    try:
        if found() == engine:
            places().runtime.unlink(missing_ok=True)
    except (BadSpool, OSError):  # somebody else's by now, or out of reach
        return


def found() -> EngineFile | None:
    """What the last daemon has announced; None where it ended in peace, and where a crash or a full disk spoilt the file.

    It may have died since. Raises BadSpool where the file cannot be read, also where another user has put it there: a client
    would tell that user's program what it asks.
    """
    data = read_plain(places().runtime, own=True)
    try:
        return None if data is None else read_engine(data, str(places().runtime))
    except BadSpool:  # the next daemon writes it anew
        return None


@contextmanager
def _held(path: Path) -> Iterator[None]:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise refusal(path, error) from error
    try:
        if not _locked(descriptor):
            running = found()
            who = f"A daemon runs already, process {running.pid}." if running else "A daemon runs already."
            raise AlreadyRuns(who, "Use that one, or end it with `zerostem stop`.")
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _locked(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _locked(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
