"""What there is to know of a DAW to put ZeroStem into it and take it out again; what does the work is `installers.hosts`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Facts:
    """What host scripts must know of this machine, written into them when they are installed."""

    command: tuple[str, ...]
    """How to run `zerostem`; what comes after are its words: `ring`, an id."""
    spool: Path
    engine_file: Path
    """Says how to reach the daemon that runs now; read each time it is needed, for port and token change."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change to one of the DAW's own files, which may not exist yet."""

    path: PurePosixPath
    """Relative to the DAW's folder."""
    add: Callable[[bytes], bytes]
    """Puts our lines in; a second time changes nothing, other facts replace the former ones. Raises ZeroStemError for what
    cannot be read."""
    remove: Callable[[bytes], bytes]
    """Takes our lines out: `remove(add(x)) == x` for every x without them, and `remove(x) == x`."""
    missing: bytes = b""
    """What to begin with where there is no such file; it goes away again when `remove` leaves just this."""


class Host(Protocol):
    """One DAW. Its functions only say what is to be where: nothing is read or written by them."""

    @property
    def name(self) -> str:
        """As in `zerostem install NAME`, and in a request's `host`."""
        ...

    @property
    def title(self) -> str:
        """As its makers write it."""
        ...

    @property
    def processes(self) -> tuple[str, ...]:
        """Names under which it runs, whatever version or ending follows, in any case of letters.

        While it does, its own files must not be edited: it writes them anew when it ends.
        """
        ...

    @property
    def port(self) -> int | None:
        """The UDP port at which it usually hears that a job is done; None where it cannot be told."""
        ...

    def folders(self, system: str, home: Path, environment: Mapping[str, str]) -> list[Path]:
        """Where its settings may lie on such a system (as `sys.platform` has it), likeliest first."""
        ...

    def files(self, facts: Facts) -> dict[PurePosixPath, bytes]:
        """Our own files, by their path in the DAW's folder."""
        ...

    def edits(self, facts: Facts) -> tuple[Edit, ...]:
        """The changes to the DAW's own files."""
        ...

    def advice(self) -> tuple[str, ...]:
        """What the person still has to do inside the DAW, once: a sentence each."""
        ...
