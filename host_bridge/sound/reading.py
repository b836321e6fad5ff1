"""An audio file whose samples can be read from anywhere: plain samples in place, compressed ones from a decoded copy."""

import stat
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import soundfile
from numpy.typing import NDArray

from host_bridge.errors import BadAudio
from host_bridge.sound import containers, streams
from host_bridge.sound.decoding import Copy, decoded
from host_bridge.sound.layout import Coded, Flac, Layout, Pcm, cut_off
from host_bridge.sound.spans import Spans
from host_bridge.vocabulary import Hertz, Progress, Samples, quietly

FORMATS = "WAV, FLAC, AIFF, OGG, MP3 or M4A"

_IN_PLACE = ("PCM", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""What libsndfile seeks in exactly."""


class Reader(Protocol):
    """An open file. One thread at a time."""

    def read(self, start: int, count: int) -> NDArray[np.float64]:
        """(n, channels) from sample `start` on, as many of `count` as there are; full scale is 1. Raises BadAudio."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class AudioFile:
    """A file that holds sound. Lengths are in samples at `rate`; notes: sentences on what may be missing of it."""

    path: Path
    rate: Hertz
    channels: int
    samples: Samples
    notes: tuple[str, ...]
    _layout: Layout
    _copy: Copy | None
    _stamp: tuple[int, int] = field(repr=False)

    @property
    def is_promise(self) -> bool:
        """Whether `samples` is what a header says: only reading it all tells whether they are there."""
        return isinstance(self._layout, Flac) and self._copy is None

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """The samples, for as long as this is open. Raises BadAudio, also where the file was changed meanwhile."""
        if self._copy is not None:
            yield self._copy
            return
        with _binary(self.path) as file:
            reader = _InPlace(self, file, self._layout)
            try:
                yield reader
            finally:
                reader.close()

    def verify(self, progress: Progress = quietly) -> None:
        """Read it all where only that tells whether all is there. Raises BadAudio, and Cancelled through `progress`."""
        key = (self.path.absolute(), self._stamp)
        if not self.is_promise or key in _verified:
            return
        with self.opened() as reader:
            for at in range(0, self.samples, _GULP):
                progress(at / self.samples, "reading")
                reader.read(at, min(_GULP, self.samples - at))
        _verified[key] = None
        while len(_verified) > _REMEMBERED:
            del _verified[next(iter(_verified))]

    def shortened(self) -> BadAudio:
        """What is to be said of a file that gives less than it promised: it was changed since, or is cut off."""
        try:
            same = _stamp(self.path) == self._stamp
        except OSError:
            same = False
        return (
            cut_off(self.path)
            if same
            else BadAudio(f"{self.path.name} changed while it was read.", "Let it be, and try again.")
        )


class _InPlace:
    """Plain samples and FLAC, through libsndfile."""

    def __init__(self, owner: AudioFile, file: BinaryIO, layout: Layout) -> None:
        self._owner, self._at = owner, 0
        self._source, self._sound = _sndfile(file, layout)

    def read(self, start: int, count: int) -> NDArray[np.float64]:
        """As `Reader` says."""
        count = max(0, min(count, self._owner.samples - start))
        try:
            if start != self._at:
                self._sound.seek(start)
            found: NDArray[np.float64] = self._sound.read(count, dtype="float64", always_2d=True)
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise self._owner.shortened() from error
        if self._source.trouble is not None:
            raise unreadable(self._owner.path, self._source.trouble) from self._source.trouble
        if len(found) < count:
            raise self._owner.shortened()
        self._at = start + count
        return found

    def close(self) -> None:
        """Let go of libsndfile's half."""
        self._sound.close()


def _sndfile(file: BinaryIO, layout: Layout) -> tuple[Spans, Any]:
    """libsndfile on the part of a file that is sound: it sees no name, so no ending misleads it. Raises LibsndfileError."""
    if isinstance(layout, Pcm):
        source = Spans(file, layout.spans)
        told = {"samplerate": layout.rate, "channels": layout.channels, "subtype": layout.subtype, "endian": layout.endian}
        return source, soundfile.SoundFile(source, format="RAW", **told)
    source = Spans(file, (layout.span,) if isinstance(layout, Flac) else layout.spans)
    return source, soundfile.SoundFile(source)


_GULP = 1 << 17
_REMEMBERED = 64
_verified: dict[tuple[Path, tuple[int, int]], None] = {}
"""Files that were read to their end, the latest."""

_copies: "weakref.WeakValueDictionary[tuple[Path, tuple[int, int]], Copy]" = weakref.WeakValueDictionary()
_deciding = threading.Lock()
"""What is decoded is decoded once for all who hold it, and for one after the other."""


def audio_file(path: Path, progress: Progress = quietly) -> AudioFile:
    """Look into a file: what decides is what it holds, not what it is called. Compressed sound is decoded here.

    Raises BadAudio for whatever is no whole file with sound in it, CannotWrite where the disk has no room for a decoded
    copy, and Cancelled through `progress`.
    """
    regular_file(path)
    with _binary(path) as file:
        stamp, size = _stamp(path), containers.size_of(file)
        layout = containers.by_header(path, file, size) or streams.by_content(path, file, size)
        layout = layout or streams.frames(path, file, size) or Coded(((0, size),))
        if isinstance(layout, Coded):
            return _of_copy(path, _copied(path, file, layout, stamp, progress), layout, stamp)
        try:
            _, sound = _sndfile(file, layout)
        except soundfile.LibsndfileError:
            if isinstance(layout, Flac):  # 32 bits, more than libsndfile knows
                coded = Coded((layout.span,), "flac")
                return _of_copy(path, _copied(path, file, coded, stamp, progress), coded, stamp)
            raise BadAudio(
                f"{path.name} is not audio that can be read, or its beginning is damaged.", f"Convert it to {FORMATS}."
            ) from None
        rate, channels, samples = Hertz(sound.samplerate), int(sound.channels), Samples(sound.frames)
        sound.close()
    notes = layout.notes if isinstance(layout, Pcm) else ()
    return _with_sound(AudioFile(path, rate, channels, samples, notes, layout, None, stamp))


def pcm_length_s(path: Path) -> float | None:
    """How long a file of plain samples is, in seconds; None for what has to be decoded. Raises BadAudio."""
    regular_file(path)
    with _binary(path) as file:
        layout = containers.by_header(path, file, containers.size_of(file))
    if not isinstance(layout, Pcm):
        return None
    return sum(end - begin for begin, end in layout.spans) / layout.width / layout.rate


def _of_copy(path: Path, copy: Copy, layout: Layout, stamp: tuple[int, int]) -> AudioFile:
    return _with_sound(AudioFile(path, copy.rate, copy.channels, Samples(copy.samples), copy.notes, layout, copy, stamp))


def _with_sound(file: AudioFile) -> AudioFile:
    if not file.samples:
        raise BadAudio(f"{file.path.name} holds no sound.", "Export it again from where it was made.")
    return file


def _copied(path: Path, file: BinaryIO, layout: Coded, stamp: tuple[int, int], progress: Progress) -> Copy:
    """By FFmpeg's libraries; what they do not know, libsndfile may."""
    with _deciding:
        key = (path.absolute(), stamp)
        if (copy := _copies.get(key)) is not None:
            return copy
        found = _by_libsndfile(path, file, layout, progress) if layout.sndfile else None
        try:
            copy = found or decoded(path, layout, progress)
        except BadAudio as error:
            found = None if layout.sndfile else _by_libsndfile(path, file, layout, progress)
            if found is None:
                raise _reason(path, layout, error) from error
            copy = found
        _copies[key] = copy
        return copy


def _reason(path: Path, layout: Coded, error: BadAudio) -> BadAudio:
    """What a file is refused for: where nothing in it looked like sound, FFmpeg's words for it help nobody."""
    if layout.format is None and "cannot be decoded" in error.what and not _is_box(path):
        return BadAudio(f"{path.name} is not audio that can be read, or its beginning is damaged.", f"Convert it to {FORMATS}.")
    return error


def _is_box(path: Path) -> bool:
    with _binary(path) as file:
        return streams.by_content(path, file, containers.size_of(file)) is not None


def _by_libsndfile(path: Path, file: BinaryIO, layout: Coded, progress: Progress) -> Copy | None:
    """What only libsndfile reads (NIST, PAF, VOC, SDS, NMS ADPCM and others); None where it does not either."""
    if layout.format in {"mp3", "aac", "ogg"}:  # its own reader of MP3 writes into the terminal
        return None
    try:
        _, sound = _sndfile(file, Coded(((0, layout.spans[-1][1]),)))
    except soundfile.LibsndfileError:
        return None
    if sound.format in {"MP3", "OGG"}:
        sound.close()
        return None
    copy = Copy(path)
    with sound:
        copy.rate, copy.channels = Hertz(sound.samplerate), int(sound.channels)
        copy.make_room(sound.frames / copy.rate)
        try:
            while copy.samples < sound.frames and len(block := sound.read(_GULP, dtype="float32", always_2d=True)):
                progress(copy.samples / sound.frames, "reading")
                copy.write(block)
        except soundfile.LibsndfileError as error:
            raise cut_off(path) from error
        if copy.samples < sound.frames:
            raise cut_off(path)
    copy.close()
    copy.notes = layout.notes
    return copy


def regular_file(path: Path) -> None:
    """Raise BadAudio for whatever is not a file with something in it, without opening it: a pipe would hang."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise BadAudio(f"{path} does not exist.", "Check the name and the folder.") from None
    except (OSError, ValueError) as error:
        raise BadAudio(f"{path} cannot be read: {error}.", "Check its name and its permissions.") from error
    if stat.S_ISDIR(found.st_mode):
        raise BadAudio(f"{path} is a folder.", "Name an audio file in it.")
    if not stat.S_ISREG(found.st_mode):
        raise BadAudio(f"{path} is a pipe or a device, not a file.", "Save the sound to a file first.")
    if found.st_size == 0:
        raise BadAudio(f"{path.name} is empty.", "Export it again from where it was made.")


def unreadable(path: Path, error: OSError) -> BadAudio:
    """What is said where the disk refuses."""
    if isinstance(error, FileNotFoundError):
        return BadAudio(f"{path} does not exist.", "Check the name and the folder.")
    return BadAudio(f"{path.name} cannot be read: {error.strerror or error}.", "Check its permissions and its disk.")


def _binary(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
