"""A client of this user's daemon, which is started where none runs."""

import subprocess
import sys
import time

from host_bridge.client import Client, NoDaemon

NAME = "zerostem"
PATIENCE_S = 10.0
"""For another daemon that is starting at this very moment."""


def awake(name: str = NAME) -> Client:
    """A client of the daemon that runs, or of one that is started now and stays. Raises NoDaemon, saying why."""
    try:
        return Client.find(name)
    except NoDaemon:
        said = _started()
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return Client.find(name)
        except NoDaemon as error:
            if time.monotonic() > until:
                raise NoDaemon(f"The daemon could not be started: {said}", "Start it with `zerostem daemon`.") from error
            time.sleep(0.1)


def _started() -> str:
    """Start a daemon that outlives us, and wait for its first words: that it listens, or why it does not."""
    flags = getattr(subprocess, "DETACHED_PROCESS", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    _daemons[:] = [each for each in _daemons if each.poll() is None]
    daemon = subprocess.Popen(
        [sys.executable, "-m", "host_bridge", "daemon"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        creationflags=flags,
    )
    _daemons.append(daemon)
    assert daemon.stderr is not None
    with daemon.stderr as first_words:
        return first_words.readline().strip()


_daemons: list[subprocess.Popen[str]] = []
"""Those that this process has started and that still run: nobody waits for their end, but it is taken note of."""
