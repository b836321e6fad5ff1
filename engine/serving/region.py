"""A job's region as one file in its folder: the host's own region.wav, or what its sources hold, cut once."""

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import soundfile

from engine.audio import Source
from host_bridge import forms
from host_bridge.bwf import Writer, time_reference
from host_bridge.errors import BadAudio, BadRequest
from host_bridge.files import settle
from host_bridge.forms import Timeline
from host_bridge.handover import source_file
from host_bridge.vocabulary import Hertz, Progress, Samples

BLOCK = 1 << 16
"""Samples that are copied at once."""


def region_of(folder: Path, request: forms.RequestFile, progress: Progress) -> Path:
    """The region's file, stamped with its place on the host's timeline where the request says one.

    Raises BadAudio for a source or a region that is not a regular audio file, BadRequest for a place that is not in it.
    """
    place = folder / "region.wav"
    if request.source:
        _cut([_opened(source_file(source), source) for source in request.source], place, request.region, progress)
        return place
    if not os.path.lexists(place):
        raise BadAudio("The job's folder holds no region.wav.", "Render the region into it, or name its source.")
    if not stat.S_ISREG(place.lstat().st_mode):
        raise BadAudio("The job's region.wav is not a regular file.", "Put the sound itself there.")
    if request.region is not None and time_reference(place) is None:
        whole = _opened(place, None)
        channels = [(whole[0], channel) for channel in range(whole[0].channels)]
        _cut(channels, place, request.region, progress)
    return place


def _opened(path: Path, wanted: forms.Source | None) -> tuple[Source, int]:
    """The stretch of a file that is wanted, None: all of it; and the channel."""
    try:
        about = soundfile.info(os.fsencode(path))
    except (soundfile.LibsndfileError, TypeError) as error:
        raise BadAudio(f"{path} is not audio that can be read.", "Convert it to WAV, FLAC, AIFF, OGG or MP3.") from error
    start, length, channel = (wanted.start, wanted.length, wanted.channel) if wanted else (Samples(0), about.frames, 0)
    if start + length > about.frames:
        raise BadRequest(f"The region ends at sample {start + length}, {path.name} at {about.frames}.", "Select it again.")
    if channel >= about.channels:
        raise BadRequest(f"{path.name} has no channel {channel}, only {about.channels}.", "They are counted from 0.")
    rate, fold = Hertz(about.samplerate), np.full(about.channels, 1 / about.channels)
    return Source(path, rate, about.channels, about.frames, start, Samples(length), "", 0.0, fold), channel


def _cut(channels: Sequence[tuple[Source, int]], place: Path, where: Timeline | None, progress: Progress) -> None:
    """Write the channels side by side, in float32, and put the file into place when it is whole."""
    first = channels[0][0]
    if other := next((source for source, _ in channels if source.rate != first.rate), None):
        raise BadRequest(
            f"{first.path.name} has {first.rate} Hz and {other.path.name} {other.rate}.", "Give sources of one rate."
        )
    start = Samples(round(where.start * first.rate / where.rate)) if where else Samples(0)
    aside = place.with_name(".region.wav")
    aside.unlink(missing_ok=True)
    with ExitStack() as stack:
        writer = stack.enter_context(Writer(aside, first.rate, len(channels), start))
        for pieces in zip(*(source.blocks(BLOCK) for source, _ in channels), strict=True):
            progress(pieces[0][0] / first.length, "cutting")
            columns = [block[:, channel] for (_, block), (_, channel) in zip(pieces, channels, strict=True)]
            writer.write(np.stack(columns, 1))
    settle(aside, place)
