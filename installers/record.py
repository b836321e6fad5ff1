"""What `zerostem install` has added to a DAW's folder, in a file beside it: so that just that can be taken away."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from installers.service import CannotInstall

FILE = "zerostem-installed.json"


@dataclass(frozen=True, slots=True)
class Record:
    """Paths are relative to the folder, with slashes."""

    files: Mapping[str, str] = field(default_factory=dict)
    """Ours, with the hash of what we wrote."""
    aside: Mapping[str, str] = field(default_factory=dict)
    """Strangers' files that were in the way, and where they are now."""
    folders: tuple[str, ...] = ()
    """Those that we made, outermost first."""
    made: tuple[str, ...] = ()
    """The DAW's own files that were not there before we wrote lines into them."""

    def written(self) -> bytes:
        """As it lies in its file."""
        return json.dumps(asdict(self), indent=2).encode() + b"\n"


def read(folder: Path) -> Record:
    """The record of a folder, empty where there is none. Raises CannotInstall."""
    path = folder / FILE
    if not path.exists():
        return Record()
    try:
        told = json.loads(read_bytes(path))
        return Record(dict(told["files"]), dict(told["aside"]), tuple(told["folders"]), tuple(told["made"]))
    except (ValueError, TypeError, KeyError) as error:
        raise CannotInstall(f"{path} is not as we wrote it.", "Move it away, and do this again.") from error


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises CannotInstall."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CannotInstall(f"{path} cannot be read: {error.strerror}.", "Check what lies there.") from error


def hash_bytes(data: bytes) -> str:
    """What a record says of a file's bytes."""
    return sha256(data).hexdigest()


def hash_of(path: Path) -> str | None:
    """Of what lies there; None for nothing, "" for what is no plain file."""
    if not os.path.lexists(path):
        return None
    return hash_bytes(read_bytes(path)) if path.is_file() and not path.is_symlink() else ""
