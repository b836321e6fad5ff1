"""`zerostem tidy`: take jobs out of the spool that ended long ago, and say how much room that made."""

import os
import time
from pathlib import Path

from host_bridge.arguments import Parser
from host_bridge.errors import BadRequest, BadSpool
from host_bridge.settings import places
from host_bridge.spool import Spool
from host_bridge.text import printable

DAY_S = 86_400
ENDED = {"done", "failed", "cancelled"}


def main(argv: list[str]) -> int:
    """Run `zerostem tidy` with these arguments; 0, however much there was to take away."""
    made = Parser(
        "zerostem tidy",
        description="Take jobs that ended long ago out of the spool, with their stems there. A project that plays stems out "
        "of the spool itself, as some DAWs do after a drag from the panel, should collect its files first.",
    )
    made.add_argument("--days", type=float, default=30.0, metavar="N", help="that ended more than N days ago (default 30)")
    made.add_argument("--spool", type=Path, metavar="FOLDER", help="another folder of jobs (default: the user's own)")
    made.add_argument("--dry-run", action="store_true", help="say what would be taken away, and do nothing")
    options = made.parse_args(argv)
    if not options.days >= 0:
        raise BadRequest(f"{options.days:g} days make no sense.", "Choose 0 or more.")
    spool = Spool(options.spool or places().spool)
    before, freed, taken = time.time() - options.days * DAY_S, 0, 0
    for job in spool.ids():
        try:
            if spool.state(job).job.state not in ENDED or _ended(spool.folder(job)) > before:
                continue
            size = _size(spool.folder(job))
            if not options.dry_run:
                spool.remove(job)
        except BadSpool as error:  # one folder that makes no sense keeps nobody from tidying the others
            print(f"{job} stays: {printable(error)}")
            continue
        freed, taken = freed + size, taken + 1
    done = "would be taken away" if options.dry_run else "taken away"
    print(f"{taken} jobs {done}, {freed / 2**20:.1f} MiB. What was delivered elsewhere stays where it is.")
    return 0


def _ended(folder: Path) -> float:
    """When a job's state was last written, in seconds since 1970."""
    try:
        return (folder / "state.json").lstat().st_mtime
    except OSError as error:
        raise BadSpool(f"{folder} cannot be read: {error.strerror}.", "Check the folder's permissions.") from error


def _size(folder: Path) -> int:
    """Bytes of a job's files; links are not followed."""
    return sum(os.lstat(Path(place) / name).st_size for place, _, names in os.walk(folder) for name in names)
