"""Where results go: how they are called, and how they all come into place at once, or not at all."""

import errno
import json
import os
import platform
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped, unused-ignore]

from engine.measure import sha256
from host_bridge import atomic
from host_bridge.errors import CannotWrite
from host_bridge.forms import write_json

SCHEMA = "zerostem-sidecar/1"

_LONGEST = 255
"""Bytes of UTF-8 in a file name, on every file system that people keep music on."""
_LONGEST_INPUT = 200
"""What an input's own name may take of them; a prompt gets the rest, at least 35 bytes."""

_KINDS = ("", " (generative)", " (highlight)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\.|$)", re.IGNORECASE)
MARK = f".zerostem-{re.sub(r'[^A-Za-z0-9]', '_', platform.node())}-"
"""Begins a temporary folder of this machine; the process and something random follow."""
_CLOCKS_APART_S = 2.0
"""A process begins by the clock of the processor and a folder by that of its disk: those may differ by so much."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the files of one input are called; one name per prompt where there are several."""

    stems: tuple[str, ...]
    generative: tuple[str, ...]
    highlights: tuple[str, ...]
    rest: str
    sidecar: str


def folder_beside(source: Path) -> Path:
    """The folder in which the results of one input, or of a folder of them, lie unless another is asked for."""
    name = source.name if source.is_dir() else source.stem
    return source.parent / f"{_cut(_safe(name), _LONGEST - 6)} stems"


def input_names(sources: Sequence[Path]) -> list[str]:
    """What each input of one run is called: without its extension; with it, then numbered, where two would clash."""
    plain = [input_name(source.stem) for source in sources]
    full = [input_name(source.name) for source in sources]
    keys = [_key(name) for name in plain]
    taken: set[str] = {key for key in keys if keys.count(key) == 1}
    chosen = []
    for key, short, long in zip(keys, plain, full, strict=True):
        if key in taken and keys.count(key) == 1:
            chosen.append(short)
            continue
        name, number = long, 1
        while _key(name) in taken:
            number += 1
            name = _cut(long, _LONGEST_INPUT - len(f" ({number})")) + f" ({number})"
        taken.add(_key(name))
        chosen.append(name)
    return chosen


def names_in(sources: Sequence[Path], outs: Sequence[Path]) -> list[str]:
    """What each input is called where each has a folder for its results; only those that share one can clash."""
    chosen = [""] * len(sources)
    for out in dict.fromkeys(outs):
        together = [index for index, each in enumerate(outs) if each == out]
        for index, name in zip(together, input_names([sources[index] for index in together]), strict=True):
            chosen[index] = name
    return chosen


def names(input_name: str, prompts: Sequence[str]) -> Names:
    """`<input name> - <prompt>.wav` and its relatives, for a name out of `input_names`.

    What a file system refuses becomes "_"; prompts are cut until every name fits, and numbered where two look the same.
    """
    rest = f"{input_name} - rest.wav"
    taken = {_key(rest)}
    labels = []
    room = _LONGEST - len(f"{input_name} - {_KINDS[1]}.wav".encode())
    for prompt in prompts:
        label, number = _cut(_safe(prompt), room), 1
        while taken & (mine := {_key(f"{input_name} - {label}{kind}.wav") for kind in _KINDS}):
            number += 1
            label = _cut(_safe(prompt), room - len(f" ({number})")) + f" ({number})"
        taken |= mine
        labels.append(label)
    stems, generative, highlights = (tuple(f"{input_name} - {label}{kind}.wav" for label in labels) for kind in _KINDS)
    return Names(stems, generative, highlights, rest, f"{input_name}.json")


class Delivery:
    """One input's results on their way into `out`: written aside, then renamed into place, the sidecar last.

    Leaving the `with` without `commit` leaves nothing behind. A file in the way is replaced only when this input's
    sidecar in `out` lists it and its bytes are still those that we wrote; any other stops the delivery, before the work
    and again at the commit. Results of earlier runs under other names stay, and stay listed as "earlier" for as long
    as a file of that name is there; whether it is still ours is asked only when it would be replaced.

    Raises CannotWrite.
    """

    def __init__(self, out: Path, files: Sequence[str], sidecar: str) -> None:
        self.out, self.files, self.sidecar = out.absolute(), tuple(files), sidecar
        self._made: list[Path] = []
        self._aside: Path | None = None

    def __enter__(self) -> Self:
        try:
            with spoken(self.out):
                if self.out.is_symlink() and not self.out.exists():
                    raise CannotWrite(f"{self.out} is a link to a folder that is not there.", _LINK_TODO)
                if self.out.exists() and not self.out.is_dir():
                    raise CannotWrite(f"{self.out} is a file, not a folder.", "Choose another folder for the results.")
                clear_the_dead(self.out)
                listed = self._listed()
                for name in self.files:
                    self._refuse_a_stranger(name, listed)
                self._made = [folder for folder in (self.out, *self.out.parents) if not folder.exists()]
                self.out.mkdir(parents=True, exist_ok=True)
                self._aside = Path(tempfile.mkdtemp(prefix=f"{MARK}{os.getpid()}-", dir=self.out))
        except BaseException:
            self._sweep()
            raise
        return self

    def temporary(self, name: str) -> Path:
        """Where to write the file that will be called `name`, one of `files`."""
        if name not in self.files or self._aside is None:
            raise ValueError(f"{name} was not announced")
        return self._aside / name

    @property
    def aside(self) -> Path:
        """The temporary folder: announced files lie in it under their names, whatever else does is thrown away."""
        if self._aside is None:
            raise ValueError("the delivery was not begun")
        return self._aside

    def commit(self, record: Mapping[str, object]) -> dict[str, object]:
        """Put every file into place, then the sidecar: `record` with "schema", "files" and "earlier" (name: sha256).

        Returns the sidecar.

        All or nothing: when one cannot be placed, those before it are taken back and what they replaced returns.
        """
        assert self._aside is not None
        if clash := {"schema", "files", "earlier"} & record.keys():
            raise ValueError(f"a record may not hold {sorted(clash)}")
        with spoken(self.out):
            listed = self._listed()
            hashes = {}
            for name in self.files:
                atomic.sync_file(self._aside / name)
                hashes[name] = sha256(self._aside / name)
            earlier = {name: was for name, was in listed.items() if name not in hashes and (self.out / name).exists()}
            told = {"schema": SCHEMA, **record, "files": hashes, "earlier": earlier}
            (self._aside / self.sidecar).write_bytes(write_json(told))
            atomic.sync_file(self._aside / self.sidecar)
            atomic.sync_folder(self._aside)
            self._place(self._aside, listed)
        self._made = []
        return told

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sweep()

    def _place(self, aside: Path, listed: Mapping[str, str]) -> None:
        replaced = aside / "replaced"
        replaced.mkdir()
        begun = []
        try:
            for name in self.files:
                self._refuse_a_stranger(name, listed)
                begun.append(name)
                if (self.out / name).exists():
                    atomic.rename(self.out / name, replaced / name)
                atomic.rename(aside / name, self.out / name)
            self._listed()  # refuses a stranger's sidecar that came meanwhile
            atomic.sync_folder(self.out)
            atomic.replace(aside / self.sidecar, self.out / self.sidecar)
        except BaseException:
            if not (aside / self.sidecar).exists():  # interrupted, but the sidecar lies in place: it is done
                raise
            for name in begun:
                if not (aside / name).exists():
                    (self.out / name).unlink(missing_ok=True)
                if (replaced / name).exists():
                    atomic.rename(replaced / name, self.out / name)
            raise
        with suppress(OSError):  # everything is in place, whatever the disk says of the folder
            atomic.sync_folder(self.out)

    def _listed(self) -> dict[str, str]:
        """Name and hash of each file that the sidecar in `out` lists. Raises CannotWrite for a stranger's sidecar."""
        if not os.path.lexists(self.out / self.sidecar):
            return {}
        listed = ours(self.out / self.sidecar)
        if listed is None:
            raise _stranger(self.out / self.sidecar)
        return listed

    def _refuse_a_stranger(self, name: str, listed: Mapping[str, str]) -> None:
        path = self.out / name
        if not os.path.lexists(path):
            return
        if path.is_symlink() or not path.is_file() or listed.get(name) != sha256(path):
            raise _stranger(path)

    def _sweep(self) -> None:
        if self._aside is not None:
            shutil.rmtree(self._aside, ignore_errors=True)
        for folder in self._made:
            with suppress(OSError):  # not empty: somebody else's by now
                folder.rmdir()


def _stranger(path: Path) -> CannotWrite:
    return CannotWrite(
        f"{path} is in the way: ZeroStem did not write it, or it was changed since.",
        "Move or rename it, or choose another folder for the results.",
    )


def told_by(sidecar: Path) -> dict[str, Any] | None:
    """What a sidecar of ours says; None where there is none, or another's."""
    try:
        told = json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.is_file() else None
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) and str(told.get("schema")).startswith("zerostem-sidecar/") else None


def input_sha256(sidecar: Path) -> str | None:
    """The hash of the input that a sidecar of ours tells of; None where it tells of none."""
    told = told_by(sidecar)
    source = told.get("input") if told else None
    return source.get("sha256") if isinstance(source, dict) else None


def ours(sidecar: Path) -> dict[str, str] | None:
    """Every file that a sidecar of ours lists, with its hash; None when it is not ours."""
    told = told_by(sidecar)
    return None if told is None else _files(told, "earlier") | _files(told)


def _files(told: dict[str, Any] | None, key: str = "files") -> dict[str, str]:
    """The names and hashes that a sidecar has under a key, as far as it has the form that we write."""
    listed = (told or {}).get(key)
    pairs = listed.items() if isinstance(listed, dict) else ()
    return {name: was for name, was in pairs if isinstance(was, str) and Path(name).name == name}


def clear_the_dead(out: Path) -> None:
    """Undo what runs that were killed had begun to put into place, and remove their temporary folders.

    Such a run's sidecar still lies in its temporary folder. What it had placed is removed, and the older files that it had set
    aside return, so that they fit the sidecar in `out` again. A file that somebody has put there since stays.
    """
    for aside in out.glob(f"{MARK}*-*"):
        if not _is_abandoned(aside):
            continue
        stays = False
        for journal in aside.glob("*.json"):
            committed = ours(out / journal.name) or {}
            for name, was in _files(told_by(journal)).items():
                placed, before = out / name, aside / "replaced" / name
                is_its = placed.is_file() and not placed.is_symlink() and sha256(placed) == was
                if before.is_file() and (is_its or not os.path.lexists(placed)):
                    atomic.replace(before, placed)
                elif is_its and committed.get(name) != was:
                    placed.unlink()
                stays |= before.is_file()  # a file of somebody else's has its name
        if not stays:
            shutil.rmtree(aside, ignore_errors=True)


def _is_abandoned(aside: Path) -> bool:
    """Whether the process that made a temporary folder has ended; another one may have got its number since."""
    process = aside.name.removeprefix(MARK).partition("-")[0]
    if not process.isdecimal():
        return False
    try:
        other = psutil.Process(int(process))
        if other.status() == psutil.STATUS_ZOMBIE:
            return True
        return bool(other.create_time() > aside.stat().st_mtime + _CLOCKS_APART_S)
    except (psutil.NoSuchProcess, FileNotFoundError):
        return True
    except (psutil.Error, OSError):
        return False


@contextmanager
def spoken(out: Path, todo: str | None = None) -> Iterator[None]:
    """Whatever the file system refuses, in two sentences. todo: what to do, where the folder is not one for results."""
    try:
        yield
    except OSError as error:
        where, usual = _REFUSALS.get(
            error.errno or 0,
            (f"cannot be written: {error.strerror or error}", "Choose another folder for the results."),
        )
        raise CannotWrite(f"{out} {where}.", todo or usual) from error


_LINK_TODO = "Make the folder that it leads to, remove the link, or choose another folder for the results."
_FULL = ("has no space left", "Free some space there, or choose another folder for the results.")
_CLOSED = ("may not be written to", "Change its permissions, or choose another folder for the results.")
_REFUSALS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
    errno.ENAMETOOLONG: ("is too long a name", "Choose a folder with a shorter name."),
    errno.EEXIST: ("lies below a link to a folder that is not there", _LINK_TODO),
    errno.ENOTDIR: ("lies below a file, not a folder", "Choose another folder for the results."),
}


def input_name(name: str) -> str:
    """What the files of an input or a region are called that bears `name`, whatever that holds and however long it is."""
    safe = _safe(name)
    return _cut(f"_{safe}" if _RESERVED.match(safe) else safe, _LONGEST_INPUT)


def _safe(name: str) -> str:
    """The name with "_" for what some file system refuses, in NFC; never empty."""
    told = "".join("_" if c in '/\\:*?"<>|' or unicodedata.category(c) in {"Cc", "Cs"} else c for c in name)
    told = unicodedata.normalize("NFC", told)
    kept = told.rstrip(". ")
    return kept + "_" * (len(told) - len(kept)) or "_"


def _cut(name: str, limit: int) -> str:
    """The name in at most `limit` bytes of UTF-8, with "…" where it was cut."""
    if len(name.encode()) <= limit:
        return name
    return name.encode()[: limit - len("…".encode())].decode(errors="ignore").rstrip(". ") + "…"


def _key(name: str) -> str:
    """Equal for names that some file system takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
