"""The version of the algorithm: a digest of the code that decides what comes out, so that no result of older code is reused.

Nobody has to raise a number. Whatever file is added to the engine counts, unless `OUTSIDE` says that it decides nothing; of the
methods, inversions and backbones only those count that are used.
"""

import hashlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from engine.backbones import BACKBONES
from engine.inversion import INVERSIONS
from engine.methods import METHODS
from engine.separators import SEPARATORS
from host_bridge.sound import wav

ROOT = Path(__file__).parents[1]
OUTSIDE = (
    "batch/",
    "commands/",
    "daemon/",
    "doctor.py",
    "execution/device.py",
    "files/outputs.py",
    "files/spectrogram_plot.py",
    "models/catalogue.py",
    "models/download.py",
    "models/fingerprints.py",
    "models/hub_errors.py",
    "pipeline/algorithm.py",
    "pipeline/ideal_mask.py",
    "pipeline/sidecar.py",
    "research/",
    "suggest.py",
)
"""Files and folders of the engine that decide nothing about a stem: who asks, where files lie, what is told, how it is measured
against others."""
_CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
_PLAIN = (int, float, str, bool, type(None))


def version(*parts: object) -> str:
    """The version, as hexadecimal digits, of what a backbone, an inversion, a method, or any other model do together.

    It changes with the source of every file that may have a say, and with the parts' plain constants as they are at this
    moment: an experiment may set one without touching a file. It is the same wherever the code is the same.
    """
    digest = hashlib.sha256()
    used = {base.__module__ for part in parts for base in type(part).__mro__ if base.__module__.startswith("engine.")}
    for name in _deciding(frozenset(used)):
        module = _dotted(name)
        digest.update(f"{name} {_SOURCES[name]}\n".encode())
        if module in used or module.startswith(("engine.methods", "engine.inversion")):
            if find_spec(module):
                import_module(module)  # or its constants would count only where somebody has imported it already
            digest.update(repr(_constants(module)).encode())
    for part in parts:
        if not (home := type(part).__module__).startswith("engine."):  # a model or a method of somebody else's
            name = f"{home} {type(part).__qualname__}"
            digest.update(f"{name} {_source_of(home)} {_constants(home)}\n".encode())
    return digest.hexdigest()[:16]


@cache
def _deciding(used: frozenset[str]) -> tuple[str, ...]:
    """The files that have a say where these modules are used, relative to `ROOT`, in a fixed order."""
    rows = set(_rows())
    wanted = {row for row in rows if any(_is_of(module, row) for module in used)}
    left = list(wanted)
    while left:
        row = left.pop()
        named = {module for name in _SOURCES if _is_of(_dotted(name), row) for module in _imports(name)}
        further = {other for other in rows - wanted if any(_is_of(module, other) for module in named)}  # it builds on these
        wanted |= further
        left += further
    return tuple(name for name in sorted(_SOURCES) if not any(_is_of(_dotted(name), row) for row in rows - wanted))


def _rows() -> Iterator[str]:
    """The modules, or packages, that one row of a table stands for each."""
    for row in (*METHODS.values(), *INVERSIONS.values()):
        yield type(row).__module__
    for where in (*BACKBONES.values(), *SEPARATORS.values()):
        yield ".".join(where.partition(":")[0].split(".")[:3])


def _is_of(module: str, row: str) -> bool:
    return module == row or module.startswith(row + ".")


def _dotted(name: str) -> str:
    return "engine." + name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def _imports(name: str) -> frozenset[str]:
    """The modules of this engine that a file names."""
    return frozenset(re.findall(r"engine(?:\.\w+)+", (ROOT / name).read_text(encoding="utf-8")))


def _constants(module: str) -> list[tuple[str, object]]:
    told = sorted(vars(sys.modules[module]).items()) if module in sys.modules else []
    return [(name, value) for name, value in told if _CONSTANT.fullmatch(name) and _is_plain(value)]


def _is_plain(value: object) -> bool:
    return all(map(_is_plain, value)) if type(value) is tuple else type(value) in _PLAIN


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


@cache
def _source_of(module: str) -> str:
    path = getattr(sys.modules.get(module), "__file__", None)
    return _hash(Path(path)) if path else ""


def _read() -> dict[str, str]:
    found = {path.relative_to(ROOT).as_posix(): path for path in ROOT.rglob("*.py")}
    return {name: _hash(path) for name, path in found.items() if not name.startswith(OUTSIDE)} | {
        "../host_bridge/sound/wav.py": _hash(Path(wav.__file__))
    }


_SOURCES = _read()
"""The digest of each file, read once: a file that is edited while this process runs is not what runs."""
