"""A job's stems: written to a staging folder and renamed into place when complete."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.request import Request
from host_bridge.files import atomic
from host_bridge.files.plain import refusal, rename_synced
from host_bridge.spool.job_folders import ASIDE
from host_bridge.types import Progress

if TYPE_CHECKING:
    from engine.separation import OutputOptions, Separator

FINAL = "stems"
"""Subfolder of a job that holds its complete stems; they are written to `ASIDE`."""


def separate_job(
    separator: "Separator", region: Path, request: Request, output_options: "OutputOptions", progress: Progress
) -> dict[str, Any]:
    """Separate into the folder of `output_options`, which is emptied first; returns the sidecar.

    Raises as `Separator.separate`.
    """
    assert output_options.out is not None
    shutil.rmtree(output_options.out, ignore_errors=True)
    return separator.separate(region, request, output_options, progress)


def commit_stems(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Rename a job's first stems into place, all at once; returns the sidecar with their final paths."""
    try:
        for sidecar in (folder / ASIDE).glob("*.json"):  # result.json says all that it did
            atomic.remove(sidecar)
        atomic.sync_folder(folder / ASIDE)
        atomic.rename(folder / ASIDE, folder / FINAL)
    except OSError as error:
        raise refusal(folder / FINAL, error) from error
    return _moved(told, folder / FINAL)


def replace_stems(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    """Replace stems one by one, each by a rename; returns the sidecar with their final paths."""
    for name in told["files"]:
        rename_synced(folder / ASIDE / name, folder / FINAL / name)
    shutil.rmtree(folder / ASIDE, ignore_errors=True)  # what is left of it is emptied before the next use
    return _moved(told, folder / FINAL)


def _moved(told: Mapping[str, Any], place: Path) -> dict[str, Any]:
    def there(path: str | None) -> str | None:
        return None if path is None else str(place / Path(path).name)

    kinds = ("path", "generative", "highlight")
    rows = [{**stem, **{kind: there(stem[kind]) for kind in kinds}} for stem in told["stems"]]
    return {**told, "stems": rows, "rest": there(told["rest"])}
