"""A job's stems: made aside, and brought into their place when they are whole."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.request import Request
from host_bridge import atomic
from host_bridge.files import refusal, settle
from host_bridge.spool import ASIDE
from host_bridge.vocabulary import Progress

if TYPE_CHECKING:
    from engine.separation import Separator, Wish

PLACE = "stems"
"""In a job's folder: where stems lie; they are made in `ASIDE`."""


def made(separator: "Separator", region: Path, request: Request, wish: "Wish", progress: Progress) -> dict[str, Any]:
    """Separate into the folder that the wish names, which is emptied first; returns the sidecar.

    Raises as `Separator.separate`.
    """
    assert wish.out is not None
    shutil.rmtree(wish.out, ignore_errors=True)
    return separator.separate(region, request, wish, progress)


def settled(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the first stems of a job into place, all at once; returns the sidecar with their new places."""
    try:
        for sidecar in (folder / ASIDE).glob("*.json"):  # result.json says all that it did
            atomic.remove(sidecar)
        atomic.sync_folder(folder / ASIDE)
        atomic.rename(folder / ASIDE, folder / PLACE)
    except OSError as error:
        raise refusal(folder / PLACE, error) from error
    return _moved(told, folder / PLACE)


def replaced(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Put stems into the place of older ones, each of them whole at any moment; returns the sidecar."""
    for name in told["files"]:
        settle(folder / ASIDE / name, folder / PLACE / name)
    shutil.rmtree(folder / ASIDE, ignore_errors=True)  # what is left of it is emptied before the next use
    return _moved(told, folder / PLACE)


def _moved(told: Mapping[str, Any], place: Path) -> dict[str, Any]:
    def there(path: str | None) -> str | None:
        return None if path is None else str(place / Path(path).name)

    kinds = ("path", "generative", "highlight")
    rows = [{**stem, **{kind: there(stem[kind]) for kind in kinds}} for stem in told["stems"]]
    return {**told, "stems": rows, "rest": there(told["rest"])}
