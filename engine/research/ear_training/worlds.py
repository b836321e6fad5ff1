"""All that is trained on: who plays which source, for how long, how often; rendered once and kept as files."""

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.research.ear_training import parts, processing
from engine.research.ear_training.parts import PARTS, Tune
from engine.research.ear_training.players import Amplified, Font, Kit, Library, NotePlayer, Section, load
from engine.research.pocket_training import soundfonts
from engine.research.pocket_training.composer import MusicalPart
from engine.separators.ear.bands import RATE

Sound = NDArray[np.float32]
CLUTTER = ""
FONT_WEIGHTS = {"FluidR3_GM": 1.0, "MuseScore_General_Full": 1.0, "A320U": 0.4, "OPL-3_FM_128M": 0.3}
DRUM_FONTS = 0.4

LABELS = {
    "acoustic_guitar": "acoustic guitar",
    "electric_guitar": "electric guitar",
    "electric_piano": "electric piano",
    "hand_percussion": "hand percussion",
    "mallets": "marimba",
    "brass": "trumpet",
    "accordion": "accordion",
    "bass": "bass",
    "clarinet": "clarinet",
    "drums": "drums",
    "flute": "flute",
    "harmonica": "harmonica",
    "harp": "harp",
    "organ": "organ",
    "piano": "piano",
    "saxophone": "saxophone",
    "strings": "strings",
}
SPECIAL = (
    ("double-bass", "double bass"),
    ("contrabass", "double bass"),
    ("upright", "double bass"),
    ("meatbass", "double bass"),
    ("cello", "cello"),
    ("violin-section", "strings"),
    ("vsco2-violin", "violin"),
    ("ganjo", "banjo"),
    ("sitar", "sitar"),
    ("new-age-pad", "pad"),
    ("synth-pad", "pad"),
    ("synth-strings", "pad"),
    ("bass-lead", "synth lead"),
    ("synth-brass", "synth lead"),
    ("steel-drum", CLUTTER),
)
"""Libraries whose folder does not say it: part of the name, source."""


def label(source: str, library: str) -> str:
    """The word for a library of the sounds folder; CLUTTER where there is none."""
    if source != "piano":
        for part, name in SPECIAL:
            if part in library:
                return name
    return LABELS.get(source, CLUTTER)


@dataclass(frozen=True)
class SourceWorld:
    """One source in the hands of one player: `make` prepares the player; `weight` says how often it is drawn."""

    source: str
    name: str
    weight: float
    seconds: float
    make: Callable[[], NotePlayer]

    @property
    def part(self) -> MusicalPart:
        """What it plays."""
        return PARTS.get(self.source, parts.CLUTTER)

    def file(self, folder: Path) -> Path:
        """Where its takes are kept."""
        return folder / (self.source or "clutter") / f"{self.name}.npy"


def fonts(seconds: float) -> Iterator[SourceWorld]:
    """The soundfonts of Debian that pocket was trained on."""
    for font in soundfonts.TRAINING:
        name = Path(font.file).stem
        if font.sources == ("drums",):
            yield SourceWorld("drums", name, DRUM_FONTS, seconds * 0.5, partial(Font, font, PARTS["drums"]))
            continue
        for source, part in PARTS.items():
            if len(font.sources) < 10 and source not in font.sources:
                continue
            weight = FONT_WEIGHTS[name]
            yield SourceWorld(source, name, weight, seconds * min(1, weight + 0.2), partial(Font, font, part))
        if len(font.sources) > 10:
            yield SourceWorld(CLUTTER, name, FONT_WEIGHTS[name], seconds, partial(Font, font, parts.CLUTTER))


def manifest(folder: Path) -> list[dict[str, str]]:
    """Rows of a folder's MANIFEST.tsv."""
    head, *rows = (line.split("\t") for line in (folder / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines())
    return [dict(zip(head, row, strict=False)) for row in rows]


def _amplified(folder: Path, riffs: float, gain: float) -> Amplified:
    return Amplified(Library(folder), riffs, gain)


def _section(folders: list[Path]) -> Section:
    return Section([Library(folder) for folder in folders])


def recorded(sounds: Path, seconds: float, group: str = "instruments") -> Iterator[SourceWorld]:
    """The recorded libraries of a sounds folder, and sections of players of them."""
    rows = manifest(sounds / group)
    for row in rows:
        if row["kind"] not in ("notes", "hits"):
            continue
        folder, source = sounds / group / row["folder"], label(row["source"], row["library"])
        weight, lasts = (2.0, seconds) if source else (0.5, seconds / 3)
        if row["kind"] == "hits":
            struck = row["source"] == "hand_percussion"
            yield SourceWorld(source, f"real-{row['library']}", weight, lasts, partial(Kit, folder, struck))
        elif source in ("electric guitar", "bass") and "power" not in row["library"]:
            riffs, gain = (0.3, 0.65) if source == "electric guitar" else (0.0, 0.25)
            amplified = partial(_amplified, folder, riffs, gain)
            yield SourceWorld(source, f"real-{row['library']}", weight, lasts * 1.5, amplified)
        else:
            yield SourceWorld(
                source, f"real-{row['library']}", weight, lasts, partial(Library, folder, "power" in row["library"])
            )
    brass = [sounds / group / row["folder"] for row in rows if row["source"] == "brass" and row["kind"] == "notes"]
    saxes = [sounds / group / row["folder"] for row in rows if row["source"] == "saxophone" and row["kind"] == "notes"]
    bowed = [sounds / group / row["folder"] for row in rows if row["source"] == "strings" and "pizz" not in row["library"]]
    for source, name, players in (
        ("brass section", "real-brass", brass),
        ("brass section", "real-horns", [*brass, *saxes]),
        ("strings", "real-bowed", bowed),
    ):
        if players:
            yield SourceWorld(source, name, 2.0, 2 * seconds, partial(_section, players))


def takes(world: SourceWorld, rng: np.random.Generator, processed: float = 0.18) -> list[Sound]:
    """Takes of two to five bars, each in a tune of its own; `processed` is the share that gets heavy effects."""
    player, out, total, misses = world.make(), list[Sound](), 0, 0
    part = player.suits(world.part)
    while total < world.seconds * RATE and misses < 20:
        notes = parts.play(rng, part, Tune.drawn(rng), int(rng.integers(2, 6)), rests=0.05)
        sound = player.perform(rng, notes)
        peak = float(np.abs(sound.sum(0)).max(initial=0.0))
        if peak < 1e-4:
            misses += 1
            continue
        if rng.random() < (0.06 if world.source in ("drums", "hand percussion") else processed):
            sound = processing.heavy(rng, sound)
            peak = float(np.abs(sound.sum(0)).max(initial=1e-4))
        out.append(sound / np.float32(max(peak, 1e-4)) * np.float32(0.7))
        total += sound.shape[1]
    return out


def keep(file: Path, sounds: list[Sound]) -> None:
    """Joins takes and writes them as int16 (N, tracks)."""
    if not sounds:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    whole = np.concatenate(sounds, axis=1).T
    unfinished = file.with_suffix(".new.npy")
    np.save(unfinished, (np.clip(whole, -1, 1) * 32767).astype(np.int16))
    unfinished.replace(file)


def render(world: SourceWorld, folder: Path, seed: int) -> None:
    """Plays a world and keeps it. The seed and the world's name decide everything."""
    keep(world.file(folder), takes(world, np.random.default_rng([seed, zlib.crc32(f"{world.source} {world.name}".encode())])))


VOICES = {"singing": ("vocals", 2.0), "choir": ("choir", 2.0), "speech": ("speech", 3.0), "other": (CLUTTER, 0.3)}
"""Folder of voices -> source, and the weight of each voice (speech: of all speakers together)."""


def voices(sounds: Path, folder: Path, group: str = "voices") -> Iterator[tuple[Path, float]]:
    """Joins each voice's recordings into a file of takes, unless it is there -> (file, weight)."""
    for kind, (source, weight) in VOICES.items():
        people = sorted(p for p in (sounds / group / kind).glob("*") if p.is_dir())
        for person in people:
            file = folder / (source or "clutter") / f"real-{kind}-{person.name}.npy"
            if not file.exists():
                recordings = [load(f) for f in sorted(person.glob("*.ogg"))]
                keep(file, [(r / max(float(np.abs(r).max(initial=0)), 1e-3) * np.float32(0.7))[None] for r in recordings])
            if file.exists():
                yield (
                    file,
                    weight / len(people) if kind == "speech" else weight * min(1.0, 0.3 + file.stat().st_size / 2 / RATE / 90),
                )


def index(folder: Path, weights: dict[str, float]) -> None:
    """Adds files (relative to the folder) and their weights to the folder's index."""
    file = folder / "index.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps({**known, **weights}, indent=0, sort_keys=True), encoding="utf-8")
    unfinished.replace(file)
