"""`zerostem deliver`: add a finished job's stems once more to the folder that it names, and tell its host."""

from host_bridge.arguments import Parser
from host_bridge.text import printable


def main(argv: list[str]) -> int:
    """Run `zerostem deliver` with these arguments and return the exit code."""
    made = Parser("zerostem deliver", description="Add a finished job's stems once more to the folder that it names.")
    made.add_argument("id", metavar="ID", help="as `zerostem submit` printed it, see `zerostem status`")
    options = made.parse_args(argv)

    from host_bridge.waking import awake

    with awake() as client:
        client.deliver(options.id, wait=True)
        places = (client.spool.result(options.id) or {}).get("delivered", [])
    print("\n".join(map(printable, places)) or f"Job {options.id} names no folder.")
    return 0
