"""Real drums and strummed guitars: Hydrogen's drum kits, one recording per stroke, played to the composer's patterns."""

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.backbones.mel import RATE
from engine.research.pocket_training.composer import CRASHES, HATS, KICKS, PARTS, PERCUSSION, SNARES, Note, take
from host_bridge.errors import ZeroStemError

KITS = Path("/usr/share/hydrogen/data/drumkits")

DRUM_KITS = {
    "Audiophob": "CC0",
    "BJA_Pacific": "CC-BY-SA-3.0-us",
    "ColomboAcousticDrumkit": "GPL-2+ with composition exception",
    "ElectricEmpireKit": "GPL-2+",
    "ForzeeStereo": "GPL-2",
    "Gimme A Hand 1.0": "GPL-2",
    "HardElectro1": "GPL-2+",
    "Millo-Drums_v.1": "GPL-2",
    "Millo_MultiLayered2": "GPL-2",
    "Millo_MultiLayered3": "GPL-2",
    "The Black Pearl 1.0": "GPL-2",
    "VariBreaks": "GPL-2+",
    "circAfrique v4": "CC-BY-SA-3.0",
    "rumpf_kit_z01_h2": "CC-BY-3.0",
}
"""Drum kits with their licences."""

GUITAR_KIT = "belofilms_GuitarStrums"
"""Acoustic guitar, strummed: CC-BY-3.0."""

PACKAGES = dict.fromkeys(DRUM_KITS, "hydrogen-drumkits") | {GUITAR_KIT: "hydrogen-drumkits-effects"}
"""Each kit with the Debian package that it comes in."""

ROLES = {
    "kick": (KICKS, r"kick|bass ?drum|\bbd|dununba|thump|bass$"),
    "snare": (SNARES, r"snare|stick|clap|rim|snap|slap|\bsd"),
    "hat": (HATS, r"hat|hh|ride|shaker|tambourine|maraca|bell|cup"),
    "crash": (CRASHES, r"crash|splash|china|cymbal"),
    "tom": (PERCUSSION, r""),
}
"""Role -> General MIDI pitches and what kits call it; the first that matches, and toms are all the rest."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One recorded stroke at 16 kHz and the velocity (0..127) up to which it is played."""

    sound: NDArray[np.float32]
    up_to: float


Kit = dict[str, list[list[Stroke]]]
"""Role -> instruments -> strokes from soft to loud."""


def role(name: str) -> str:
    """What an instrument of this name is used as."""
    return next(each for each, (_, pattern) in ROLES.items() if re.search(pattern, name, re.IGNORECASE))


@cache
def recording(path: Path) -> NDArray[np.float32]:
    """A sample folded to mono at 16 kHz, its silent end cut off."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono: NDArray[np.float32] = soxr.resample(sound.mean(1), rate, RATE).astype(np.float32)
    loud = np.nonzero(np.abs(mono) > 1e-3 * np.abs(mono).max(initial=1e-9))[0]
    return mono[: loud[-1] + 1 if len(loud) else 0]


def load(name: str) -> Kit:
    """A kit by the name of its folder. Raises ZeroStemError where it is not installed."""
    folder = KITS / name
    if not folder.exists():
        raise ZeroStemError(f"The kit {folder} is not there.", f"Install it: apt-get install {PACKAGES[name]}.")
    kit: Kit = {}
    root = ET.parse(folder / "drumkit.xml").getroot()  # noqa: S314 - a file of the system's own packages
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    for instrument in root.iter("instrument"):
        layers = [*instrument.iter("layer")] or [instrument]
        files = [(folder / (layer.findtext("filename") or ""), float(layer.findtext("max") or 1) * 127) for layer in layers]
        strokes = [Stroke(recording(path), up_to) for path, up_to in files if path.is_file()]
        if strokes:
            ordered = sorted(strokes, key=lambda stroke: stroke.up_to)
            kit.setdefault(role(instrument.findtext("name") or ""), []).append(ordered)
    return kit


def play(rng: np.random.Generator, kit: Kit, notes: list[Note]) -> NDArray[np.float32]:
    """A drum take, (N,) with a peak of at most 1; every pitch keeps one instrument of its role for the whole take."""
    lasts_s = max(note.start_s for note in notes) + 1.0
    out = np.zeros(int(lasts_s * RATE), np.float32)
    chosen: dict[int, list[Stroke]] = {}
    for note in notes:
        if note.pitch not in chosen:
            wanted = next(each for each, (pitches, _) in ROLES.items() if note.pitch in pitches)
            instruments = kit.get(wanted) or next(iter(kit.values()))
            chosen[note.pitch] = instruments[rng.integers(len(instruments))]
        strokes = chosen[note.pitch]
        stroke = next((each for each in strokes if note.velocity <= each.up_to), strokes[-1])
        at = int(note.start_s * RATE)
        sound = stroke.sound[: len(out) - at]
        out[at : at + len(sound)] += sound * (note.velocity / 127) ** 1.5
    return out / max(1.0, float(np.abs(out).max()))


def drums(rng: np.random.Generator, seconds: float) -> list[NDArray[np.float32]]:
    """Takes on all kits in turn, at least `seconds` in all."""
    kits, takes = [load(name) for name in DRUM_KITS], list[NDArray[np.float32]]()
    while sum(map(len, takes)) < seconds * RATE:
        takes.append(play(rng, kits[len(takes) % len(kits)], take(rng, PARTS["drums"], int(rng.integers(2, 6)))))
    return takes


def strums(rng: np.random.Generator, seconds: float) -> list[NDArray[np.float32]]:
    """Acoustic guitar: recorded chords in a rhythm, each cutting off the one before, at least `seconds` in all."""
    chords = [strokes for instruments in load(GUITAR_KIT).values() for strokes in instruments]
    takes: list[NDArray[np.float32]] = []
    while sum(map(len, takes)) < seconds * RATE:
        beat, progression = int(RATE * 60 / rng.uniform(65, 170)), rng.choice(len(chords), 4)
        out = np.zeros(16 * beat, np.float32)
        starts = [at for at in range(0, 16 * beat, beat // 2) if rng.random() < 0.6]
        for start, end in zip(starts, [*starts[1:], len(out)], strict=True):
            strokes = chords[progression[start // (4 * beat) % 4]]
            sound = strokes[rng.integers(len(strokes))].sound[: end - start]
            fade = np.minimum(1, (len(sound) - np.arange(len(sound))) / (0.02 * RATE))
            out[start : start + len(sound)] = sound * fade * rng.uniform(0.5, 1)
        takes.append(out)
    return takes
