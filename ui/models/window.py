"""What is remembered of the panel's window from one day to the next; a damaged file costs the memory and nothing else."""

import base64
import binascii
import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from host_bridge.errors import ZeroStemError
from host_bridge.files.plain import read_plain, write_atomic
from host_bridge.paths import places

SCHEMA = "zerostem-window/1"
MOST_FILES = 12


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """geometry and splitters: as the window system gives them, opaque to us."""

    geometry: bytes = b""
    splitters: Mapping[str, bytes] = field(default_factory=dict)
    folder: str = ""
    """Where the last file was opened."""
    model: str = ""
    device: str = ""
    """The sound card's name."""
    volume_db: float = 0.0
    loop: bool = False
    follow: bool = True
    """The picture follows what is played."""
    files: tuple[str, ...] = ()
    """Those opened last, the latest first."""

    def opened(self, path: Path) -> "WindowSettings":
        """With one more file, and its folder."""
        others = (file for file in self.files if file != str(path))
        return replace(self, files=(str(path), *others)[:MOST_FILES], folder=str(path.parent))

    def save(self, path: Path | None = None) -> None:
        """Keep it. A disk that refuses is no trouble: the next window is as the first one was."""
        path = path or place()
        told: dict[str, Any] = {"schema": SCHEMA, **asdict(self)}
        told["geometry"] = _text(self.geometry)
        told["splitters"] = {name: _text(state) for name, state in self.splitters.items()}
        with contextlib.suppress(ZeroStemError, OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, (json.dumps(told, ensure_ascii=False, indent=2) + "\n").encode())


def load(path: Path | None = None) -> WindowSettings:
    """What was remembered. A key that holds nonsense is as it was on the first day; a file that does is set aside."""
    path = path or place()
    try:
        told = json.loads(read_plain(path) or b"{}")
        if not isinstance(told, dict):
            raise TypeError
    except (ZeroStemError, TypeError, ValueError, RecursionError):
        with contextlib.suppress(OSError):
            path.replace(path.with_suffix(".damaged"))
        return WindowSettings()
    kept: dict[str, Any] = {}
    for each in fields(WindowSettings):
        with contextlib.suppress(ValueError, TypeError, AttributeError, binascii.Error):
            if each.name in told:
                kept[each.name] = READ[each.name](told[each.name])
    return WindowSettings(**kept)


def place() -> Path:
    """The file."""
    return places().config / "panel" / "window.json"


def _text(state: bytes) -> str:
    return base64.b64encode(state).decode()


def _bytes(value: Any) -> bytes:
    return base64.b64decode(value, validate=True)


def _only(kind: type) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError
        return value

    return read


def _volume(value: Any) -> float:
    if type(value) not in (int, float) or not -120 <= value <= 24:
        raise ValueError
    return float(value)


READ: Mapping[str, Callable[[Any], Any]] = {
    "geometry": _bytes,
    "splitters": lambda value: {name: _bytes(state) for name, state in value.items()},
    "folder": _only(str),
    "model": _only(str),
    "device": _only(str),
    "volume_db": _volume,
    "loop": _only(bool),
    "follow": _only(bool),
    "files": lambda value: tuple(_only(str)(file) for file in value)[:MOST_FILES] if isinstance(value, list) else (),
}
"""How each key is read; what raises ValueError or TypeError counts as never written."""
