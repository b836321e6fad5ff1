"""A job's region as one file in its folder: the host's own region.wav, or what its sources hold, cut once."""

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from host_bridge import forms
from host_bridge.bwf import Writer, time_reference
from host_bridge.errors import BadAudio, BadRequest
from host_bridge.files import settle
from host_bridge.forms import Timeline
from host_bridge.handover import source_file
from host_bridge.sound import AudioFile, audio_file
from host_bridge.vocabulary import Progress, Samples

BLOCK = 1 << 16
"""Samples that are copied at once."""


def region_of(folder: Path, request: forms.RequestFile, progress: Progress) -> tuple[Path, tuple[str, ...]]:
    """The region's file, stamped with its place on the host's timeline where the request says one; and sentences on what may
    be missing of its sources.

    Raises BadAudio for a source or a region that is not a whole audio file, BadRequest for a place that is not in it.
    """
    place = folder / "region.wav"
    if request.source:
        return place, _cut(request.source, place, request.region, progress)
    if not os.path.lexists(place):
        raise BadAudio("The job's folder holds no region.wav.", "Render the region into it, or name its source.")
    if not stat.S_ISREG(place.lstat().st_mode):
        raise BadAudio("The job's region.wav is not a regular file.", "Put the sound itself there.")
    if request.region is not None and time_reference(place) is None:
        whole = audio_file(place, progress)
        channels = [forms.Source(place, channel, Samples(0), whole.samples) for channel in range(whole.channels)]
        return place, _cut(channels, place, request.region, progress)
    return place, ()


def _opened(sources: Sequence[forms.Source], progress: Progress) -> dict[Path, AudioFile]:
    """Each file that sources name, looked into once. Raises BadAudio, BadRequest."""
    files = {path: audio_file(source_file(source), progress) for path, source in {each.path: each for each in sources}.items()}
    for source in sources:
        file = files[source.path]
        if source.start + source.length > file.samples:
            raise BadRequest(
                f"The region ends at sample {source.start + source.length}, {file.path.name} at {file.samples}.",
                "Select it again.",
            )
        file.verify(progress)
        if source.channel >= file.channels:
            raise BadRequest(
                f"{file.path.name} has no channel {source.channel}, only {file.channels}.", "They are counted from 0."
            )
    first = files[sources[0].path]
    if other := next((file for file in files.values() if file.rate != first.rate), None):
        raise BadRequest(
            f"{first.path.name} has {first.rate} Hz and {other.path.name} {other.rate}.", "Give sources of one rate."
        )
    return files


def _cut(sources: Sequence[forms.Source], place: Path, where: Timeline | None, progress: Progress) -> tuple[str, ...]:
    """Write the channels side by side, in float32, and put the file into place when it is whole; every stretch of a file is
    read once, whatever the number of its channels."""
    files = _opened(sources, progress)
    rate, length = files[sources[0].path].rate, sources[0].length
    start = Samples(round(where.start * rate / where.rate)) if where else Samples(0)
    aside = place.with_name(".region.wav")
    aside.unlink(missing_ok=True)
    with ExitStack() as stack:
        places = dict.fromkeys((each.path, each.start) for each in sources)
        readers = {key: stack.enter_context(files[key[0]].opened()) for key in places}
        writer = stack.enter_context(Writer(aside, rate, len(sources), start))
        for at in range(0, length, BLOCK):
            progress(at / length, "cutting")
            blocks = {key: reader.read(key[1] + at, min(BLOCK, length - at)) for key, reader in readers.items()}
            writer.write(np.stack([blocks[each.path, each.start][:, each.channel] for each in sources], 1))
    settle(aside, place)
    return tuple(dict.fromkeys(note for file in files.values() for note in file.notes))
