"""The whole life of a job as one table, which message may come when, and who is told. No sockets and no files here.

Bytes never come in and nothing is waited for: the time is asked of a clock that is handed in, so that both ends of a talk
can run in one process, and every rule be tested in microseconds.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import Literal

from host_bridge.errors import BadMessage, Code, IllegalStep
from host_bridge.messages import (
    Accepted,
    Asked,
    Cancel,
    Cancelled,
    Deliver,
    Done,
    Fail,
    Hello,
    Message,
    Notified,
    Notify,
    Ping,
    Pong,
    Progress,
    Retry,
    Status,
    Strength,
    Submit,
    Sync,
    Synced,
    Tie,
    Welcome,
)
from host_bridge.vocabulary import State

LEASE_S = 30.0
"""For how long a peer that says nothing is still told things."""
MOST_PEERS = 512
"""Peers that have a lease at once; then whoever shows the token takes the place of one who has not."""
MOST_ASKED = 1000
"""Ids whose answers one peer waits for; beyond that the oldest are forgotten."""

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

ABOUT_JOBS: tuple[type[Message], ...] = (Accepted, Progress, Done, Fail, Cancelled)
"""What whoever is notified hears."""
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


class Exchange:
    """One daemon's side of all its talks: tokens, leases, and the state of every job.

    Its methods may be called from any thread. clock: seconds, never going back. who: what `hello` is answered with.
    """

    def __init__(self, token: str, who: Welcome, clock: Callable[[], float]) -> None:
        self._token, self._who, self._clock = token.encode(), who, clock
        self._states: dict[str, State] = {}
        self._leases: dict[Peer, _Lease] = {}
        self._lock = RLock()

    def receive(self, peer: Peer, message: Message) -> list[Message] | None:
        """Take in a client's message: the answers, or None when it is for the engine and may be carried out now.

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
        """Renew a lease that is there: any message does, a bad one too."""
        with self._lock:
            if peer in self._leases:
                self._leases[peer].until = self._clock() + LEASE_S

    def forget(self, peer: Peer) -> None:
        """The peer has hung up."""
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
        """Who is to hear a message of the daemon's: whoever asked with its id, and whoever is notified of jobs."""
        with self._lock:
            now, named = self._clock(), getattr(message, "id", None)
            public = (isinstance(message, ABOUT_JOBS) and named in self._states) or type(message).address == "heartbeat"
            told = [
                peer
                for peer, lease in self._leases.items()
                if lease.until > now and (named in lease.asked or (lease.notified and public))
            ]
            if isinstance(message, Cancelled) or (isinstance(message, Done | Fail) and message.what == Submit.address):
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
        if isinstance(message, Progress):
            return replace(message, stage="")
        return message

    def state(self, id: str) -> State | None:
        """How a job stands; None for one that nobody has heard of."""
        return self._states.get(id)

    def states(self) -> dict[str, State]:
        """How all jobs stand, a copy."""
        with self._lock:
            return dict(self._states)

    def know(self, states: Iterable[tuple[str, State]]) -> None:
        """Begin with the jobs that a daemon finds when it starts."""
        with self._lock:
            self._states.update(states)

    def step(self, id: str, event: Event) -> State:
        """Let something happen to a job; returns the state after.

        Raises BadMessage for what a client asked at the wrong time, IllegalStep for what we must never do.
        """
        with self._lock:
            self._states[id] = state = self._after(id, event, _ADDRESS.get(event, ""))
            return state

    def drop(self, id: str) -> None:
        """The job's folder is gone."""
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


_AT_ONCE: dict[type[Message], Callable[[Exchange, Peer, Message], Message]] = {
    Hello: Exchange._welcome,  # noqa: SLF001 - the table of this file's own class
    Notify: Exchange._notify,  # noqa: SLF001
    Ping: Exchange._pong,  # noqa: SLF001
    Sync: Exchange._synced,  # noqa: SLF001
}
"""What needs no engine is answered here."""

_ADDRESS: dict[Event, str] = {event: message.address for message, event in EVENTS.items() if message is not Tie}
"""For each event that a client brings about: with which message."""
