"""`zerostem watch`: a live bar for one job until it ends, or for all of them until Ctrl+C."""

from engine.commands.arguments import Parser
from host_bridge.client import Client
from host_bridge.messages import Cancelled, Done, Fail, Message, Progress, Submit


def main(argv: list[str]) -> int:
    """Run `zerostem watch` with these arguments; 0 when the job is done."""
    made = Parser("zerostem watch", description="Show how far the daemon's jobs are.")
    made.add_argument("id", nargs="?", metavar="ID", help="one job, until it ends (default: all, until Ctrl+C)")
    options = made.parse_args(argv)

    from engine.commands.following import followed

    with Client.find("zerostem watch") as client:
        if options.id:
            followed(client, options.id)
            print(client.spool.folder(options.id))
        else:
            _all(client)
    return 0


def _all(client: Client) -> None:
    """A line for every job that is queued, running, or told of."""
    from engine.commands.following import bar, said

    client.notify()
    with bar() as shown:
        tasks = {
            job.id: shown.add_task(job.stage or job.state, total=1000, completed=job.permille, job=job.id)
            for job in client.jobs()
            if job.state in ("queued", "running")
        }
        while True:
            message = client.listen(1.0)
            job = getattr(message, "id", None)
            if message is None or not isinstance(message, Progress | Done | Fail | Cancelled) or job is None:
                continue
            if job not in tasks:
                tasks[job] = shown.add_task("", total=1000, job=job)
            if isinstance(message, Progress):
                shown.update(tasks[job], completed=message.permille, description=said(message))
            elif word := _word(message):
                shown.update(tasks[job], completed=1000, description=word)


def _word(message: Message) -> str:
    if isinstance(message, Fail):
        return message.sentence if message.what == Submit.address else ""
    return "cancelled" if isinstance(message, Cancelled) else "done"
