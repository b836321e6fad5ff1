"""The daemon's ear and mouth: UDP and TCP on one port of 127.0.0.1, in a thread of their own.

The loop is ours, over `selectors`, because every bound must be: what waits for a slow reader, how many may connect, how much
of a flood is taken before the others have their turn. asyncio's transports keep sending buffers of their own.
"""

import errno
import logging
import os
import selectors
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from host_bridge import wire
from host_bridge.connection import Connection
from host_bridge.errors import BadMessage, BridgeError, Code, ZeroStemError
from host_bridge.exchange import LEASE_S, Exchange, Peer
from host_bridge.messages import MESSAGES, Fail, Heartbeat, Message
from host_bridge.settings import PORT

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
PORTS = 64
"""How many ports are tried, from the first on."""
BEAT_S = 2.0
TURN = 64
"""Datagrams taken before the others have their turn."""
MOST_CONNECTIONS = 128
ROOM = 4 << 20
"""Bytes of datagrams that we ask the system to hold for us; it may give less."""

Handler = Callable[[Message, Peer], Iterable[Message]]
"""Takes a message up, without waiting for anything, and says what to answer at once. A ZeroStemError becomes a `fail`."""

_TAKEN = {errno.EADDRINUSE, errno.EACCES}
_DAEMONS = {address for address, message in MESSAGES.items() if message.sender == "daemon"}


class Endpoint:
    """Sockets, bound when it is made; from `start` to `close` they are served.

    handle: runs in the endpoint's thread. on_beat: called there every 2 s with the number of the beat. port: the first to
    be tried, 0 for any. counts: datagrams and frames that came, were bad, were sent or dropped.
    """

    def __init__(
        self,
        exchange: Exchange,
        handle: Handler,
        port: int = PORT,
        on_beat: Callable[[int], None] = lambda _beat: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._exchange, self._handle, self._on_beat, self._clock = exchange, handle, on_beat, clock
        self._udp, self._listener = _bound(port)
        self.port: int = self._udp.getsockname()[1]
        self._self = Peer("udp", HOST, self.port)
        self._connections: dict[Peer, Connection] = {}
        self._told: deque[Message] = deque()
        self._ear, self._bell = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for each, ready in ((self._udp, self._hear), (self._listener, self._accept), (self._ear, self._drain)):
            each.setblocking(False)
            self._selector.register(each, selectors.EVENT_READ, ready)
        self._bell.setblocking(False)
        self._beat, self._next_beat = 0, clock()
        self._ending = False
        self._thread = threading.Thread(target=self._serve, name="endpoint")
        self.counts: Counter[str] = Counter()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """Say what is still to be said, and let go of everything. It may be called twice."""
        self._ending = True
        self._ring()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join()
        for connection in [*self._connections.values()]:
            self._hang_up(connection)
        self._selector.close()
        for each in (self._udp, self._listener, self._ear, self._bell):
            each.close()

    def tell(self, message: Message) -> None:
        """Send a message to whoever is to hear it, as the exchange says. From any thread."""
        self._told.append(message)
        self._ring()

    def _ring(self) -> None:
        try:
            self._bell.send(b"!")
        except OSError:  # full: it rings already. Closed: nobody listens any more
            return

    def _serve(self) -> None:
        while not self._ending:
            for key, _ in self._selector.select(max(0.0, self._next_beat - self._clock())):
                try:
                    key.data()
                except Exception:  # the daemon's loop: whatever one peer brings about, the others are served
                    log.exception("a socket could not be served")
            if self._clock() >= self._next_beat:
                self._on_time()
        while self._told:
            self._spread(self._told.popleft())

    def _on_time(self) -> None:
        self._beat += 1
        self._next_beat = self._clock() + BEAT_S
        try:
            self._on_beat(self._beat)
        except Exception:  # a full disk must not silence the daemon
            log.exception("the heartbeat could not be shown")
        silent = {*self._exchange.expire()}
        silent |= {peer for peer, connection in self._connections.items() if self._clock() - connection.heard > LEASE_S}
        for peer in silent & self._connections.keys():
            self._hang_up(self._connections[peer])
        self._spread(Heartbeat(self._beat))

    # What comes in.

    def _hear(self) -> None:
        for _ in range(TURN):
            try:
                packet, (host, port) = self._udp.recvfrom(wire.RECEIVED)
            except BlockingIOError:
                return
            except OSError:  # Windows: an earlier answer found nobody
                continue
            peer = Peer("udp", host, port)
            if peer != self._self:
                self._take(packet, peer)

    def _accept(self) -> None:
        try:
            line, (host, port) = self._listener.accept()
        except OSError:  # gone again, or no more descriptors
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            self.counts["turned away"] += 1
            line.close()
            return
        peer = Peer("tcp", host, port)
        connection = Connection(line, peer, self._clock())
        self._connections[peer] = connection
        self._selector.register(line, selectors.EVENT_READ, lambda: self._attend(connection))

    def _attend(self, connection: Connection) -> None:
        try:
            connection.flush()
            if connection.receive():
                for packet in wire.unframe(connection.came):
                    connection.heard = self._clock()
                    self._take(packet, connection.peer)
        except BadMessage as error:
            self._refuse(connection.peer, error)
            connection.broken = True
        self._settle(connection)

    def _take(self, packet: bytes, peer: Peer) -> None:
        """Answer every message of a packet."""
        self.counts["came"] += 1
        self._exchange.touch(peer)
        try:
            for piece in wire.unpack(packet):
                self._answer(piece, peer)
        except BadMessage as error:
            self._refuse(peer, error)

    def _answer(self, piece: bytes, peer: Peer) -> None:
        message: Message | wire.Foreign | None = None
        try:
            message = wire.decode(piece)
            if isinstance(message, wire.Foreign):
                return
            answers = self._exchange.receive(peer, message)
            for answer in self._handle(message, peer) if answers is None else answers:
                self._send(answer, peer)
        except BadMessage as error:
            self._refuse(peer, error)
        except ZeroStemError as error:
            self._fail(peer, message, error)
        except Exception:  # the daemon's loop: a handler's fault is told to the asker and to the log
            log.exception("a message could not be handled")
            self._fail(peer, message, ZeroStemError("Something went wrong inside the engine.", "Its log has the details."))

    def _fail(self, peer: Peer, message: Message | wire.Foreign | None, error: ZeroStemError) -> None:
        about = message.address if message else ""
        self._send(Fail.of(error, getattr(message, "id", ""), about), peer)

    def _refuse(self, peer: Peer, error: BadMessage) -> None:
        self.counts["bad"] += 1
        log.debug("refused from %s %s: %s", peer.kind, peer.port, error.what)
        if error.about in _DAEMONS or error.about.endswith("/fail"):  # no answer to an answer, of whatever version
            return
        self._send(Fail.of(error, error.id, error.about), peer)

    # What goes out.

    def _drain(self) -> None:
        self._ear.recv(4096)
        while self._told:
            self._spread(self._told.popleft())

    def _spread(self, message: Message) -> None:
        for peer in self._exchange.audience(message):
            self._send(self._exchange.as_heard_by(peer, message), peer)

    def _send(self, message: Message, peer: Peer) -> None:
        packet = wire.encode(message)
        if peer.kind == "tcp":
            if connection := self._connections.get(peer):
                connection.send(wire.framed(packet))
                self._settle(connection)
            return
        if len(packet) > wire.DATAGRAM:
            what, todo = "The answer is longer than a datagram.", f"Ask over TCP, port {self.port}."
            error = BadMessage(what, todo, Code.TOO_LONG)
            packet = wire.encode(Fail.of(error, getattr(message, "id", ""), message.address))
        try:
            self._udp.sendto(packet, (peer.host, peer.port))
            self.counts["sent"] += 1
        except OSError:  # no room, or nobody there: datagrams may get lost
            self.counts["dropped"] += 1

    def _settle(self, connection: Connection) -> None:
        """Hang up, or wait for the reader as long as something waits for it."""
        if connection.broken:
            self._hang_up(connection)
        elif connection.peer in self._connections:
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waiting else 0)
            self._selector.modify(connection.line, events, lambda: self._attend(connection))

    def _hang_up(self, connection: Connection) -> None:
        if self._connections.pop(connection.peer, None):
            self._exchange.forget(connection.peer)
            self._selector.unregister(connection.line)
            connection.line.close()


def _bound(first: int) -> tuple[socket.socket, socket.socket]:
    """A UDP socket and a TCP listener on the same port, the first one from `first` on that both can have."""
    for port in range(first, first + PORTS) if first else [0] * PORTS:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            if os.name != "nt":  # there it would let another program take the port over
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # the last daemon's lines may still linger
            listener.bind((HOST, port))
            udp.bind((HOST, listener.getsockname()[1]))
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
            listener.listen(MOST_CONNECTIONS)
        except OSError as error:
            listener.close()
            udp.close()
            if error.errno not in _TAKEN:
                raise
        else:
            return udp, listener
    what = f"No port from {first} to {first + PORTS - 1} is free."
    raise BridgeError(what, "Choose another with --port.")
