"""The last line of every file that we install: what the file was like, and how many folders were made for it.

So a file is its own receipt. Nothing else needs to be remembered to take away exactly what was added, and a file that was
changed since, or is a stranger's, is known for what it is.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

_LINE = re.compile(r"\n[^\n]*installed by zerostem: sha256 ([0-9a-f]{64}), folders made (\d+)[^\n]*\n?\Z")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a file says of its own installation. whole: it still is as we wrote it."""

    whole: bool
    folders_made: int


def signed(body: str, comment: tuple[str, str], folders_made: int) -> str:
    """The text with its receipt as a last line, in the file's own form of a comment."""
    body = body.rstrip("\n")
    begin, end = comment
    line = f"{begin}installed by zerostem: sha256 {_hash(body)}, folders made {folders_made}{end}"
    return f"{body}\n{line}\n"


def read(text: str) -> Receipt | None:
    """The receipt of a text; None where it has none, so that it is a stranger's."""
    text = text.replace("\r\n", "\n")
    match = _LINE.search(text)
    return Receipt(_hash(text[: match.start()]) == match[1], int(match[2])) if match else None


def _hash(body: str) -> str:
    return sha256(body.encode()).hexdigest()
