"""`zerostem daemon`: serve DAWs, the panel and the command line, in the foreground, until Ctrl+C."""

import sys
from pathlib import Path

from host_bridge.arguments import Parser
from host_bridge.settings import PORT


def parser() -> Parser:
    """Every option, with what it means."""
    made = Parser("zerostem daemon", description="Serve DAWs, the panel and the command line until Ctrl+C.")
    add = made.add_argument
    add("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    add("--port", type=int, default=PORT, help=f"the first port to try, for UDP and TCP; 0: any (default {PORT})")
    add("--spool", type=Path, metavar="FOLDER", help="where the jobs lie (default: the user's own)")
    add("-n", "--model", default="pocket", metavar="MODEL", help="for jobs that name none (default pocket)")
    add("--idle", type=float, default=600.0, metavar="SECONDS", help="without work the model's memory is freed (default 600)")
    add("--leave-free", type=int, metavar="CORES", help="on which nothing is computed (default: 1 while a DAW asks, else 0)")
    add("--execution", default="auto", metavar="WAY", help="how networks run (default: the fastest that was measured here)")
    return made


def main(argv: list[str]) -> int:
    """Run `zerostem daemon` with these arguments; 0 when it was ended."""
    options = parser().parse_args(argv)

    from engine import daemon

    wanted = daemon.Wanted(
        options.device, options.port, options.spool, options.model, options.idle, options.leave_free, options.execution
    )
    return daemon.main(wanted, lambda text: print(text, file=sys.stderr, flush=True))
