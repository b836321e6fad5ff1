"""`zerostem ring`: wake the daemon for a job's folder that lies in the spool; start it where none runs."""

from host_bridge.arguments import Parser


def main(argv: list[str]) -> int:
    """Run `zerostem ring` with these arguments and return the exit code."""
    made = Parser("zerostem ring", description="Wake the daemon for a job whose folder lies in its spool.")
    made.add_argument("id", metavar="ID", help="the name of the job's folder")
    options = made.parse_args(argv)

    from host_bridge.client.launcher import connect_or_start
    from host_bridge.errors import BridgeError

    with connect_or_start() as client:
        client.ring(options.id)
        last = client.spool.state(options.id)
    if last.job.state == "failed":  # the daemon has accepted the bell, and says afterwards how the job ended
        raise BridgeError(last.error, last.todo)
    print(options.id)
    return 0
