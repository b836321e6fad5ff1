"""Which files a folder holds to separate: whatever has sound, in one order, and nothing that we made ourselves."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

import soundfile

from engine import delivery
from host_bridge.errors import BadAudio

_ALSO = {".aif", ".aifc", ".bwf", ".oga", ".opus", ".snd", ".wave"}
"""Endings in use for what libsndfile calls otherwise."""
_FFMPEG = set(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .vob .webm .wmv"  # videos
    " .aac .ac3 .ape .dts .eac3 .m4a .m4b .mka .mp2 .tak .tta .wma .wv".split()
)
"""Endings of what FFmpeg's libraries read. `.ts` is not among them: mostly it is TypeScript."""

SUFFIXES = frozenset({f".{name.lower()}" for name in soundfile.available_formats()} - {".raw"} | _ALSO | _FFMPEG)
"""By the ending, not by a look inside: a song.wav that is damaged is to be told about, not passed over."""


def has_sound(name: str) -> bool:
    """Whether a file of this name is one to separate; hidden files (and macOS's ._ companions) are not."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - a name, often


def gather(folder: Path, besides: Collection[Path] = ()) -> list[Path]:
    """Every file with sound below `folder`, in the order of their names, but for hidden folders and those in `besides`.

    Stems that an earlier run has left there are no inputs: a sidecar of ours beside them lists them. Links to folders are
    not followed. Raises BadAudio for a folder that cannot be read.
    """
    left_out = {path.resolve() for path in besides}
    found: list[Path] = []
    for here, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [each for each in folders if not each.startswith(".") and Path(here, each).resolve() not in left_out]
        made: set[str] = set()
        for name in names:
            if name.endswith(".json") and (listed := delivery.ours(Path(here, name))):
                made |= listed.keys()
        found += [Path(here, name) for name in names if has_sound(name) and name not in made]
    return sorted(found, key=lambda path: ([part.casefold() for part in path.parts], path.parts))


def _refuse(error: OSError) -> NoReturn:
    raise BadAudio(f"{error.filename} cannot be read: {error.strerror}.", "Check the folder's permissions.") from error
