"""What a model is by its content: a digest of all its files, which are read once and known again by their size and times."""

import hashlib
import json
import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from host_bridge import atomic
from host_bridge.settings import places

log = logging.getLogger(__name__)

SCHEMA = "zerostem-fingerprints/1"
_SETTLED_S = 2.0
"""A file that was written less long ago could be written again without another time: some disks count in such steps."""


def of_files(folder: Path, names: Iterable[str]) -> str:
    """The fingerprint of the model that these files in `folder` are: 16 hexadecimal digits. Raises OSError.

    Another copy of the same files has the same one, wherever it lies and whenever it was made.
    """
    kept = _kept()
    before = dict(kept)
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name} {_content(folder / name, kept)}\n".encode())
    if kept != before:
        _keep(kept)
    return digest.hexdigest()[:16]


def of_bytes(*parts: bytes) -> str:
    """The fingerprint of a model that is read as a whole."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:16]


def _content(path: Path, kept: dict[str, Any]) -> str:
    """The SHA-256 of a file's bytes, out of `kept` where the file has not been touched since, else added there."""
    path = path.resolve()
    about = path.stat()
    stamp = [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
    entry = kept.get(str(path))
    if isinstance(entry, list) and entry[:-1] == stamp and isinstance(entry[-1], str):
        return entry[-1]
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time() - max(about.st_mtime, about.st_ctime) > _SETTLED_S:
        kept[str(path)] = [*stamp, found]
    return found


def _kept() -> dict[str, Any]:
    try:
        told = json.loads(_file().read_bytes())
        return {**told["files"]} if told["schema"] == SCHEMA else {}
    except (OSError, ValueError, KeyError, TypeError):  # everything is read again
        return {}


def _keep(kept: dict[str, Any]) -> None:
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        atomic.write(_file(), json.dumps({"schema": SCHEMA, "files": kept}, indent=1).encode(), durable=False)
    except OSError as error:
        log.warning("the models' digests could not be kept (%s): the files are read again next time", error)


def _file() -> Path:
    return places().cache / "fingerprints.json"
