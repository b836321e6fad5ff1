"""The last step of an installation: the daemon is asked who it is, and answers."""

import sys
import time

from host_bridge.client.client import Client, NoDaemon
from host_bridge.errors import ZeroStemError
from installers.service import Say

PATIENCE_S = 60.0
"""A first start reads torch from a cold disk."""


def check(say: Say, patience_s: float = PATIENCE_S) -> None:
    """Say hello to the daemon, which may be starting just now. Raises NoDaemon."""
    until = time.monotonic() + patience_s
    while True:
        try:
            with Client.find("zerostem install") as client:
                answer = client.hello()
        except NoDaemon:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            say(f"It works: {answer.name} {answer.version} answers, process {answer.pid}.")
            return


def main(words: list[str]) -> int:
    """`python -m installers.smoke [SECONDS]`: 0 where a daemon answers within so long."""
    try:
        check(print, float(words[0]) if words else PATIENCE_S)
    except ZeroStemError as error:
        print(f"zerostem: {error}", file=sys.stderr)  # noqa: T201 - a command of its own
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
