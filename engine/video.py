"""The sound track of a video, and of audio that libsndfile does not know: decoded once, to a WAV file beside our caches.

PyAV does it, which brings FFmpeg's libraries along and is an extra of ours, `video`.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine import delivery
from engine.audio import Source, look, open_source
from host_bridge.bwf import Writer
from host_bridge.errors import BadAudio
from host_bridge.settings import places
from host_bridge.vocabulary import Hertz, Progress

if TYPE_CHECKING:
    from fractions import Fraction

    from av.container import InputContainer

SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .vob .webm .wmv"  # videos
    " .aac .ac3 .ape .m4a .m4b .mka .wma .wv".split()  # sound that only FFmpeg reads
)
"""Endings of files whose sound comes through PyAV. `.ts` is not among them: mostly it is TypeScript."""

_GAP_S = 0.1
"""Time stamps of whole milliseconds jitter; a leap of more than this is a hole, and becomes silence."""
_SHORT_S = 1.0
"""By how much a track may fall short of the length that its file promises."""


@contextmanager
def opened(path: Path, start_s: float | None, length_s: float | None, progress: Progress) -> Iterator[Source]:
    """The region of any file that has sound: `open_source` on the file, or on its sound track while this is open.

    Raises BadAudio, BadRequest, CannotWrite, and Cancelled through `progress`.
    """
    if path.suffix.lower() not in SUFFIXES:
        yield open_source(path, start_s, length_s)
        return
    look(path)
    shelf = places().cache / "tracks"
    with delivery.spoken(shelf, "It is for what ZeroStem keeps for a while: make room there, or set ZEROSTEM_HOME elsewhere."):
        shelf.mkdir(parents=True, exist_ok=True)
        delivery.clear_the_dead(shelf)
        aside = tempfile.TemporaryDirectory(prefix=f"{delivery.MARK}{os.getpid()}-", dir=shelf)
    with aside as folder:
        track = Path(folder, path.name)  # the video's own name: it is what complaints call it
        extract(path, track, progress)
        yield open_source(track, start_s, length_s)


def extract(path: Path, to: Path, progress: Progress) -> None:
    """Write the best sound track of `path` to `to`: float32, its own rate and channels, in time with the picture.

    Where a track begins after the picture, or has a hole, silence stands for what is not there.
    Raises BadAudio, CannotWrite, and Cancelled through `progress`.
    """
    try:
        import av
    except ImportError as error:
        raise BadAudio(
            f"{path.name} is read through PyAV, which is not installed.",
            "Install it with `pip install 'zerostem[video]'`, or export the sound as WAV.",
        ) from error
    try:
        with av.open(str(path)) as container:
            _decode(container, path, to, progress)
    except (av.FFmpegError, UnicodeDecodeError) as error:
        raise BadAudio(
            f"{path.name} cannot be decoded: {getattr(error, 'strerror', None) or error}.",
            "Copy or export it again, or export its sound as WAV.",
        ) from error


def _decode(container: "InputContainer", path: Path, to: Path, progress: Progress) -> None:
    import av

    track = container.streams.best("audio")
    if not isinstance(track, av.AudioStream):
        raise BadAudio(f"{path.name} has no sound track.", "Name a file with sound.")
    rate, channels = Hertz(track.rate), track.channels
    began: Fraction | float = (container.start_time or 0) / av.time_base
    floats = av.AudioResampler(format="flt", layout=track.layout, rate=rate)
    samples = 0
    with Writer(to, rate, channels) as writer:
        for frame in container.decode(track):
            progress(0.0, "reading the sound track")
            due = samples if frame.time is None else round((frame.time - began) * rate)
            if due - samples > (_GAP_S * rate if samples else 0):
                for at in range(samples, due, rate):
                    writer.write(np.zeros((min(rate, due - at), channels), np.float32))
                samples = due
            for piece in floats.resample(frame):
                block = np.asarray(piece.to_ndarray(), np.float32).reshape(-1, channels)
                writer.write(block)
                samples += len(block)
    promised = 0.0 if track.duration is None or track.time_base is None else float(track.duration * track.time_base)
    if samples / rate < promised - _SHORT_S:
        raise BadAudio(f"{path.name} is cut off or damaged: its sound ends too soon.", "Copy or export it again.")
