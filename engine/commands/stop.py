"""`zerostem stop`: end the daemon; what runs is taken up again by the next one."""

import time

from host_bridge import discovery
from host_bridge.arguments import Parser
from host_bridge.client import Client

PATIENCE_S = 10.0
"""How long to wait until nobody answers any more; a pass in flight may take a while."""


def main(argv: list[str]) -> int:
    """Run `zerostem stop` with these arguments and return the exit code."""
    made = Parser("zerostem stop", description="End the daemon; what runs is taken up again by the next one.")
    made.parse_args(argv)
    with Client.find("zerostem stop") as client:
        client.stop()
    until = time.monotonic() + PATIENCE_S
    while discovery.found() and time.monotonic() < until:  # it closes its rooms one after another
        time.sleep(0.02)
    print("The daemon ends.")
    return 0
