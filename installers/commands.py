"""`zerostem install` and `zerostem uninstall`: a table of what there is to install."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from installers import service


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that can be installed; the plans say what would be done."""

    what: str
    install: Callable[[], None]
    uninstall: Callable[[], None]
    plan: Callable[[], str]
    plan_back: Callable[[], str]


PARTS = {
    "service": Part(
        "the daemon, started whenever you log in",
        lambda: service.install(service.here(), service.program(), service.call, print),
        lambda: service.uninstall(service.here(), service.call, print),
        lambda: service.plan(service.here(), service.program()),
        lambda: service.plan_back(service.here()),
    ),
}


def install(argv: list[str]) -> int:
    """Run `zerostem install` with these arguments and return the exit code."""
    options = _parser("install", "Add a part of ZeroStem to this system; a second time does no harm.").parse_args(argv)
    part = PARTS[options.part]
    if options.dry_run:
        print(part.plan())
    else:
        part.install()
    return 0


def uninstall(argv: list[str]) -> int:
    """Run `zerostem uninstall` with these arguments and return the exit code."""
    options = _parser("uninstall", "Take away exactly what `zerostem install` has added.").parse_args(argv)
    part = PARTS[options.part]
    if options.dry_run:
        print(part.plan_back())
    else:
        part.uninstall()
    return 0


def _parser(name: str, purpose: str) -> argparse.ArgumentParser:
    parts = "\n".join(f"  {part:10} {told.what}" for part, told in PARTS.items())
    made = argparse.ArgumentParser(
        f"zerostem {name}",
        description=purpose,
        epilog=f"parts:\n{parts}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("part", choices=list(PARTS), metavar="PART", help="what: see below")
    made.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    return made
