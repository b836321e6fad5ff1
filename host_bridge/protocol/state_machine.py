"""The state machine of jobs as one table: which message is allowed in which state, and who is notified. No sockets, no files.

No I/O (sans-io): the clock is a parameter, so that both ends of a conversation can run in one process and every rule is tested
in microseconds.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Literal

from host_bridge.errors import BadMessage, Code, IllegalStep
from host_bridge.protocol.messages import (
    Accepted,
    Asked,
    Cancel,
    CancelledMessage,
    Deliver,
    Done,
    Fail,
    Hello,
    Message,
    Notified,
    Notify,
    Ping,
    Pong,
    ProgressMessage,
    Retry,
    Status,
    Strength,
    Submit,
    Sync,
    Synced,
    Tie,
    Welcome,
)
from host_bridge.types import State

LEASE_S = 30.0
"""For how long a silent peer is still notified."""
MOST_PEERS = 512
"""Most leases at once. When full, an authenticated peer evicts an unauthenticated one."""
MOST_ASKED = 1000
"""Most open requests of one peer; beyond that the oldest are forgotten."""

Event = Literal["submit", "start", "finish", "fail", "cancel", "restart", "retry", "strength", "deliver"]

LIFE: dict[State | None, dict[Event, State]] = {
    None: {"submit": "queued"},
    "queued": {
        "submit": "queued",
        "start": "running",
        "fail": "failed",  # the request turned out to be none
        "cancel": "cancelled",
        "restart": "queued",
        "strength": "queued",
        "retry": "queued",  # once more, because the answer was lost
    },
    "running": {
        "submit": "running",
        "finish": "done",
        "fail": "failed",
        "cancel": "cancelled",
        "restart": "queued",  # the daemon died under it
        "strength": "running",  # rendered when the job is done
        "retry": "running",
    },
    "done": {"submit": "done", "restart": "done", "strength": "done", "deliver": "done"},
    "failed": {"submit": "failed", "restart": "failed", "retry": "queued"},
    "cancelled": {"submit": "cancelled", "restart": "cancelled", "cancel": "cancelled", "retry": "queued"},
}
"""State before -> what happens -> state after. None: a job that nobody has heard of. What is not here does not happen."""

EVENTS: dict[type[Message], Event] = {
    Submit: "submit",
    Cancel: "cancel",
    Retry: "retry",
    Strength: "strength",
    Deliver: "deliver",
    Tie: "strength",
}
"""What a client's message does to its job."""

ABOUT_JOBS: tuple[type[Message], ...] = (Accepted, ProgressMessage, Done, Fail, CancelledMessage)
"""Messages that notified peers receive."""
UNTOLD = ("The job failed.", "Connect with the daemon's token to be told why.")


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a message came from, and where its answers go."""

    kind: Literal["udp", "tcp"]
    host: str
    port: int


@dataclass(slots=True)
class _Lease:
    until: float
    trusted: bool
    notified: bool = False
    asked: dict[str, None] = field(default_factory=dict)  # in the order of asking


class StateMachine:
    """The daemon's side of the protocol: tokens, leases, and the state of every job.

    Its methods may be called from any thread. clock: seconds, never going back. who: what `hello` is answered with.
    """

    def __init__(self, token: str, who: Welcome, clock: Callable[[], float]) -> None:
        self._token, self._who, self._clock = token.encode(), who, clock
        self._states: dict[str, State] = {}
        self._leases: dict[Peer, _Lease] = {}
        self._lock = RLock()

    def receive(self, peer: Peer, message: Message) -> list[Message] | None:
        """Process a client's message: returns the answers, or None if the engine has to carry it out.

        Raises BadMessage: a wrong token, a job that nobody knows, a state that does not allow it. Nothing is changed then.
        """
        if type(message).sender == "daemon":  # an answer is never answered, or two daemons would talk for ever
            return []
        with self._lock:
            if isinstance(message, Asked | Hello):
                self._check_token(message)
            if isinstance(message, Asked) and type(message) in EVENTS:
                self._after(message.id, EVENTS[type(message)], message.address)
            if isinstance(message, Status) and message.id not in self._states:
                raise self._no_job(message.id, message.address)
            self.touch(peer)
            if type(message) in _AT_ONCE:
                return [_AT_ONCE[type(message)](self, peer, message)]
            if isinstance(message, Asked):
                asked = self._lease(peer, trusted=True).asked
                asked[message.id] = None
                if len(asked) > MOST_ASKED:
                    del asked[next(iter(asked))]
            return None  # a fader's knob hears nothing, so it needs no lease

    def touch(self, peer: Peer) -> None:
        """Renew a peer's lease; every message does, also an invalid one."""
        with self._lock:
            if peer in self._leases:
                self._leases[peer].until = self._clock() + LEASE_S

    def forget(self, peer: Peer) -> None:
        """Remove a peer that has disconnected."""
        with self._lock:
            self._leases.pop(peer, None)

    def expire(self) -> list[Peer]:
        """End the leases that have run out; returns whose."""
        with self._lock:
            now = self._clock()
            gone = [peer for peer, lease in self._leases.items() if lease.until <= now]
            for peer in gone:
                del self._leases[peer]
            return gone

    def audience(self, message: Message) -> list[Peer]:
        """The peers that receive a message of the daemon: those that asked with its id, and those notified of jobs."""
        with self._lock:
            now, named = self._clock(), getattr(message, "id", None)
            public = (isinstance(message, ABOUT_JOBS) and named in self._states) or type(message).address == "heartbeat"
            told = [
                peer
                for peer, lease in self._leases.items()
                if lease.until > now and (named in lease.asked or (lease.notified and public))
            ]
            if isinstance(message, CancelledMessage) or (isinstance(message, Done | Fail) and message.what == Submit.address):
                for lease in self._leases.values():
                    lease.asked.pop(message.id, None)
            return told

    def as_heard_by(self, peer: Peer, message: Message) -> Message:
        """A message as a peer may hear it: without the token nobody is told sentences, which may name the user's files."""
        with self._lock:
            lease = self._leases.get(peer)
            if lease is not None and lease.trusted:
                return message
        if isinstance(message, Fail):
            return replace(message, error=UNTOLD[0], todo=UNTOLD[1])
        if isinstance(message, ProgressMessage):
            return replace(message, stage="")
        return message

    def state(self, id: str) -> State | None:
        """The state of a job; None for an unknown one."""
        return self._states.get(id)

    def states(self) -> dict[str, State]:
        """A copy of the states of all jobs."""
        with self._lock:
            return dict(self._states)

    def know(self, states: Iterable[tuple[str, State]]) -> None:
        """Register the jobs that a daemon finds when it starts."""
        with self._lock:
            self._states.update(states)

    def step(self, id: str, event: Event) -> State:
        """Apply an event to a job; returns the new state.

        Raises BadMessage for what a client asked at the wrong time, IllegalStep for what we must never do.
        """
        with self._lock:
            self._states[id] = state = self._after(id, event, _ADDRESS.get(event, ""))
            return state

    def drop(self, id: str) -> None:
        """Forget a job whose folder was deleted."""
        with self._lock:
            self._states.pop(id, None)

    def _after(self, id: str, event: Event, address: str) -> State:
        before = self._states.get(id)
        if event in LIFE[before]:
            return LIFE[before][event]
        if event not in _ADDRESS:
            raise IllegalStep(f"Job {id} is {before or 'unknown'} and cannot {event}.", "Report this as a bug.")
        if before is None:
            raise self._no_job(id, address)
        may = [name for name, after in LIFE.items() if event in after and name]
        what = f"Job {id} is {before}, which allows no {event}."
        raise BadMessage(what, f"It is for jobs that are {' or '.join(may)}.", Code.NOT_NOW, address, id)

    def _check_token(self, message: Asked | Hello) -> None:
        if not hmac.compare_digest(message.token.encode(), self._token):
            what, todo = "The token is not this daemon's.", "Read it from engine.json again."
            raise BadMessage(what, todo, Code.NO_TOKEN, message.address, getattr(message, "id", ""))

    def _lease(self, peer: Peer, *, trusted: bool) -> _Lease:
        """The peer's lease, made when there is none."""
        if peer not in self._leases:
            if len(self._leases) >= MOST_PEERS:
                self.expire()
            if len(self._leases) >= MOST_PEERS:
                strangers = [other for other, lease in self._leases.items() if not lease.trusted]
                if not (trusted and strangers):
                    raise BadMessage("The daemon serves too many already.", "Try again in half a minute.", Code.TOO_MANY)
                del self._leases[strangers[0]]
            self._leases[peer] = _Lease(self._clock() + LEASE_S, trusted)
        self._leases[peer].trusted |= trusted
        return self._leases[peer]

    def _no_job(self, id: str, address: str) -> BadMessage:
        what, todo = f"There is no job {id}.", "Put its folder into the spool, then submit it."
        return BadMessage(what, todo, Code.NO_SUCH_THING, address, id)

    def _welcome(self, peer: Peer, _message: Message) -> Message:
        self._lease(peer, trusted=True)
        return self._who

    def _notify(self, peer: Peer, message: Message) -> Message:
        assert isinstance(message, Notify)
        self._lease(peer, trusted=False).notified = bool(message.on)
        return Notified(message.on, int(LEASE_S))

    def _pong(self, _peer: Peer, _message: Message) -> Message:
        return Pong()

    def _synced(self, _peer: Peer, message: Message) -> Message:
        assert isinstance(message, Sync)
        return Synced(message.number)


_AT_ONCE: dict[type[Message], Callable[[StateMachine, Peer, Message], Message]] = {
    Hello: StateMachine._welcome,  # noqa: SLF001 - the table of this file's own class
    Notify: StateMachine._notify,  # noqa: SLF001
    Ping: StateMachine._pong,  # noqa: SLF001
    Sync: StateMachine._synced,  # noqa: SLF001
}
"""What needs no engine is answered here."""

_ADDRESS: dict[Event, str] = {event: message.address for message, event in EVENTS.items() if message is not Tie}
"""For each event that a client brings about: with which message."""
