"""`zerostem cancel`: stop a job, whether or not the daemon runs; nothing of it is kept."""

from host_bridge.arguments import Parser
from host_bridge.client import Client, NoDaemon
from host_bridge.settings import places
from host_bridge.spool import Spool


def main(argv: list[str]) -> int:
    """Run `zerostem cancel` with these arguments and return the exit code."""
    made = Parser("zerostem cancel", description="Stop a job of the daemon's; nothing of it is kept.")
    made.add_argument("id", metavar="ID", help="as `zerostem submit` printed it, see `zerostem status`")
    options = made.parse_args(argv)
    try:
        with Client.find("zerostem cancel") as client:
            client.cancel(options.id)
    except NoDaemon:
        Spool(places().spool).drop_cancel(options.id)
        print(f"No daemon runs; the next one cancels {options.id}.")
    else:
        print(f"Cancelled {options.id}.")
    return 0
