"""`zerostem inbox FOLDER`: separates whatever is put into FOLDER/inbox, until it is stopped."""

import argparse
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from engine.commands import wanted
from engine.request import Request
from host_bridge.arguments import Parser
from host_bridge.text import printable

if TYPE_CHECKING:
    from engine.separation import Wish

IDLE_S = 600
"""So long without work, and the workers and their models go; the next input brings them back."""

EXAMPLES = """\
what a file wants:
  song [drums, bass].wav      prompts in its name
  song.wav and song.toml      or in a note: prompt = ["drums", "bass"], and any other long option of `zerostem separate`
  song.wav alone              what this command was started with: zerostem inbox FOLDER -p drums

Stems come out in FOLDER/outbox/song. The input goes to FOLDER/inbox/done, or to FOLDER/inbox/failed with a .txt that
says why. Folders in the inbox are left alone. Ctrl-C stops.
"""


def parser() -> Parser:
    """Every option; those of `separate` stand for whatever a file does not say itself."""
    made = Parser("zerostem inbox", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.description = "Watch a folder, and separate what is put into its inbox."
    made.add_argument("folder", type=Path, metavar="FOLDER", help="holds inbox and outbox; they are made where missing")
    wanted.add_options(made)
    made.add_argument("-j", "--jobs", type=int, metavar="N", help="work on N inputs at once (default: one per device)")
    made.add_argument("--once", action="store_true", help="do what lies there, then end")
    return made


def main(argv: list[str]) -> int:
    """Watch until stopped; Returns 0, or with --once 1 where an input failed."""
    options = parser().parse_args(argv)

    def meaning(said: Mapping[str, Any], out: Path, name: str) -> "tuple[Request, Wish]":
        request, wishes = wanted.meant(argparse.Namespace(**{**vars(options), **said}))
        return request, wishes.to(out, name)

    from engine import weights
    from engine.batch.crew import Crew
    from engine.batch.inbox import POLL_S, Inbox
    from engine.commands.folders import workers_on

    inbox = Inbox(options.folder.absolute(), meaning)
    devices = workers_on(options.device, options.jobs)
    inbox.prepare()
    signal.signal(signal.SIGTERM, _stop)
    print(printable(f"watching {inbox.inbox}; stems come out in {inbox.outbox}; Ctrl-C stops"), flush=True)
    worst, worked = 0, time.monotonic()
    with Crew(options.name or weights.DEFAULT, devices, execution=options.execution) as crew:
        while True:
            for arrived in inbox.attend(inbox.ready(), crew):
                worst = max(worst, int(bool(arrived.error)))
                said = f"failed: {arrived.error} {arrived.todo}" if arrived.error else f"stems in {arrived.out}"
                print(printable(f"{arrived.path.name}: {said}"), flush=True)
                worked = time.monotonic()
            if options.once and not inbox.waits:
                return worst
            if time.monotonic() - worked > IDLE_S:
                crew.close()
            time.sleep(POLL_S)


def _stop(_signal: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
