"""A blind trial is fair: equally loud, dealt anew each round, and honest about chance."""

from collections.abc import Callable

import numpy as np
import pytest

from host_bridge.errors import BadRequest
from ui.models.blind import Letter, Trial, by_chance
from ui.models.loudness import lufs
from ui.models.mixing import ListeningMix
from ui.models.reading import SoundFile

Write = Callable[..., SoundFile]
RATE = 48_000
NOISE = np.random.default_rng(5).uniform(-0.5, 0.5, (3 * RATE, 2)).astype(np.float32)
WHOLE = (0, 3 * RATE)
LETTERS: tuple[Letter, Letter] = ("x", "y")


def test_both_are_equally_loud_and_none_is_raised(written: Write) -> None:
    trial = Trial(ListeningMix(written(NOISE)), ListeningMix(written(NOISE[::-1] / 3)), WHOLE, seed=1)
    levels = [lufs(trial.scene(letter).at, RATE, *WHOLE) for letter in LETTERS]
    assert levels[0] == pytest.approx(levels[1], abs=0.05)
    assert max(trial.gains_db) == 0
    assert min(trial.gains_db) == pytest.approx(-9.54, abs=0.1)


def test_the_letters_are_dealt_anew_each_round_and_votes_find_their_way_home(written: Write) -> None:
    a, b = ListeningMix(written(NOISE)), ListeningMix(written(NOISE / 2))
    trial = Trial(a, b, WHOLE, seed=7)
    first = set()
    for round_ in range(1, 41):
        better: Letter = "x" if trial.scene("x").mix is b.mix else "y"
        first.add(better)
        assert trial.scene("x").mix is not trial.scene("y").mix
        assert trial.vote(better) == round_
    trial.vote("same")
    assert first == {"x", "y"}
    verdict = trial.reveal()
    assert (verdict.a, verdict.b, verdict.same) == (0, 40, 1)
    assert verdict.chance < 1e-10


def test_chance_is_a_coins() -> None:
    assert by_chance(0, 0) == 1
    assert by_chance(3, 3) == 1
    assert by_chance(5, 0) == pytest.approx(2 / 32)
    assert by_chance(0, 5) == by_chance(5, 0)
    assert by_chance(9, 1) == pytest.approx(2 * 11 / 1024)
    assert by_chance(1500, 1500) == 1  # more than a float's powers of two


def test_what_cannot_be_compared_is_refused(written: Write) -> None:
    loud = ListeningMix(written(NOISE))
    with pytest.raises(BadRequest, match="silent"):
        Trial(loud, ListeningMix(written(0 * NOISE)), WHOLE)
    with pytest.raises(BadRequest, match="same rate"):
        Trial(loud, ListeningMix(written(NOISE, 44_100)), WHOLE)
