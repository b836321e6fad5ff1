"""What is heard, as a pure function of the position: a mix, its stems, and a gain for each of them and for the rest.

The rest is the mix less its stems, so every way of listening is a row of gains: `sum(gain * stem) + gain * (mix - sum(stem))`.
With all gains at 1 the stems cancel out and are not even read: the mix is heard as it is in its file, bit for bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ui.models.reading import Difference, Frames, Offset, Sound, SoundFile
from ui.models.results import Result
from ui.models.strength import RemaskedStems

View = Literal["mix", "stem", "rest", "highlight", "mixer"]
SILENT_DB = -120.0
"""A fader at its bottom: nothing is heard."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A fader with its buttons."""

    gain_db: float = 0.0
    muted: bool = False
    solo: bool = False


@dataclass(frozen=True, slots=True)
class MixPart:
    """One stem. strength: omega that its sound was rendered with."""

    prompt: str
    sound: Sound
    strength: float = 1.0
    strip: Strip = Strip()


@dataclass(frozen=True, slots=True)
class ListeningMix:
    """A mix and its stems, and which way one listens.

    view: "mix"; "stem", the chosen one alone; "rest", without any stem; "highlight", the mix with the chosen stem raised (or
    lowered) by `highlight_db`; "mixer", each by its own strip. Before there are stems all but the mix are silent or the mix.
    """

    mix: Sound
    parts: tuple[MixPart, ...] = ()
    rest: Strip = Strip()
    view: View = "mix"
    chosen: str = ""
    highlight_db: float = 6.0
    gain_db: float = 0.0
    """Of everything."""
    _gains: tuple[float, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_gains", tuple(VIEWS[self.view](self)))

    @property
    def gains(self) -> tuple[float, ...]:
        """As factors: of each part, and last of the rest."""
        return self._gains

    def at(self, position: int, frames: int) -> Frames:
        """(frames, channels) from `position` on; silence outside the mix."""
        *each, rest = self._gains
        out = np.zeros((frames, self.mix.channels), np.float32)
        if rest:
            out += np.float32(rest) * self.mix.read(position, frames)
        for gain, part in zip(each, self.parts, strict=True):
            if gain != rest:
                out += np.float32(gain - rest) * part.sound.read(position, frames)
        return out if self.gain_db == 0 else out * np.float32(factor(self.gain_db))

    # Another scene.

    def heard(self, view: View, prompt: str | None = None, highlight_db: float | None = None) -> "ListeningMix":
        """Listened to in another way."""
        db = self.highlight_db if highlight_db is None else highlight_db
        return replace(self, view=view, chosen=self.chosen if prompt is None else prompt, highlight_db=db)

    def with_strip(self, prompt: str, strip: Strip) -> "ListeningMix":
        """With one part's fader and buttons otherwise; an empty prompt: the rest's."""
        if not prompt:
            return replace(self, rest=strip)
        return replace(self, parts=tuple(replace(part, strip=strip) if part.prompt == prompt else part for part in self.parts))

    def with_gain(self, gain_db: float) -> "ListeningMix":
        """Louder or softer as a whole."""
        return replace(self, gain_db=gain_db)

    def at_strengths(self, wanted: Mapping[str, float]) -> "ListeningMix":
        """What it will nearly be with its stems at other strengths, see `RemaskedStems`; those not named stay as they are."""
        new = [wanted.get(part.prompt, part.strength) for part in self.parts]
        was = [part.strength for part in self.parts]
        if new == was:
            return self
        bent = RemaskedStems(self.mix, [part.sound for part in self.parts], was, new)
        parts = zip(self.parts, bent.sounds, strict=True)
        return replace(self, parts=tuple(replace(part, sound=sound) for part, sound in parts))


def factor(gain_db: float) -> float:
    """Decibels as a factor; at the fader's bottom nothing."""
    return 0.0 if gain_db <= SILENT_DB else float(10 ** (gain_db / 20))


def _mixer(scene: ListeningMix) -> list[float]:
    strips = [*(part.strip for part in scene.parts), scene.rest]
    alone = any(strip.solo for strip in strips)
    return [0.0 if strip.muted or (alone and not strip.solo) else factor(strip.gain_db) for strip in strips]


VIEWS = {
    "mix": lambda scene: [1.0] * (len(scene.parts) + 1),
    "stem": lambda scene: [*(float(part.prompt == scene.chosen) for part in scene.parts), 0.0],
    "rest": lambda scene: [*([0.0] * len(scene.parts)), 1.0],
    "highlight": lambda scene: [
        *(factor(scene.highlight_db) if part.prompt == scene.chosen else 1.0 for part in scene.parts),
        1.0,
    ],
    "mixer": _mixer,
}
"""For each way to listen: the gain of every part, and last the rest's."""


def listening_mix(mix: Sound, result: Result, offset: int = 0) -> ListeningMix:
    """A finished job's stems over the mix that it was cut out of, `offset` frames into it.

    Where only the rest was written there is one part, which is all that was taken out. Raises BadAudio.
    """

    def placed(file: SoundFile) -> Sound:
        return file if offset == 0 and file.frames == mix.frames else Offset(file, offset, mix.frames)

    parts = tuple(
        MixPart(stem.prompt, placed(SoundFile(stem.path)), stem.strength) for stem in result.stems if stem.path is not None
    )
    if not parts and result.rest is not None:
        rest = SoundFile(result.rest)
        taken = Difference(Offset(mix, -offset, rest.frames), rest)
        name, strength = ", ".join(stem.prompt for stem in result.stems), min(stem.strength for stem in result.stems)
        parts = (MixPart(name, Offset(taken, offset, mix.frames), strength),)
    return ListeningMix(mix, parts, chosen=parts[0].prompt if parts else "")
