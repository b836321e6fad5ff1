"""The jobs that the torture gives the daemon, how they are followed, and what one part of it found."""

from dataclasses import dataclass
from typing import Any

from host_bridge.client.client import Client, NoDaemon
from host_bridge.protocol.messages import Done
from host_bridge.spool.documents import RequestFile
from host_bridge.types import Stem

ASKS = (
    RequestFile((Stem("drums"),), settings={"steps": 4}),
    RequestFile((Stem("drums"), Stem("bass", 0.5)), settings={"steps": 6}),
    RequestFile((Stem("piano", 0.7),), settings={"steps": 2, "generative": True}),
    RequestFile((Stem("bass"),), settings={"method": "mixture"}),
)
QUICK = ASKS[3]


@dataclass(frozen=True, slots=True)
class JobResult:
    """One part's outcome: what was counted, and whether it is as it must be."""

    part: str
    counted: str
    good: bool


def rung(client: Client, job: str) -> None:
    """Submit a job whose folder lies in the spool."""
    try:
        client.ring(job)
    except NoDaemon:  # it lies in the spool, which is enough
        return


def done(client: Client, job: str) -> dict[str, Any]:
    """The result of a job once it has ended; empty where it did not end well."""
    *_, last = client.watch(job)
    return (client.spool.result(job) or {}) if isinstance(last, Done) else {}
