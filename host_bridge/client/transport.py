"""A client's sockets: datagrams as long as they get through, TCP for what is long or must not get lost."""

import selectors
import socket
from collections import deque

from host_bridge.errors import BadMessage
from host_bridge.protocol import wire
from host_bridge.protocol.messages import Message

HOST = "127.0.0.1"
CONNECT_S = 2.0


class Transport:
    """Both ways to the daemon. reliable: send over TCP from now on. lost: what was sent last reached nobody."""

    def __init__(self, udp: int, tcp: int) -> None:
        self.reliable, self.lost = False, False
        self._tcp_port = tcp
        self._came: deque[Message] = deque()
        self._buffer = bytearray()
        self._tcp: socket.socket | None = None
        self._selector = selectors.DefaultSelector()
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.connect((HOST, udp))  # only that port's answers come in, and an unused one is told at once
        self._udp.setblocking(False)
        self._selector.register(self._udp, selectors.EVENT_READ)

    def close(self) -> None:
        """Let go of both."""
        self._hang_up()
        self._selector.close()
        self._udp.close()

    def send(self, message: Message) -> None:
        """Send it, over TCP where it must be; what cannot be sent is lost, and the caller hears no answer."""
        packet = wire.encode(message)
        self.lost = False
        try:
            if self.reliable or len(packet) > wire.DATAGRAM:
                self._connected().sendall(wire.framed(packet))
            else:
                self._udp.send(packet)
        except OSError:
            self._hang_up()
            self.lost = True

    def receive(self, timeout_s: float) -> Message | None:
        """The next message, whichever way it came; None when none did in time, or the system says that nobody is there."""
        if not self._came:
            for key, _ in self._selector.select(timeout_s):
                self._take(self._datagram() if key.fileobj is self._udp else self._frames())
        return self._came.popleft() if self._came else None

    def _take(self, packets: list[bytes]) -> None:
        for packet in packets:
            try:
                message = wire.decode(packet)
            except BadMessage:  # a daemon of another version; who asked hears nothing and says so
                continue
            if isinstance(message, Message):
                self._came.append(message)

    def _datagram(self) -> list[bytes]:
        try:
            return [self._udp.recv(wire.RECEIVED)]
        except OSError:  # nobody is at that port
            self.lost = True
            return []

    def _frames(self) -> list[bytes]:
        assert self._tcp is not None
        try:
            gulp = self._tcp.recv(wire.FRAME)
            self._buffer += gulp
            packets = list(wire.unframe(self._buffer))
        except (OSError, BadMessage):
            gulp, packets = b"", []
        if not gulp:
            self._hang_up()
            self.lost = True
        return packets

    def _connected(self) -> socket.socket:
        if self._tcp is None:
            self._tcp = socket.create_connection((HOST, self._tcp_port), CONNECT_S)
            self._tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._tcp, selectors.EVENT_READ)
        return self._tcp

    def _hang_up(self) -> None:
        if self._tcp is not None:
            self._selector.unregister(self._tcp)
            self._tcp.close()
            self._tcp = None
            self._buffer.clear()
