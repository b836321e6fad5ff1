"""`zerostem ring`: wake the daemon for a job's folder that lies in the spool; start it where none runs."""

from host_bridge.arguments import Parser


def main(argv: list[str]) -> int:
    """Run `zerostem ring` with these arguments and return the exit code."""
    made = Parser("zerostem ring", description="Wake the daemon for a job whose folder lies in its spool.")
    made.add_argument("id", metavar="ID", help="the name of the job's folder")
    options = made.parse_args(argv)

    from host_bridge.waking import awake

    with awake() as client:
        client.ring(options.id)
    print(options.id)
    return 0
