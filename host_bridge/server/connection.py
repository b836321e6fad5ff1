"""One peer's non-blocking TCP connection with its receive and send buffers."""

import socket
from dataclasses import dataclass, field

from host_bridge.protocol.state_machine import Peer

MOST_WAITING = 1 << 20
"""Bytes that wait for a reader before we hang up on it."""
SYSTEMS = 256 * 1024
"""Bytes that the system may hold beside them; left to itself it takes megabytes for each reader."""
GULP = 64 * 1024
"""Bytes taken at once, so that one peer's flood leaves the others their turn."""


@dataclass(slots=True, eq=False)
class Connection:
    """A line that does not block. heard: when its last whole frame came. broken: it is to be hung up."""

    line: socket.socket
    peer: Peer
    heard: float
    came: bytearray = field(default_factory=bytearray)
    waiting: bytearray = field(default_factory=bytearray)
    broken: bool = False

    def __post_init__(self) -> None:
        self.line.setblocking(False)
        self.line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a message is small and meant now
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SYSTEMS)

    def receive(self) -> bool:
        """Take what has come; False where nothing has."""
        try:
            gulp = self.line.recv(GULP)
        except BlockingIOError:
            return False
        except OSError:
            self.broken = True
            return False
        self.broken |= not gulp
        self.came += gulp
        return bool(gulp)

    def send(self, frame: bytes) -> None:
        """Send it now as far as that goes; the rest waits, unless too much does already."""
        self.waiting += frame
        self.flush()
        self.broken |= len(self.waiting) > MOST_WAITING

    def flush(self) -> None:
        """Send what waits, as far as the reader has room."""
        try:
            while self.waiting and not self.broken:
                del self.waiting[: self.line.send(self.waiting[:GULP])]
        except BlockingIOError:
            return
        except OSError:
            self.broken = True
