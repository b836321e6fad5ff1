"""Two results compared by ear alone: equally loud, under letters that hide which is which, until one wants to know."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal

from host_bridge.errors import BadRequest
from ui import texts
from ui.models.loudness import QUIET_LUFS, lufs
from ui.models.mixing import ListeningMix

Letter = Literal["x", "y"]
Vote = Literal["x", "y", "same"]
LONGEST_S = 60.0
"""So much at most is weighed: from the middle of the stretch, since loudness is a mean."""


@dataclass(frozen=True, slots=True)
class BlindVerdict:
    """What came of a trial. chance: how likely a coin would have been at least as one-sided; 1 says nothing at all."""

    a: int
    b: int
    same: int
    chance: float


class Trial:
    """Two scenes in rounds; before each round the letters are dealt anew. The louder one is lowered, none is raised.

    stretch: first frame and the frame behind the last, over which they are made equally loud. Raises BadRequest where one of
    them is silent there, or they are not of one rate.
    """

    def __init__(self, a: ListeningMix, b: ListeningMix, stretch: tuple[int, int], seed: int | None = None) -> None:
        if (a.mix.rate, a.mix.channels) != (b.mix.rate, b.mix.channels):
            raise BadRequest(texts.UNLIKE_RATES, texts.UNLIKE_RATES_TODO)
        self._random = random.Random(seed)  # noqa: S311 - dealt to a listener, not to an enemy
        levels = [_loudness(scene, stretch) for scene in (a, b)]
        if min(levels) <= QUIET_LUFS:
            raise BadRequest(texts.ONE_IS_SILENT, texts.ONE_IS_SILENT_TODO)
        self.gains_db = tuple(min(levels) - level for level in levels)
        self._scenes = [scene.with_gain(scene.gain_db + gain) for scene, gain in zip((a, b), self.gains_db, strict=True)]
        self._votes: list[int | None] = []
        self._x = 0
        self._deal()

    def scene(self, letter: Letter) -> ListeningMix:
        """What is behind a letter in this round."""
        return self._scenes[self._behind(letter)]

    def vote(self, vote: Vote) -> int:
        """Say which is better, or that they are the same; returns how many votes there are. The letters are dealt anew."""
        self._votes.append(None if vote == "same" else self._behind(vote))
        self._deal()
        return len(self._votes)

    def reveal(self) -> BlindVerdict:
        """How often the first and the second were preferred."""
        a, b = self._votes.count(0), self._votes.count(1)
        return BlindVerdict(a, b, self._votes.count(None), by_chance(a, b))

    def _behind(self, letter: Letter) -> int:
        return self._x if letter == "x" else 1 - self._x

    def _deal(self) -> None:
        self._x = self._random.randrange(2)


def by_chance(a: int, b: int) -> float:
    """How likely a fair coin would be at least as one-sided as a to b (two-sided sign test)."""
    rounds, most = a + b, max(a, b)
    sided = 2 * sum(comb(rounds, hits) for hits in range(most, rounds + 1))
    return min(1.0, sided / (1 << rounds))


def _loudness(scene: ListeningMix, stretch: Sequence[int]) -> float:
    start, end = stretch
    spare = max(0, end - start - round(LONGEST_S * scene.mix.rate)) // 2
    return lufs(scene.at, scene.mix.rate, start + spare, end - spare)
