"""The presets that the picker shows: those that come along, and the user's own, which can be saved, renamed and deleted."""

import re
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

import presets
from host_bridge.errors import ZeroStemError
from host_bridge.files import write_whole
from host_bridge.settings import places
from presets import Preset, PresetError
from ui import texts

LONGEST = 60
"""Characters of a preset's name: with its ending no longer than a file's name may be, in any script."""


class ShelfError(ZeroStemError):
    """A preset that cannot be saved, renamed or deleted."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Row:
    """One preset of the picker. trouble: why the file cannot be used; then `preset` holds its name and nothing else."""

    preset: Preset
    own: bool
    trouble: str = ""


class Shelf:
    """All presets by their names. folder: where the user's own lie."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or places().config / "presets"

    def rows(self) -> list[Row]:
        """The user's own first, then the library's by kind; within that by title. A damaged file of theirs is shown as such."""
        own = [self._own(name) for name in presets.names(self.folder)]
        loaded = [presets.load(name) for name in presets.names()]
        library = [Row(preset, own=False) for preset in loaded if preset.strength <= 1]  # faders end there
        library = [row for row in library if row.preset.name not in {each.preset.name for each in own}]

        def place(row: Row) -> tuple[bool, int, str]:
            return not row.own, 0 if row.own else presets.KINDS.index(row.preset.kind), row.preset.title.casefold()

        return sorted([*own, *library], key=place)

    def get(self, name: str) -> Preset:
        """The preset of that name, the user's own before the library's. Raises ShelfError."""
        try:
            return presets.load(name, self.folder if name in presets.names(self.folder) else presets.LIBRARY)
        except PresetError as error:
            raise _said(error) from error

    def save(self, preset: Preset, comment: str = "") -> None:
        """Keep a preset of the user's, in the place of their own one of that name, whose comment stays unless another is given.

        Raises ShelfError, BadSpool.
        """
        _check(preset.name)
        try:
            text = presets.written(preset, comment or presets.about(preset.name, self.folder) or texts.PRESET_COMMENT)
        except PresetError as error:
            raise _said(error) from error
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what = texts.NO_FOLDER.format(path=self.folder, why=error.strerror or error)
            raise ShelfError(what, texts.NO_FOLDER_TODO) from error
        write_whole(self._path(preset.name), text.encode(), 0o644)

    def rename(self, old: str, title: str) -> Preset:
        """Give one of the user's own another title, and the name that follows from it. Raises ShelfError, BadSpool."""
        before = self._mine(old)
        made = replace(self.get(old), title=title.strip(), name=name_for(title))
        if made.name != old and made.name in presets.names(self.folder):
            raise ShelfError(texts.YOU_HAVE_IT.format(name=made.name), texts.YOU_HAVE_IT_TODO)
        self.save(made, presets.about(old, self.folder))
        if made.name != old:
            before.unlink()
        return made

    def delete(self, name: str) -> None:
        """Throw one of the user's own away, damaged or not. Raises ShelfError."""
        path = self._mine(name)
        try:
            path.unlink()
        except OSError as error:
            what = texts.CANNOT_DELETE.format(path=path, why=error.strerror or error)
            raise ShelfError(what, texts.CANNOT_DELETE_TODO) from error

    def _own(self, name: str) -> Row:
        try:
            return Row(presets.load(name, self.folder), own=True)
        except PresetError as error:
            return Row(Preset(name, name, "stems", ()), own=True, trouble=str(error))

    def _mine(self, name: str) -> Path:
        if name not in presets.names(self.folder):
            raise ShelfError(texts.NOT_YOURS.format(name=name), texts.NOT_YOURS_TODO)
        return self._path(name)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.toml"


def name_for(title: str) -> str:
    """What a preset with that title is called: its letters and digits in small, with dashes, a file name of its own anywhere.

    Raises ShelfError where nothing is left of it, or the library has the name.
    """
    plain = unicodedata.normalize("NFC", title.casefold())
    name = re.sub(r"[\W_]+", "-", plain).strip("-")[:LONGEST].rstrip("-")
    _check(name)
    return name


def _check(name: str) -> None:
    fits = re.fullmatch(r"[^\W_]+(-[^\W_]+)*", name) and len(name) <= LONGEST and name == name.casefold()
    if not fits or re.fullmatch(r"con|prn|aux|nul|(com|lpt)\d", name):
        raise ShelfError(texts.NO_PRESET_NAME, texts.NO_PRESET_NAME_TODO)
    if name in presets.names():
        raise ShelfError(texts.LIBRARY_HAS_IT.format(name=name), texts.LIBRARY_HAS_IT_TODO)


def _said(error: PresetError) -> ShelfError:
    return ShelfError(error.what, error.todo)
