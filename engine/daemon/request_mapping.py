"""Maps a job's request file to the engine's request and output options."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.request import Request
from host_bridge.errors import CannotWrite
from host_bridge.spool.documents import RequestFile

if TYPE_CHECKING:
    from engine.separation import OutputOptions

_WISHES = {"gain_db", "rest", "everything_but"}


def request_from(file: RequestFile, strengths: Mapping[str, int]) -> Request:
    """The engine's request, with later changes of strength (permille) applied. Raises BadRequest, CannotWrite."""
    if file.deliver is not None and not file.deliver.is_dir():
        raise CannotWrite(f"{file.deliver} is not a folder.", "Choose an existing folder for the stems.")
    settings: dict[str, Any] = {key: value for key, value in file.settings.items() if key not in _WISHES}
    omegas = [
        stem.strength if strengths.get(stem.prompt, round(1000 * stem.strength)) == round(1000 * stem.strength)
        else strengths[stem.prompt] / 1000
        for stem in file.stems
    ]  # fmt: skip
    return Request.of([stem.prompt for stem in file.stems], omegas, **settings)


def output_options_from(file: RequestFile, out: Path) -> "OutputOptions":
    """The output options: into the folder `out`, named after the host's region or its file."""
    from engine.files.outputs import input_name
    from engine.separation import OutputOptions

    settings = file.settings
    name = file.name or (file.source[0].path.stem if file.source else "region")
    return OutputOptions(
        out,
        input_name(name),
        stems=not settings.get("everything_but", False),
        rest=bool(settings.get("rest", True)) or bool(settings.get("everything_but", False)),
        gain_db=settings.get("gain_db"),
    )
