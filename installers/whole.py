"""All of ZeroStem onto this machine or off it: the command, the daemon at logon, every DAW that is found; then a check."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from host_bridge.arguments import Parser
from host_bridge.client import Client, NoDaemon
from host_bridge.errors import BadRequest, ZeroStemError
from host_bridge.hosts import HOSTS, load
from host_bridge.settings import places
from installers import door, hosts, service, smoke
from installers.door import Door
from installers.service import Say


def main(way: Door, words: list[str], say: Say = print) -> int:
    """Install, or with --uninstall take away; 1 where a part could not be done, each of which is told."""
    made = Parser(f"python -m installers.{Path(sys.argv[0]).stem}", description=__doc__)
    made.add_argument("hosts", nargs="*", metavar="DAW", help=f"{', '.join(HOSTS)}: only these (default: all that are found)")
    made.add_argument("--no-service", action="store_true", help="do not start the daemon at logon")
    made.add_argument("--uninstall", action="store_true", help="take away what was installed")
    options = made.parse_args(words)
    if unknown := set(options.hosts) - {*HOSTS}:
        raise BadRequest(f"There is no DAW called {', '.join(sorted(unknown))}.", f"Those known are {', '.join(HOSTS)}.")
    wanted = options.hosts or [name for name in HOSTS if _is_there(name)]
    parts = _outwards(way, wanted, say) if options.uninstall else _inwards(way, wanted, options.no_service, say)
    failed = 0
    for part in parts:
        try:
            part()
        except ZeroStemError as error:
            say(f"zerostem: {error}")
            failed = 1
    return failed


def _inwards(way: Door, wanted: list[str], no_service: bool, say: Say) -> list[Callable[[], None]]:
    """What is done, in its order."""
    parts: list[Callable[[], None]] = [lambda: door.put_in(way, say)]
    parts += [lambda name=name: hosts.install(load(name), None, hosts.here(), say) for name in wanted]  # type: ignore[misc]
    if not wanted:
        parts.append(lambda: say("No DAW was found. Later: zerostem install " + "|".join(HOSTS)))
    if not no_service:  # after the DAWs: as it starts, the daemon reads which of them to ring
        parts.append(lambda: service.install(service.here(), service.program(), service.call, say))
    return [*parts, lambda: _check(no_service, say)]


def _outwards(way: Door, wanted: list[str], say: Say) -> list[Callable[[], None]]:
    """The same backwards."""
    parts: list[Callable[[], None]]
    parts = [lambda name=name: hosts.uninstall(load(name), None, hosts.here(), say) for name in wanted]  # type: ignore[misc]
    parts.append(lambda: service.uninstall(service.here(), service.call, say))
    kept = places()
    stays = f"Jobs, settings, caches and logs stay: {kept.spool}, {kept.config}, {kept.cache}, {kept.log}"
    return [*parts, _stop, lambda: door.take_out(way, say), lambda: say(stays)]


def _stop() -> None:
    """End a daemon that no service kept: its environment goes away."""
    with suppress(NoDaemon), Client.find("zerostem uninstall") as client:
        client.stop()


def _check(no_service: bool, say: Say) -> None:
    """Ask the daemon; one that no service keeps is started for it, and stays until somebody logs out."""
    if no_service or not service.here().path().exists():
        from host_bridge.waking import awake

        awake().close()
    smoke.check(say)


def _is_there(name: str) -> bool:
    return any(folder.is_dir() for folder in load(name).folders(sys.platform, Path.home(), os.environ))
