"""`zerostem strength`: give one stem of a finished job another strength, and wait until it is rendered."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from host_bridge.arguments import Parser
from host_bridge.client import Client
from host_bridge.errors import BadRequest, ZeroStemError
from host_bridge.files import write_whole
from host_bridge.forms import write_json

ANSWER = "zerostem-answer/1"
"""The form of the file that `--answer` writes: `error` is what happened and `todo` what to do, empty where all went well."""


def parser() -> Parser:
    """Which stem, how strong, and what else."""
    made = Parser("zerostem strength", description="Give one stem of a finished job another strength.")
    made.add_argument("id", metavar="ID", help="as `zerostem submit` printed it, see `zerostem status`")
    made.add_argument("stem", metavar="STEM", help="its name, or /1 for the first one, /2 for the second...")
    made.add_argument("strength", type=float, metavar="OMEGA", help="0 (the mix) to 1 (the stem alone)")
    made.add_argument("--deliver", action="store_true", help="then add the stems anew to the folder that the job names")
    made.add_argument("--answer", type=Path, metavar="FILE", help="write there how it ended, for scripts that do not wait")
    return made


def main(argv: list[str]) -> int:
    """Run `zerostem strength` with these arguments and return the exit code."""
    options = parser().parse_args(argv)
    with _answering(options.answer):
        _strengthen(options)
    print(f"{options.stem} of {options.id} is at {options.strength:.0%}.")
    return 0


def _strengthen(options: argparse.Namespace) -> None:
    from host_bridge.waking import awake

    if not 0 <= options.strength <= 1:
        raise BadRequest(f"A strength of {options.strength:g} is not possible.", "Give one from 0 to 1.")
    with awake() as client:
        client.strength(options.id, _named(client, options.id, options.stem), round(1000 * options.strength), wait=True)
        if options.deliver:
            client.deliver(options.id, wait=True)


def _named(client: Client, job: str, stem: str) -> str:
    """A stem's name; none begins with the / that says its number."""
    if not stem.startswith("/"):
        return stem
    names = [each.prompt for each in client.spool.request(job).stems]
    number = stem.removeprefix("/")
    if not number.isdecimal() or not 1 <= int(number) <= len(names):
        raise BadRequest(f"Job {job} has no stem {stem}.", f"Its stems are {', '.join(names)}.")
    return names[int(number) - 1]


@contextmanager
def _answering(file: Path | None) -> Iterator[None]:
    """Write how it ended into the file, whatever that is. Raises what it came to know."""
    error, todo = "Something went wrong inside ZeroStem.", "Run `zerostem doctor` and report it."
    try:
        yield
        error = todo = ""
    except ZeroStemError as trouble:
        error, todo = trouble.what, trouble.todo
        raise
    finally:
        if file:
            write_whole(file.absolute(), write_json({"schema": ANSWER, "error": error, "todo": todo}))
