"""The two doors between a job and the user's own folders: sources, which are only read, and where stems are delivered."""

import filecmp
import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from host_bridge import atomic
from host_bridge.errors import BadAudio, CannotWrite
from host_bridge.forms import Source
from host_bridge.rules import is_path
from host_bridge.text import shortened


def source_file(source: Source) -> Path:
    """A source's file, once it is known to be a regular one: a device or a pipe could be waited for without end.

    Raises BadAudio.
    """
    if not is_path(str(source.path)):
        raise BadAudio(f"{source.path} is no absolute path.", "Name the audio file by its whole path, without `..`.")
    try:
        about = source.path.stat()
    except (OSError, ValueError) as error:
        raise BadAudio(f"{source.path} cannot be read: {error}.", "Check the name and its permissions.") from error
    if not stat.S_ISREG(about.st_mode):
        raise BadAudio(f"{source.path} is not a regular file.", "Name an audio file.")
    return source.path


def deliver(stems: Iterable[Path], folder: Path, job: str) -> list[Path]:
    """Add files to an existing folder under names that nobody has there; returns where they are.

    A file that lies there already with the same bytes counts as delivered, so that it may be done twice. Whatever else has
    the name stays, and ours is numbered. Raises CannotWrite.
    """
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise CannotWrite(f"{folder} is not a folder.", "Choose an existing folder for the stems.")
        places = [_added(stem, folder, job) for stem in stems]
    except OSError as error:
        what = f"The stems cannot be delivered to {folder}: {error.strerror or error}."
        raise CannotWrite(what, "Choose an existing folder that you can write to, and deliver again.") from error
    with suppress(OSError):  # they are there, whatever the disk says of the folder
        atomic.sync_folder(folder)
    return places


def _added(stem: Path, folder: Path, job: str) -> Path:
    aside = folder / f".zerostem-{job}.part"
    aside.unlink(missing_ok=True)  # of a delivery that was killed
    try:
        number = 1
        while True:
            place = folder / (stem.name if number == 1 else shortened(stem.stem, f" ({number}){stem.suffix}"))
            if place.is_file() and not place.is_symlink() and filecmp.cmp(stem, place, shallow=False):
                return place
            if not os.path.lexists(place):
                if not aside.exists():
                    _copied(stem, aside)
                if _placed(aside, place):
                    return place
            number += 1
    finally:
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def _copied(stem: Path, aside: Path) -> None:
    with stem.open("rb") as source, aside.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        atomic.sync(target.fileno())


def _placed(aside: Path, place: Path) -> bool:
    """Give a file a name that must be free: a rename would take the place of one that came this very moment."""
    try:
        place.hardlink_to(aside)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links, such as FAT and some shares; each has its own word for it
        try:
            place.open("xb").close()
        except FileExistsError:
            return False
        try:
            atomic.replace(aside, place)
        except OSError:
            place.unlink()
            raise
    return True
