"""The models to choose from, each with what its licence allows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from host_bridge.protocol.messages import ModelRow
from ui import texts

DEFAULT = "pocket"
"""What the engine takes where a request names no model."""
FREE = frozenset({"mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"})
"""Licences that are known to allow commercial use."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
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
        return (texts.NOT_FOR_SALE if self.forbidden else texts.READ_LICENCE).format(licence=self.licence)

    @property
    def line(self) -> str:
        """It in a line: "audioldm-m-full: any sound in your own words (2.6 GB to fetch, non-commercial)"."""
        told = [] if self.installed else [self._to_fetch]
        told += [texts.NON_COMMERCIAL] if self.forbidden else []
        line = texts.MODEL_LINE_MORE if told else texts.MODEL_LINE
        return line.format(name=self.name, purpose=self.purpose, more=", ".join(told))

    @property
    def standing(self) -> str:
        """Whether it is here, and how large: "23 MB, here", "2.6 GB to fetch"."""
        if not self.installed:
            return self._to_fetch
        return ", ".join([*([in_bytes(self.size)] if self.size >= 0 else []), texts.HERE])

    @property
    def question(self) -> str:
        """What is asked before it is fetched; its size with it, where that is known."""
        told = texts.FETCH_ASK if self.size < 0 else texts.FETCH_ASK_SIZE
        return told.format(name=self.name, size=in_bytes(self.size))

    @property
    def _to_fetch(self) -> str:
        return texts.NOT_HERE if self.size < 0 else texts.TO_FETCH.format(size=in_bytes(self.size))


def choices(rows: Iterable[ModelRow]) -> list[ModelChoice]:
    """What the daemon tells: those that are here first, in the daemon's order."""
    made = [ModelChoice(row.name, row.licence, bool(row.installed), row.size, row.purpose) for row in rows]
    return sorted(made, key=lambda choice: not choice.installed)


def in_bytes(size: int) -> str:
    """Bytes as people say them."""
    for unit, one in ((texts.GIGABYTES, 1e9), (texts.MEGABYTES, 1e6)):
        if size >= one:
            return unit.format(count=f"{size / one:.{int(size < 10 * one)}f}")
    return texts.KILOBYTES.format(count=f"{size / 1e3:.0f}")
