"""`zerostem install` and `zerostem uninstall`: a table of what there is to install."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from host_bridge.arguments import Parser
from host_bridge.errors import BadRequest
from host_bridge.hosts import HOSTS, load
from installers import hosts, service


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that can be installed. Its functions get the folder that was named, and whether only to say what would be.

    folder: whether it goes into one that can be named.
    """

    what: str
    install: Callable[[Path | None, bool], None]
    uninstall: Callable[[Path | None, bool], None]
    folder: bool = True


def _service_in(_folder: Path | None, dry: bool) -> None:
    if dry:
        print(service.plan(service.here(), service.program()))
    else:
        service.install(service.here(), service.program(), service.call, print)


def _service_out(_folder: Path | None, dry: bool) -> None:
    if dry:
        print(service.plan_back(service.here()))
    else:
        service.uninstall(service.here(), service.call, print)


def _host(name: str) -> Part:
    return Part(
        f"ZeroStem inside {load(name).title}",
        lambda folder, dry: hosts.install(load(name), folder, hosts.here(), print, dry=dry),
        lambda folder, dry: hosts.uninstall(load(name), folder, hosts.here(), print, dry=dry),
    )


def parts() -> dict[str, Part]:
    """What there is to install, by name."""
    daemon = Part("the daemon, started whenever you log in", _service_in, _service_out, folder=False)
    return {"service": daemon, **{name: _host(name) for name in HOSTS}}


def install(argv: list[str]) -> int:
    """Run `zerostem install` with these arguments and return the exit code."""
    part, folder, dry = _meant("install", "Add a part of ZeroStem to this system; a second time does no harm.", argv)
    part.install(folder, dry)
    return 0


def uninstall(argv: list[str]) -> int:
    """Run `zerostem uninstall` with these arguments and return the exit code."""
    part, folder, dry = _meant("uninstall", "Take away exactly what `zerostem install` has added.", argv)
    part.uninstall(folder, dry)
    return 0


def _meant(name: str, purpose: str, argv: list[str]) -> tuple[Part, Path | None, bool]:
    known = parts()
    told = "\n".join(f"  {part:10} {each.what}" for part, each in known.items())
    made = Parser(
        f"zerostem {name}",
        description=purpose,
        epilog=f"parts:\n{told}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("part", choices=list(known), metavar="PART", help="what: see below")
    made.add_argument("--path", type=Path, metavar="FOLDER", help="the DAW's folder with its settings, as of a portable one")
    made.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    options = made.parse_args(argv)
    part = known[options.part]
    if options.path is not None and not part.folder:
        raise BadRequest(f"{options.part} does not go into a folder.", "Leave out --path.")
    return part, options.path, options.dry_run
