"""Compressed sound, decoded once by FFmpeg's libraries (PyAV) into a temporary file of float32 samples.

Such a copy can be read from anywhere at once, and its length is what was decoded. It has no name on disk where the system
allows that, and goes away when nobody holds it any more, however the process ends.
"""

import shutil
import tempfile
import threading
import weakref
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from host_bridge.errors import BadAudio, CannotWrite
from host_bridge.settings import places
from host_bridge.sound import streams
from host_bridge.sound.layout import Coded, Span, cut_off
from host_bridge.sound.spans import Spans
from host_bridge.vocabulary import Hertz, Progress

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer

STAGE = "reading"

_GAP_S = 0.1
"""Time stamps of whole milliseconds jitter; a leap of more than this is a hole, and becomes silence."""
_LEAP_S = 10.0
"""A leap of more than this in a broadcast is a new clock, as where two recordings were joined."""
_SHORT_S = 0.25
"""By how much a track may fall short of the length that its file promises."""
_EDGE = 3
"""Packets at either end that may be undecodable without anything being wrong between."""
_KEPT_FREE = 64 << 20
"""Bytes of the disk that a copy leaves alone."""
_HELD = 1 << 16
"""Samples that are written at once."""
_PACKETS = 64
"""Between two words on how far it is."""
_SCALES = {"flt": (0, 1.0), "fltp": (0, 1.0), "dbl": (0, 1.0), "dblp": (0, 1.0)} | {
    f"{name}{planes}": (middle, scale)
    for name, middle, scale in (("u8", 128, 2.0**-7), ("s16", 0, 2.0**-15), ("s32", 0, 2.0**-31))
    for planes in ("", "p")
}
"""FFmpeg's formats of samples -> the value of silence, and what full scale 1 takes."""
_STAMPED = frozenset("asf avi flv matroska mov mp4 mpeg mpegts mxf ogg webm".split())
"""Containers whose time stamps say where a sound lies; in others they are only counted."""
_BROADCAST = frozenset({"mpeg", "mpegts"})
_PROMISING = frozenset("aiff ape asf avi caf flv matroska mov mp4 mxf tak tta webm wv".split())
"""Containers whose lengths are written, not guessed."""


class Copy:
    """Samples in a temporary file. Any thread may read; it is closed when nobody holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        """Of the file that it is a copy of: what complaints name."""
        self.rate, self.channels, self.samples = Hertz(0), 0, 0
        self.notes: tuple[str, ...] = ()
        self.folder = places().cache / "tracks"
        self._lock = threading.Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115
        except OSError as error:
            self._refuse(error)
        weakref.finalize(self, self._file.close)

    def write(self, block: NDArray[np.float32]) -> None:
        """Append (n, channels). Raises CannotWrite."""
        try:
            self._file.seek(4 * self.channels * self.samples)
            self._file.write(np.ascontiguousarray(block, "<f4").data)
        except OSError as error:
            self._refuse(error)
        self.samples += len(block)

    def close(self) -> None:
        """Write what is left. Raises CannotWrite."""
        try:
            self._file.flush()
        except OSError as error:
            self._refuse(error)

    def cut(self, samples: int) -> None:
        """Hold no more than this."""
        self.samples = min(self.samples, samples)

    def read(self, start: int, count: int) -> NDArray[np.float64]:
        """(n, channels), n as many as there are."""
        count = max(0, min(count, self.samples - start))
        width = 4 * self.channels
        with self._lock:
            self._file.seek(start * width)
            held = self._file.read(count * width)
        return np.frombuffer(held, "<f4").reshape(-1, self.channels).astype(np.float64)

    def make_room(self, seconds: float) -> None:
        """Raise CannotWrite where the disk has no room for so much."""
        needed = seconds * self.rate * self.channels * 4
        free = shutil.disk_usage(self.folder).free
        if needed + _KEPT_FREE > free:
            raise CannotWrite(
                f"{self.path.name} takes {needed / 1e9:.2f} GB of temporary space once it is decoded, "
                f"and {self.folder} has {free / 1e9:.2f} GB free.",
                "Make room there, set ZEROSTEM_HOME to a folder on a larger disk, or convert the file to FLAC or WAV.",
            )

    def _refuse(self, error: OSError) -> NoReturn:
        raise CannotWrite(
            f"{self.path.name} cannot be decoded to a temporary file in {self.folder}: {error.strerror or error}.",
            "Make room there, set ZEROSTEM_HOME to a folder on another disk, or convert the file to FLAC or WAV.",
        ) from error


def decoded(path: Path, layout: Coded, progress: Progress) -> Copy:
    """All parts of a file, one after the other, at the first one's rate and channels.

    A sound track that begins after its picture, or has a hole, gets silence for what is not there. Raises BadAudio,
    CannotWrite, and Cancelled through `progress`.
    """
    import av

    copy = Copy(path)
    with path.open("rb") as file:
        layout = _looked_into(av, path, file, layout)
        notes = list(layout.notes)
        lengths = layout.lengths or (None,) * len(layout.spans)
        for span, length in zip(layout.spans, lengths, strict=True):
            began = copy.samples
            try:
                rate = _part(av, path, file, span, layout, copy, notes, progress)
            except (av.FFmpegError, ValueError) as error:
                why = getattr(error, "strerror", None) or str(error)
                raise BadAudio(
                    f"{path.name} cannot be decoded: {why}.", "Copy or export it again, or export its sound as WAV."
                ) from error
            if length and rate == copy.rate and 0 < copy.samples - began - length < layout.block:
                copy.cut(began + length)
    copy.close()
    copy.notes = tuple(dict.fromkeys(notes))
    return copy


def _looked_into(av: Any, path: Path, file: BinaryIO, layout: Coded) -> Coded:
    """The layout, after FFmpeg has said what it is: frames behind something strange are to be found by us as well."""
    if layout.format is not None:
        return layout
    with suppress(av.FFmpegError, ValueError), av.open(Spans(file, layout.spans), options=_ALONE) as container:
        if container.format.name in {"mp3", "aac"}:
            found = streams.frames(path, file, layout.spans[-1][1], streams.SEARCHED)
            if found is None:
                raise BadAudio(f"{path.name} cannot be decoded: it holds no sound.", "Convert it to WAV or FLAC.")
            return found
    return layout


_ALONE = {"protocol_whitelist": "none"}
"""No list of other files leads us to them, or into the network."""


def _part(
    av: Any, path: Path, file: BinaryIO, span: Span, layout: Coded, copy: Copy, notes: list[str], progress: Progress
) -> Hertz:
    """Decode one part; returns its own rate."""
    first, last = layout.spans[0][0], layout.spans[-1][1]
    source = Spans(file, (span,))
    with av.open(source, format=layout.format, options=_ALONE, metadata_errors="replace", buffer_size=1 << 16) as container:
        track = container.streams.best("audio")
        if track is None:
            raise BadAudio(f"{path.name} has no sound track.", "Name a file with sound.")
        if not copy.rate:
            copy.rate, copy.channels = Hertz(track.rate), track.channels
            if not copy.rate or not copy.channels:
                raise BadAudio(f"{path.name} cannot be decoded: its sound has no format.", "Export its sound as WAV.")
            copy.make_room(float(_promised(container, track)))
        elif (track.rate, track.channels) != (copy.rate, copy.channels):
            notes.append(f"{path.name} is joined of parts with other rates or channels: all became like the first.")
        began = copy.samples
        _frames(
            path, container, track, copy, notes, lambda: progress((span[0] + source.tell() - first) / (last - first), STAGE)
        )
        names = set(container.format.name.split(","))
        if names & _PROMISING and (copy.samples - began) / copy.rate < _promised(container, track) - _SHORT_S:
            raise cut_off(path)
        return Hertz(track.rate)


def _frames(path: Path, container: "InputContainer", track: "AudioStream", copy: Copy, notes: list[str], tell: Any) -> None:
    """Everything of a track, where its time stamps say that it lies."""
    import av

    names = set(container.format.name.split(","))
    stamped = bool(names & _STAMPED)
    pictured = any(not _is_cover(each) for each in container.streams.video)
    start = Fraction(container.start_time or 0, av.time_base) if pictured else None
    first, shift, number, failed = copy.samples, 0, 0, list[int]()
    floats = _Floats(copy)
    for packet in container.demux(track):
        if number % _PACKETS == 0:
            tell()
        number += 1
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if isinstance(error, av.error.MemoryError):
                raise
            failed.append(number)
            continue
        for frame in frames:
            if stamped and frame.pts is not None and frame.time_base is not None:
                time = frame.pts * frame.time_base
                start = time if start is None else start
                gap = first + round((time - start) * copy.rate) - shift - floats.samples
                if gap > (_GAP_S * copy.rate if floats.samples > first else 0):
                    if gap > _LEAP_S * copy.rate and names & _BROADCAST:
                        shift += gap
                    else:
                        floats.silence(gap)
            floats.add(frame)
    tell()
    floats.flush()
    inside = [each for each in failed if _EDGE < each <= number - 1 - _EDGE]
    if (copy.samples == first and failed) or inside:
        raise cut_off(path)
    if failed:
        notes.append(f"{path.name} has a packet at its beginning or end that cannot be decoded: it may be cut off.")


class _Floats:
    """Frames of any format as float32 at the copy's rate and channels, written some at once."""

    def __init__(self, copy: Copy) -> None:
        self._copy = copy
        self._held: list[NDArray[np.float32]] = []
        self._count = 0
        self._kind: tuple[str, str, int] | None = None
        self._made: AudioResampler | None = None

    @property
    def samples(self) -> int:
        """How many there are, with those that are not written yet."""
        return self._copy.samples + self._count

    def add(self, frame: "AudioFrame") -> None:
        """Convert one."""
        name = frame.format.name
        alike = frame.sample_rate == self._copy.rate and frame.layout.nb_channels == self._copy.channels
        if alike and self._made is None and name in _SCALES:
            values = frame.to_ndarray()
            values = values.T if name.endswith("p") else values.reshape(-1, self._copy.channels)
            middle, scale = _SCALES[name]
            self._keep((values if scale == 1 else (values.astype(np.float64) - middle) * scale).astype(np.float32))
            return
        self._convert(frame)

    def silence(self, count: int) -> None:
        """So many samples of silence."""
        self._end_conversion()
        for at in range(0, count, self._copy.rate):
            self._keep(np.zeros((min(self._copy.rate, count - at), self._copy.channels), np.float32))

    def flush(self) -> None:
        """Write what is held."""
        self._end_conversion()
        self._write()

    def _convert(self, frame: "AudioFrame") -> None:
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._made is None or kind != self._kind:
            self._end_conversion()
            same = frame.layout.nb_channels == self._copy.channels
            layout = frame.layout if same else {1: "mono", 2: "stereo"}.get(self._copy.channels, frame.layout)
            self._made, self._kind = av.AudioResampler(format="flt", layout=layout, rate=self._copy.rate), kind
        for piece in self._made.resample(frame):
            self._take(piece)

    def _end_conversion(self) -> None:
        if self._made is not None:
            for piece in self._made.resample(None):
                self._take(piece)
            self._made = None

    def _take(self, piece: "AudioFrame") -> None:
        self._keep(np.asarray(piece.to_ndarray(), np.float32).reshape(-1, self._copy.channels))

    def _keep(self, block: NDArray[np.float32]) -> None:
        self._held.append(block)
        self._count += len(block)
        if self._count >= _HELD:
            self._write()

    def _write(self) -> None:
        if self._held:
            self._copy.write(np.concatenate(self._held))
        self._held, self._count = [], 0


def _is_cover(stream: Any) -> bool:
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _promised(container: "InputContainer", track: "AudioStream") -> float:
    """How long the sound is to be, in seconds, 0 where nothing says so."""
    import av

    if track.duration is not None and track.time_base is not None:
        return float(track.duration * track.time_base)
    before_s = float((track.start_time or 0) * (track.time_base or 0))  # what Matroska says counts from zero
    hours, *rest = track.metadata.get("DURATION", "").split(":")
    try:
        return 3600 * float(hours) + 60 * float(rest[0]) + float(rest[1]) - before_s
    except (ValueError, IndexError):
        alone = all(_is_cover(each) for each in container.streams.video)
        return float(Fraction(container.duration, av.time_base)) - before_s if alone and container.duration else 0.0
