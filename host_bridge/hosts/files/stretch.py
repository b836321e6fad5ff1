"""What the items of a track play of their files, in whole samples: what there is to separate."""

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from host_bridge.errors import BadAudio, CannotWrite
from host_bridge.hosts.files.items import Item
from host_bridge.hosts.files.tracks import Track
from host_bridge.sound import audio_file
from host_bridge.vocabulary import Hertz

_ROUNDED_S = 0.1
"""By so much decoders of lossy files may disagree about the length, so that an item of all of it seems to loop."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What an item plays of its file, in samples, and how far into that the item begins: less than one sample, or silence."""

    item: Item
    file: Path
    rate: Hertz
    start: int
    length: int
    offset_s: Fraction


def fit(source: Track) -> tuple[list[Stretch], list[str]]:
    """What can be separated of a track, and a sentence for each item that cannot."""
    found, left = [], []
    for item in source.items:
        told = item.unfit or _stretch(item)
        if isinstance(told, str):
            left.append(f"Item {item.number}, {item.name}, {told}: it is left alone.")
        else:
            found.append(told)
    return found, left


def _stretch(item: Item) -> Stretch | str:
    """Whole samples around what the item plays; or why there are none."""
    assert item.file is not None
    try:
        told = audio_file(item.file)
    except (BadAudio, CannotWrite) as error:
        return f"plays {item.file.name}, which cannot be read ({error.what.rstrip('.')})".replace("\n", " ")
    rate, frames = told.rate, told.samples
    first = max(0, math.floor(item.offset_s * rate))
    last = math.ceil((item.offset_s + item.length_s) * rate)
    if item.loops and (item.offset_s < 0 or last > frames + (_ROUNDED_S * rate if item.lossy else 1)):
        return "plays its file more than once"
    last = min(last, frames)
    if last <= first:
        return "plays only what lies beyond the end of its file"
    return Stretch(item, item.file, rate, first, last - first, item.offset_s - Fraction(first, rate))
