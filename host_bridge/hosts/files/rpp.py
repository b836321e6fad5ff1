"""The grammar of REAPER's project files: lines, blocks, words. Every byte is kept, whatever it means.

A line whose first sign is `<` opens a block, a line that is `>` closes it; all others belong to the block they stand in.
Words are set off by spaces, and quoted by whichever of " ' ` they do not hold.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from host_bridge.errors import ZeroStemError

ROOT = b"<REAPER_PROJECT"
_KEPT_DEPTH = 5
"""Blocks are told apart down to a source inside a source of an item of a track; deeper ones are only counted."""
_LONGEST = 1 << 16
"""Bytes of a line in which words are looked for; longer ones hold states of plugins."""
_WORD = re.compile(rb"\"([^\"]*)\"|'([^']*)'|`([^`]*)`|(\S+)")


class BadProject(ZeroStemError):
    """A file that is no REAPER project, or one that is not whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Lines `first` to `last`, both of them its own; and the blocks in it."""

    first: int
    last: int
    inner: list["Block"] = field(default_factory=list, repr=False)

    def own(self) -> Iterator[int]:
        """The lines between its first and its last that are in no inner block."""
        at = self.first + 1
        for block in self.inner:
            yield from range(at, block.first)
            at = block.last + 1
        yield from range(at, self.last)


def parse(data: bytes, name: str) -> tuple[list[bytes], Block]:
    """A file's lines with their ends, and the block that holds all. Raises BadProject, which calls the file by its name."""
    lines = data.splitlines(keepends=True)
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if not lines or key(lines[start]) != ROOT:
        raise BadProject(f"{name} is not a REAPER project.", "Name an .RPP file that REAPER has saved.")
    open_blocks: list[tuple[int, list[Block]]] = []
    deeper = 0
    for index in range(start, len(lines)):
        sign = lines[index].lstrip(b" \t")[:1]
        if sign == b"<":
            if len(open_blocks) < _KEPT_DEPTH:
                open_blocks.append((index, []))
            else:
                deeper += 1
        elif sign == b">" and lines[index].strip() == b">":
            if deeper:
                deeper -= 1
                continue
            first, inner = open_blocks.pop()
            block = Block(first, index, inner)
            if not open_blocks:
                if any(line.strip() for line in lines[index + 1 :]):
                    raise _broken(name, f"goes on after its end, in line {index + 2}")
                return lines, block
            open_blocks[-1][1].append(block)
    raise _broken(name, f"ends inside a block that begins in line {open_blocks[-1][0] + 1}")


def key(line: bytes) -> bytes:
    """A line's first word, such as `NAME` or `<TRACK`."""
    return (line[:_LONGEST].split(None, 1) or [b""])[0]


def words(line: bytes) -> list[str]:
    """The words of a line, without their quotes; what is no UTF-8 is what old versions wrote on Windows."""
    found = (next(part for part in match.groups() if part is not None) for match in _WORD.finditer(line[:_LONGEST]))
    return [_text(word) for word in found]


class Said:
    """What some lines of a file say, each by its first word; where two begin alike, the first counts."""

    def __init__(self, lines: Sequence[bytes], at: Iterable[int]) -> None:
        self._lines: dict[bytes, bytes] = {}
        for index in at:
            self._lines.setdefault(key(lines[index]), lines[index])

    def word(self, name: bytes, place: int, usual: str = "") -> str:
        """A word of the line of that name, the name itself being 0; `usual` where there is none."""
        found = words(self._lines.get(name, b""))
        return found[place] if place < len(found) else usual

    def line(self, name: bytes) -> list[bytes]:
        """The line of that name without its indentation and end; or nothing."""
        return [self._lines[name].strip()] if name in self._lines else []

    def __contains__(self, name: bytes) -> bool:
        return name in self._lines


def quoted(text: str) -> bytes:
    """A text as one word on one line; one that holds all three quotes loses its backticks, as in REAPER."""
    line = " ".join(text.split()) if any(ord(sign) < 32 for sign in text) else text
    mark = next((mark for mark in "\"'`" if mark not in line), "`")
    return f"{mark}{line.replace('`', chr(39)) if mark in line else line}{mark}".encode("utf-8", "surrogateescape")


def exact(word: str) -> Fraction | None:
    """A decimal number as it is written; None for anything else."""
    return Fraction(word) if re.fullmatch(r"[+-]?\d{1,15}(\.\d{0,40})?(e[+-]?\d{1,2})?", word, re.ASCII) else None


def _text(word: bytes) -> str:
    try:
        return word.decode()
    except UnicodeDecodeError:
        return word.decode("cp1252", "replace")


def _broken(name: str, how: str) -> BadProject:
    return BadProject(f"{name} is not whole: it {how}.", "Open it in REAPER and save it, or take its last backup.")
