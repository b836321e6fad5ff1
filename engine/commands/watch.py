"""`zerostem watch`: a live bar for one job until it ends, or for all of them until Ctrl+C."""

from host_bridge.arguments import Parser
from host_bridge.client import Client
from host_bridge.messages import Cancelled, Done, Fail, Message, Progress, Submit
from host_bridge.text import printable


def main(argv: list[str]) -> int:
    """Run `zerostem watch` with these arguments; 0 when the job is done."""
    made = Parser("zerostem watch", description="Show how far the daemon's jobs are.")
    made.add_argument("id", nargs="?", metavar="ID", help="one job, until it ends (default: all, until Ctrl+C)")
    options = made.parse_args(argv)

    from engine.commands.following import followed

    with Client.find("zerostem watch") as client:
        if options.id:
            followed(client, options.id)
            print(printable(client.spool.folder(options.id)))
        else:
            _all(client)
    return 0


def _all(client: Client) -> None:
    """A line for every job that is queued, running, or told of."""
    from engine.commands.following import WHOLE, stage_of
    from engine.commands.progress import bars

    client.notify()
    with bars(timed=False, transient=False) as add:
        shown = {
            job.id: add(job.id, job.stage or job.state, WHOLE, job.permille)
            for job in client.jobs()
            if job.state in ("queued", "running")
        }
        while True:
            message = client.listen(1.0)
            job = getattr(message, "id", None)
            if message is None or not isinstance(message, Progress | Done | Fail | Cancelled) or job is None:
                continue
            if job not in shown:
                shown[job] = add(job, "", WHOLE)
            if isinstance(message, Progress):
                shown[job](message.permille, stage_of(message))
            elif word := _word(message):
                shown[job](WHOLE, word)


def _word(message: Message) -> str:
    if isinstance(message, Fail):
        return message.said if message.what == Submit.address else ""
    return "cancelled" if isinstance(message, Cancelled) else "done"
