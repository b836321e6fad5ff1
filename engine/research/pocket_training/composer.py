"""Endless labelled solo music, composed by rule: what each source plays, as notes; who plays them is elsewhere.

The rules know no style well. They only have to cover pitches, densities and lengths as real parts do, so that the network
learns timbres and not tunes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

STEPS = 16
"""Sixteenths in a bar of four beats."""


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One note of a take; times in seconds from its start, `pitch` and `velocity` as in MIDI."""

    start_s: float
    length_s: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class MusicalPart:
    """What a source plays: its General MIDI programs, the styles it draws from, and its range in MIDI pitches."""

    programs: tuple[int, ...]
    styles: tuple[str, ...]
    low: int = 0
    high: int = 127


PARTS = {
    "drums": MusicalPart((), ("drums",)),
    "bass": MusicalPart((32, 33, 34, 35, 36, 38, 39), ("bass", "bass", "bass", "bass", "held note"), 28, 48),
    "piano": MusicalPart((0, 1, 2, 4, 5), ("keys", "keys", "keys", "held"), 40, 88),
    "acoustic guitar": MusicalPart((24, 25), ("strum", "pick", "pick", "held"), 40, 76),
    "electric guitar": MusicalPart((27, 29, 30), ("strum", "strum", "pick", "melody", "held"), 40, 76),
    "organ": MusicalPart((16, 17, 18, 19), ("held", "held", "held", "melody"), 40, 84),
    "strings": MusicalPart((48, 49, 44, 50), ("held", "held", "held", "melody"), 40, 84),
    "violin": MusicalPart((40, 41), ("melody", "melody", "melody", "melody", "held note"), 55, 96),
    "trumpet": MusicalPart((56, 57, 61), ("melody", "melody", "melody", "melody", "held note"), 52, 84),
    "saxophone": MusicalPart((64, 65, 66, 67), ("melody", "melody", "melody", "melody", "held note"), 45, 82),
    "flute": MusicalPart((73, 72, 75), ("melody", "melody", "melody", "melody", "held note"), 60, 96),
    "choir": MusicalPart((52, 53), ("held",), 45, 80),
    "synth lead": MusicalPart((80, 81, 87), ("melody", "melody", "melody", "held note"), 50, 90),
    "marimba": MusicalPart((12, 11, 13, 9), ("mallet",), 55, 96),
}
"""Every source but speech, in the order of the checkpoint's vectors."""

OTHERS = MusicalPart(
    (
        6,
        7,
        8,
        15,
        21,
        22,
        46,
        47,
        42,
        58,
        60,
        68,
        69,
        70,
        71,
        79,
        88,
        89,
        91,
        95,
        98,
        99,
        104,
        105,
        107,
        109,
        114,
        115,
        122,
        124,
    ),
    ("melody", "held", "pick", "keys", "held note"),
    36,
    90,
)
"""Instruments outside the vocabulary: clutter, only ever unlabelled."""

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 3, 5, 7, 10), (0, 2, 4, 7, 9), (0, 2, 3, 5, 7, 9, 10))
KICK_ODDS = np.array([0.9, 0.05, 0.2, 0.15, 0.3, 0.05, 0.35, 0.15, 0.7, 0.1, 0.35, 0.15, 0.25, 0.05, 0.3, 0.15])
KICKS, SNARES, HATS, CRASHES = (35, 36), (37, 38, 39, 40), (42, 44, 46, 51, 53, 70, 54), (49, 57, 52)
HAT_ODDS = (0.5, 0.06, 0.1, 0.2, 0.04, 0.05, 0.05)
PERCUSSION = (41, 43, 45, 47, 48, 50, 62, 63, 64, 56, 76, 77)
"""General MIDI's toms, congas, cowbell and wood blocks."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a pitched part: the beat in seconds, the chord's root as a scale degree, and how busy it is."""

    beat_s: float
    key: int
    scale: tuple[int, ...]
    degree: int
    density: float
    low: int
    high: int

    def chord(self, rng: np.random.Generator, notes: int) -> list[int]:
        """Stacked thirds on the degree, lifted into the range by octaves; at least one pitch."""
        size = len(self.scale)
        degrees = [self.degree + 2 * i for i in range(notes)]
        pitches = [self.key + self.scale[d % size] + 12 * (d // size) for d in degrees]
        lift = ((int(rng.integers(self.low, max(self.low + 1, self.high - 16))) - pitches[0]) // 12 + 1) * 12
        lifted = [pitch + lift for pitch in pitches]
        return [p for p in lifted if self.low <= p <= self.high] or [int(np.clip(lifted[0], self.low, self.high))]

    def inside(self, pitch: float) -> int:
        """The pitch, held in the range."""
        return int(np.clip(pitch, self.low, self.high))


def take(rng: np.random.Generator, part: MusicalPart, bars: int) -> list[Note]:
    """One take of `bars` bars in a tempo, key and style of its own, sorted by time."""
    beat_s, style = 60 / rng.uniform(65, 170), str(rng.choice(part.styles))
    if style == "drums":
        return sorted(beats(rng, beat_s, bars))
    key, scale = int(rng.integers(12)), SCALES[rng.integers(len(SCALES))]
    degrees, density = rng.integers(0, len(scale), size=4), float(rng.choice([0.5, 1, 2], p=[0.3, 0.4, 0.3]))
    notes: list[Note] = []
    for number in range(bars):
        bar = Bar(beat_s, key, scale, int(degrees[number % 4]), density, part.low, part.high)
        notes += [replace(note, start_s=number * 4 * beat_s + note.start_s) for note in STYLES[style](rng, bar)]
    return sorted(notes)


def beats(rng: np.random.Generator, beat_s: float, bars: int) -> Iterator[Note]:
    """A drum pattern on General MIDI's drum map, the same in every bar but for chance, a little early or late."""
    kicks, snares = rng.random(STEPS) < KICK_ODDS, rng.random(STEPS) < 0.05
    snares[[4, 12]] = rng.random() < 0.93
    every, hat = int(rng.choice([1, 2, 4], p=[0.3, 0.5, 0.2])), int(rng.choice(HATS, p=HAT_ODDS))
    snare, kick, busy = int(rng.choice(SNARES)), int(rng.choice(KICKS)), rng.random() < 0.35
    for bar in range(bars):
        if bar % 4 == 0 and rng.random() < 0.6:
            yield Note(bar * 4 * beat_s, 0.5, int(rng.choice(CRASHES)), 110)
        for step in range(STEPS):
            at = max(0.0, (bar * 4 + step / 4) * beat_s + rng.normal(0, 0.004))
            if kicks[step]:
                yield Note(at, 0.1, kick, int(rng.integers(85, 127)))
            if snares[step]:
                yield Note(at, 0.1, snare, int(rng.integers(80, 127)))
            if step % every == 0 and rng.random() < 0.95:
                yield Note(at, 0.1, hat, int(rng.integers(50, 110)))
            if busy and rng.random() < 0.25:
                yield Note(at, 0.1, int(rng.choice(PERCUSSION)), int(rng.integers(70, 120)))


def bass(rng: np.random.Generator, bar: Bar) -> Iterator[Note]:
    """Eighths around the root, mostly on the beat."""
    root = bar.low + (bar.key + bar.scale[bar.degree % len(bar.scale)] - bar.low) % 12
    for step in range(8):
        if rng.random() < (0.95 if step % 2 == 0 else 0.45):
            pitch = bar.inside(root + rng.choice([0, 0, 0, 12, 7, 5, -5]))
            yield Note(step * bar.beat_s / 2, bar.beat_s * rng.uniform(0.3, 0.55), pitch, int(rng.integers(80, 125)))


def held(rng: np.random.Generator, bar: Bar) -> Iterator[Note]:
    """A chord that rings for the whole bar."""
    for pitch in bar.chord(rng, int(rng.integers(2, 5))):
        yield Note(0, 4 * bar.beat_s * rng.uniform(0.85, 1), pitch, int(rng.integers(60, 115)))


def held_note(rng: np.random.Generator, bar: Bar) -> Iterator[Note]:
    """One note that rings for most of the bar."""
    yield Note(0, 4 * bar.beat_s * rng.uniform(0.5, 1), bar.chord(rng, 1)[0], int(rng.integers(65, 120)))


def strum(rng: np.random.Generator, bar: Bar) -> Iterator[Note]:
    """Chords in eighths, string after string."""
    chord = bar.chord(rng, int(rng.integers(3, 6)))
    for step in range(8):
        if rng.random() < 0.75:
            for i, pitch in enumerate(chord):
                at = step * bar.beat_s / 2 + i * 0.012
                yield Note(at, bar.beat_s * rng.uniform(0.4, 1.5), pitch, int(rng.integers(65, 120)))


def pick(rng: np.random.Generator, bar: Bar) -> Iterator[Note]:
    """A chord's notes one by one, in sixteenths."""
    chord = bar.chord(rng, int(rng.integers(3, 6)))
    for step in range(STEPS):
        if rng.random() < 0.7:
            pitch = bar.inside(int(rng.choice(chord) + rng.choice([0, 0, 12])))
            yield Note(step * bar.beat_s / 4, bar.beat_s * rng.uniform(0.3, 1.2), pitch, int(rng.integers(65, 120)))


def keys(rng: np.random.Generator, bar: Bar) -> Iterator[Note]:
    """Chords on some of the beats and a free line above or below them."""
    chord = bar.chord(rng, int(rng.integers(2, 5)))
    for step in range(4):
        if rng.random() < 0.5:
            for pitch in chord:
                yield Note(step * bar.beat_s, bar.beat_s * rng.uniform(0.4, 1), pitch, int(rng.integers(55, 115)))
    count = int(8 * bar.density)
    for step in range(count):
        if rng.random() < 0.6:
            pitch = bar.inside(bar.key + rng.choice(bar.scale) + 12 * rng.integers(2, 7))
            at = step * 4 * bar.beat_s / count
            yield Note(at, bar.beat_s * rng.uniform(0.25, 1), pitch, int(rng.integers(55, 120)))


def melody(rng: np.random.Generator, bar: Bar, longest: float = 2) -> Iterator[Note]:
    """A walk over the scale in notes of a sixteenth to `longest` beats."""
    at, pitch = 0.0, int(rng.integers(bar.low, bar.high))
    while at < 4:
        length = min(float(rng.choice([0.25, 0.5, 1, 2], p=[0.25, 0.4, 0.25, 0.1])), longest)
        if rng.random() < 0.85:
            pitch = bar.inside(pitch + int(rng.integers(-5, 6)))
            tone = (pitch - bar.key) % 12
            nearest = min(bar.scale, key=lambda step: abs(tone - step))
            sounding = bar.inside(pitch - tone + nearest)
            yield Note(at * bar.beat_s, length * bar.beat_s * rng.uniform(0.7, 1), sounding, int(rng.integers(65, 122)))
        at += length


def mallet(rng: np.random.Generator, bar: Bar) -> Iterator[Note]:
    """A melody of short notes."""
    return melody(rng, bar, longest=0.5)


STYLES = {
    "bass": bass,
    "held": held,
    "held note": held_note,
    "strum": strum,
    "pick": pick,
    "keys": keys,
    "melody": melody,
    "mallet": mallet,
}
