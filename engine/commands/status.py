"""`zerostem status`: how the daemon and its jobs stand, read from the spool, so that it works while the daemon is down."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from host_bridge.arguments import Parser
from host_bridge.client import Client, NoDaemon
from host_bridge.errors import BadSpool
from host_bridge.settings import places
from host_bridge.spool import Spool
from host_bridge.text import print_json, printable


def main(argv: list[str]) -> int:
    """Run `zerostem status` with these arguments; 0, whatever it finds."""
    made = Parser("zerostem status", description="How the daemon and its jobs stand, whether or not it runs.")
    made.add_argument("--spool", type=Path, metavar="FOLDER", help="another folder of jobs (default: the daemon's)")
    made.add_argument("--json", action="store_true", help="for programs")
    options = made.parse_args(argv)
    daemon = _daemon()
    spool = Spool(options.spool or Path(daemon["spool"] or places().spool))
    told = {"daemon": daemon, "jobs": [_job(spool, id_) for id_ in spool.ids()]}
    if options.json:
        print_json(told)
    else:
        print(_text(told))
    return 0


def _daemon() -> dict[str, Any]:
    try:
        with Client.find("zerostem status") as client:
            engine = client.engine
            return {
                "running": True, "pid": engine.pid, "port": engine.udp, "version": engine.version, "spool": str(engine.spool),
                "error": "", "todo": "",
            }  # fmt: skip
    except NoDaemon as error:
        why = {"error": error.what, "todo": error.todo}
        return {"running": False, "pid": None, "port": None, "version": None, "spool": None, **why}


def _job(spool: Spool, id: str) -> dict[str, Any]:  # noqa: A002 - a job's id is called that everywhere
    try:
        state = spool.state(id)
    except BadSpool as error:
        unknown = {"id": id, "state": "unknown", "permille": 0, "stage": "", "eta_s": -1, "device": ""}
        return {**unknown, "error": error.what, "todo": error.todo}
    return {**asdict(state.job), "error": state.error, "todo": state.todo}


def _text(told: dict[str, Any]) -> str:
    daemon = told["daemon"]
    if not daemon["running"]:
        first = printable(f"{daemon['error']} {daemon['todo']}")
    else:
        first = f"The daemon runs: process {daemon['pid']}, port {daemon['port']}, version {daemon['version']}."
    if not told["jobs"]:
        return f"{first}\nNo jobs."
    rows = [("JOB", "STATE", "DONE", "STAGE", "")]
    for job in told["jobs"]:
        error = printable(f"{job['error']} {job['todo']}".strip())
        rows.append((job["id"], job["state"], f"{job['permille'] / 10:.0f} %", job["stage"], error))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([first, *lines])
