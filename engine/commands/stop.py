"""`zerostem stop`: end the daemon; what runs is taken up again by the next one."""

from engine.commands.arguments import Parser
from host_bridge.client import Client


def main(argv: list[str]) -> int:
    """Run `zerostem stop` with these arguments and return the exit code."""
    made = Parser("zerostem stop", description="End the daemon; what runs is taken up again by the next one.")
    made.parse_args(argv)
    with Client.find("zerostem stop") as client:
        client.stop()
    print("The daemon ends.")
    return 0
