"""What is open in the panel: a file that was dropped in, or a region that came from a DAW with one of its jobs."""

from dataclasses import dataclass, field
from pathlib import Path

from host_bridge.bwf import time_reference
from host_bridge.forms import Source, Timeline
from host_bridge.sound import AudioFile, audio_file
from host_bridge.spool import Spool
from host_bridge.vocabulary import Hertz, Samples
from ui.models.reading import File, Shifted, Sound


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of sound that can be separated, heard and drawn. Lengths are in samples at the file's own `rate`."""

    audio: Path
    """The file that holds it, by its whole path; the region's channels are the file's."""
    start: Samples
    """Where in the file."""
    frames: Samples
    rate: Hertz
    channels: int
    title: str
    timeline: Timeline | None = None
    """Where it lies in the DAW, or in the recording that the file was cut from; None where nobody said."""
    host: str = ""
    """Whose it is: reaper, ardour, audacity; empty for a file that was dropped in."""
    job: str = ""
    """The job that it came with."""
    file: AudioFile | None = field(default=None, compare=False, repr=False)
    """The file as it was looked into; what is compressed is decoded only once while this is held."""

    @property
    def length_s(self) -> float:
        """How long it is."""
        return self.frames / self.rate

    def sound(self) -> Sound:
        """Its sound, opened now. Raises BadAudio."""
        file = File(self.audio, self.file)
        whole = (self.start, self.frames) == (0, file.frames)
        return file if whole else Shifted(file, -self.start, self.frames)

    def sources(self, start_s: float, end_s: float) -> tuple[Source, ...]:
        """A part of it as a request names it: one entry per channel, at least one sample long, never beyond its end."""
        first = min(max(round(start_s * self.rate), 0), self.frames - 1)
        count = max(1, min(round(end_s * self.rate), self.frames) - first)
        return tuple(
            Source(self.audio, channel, Samples(self.start + first), Samples(count)) for channel in range(self.channels)
        )

    def moment(self, start_s: float) -> Timeline | None:
        """Where a part that starts `start_s` into the region lies on the timeline."""
        if self.timeline is None:
            return None
        return Timeline(Samples(self.timeline.start + max(0, round(start_s * self.timeline.rate))), self.timeline.rate)


def of_file(path: Path) -> Region:
    """A file that somebody dropped in. Raises BadAudio, CannotWrite."""
    title, path = path.stem, path.resolve()
    file = audio_file(path)
    stamp = time_reference(path)
    timeline = None if stamp is None else Timeline(stamp, file.rate)
    return Region(path, Samples(0), file.samples, file.rate, file.channels, title, timeline, file=file)


def of_job(spool: Spool, id: str) -> Region | None:  # noqa: A002 - a job's id is called that everywhere
    """The region of a job, as its host rendered it or as its sources say; None where its sound cannot be had as one file yet.

    Raises BadAudio, BadRequest, BadSpool.
    """
    request = spool.request(id)
    title, rendered = request.name or id, spool.folder(id) / "region.wav"
    if rendered.is_file():
        whole = of_file(rendered)
        return Region(
            rendered, whole.start, whole.frames, whole.rate, whole.channels,
            title, request.region or whole.timeline, request.host, id, whole.file,
        )  # fmt: skip
    if not request.source:
        return None
    first, paths = request.source[0], {(source.path, source.start, source.length) for source in request.source}
    whole = of_file(first.path)
    if len(paths) > 1 or [source.channel for source in request.source] != [*range(whole.channels)]:
        return None  # put together from several files: the daemon cuts it when the job runs
    stretch = first.path, first.start, first.length, whole.rate, whole.channels
    return Region(*stretch, title, request.region, request.host, id, whole.file)
