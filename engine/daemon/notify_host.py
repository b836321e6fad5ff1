"""Notifies a DAW by OSC that a job is done: REAPER and Ardour each run an action that imports the stems.

A datagram to this machine, to the port that the user names in `hosts.toml` beside our other settings:

    [reaper]
    port = 8000
    [ardour]
    port = 3819
    action = "LuaAction/script-32"
"""

import socket
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from host_bridge.errors import BadRequest

HOST = "127.0.0.1"
ACTIONS = {"reaper": ("/action/str", "_ZEROSTEM_IMPORT"), "ardour": ("/access_action", "LuaAction/script-32")}
"""For each host, by the name in a request: the address that runs an action, and the action unless the user names another."""
FILE = "hosts.toml"


@dataclass(frozen=True, slots=True)
class HostNotifier:
    """The DAWs that are told. packets: by a host's name its port and the datagram that it understands."""

    packets: Mapping[str, tuple[int, bytes]]

    @classmethod
    def read(cls, folder: Path) -> "HostNotifier":
        """What the user has named in `folder`/hosts.toml; none where there is no such file. Raises BadRequest."""
        file = folder / FILE
        try:
            told = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise BadRequest(f"{file} cannot be read: {error}.", "Write [reaper] and port = 8000 below it.") from error
        return cls({name: _packet(file, name, values) for name, values in told.items()})

    def ring(self, host: str) -> bool:
        """Tell a host, if it has a bell; whether it had. Nobody answers: a host that is closed looks into the spool later."""
        if host not in self.packets:
            return False
        port, packet = self.packets[host]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.sendto(packet, (HOST, port))
        return True


def _packet(file: Path, name: str, values: object) -> tuple[int, bytes]:
    if name not in ACTIONS:
        raise BadRequest(f"{file} names an unknown host, {name}.", f"Known are {', '.join(ACTIONS)}.")
    if not isinstance(values, dict) or values.keys() - {"port", "action"} or type(values.get("port")) is not int:
        raise BadRequest(f"{file} has a [{name}] that is not understood.", "Give it a port, and an action if you like.")
    address, action = ACTIONS[name]
    port, action = values["port"], values.get("action", action)
    if not (isinstance(action, str) and action.isprintable() and 0 < port < 65536):
        raise BadRequest(f"{file} has a wrong port or action for {name}.", "A port is 1 to 65535, an action one line.")
    return port, b"".join(_padded(text) for text in (address, ",s", action))


def _padded(text: str) -> bytes:
    """A string as OSC 1.0 has it: ended, and filled up to whole words of four bytes."""
    data = text.encode()
    return data + bytes(4 - len(data) % 4)
