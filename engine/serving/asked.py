"""What a job's request file asks of the engine: the request of `separate`, and what to write beside the stems."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.request import Request
from host_bridge.errors import CannotWrite
from host_bridge.forms import RequestFile

if TYPE_CHECKING:
    from engine.separation import Wish

_WISHES = {"gain_db", "rest", "everything_but"}


def asked_of(file: RequestFile, strengths: Mapping[str, int]) -> Request:
    """The request, with the strengths (permille) that were wanted since. Raises BadRequest, CannotWrite."""
    if file.deliver is not None and not file.deliver.is_dir():
        raise CannotWrite(f"{file.deliver} is not a folder.", "Choose an existing folder for the stems.")
    settings: dict[str, Any] = {key: value for key, value in file.settings.items() if key not in _WISHES}
    omegas = [
        stem.strength if strengths.get(stem.prompt, round(1000 * stem.strength)) == round(1000 * stem.strength)
        else strengths[stem.prompt] / 1000
        for stem in file.stems
    ]  # fmt: skip
    return Request.of([stem.prompt for stem in file.stems], omegas, **settings)


def wish_of(file: RequestFile, out: Path) -> "Wish":
    """What to write, into the folder `out`, under the host's name for the region or that of its file."""
    from engine.delivery import input_name
    from engine.separation import Wish

    settings = file.settings
    name = file.name or (file.source[0].path.stem if file.source else "region")
    return Wish(
        out,
        input_name(name),
        stems=not settings.get("everything_but", False),
        rest=bool(settings.get("rest", True)) or bool(settings.get("everything_but", False)),
        gain_db=settings.get("gain_db"),
    )
