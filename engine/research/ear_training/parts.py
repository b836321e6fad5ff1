"""What the ear learns to tell apart, what each source plays, and tunes that several players share."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from engine.research.pocket_training import composer
from engine.research.pocket_training.composer import OTHERS, SCALES, STYLES, Bar, MusicalPart, Note

PIECES = ("kick", "snare", "hi-hat", "")
"""Tracks of a drum take: three pieces that can be asked for, and the rest of the kit. Cymbals count as hi-hat."""

_P = composer.PARTS
PARTS: dict[str, MusicalPart] = {
    "drums": _P["drums"],
    "bass": replace(_P["bass"], programs=(33, 34, 35, 36, 37, 38, 39)),
    "piano": replace(_P["piano"], programs=(0, 1, 2, 3), low=33),
    "acoustic guitar": _P["acoustic guitar"],
    "electric guitar": replace(_P["electric guitar"], programs=(26, 27, 28, 29, 30)),
    "organ": replace(_P["organ"], programs=(16, 17, 18, 19, 20)),
    "strings": replace(_P["strings"], programs=(48, 49, 44, 45, 50)),
    "violin": _P["violin"],
    "trumpet": replace(_P["trumpet"], programs=(56, 57, 59, 60)),
    "saxophone": _P["saxophone"],
    "flute": replace(_P["flute"], programs=(72, 73, 75)),
    "choir": _P["choir"],
    "synth lead": _P["synth lead"],
    "marimba": _P["marimba"],
    "electric piano": MusicalPart((4, 5), ("keys", "keys", "held"), 40, 88),
    "clarinet": MusicalPart((71,), ("melody", "melody", "melody", "held note"), 50, 90),
    "cello": MusicalPart((42,), ("melody", "melody", "melody", "held note"), 36, 72),
    "double bass": MusicalPart((32, 32, 43), ("bass", "bass", "bass", "held note"), 28, 50),
    "brass section": MusicalPart((61, 61, 62), ("held", "strum", "melody"), 48, 80),
    "harp": MusicalPart((46,), ("pick", "pick", "melody"), 36, 92),
    "accordion": MusicalPart((21, 23), ("held", "melody", "melody"), 48, 86),
    "harmonica": MusicalPart((22,), ("melody", "melody", "held note"), 60, 90),
    "banjo": MusicalPart((105,), ("pick", "pick", "strum"), 48, 84),
    "sitar": MusicalPart((104,), ("melody", "melody", "pick"), 48, 76),
    "hand percussion": MusicalPart((), ("percussion",), 60, 80),
    "pad": MusicalPart((88, 89, 90, 91, 92, 94, 95), ("held", "held", "held note"), 40, 80),
}
"""Sources that instruments play. `vocals`, `choir` and `speech` come from voices as well; pieces of a kit from drum takes."""

CLUTTER = replace(
    OTHERS,
    programs=(
        6,
        7,
        8,
        15,
        47,
        55,
        58,
        68,
        69,
        70,
        74,
        77,
        78,
        79,
        96,
        98,
        99,
        100,
        103,
        106,
        107,
        108,
        109,
        114,
        115,
        122,
        124,
    ),
)
"""Instruments that have no word."""

SOURCES = (*composer.PARTS, "speech", "vocals", *list(PARTS)[14:-2], "hand percussion", "kick", "snare", "hi-hat", "pad")
"""Every word, in the order of the checkpoint's vectors; new ones are added at the end."""

ALSO = {
    "double bass": (("bass", 0.35),),
    "electric piano": (("piano", 0.2),),
    "brass section": (("trumpet", 0.25),),
    "cello": (("strings", 0.15),),
    "violin": (("strings", 0.1),),
    "pad": (("synth lead", 0.1),),
    "choir": (("vocals", 0.1),),
    "hand percussion": (("drums", 0.15),),
}
"""What people also call a source, and how often the training does."""

FAMILIES = (
    ("drums", "kick", "snare", "hi-hat", "hand percussion"),
    ("bass", "double bass"),
    ("piano", "electric piano"),
    ("acoustic guitar", "banjo"),
    ("strings", "violin", "cello", "double bass", "pad"),
    ("trumpet", "brass section"),
    ("synth lead", "pad", "organ"),
    ("vocals", "choir", "speech"),
    ("accordion", "harmonica"),
)
"""Sources that a word for one may also mean: none is called absent beside another of its family."""

HARMONIC = tuple(name for name in PARTS if name not in ("drums", "hand percussion"))


def related(name: str) -> set[str]:
    """The source and all of its families."""
    return {name, *(each for family in FAMILIES if name in family for each in family)}


@dataclass(frozen=True, slots=True)
class Tune:
    """What the players of one piece share: the beat in seconds, key, scale and the chord of each bar."""

    beat_s: float
    key: int
    scale: tuple[int, ...]
    degrees: tuple[int, ...]

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> "Tune":
        """Any tune."""
        scale = SCALES[rng.integers(len(SCALES))]
        return cls(
            60 / rng.uniform(65, 170), int(rng.integers(12)), scale, tuple(int(d) for d in rng.integers(0, len(scale), 4))
        )

    @property
    def bar_s(self) -> float:
        """Length of a bar of four beats."""
        return 4 * self.beat_s


def percussion(rng: np.random.Generator, beat_s: float, bars: int, low: int, high: int) -> Iterator[Note]:
    """A pattern of hand drums and shakers on two to five pitches, the same in every bar but for chance."""
    pitches = rng.integers(low, high + 1, rng.integers(2, 6))
    pattern = rng.random((len(pitches), 16)) < rng.uniform(0.1, 0.45)
    for bar in range(bars):
        for row, pitch in zip(pattern, pitches, strict=True):
            for step in np.flatnonzero(row):
                if rng.random() < 0.93:
                    at = max(0.0, (bar * 4 + step / 4) * beat_s + rng.normal(0, 0.006))
                    yield Note(at, 0.2, int(pitch), int(rng.integers(50, 127)))


def play(rng: np.random.Generator, part: MusicalPart, tune: Tune, bars: int, rests: float = 0.0) -> list[Note]:
    """`bars` bars of one part, sorted by time; with `rests` as the share of its bars that are silent."""
    style = str(rng.choice(part.styles))
    if style == "drums":
        return sorted(composer.beats(rng, tune.beat_s, bars))
    if style == "percussion":
        return sorted(percussion(rng, tune.beat_s, bars, part.low, part.high))
    density, notes = float(rng.choice([0.5, 1, 2], p=[0.3, 0.4, 0.3])), list[Note]()
    for number in range(bars):
        if rng.random() < rests:
            continue
        bar = Bar(tune.beat_s, tune.key, tune.scale, tune.degrees[number % len(tune.degrees)], density, part.low, part.high)
        notes += [replace(note, start_s=number * tune.bar_s + note.start_s) for note in STYLES[style](rng, bar)]
    return sorted(notes)


def piece(pitch: int) -> int:
    """Which track of a drum take a General MIDI pitch belongs to (index into `PIECES`)."""
    if pitch in composer.KICKS:
        return 0
    if pitch in (37, 38, 39, 40):
        return 1
    return 2 if pitch in (*composer.HATS, *composer.CRASHES) and pitch not in (54, 70) else 3
