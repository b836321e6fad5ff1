"""The models to choose from, each with what its licence allows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from host_bridge.messages import ModelRow

DEFAULT = "pocket"
"""What the engine takes where a request names no model."""
FREE = frozenset({"mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"})
"""Licences that are known to allow commercial use."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One model. size: bytes to fetch, or on the disk; -1 where unknown."""

    name: str
    licence: str
    installed: bool
    size: int
    purpose: str

    @property
    def commercial(self) -> bool:
        """Whether its licence is known to allow commercial use."""
        return self.licence.casefold() in FREE

    @property
    def forbidden(self) -> bool:
        """Whether its licence says that it is not for commercial use."""
        return re.search(r"non-?commercial|\bnc\b", self.licence.casefold()) is not None

    @property
    def warning(self) -> str:
        """What one should know before using it; empty: nothing."""
        if self.commercial:
            return ""
        first = "Not for commercial use" if self.forbidden else "Read its licence before you sell what it made"
        return f"{first}: {self.licence}."

    @property
    def line(self) -> str:
        """It in a line: "audioldm-m-full: any sound in your own words (2.6 GB to fetch, non-commercial)"."""
        told = [] if self.installed else [f"{in_bytes(self.size)} to fetch" if self.size >= 0 else "to be fetched"]
        told += ["non-commercial"] if self.forbidden else []
        return f"{self.name}: {self.purpose}" + (f" ({', '.join(told)})" if told else "")


def choices(rows: Iterable[ModelRow]) -> list[Choice]:
    """What the daemon tells: those that are here first, in the daemon's order."""
    made = [Choice(row.name, row.licence, bool(row.installed), row.size, row.purpose) for row in rows]
    return sorted(made, key=lambda choice: not choice.installed)


def in_bytes(size: int) -> str:
    """Bytes as people say them."""
    for unit, most in (("GB", 1e9), ("MB", 1e6)):
        if size >= most:
            return f"{size / most:.1f} {unit}" if size < 10 * most else f"{size / most:.0f} {unit}"
    return f"{size / 1e3:.0f} kB"
