"""Loudness as the standard counts it, on signals whose loudness it states."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ui.models.loudness import QUIET_LUFS, lufs, weighting
from ui.models.reading import Frames

RATE = 48_000


def of(sound: NDArray[np.floating], rate: int = RATE) -> float:
    return lufs(reader(sound.astype(np.float32)), rate, 0, len(sound))


def reader(sound: Frames) -> Callable[[int, int], Frames]:
    return lambda start, count: np.pad(sound[start : start + count], ((0, max(0, start + count - len(sound))), (0, 0)))


def tone(seconds: float, level_db: float, channels: int = 2, hertz: float = 1000, rate: int = RATE) -> NDArray[np.float64]:
    sine = 10 ** (level_db / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(sine[:, None], channels, axis=1)


@pytest.mark.parametrize("level_db", [-23.0, -33.0])
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_stereo_tone_is_as_loud_as_ebu_tech_3341_says(level_db: float, rate: int) -> None:
    assert of(tone(20, level_db, rate=rate), rate) == pytest.approx(level_db, abs=0.1)  # its test cases 1 and 2


def test_one_channel_of_full_scale_is_3_below(  # BS.1770-4, the end of annex 1: 997 Hz at 0 dBFS reads -3.01
) -> None:
    assert of(tone(5, 0.0, channels=1, hertz=997)) == pytest.approx(-3.01, abs=0.05)


def test_quiet_stretches_do_not_count() -> None:
    parts = [tone(10, -72), tone(10, -36), tone(60, -23), tone(10, -36), tone(10, -72)]
    assert of(np.concatenate(parts)) == pytest.approx(-23, abs=0.1)  # its test case 4


def test_the_weighting_is_that_of_the_coefficients_the_recommendation_prints() -> None:
    size = 19_200
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    preset_store = (1.53512485958697 - 2.69169618940638 * z + 1.19839281085285 * z**2) / (
        1 - 1.69065929318241 * z + 0.73248077421585 * z**2
    )
    passed = (1 - 2 * z + z**2) / (1 - 1.99004745483398 * z + 0.99007225036621 * z**2)
    np.testing.assert_allclose(weighting(RATE, size), np.abs(preset_store * passed) ** 2, rtol=1e-5, atol=1e-9)


def test_silence_has_no_loudness_and_a_short_sound_has_one() -> None:
    assert of(np.zeros((RATE, 2))) == QUIET_LUFS
    assert of(tone(0.2, -20)) == pytest.approx(-23, abs=0.5)  # half a block
