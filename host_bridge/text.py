"""Text for people: file names and messages of any kind made fit to be printed, so that none of them steers the terminal."""

import json
import os
import sys
import unicodedata
from typing import Any

LONGEST_FILE_NAME = 255
"""Bytes of a file name, on every file system that people keep music on."""
_STEERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that reverse the direction of what follows: a name could show itself as another."""
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def printable(text: object) -> str:
    r"""The text with everything escaped that is no character to look at, as in a string of Python's: `\n`, `\x1b`, `\u202e`.

    A byte of a file name that is no UTF-8, which Python keeps as half of a surrogate pair (PEP 383), becomes `\xff`. The result
    is one line and can always be encoded as UTF-8.
    """
    told = str(text)
    return told if told.isascii() and told.isprintable() else "".join(map(_shown, told))


def shortened(stem: str, tail: str, most: int = LONGEST_FILE_NAME) -> str:
    """A file name that ends in `tail` and has at most `most` bytes: the stem as it is, or whole characters of it and "…"."""
    name = stem + tail
    while len(os.fsencode(name)) > most:
        stem = stem[:-1]
        name = f"{stem.rstrip('. ')}…{tail}"
    return name


def as_json(told: Any) -> str:
    r"""JSON to be read by programs. A path's byte that is no UTF-8 stands in it as the escape `\udcXX`, from which
    `json.loads` and `os.fsencode` make that byte again.
    """
    return json.dumps(told, ensure_ascii=False, indent=2, allow_nan=False).encode(errors="backslashreplace").decode()


def print_json(told: Any) -> None:
    """Print JSON to stdout, in UTF-8 whatever the encoding of the terminal or of the pipe."""
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(encoding="utf-8")
    print(as_json(told), flush=True)  # noqa: T201 - that is what it is for


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} or character in _STEERING:
        return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
    return character
