"""Command lines that complain in two sentences, like everything else."""

import argparse
from typing import NoReturn

from host_bridge.errors import BadRequest


class Parser(argparse.ArgumentParser):
    """argparse, with its errors as BadRequest instead of a page of usage."""

    def error(self, message: str) -> NoReturn:
        """What argparse found, and where to look."""
        raise BadRequest(f"{message[:1].upper()}{message[1:].rstrip('.')}.", f"`{self.prog} --help` shows how.")
