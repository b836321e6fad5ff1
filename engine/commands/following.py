"""A job followed to its end, with a bar for people who look."""

from engine.commands.progress import bars
from host_bridge.client import Client, Refused
from host_bridge.errors import Cancelled as Stopped
from host_bridge.messages import Cancelled, Fail, Message, Progress

WHOLE = 1000
"""How far a job is goes from 0 to this."""


def stage_of(message: Progress) -> str:
    """Stage and time to go, in words."""
    minutes, seconds = divmod(message.eta_s, 60)
    return message.stage + (f", {minutes}:{seconds:02} to go" if message.eta_s >= 0 else "")


def followed(client: Client, job: str) -> Message:
    """The end of a job, its way shown. Raises Refused for one that failed, Cancelled, NoDaemon."""
    last: Message | None = None
    with bars(timed=False, transient=False) as add:
        show = add(job, "queued", WHOLE)
        for last in client.watch(job):
            if isinstance(last, Progress):
                show(last.permille, stage_of(last))
        show(WHOLE, "")
    if isinstance(last, Fail):
        raise Refused(last)
    if last is None or isinstance(last, Cancelled):
        raise Stopped
    return last
