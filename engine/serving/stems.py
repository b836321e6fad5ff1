"""A job's stems: made aside, and brought into their place when they are whole."""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.request import Request
from host_bridge.errors import BadModel
from host_bridge.files import settle, sync_folder
from host_bridge.vocabulary import Progress

if TYPE_CHECKING:
    from engine.separation import Separator, Wish

log = logging.getLogger(__name__)

ASIDE, PLACE = ".work", "stems"
"""In a job's folder: where stems are made, and where they lie."""


def made(separator: "Separator", region: Path, request: Request, wish: "Wish", progress: Progress) -> dict[str, Any]:
    """Separate into the folder that the wish names, which is emptied first; returns the sidecar.

    Where memory does not suffice, with half the batch, and again, down to one item. Raises as `Separator.separate`.
    """
    import torch

    from engine.execution.base import is_out_of_memory

    assert wish.out is not None
    model = separator.backbone
    while True:
        shutil.rmtree(wish.out, ignore_errors=True)
        try:
            return separator.separate(region, request, wish, progress)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            batch = model.batch
            vars(model)["batch"] = batch // 2
            if batch < 2 or model.batch == batch:
                what = f"{model.name} does not fit in the memory of {model.device}."
                raise BadModel(what, "Close other programs, or choose a smaller model or a shorter region.") from error
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            log.warning("out of memory on %s: once more, with batches of %d", model.device, model.batch)


def settled(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Bring the first stems of a job into place, all at once; returns the sidecar with their new places."""
    for sidecar in (folder / ASIDE).glob("*.json"):  # result.json says all that it did
        sidecar.unlink()
    sync_folder(folder / ASIDE)
    (folder / ASIDE).rename(folder / PLACE)
    return _moved(told, folder / PLACE)


def replaced(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Put stems into the place of older ones, each of them whole at any moment; returns the sidecar."""
    for name in told["files"]:
        settle(folder / ASIDE / name, folder / PLACE / name)
    shutil.rmtree(folder / ASIDE)
    return _moved(told, folder / PLACE)


def _moved(told: Mapping[str, Any], place: Path) -> dict[str, Any]:
    def there(path: str | None) -> str | None:
        return None if path is None else str(place / Path(path).name)

    kinds = ("path", "generative", "highlight")
    rows = [{**stem, **{kind: there(stem[kind]) for kind in kinds}} for stem in told["stems"]]
    return {**told, "stems": rows, "rest": there(told["rest"])}
