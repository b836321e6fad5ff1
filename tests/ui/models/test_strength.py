"""The preview of another strength is what the engine will render, nearly, and at once."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ui.models.mixing import Part, Scene
from ui.models.reading import File
from ui.models.strength import Bent

Write = Callable[..., File]
RATE = 48_000
GENERATOR = np.random.default_rng(2)


def unlike_db(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """How far the difference lies below the first, in dB."""
    return float(10 * np.log10(np.mean((a - b) ** 2) / np.mean(a**2)))


@pytest.fixture
def two(written: Write) -> tuple[File, File]:
    """A mix of a hum and noise, and a stem that is the mix with its upper half at a quarter."""
    t = np.arange(2 * RATE) / RATE
    low = 0.3 * np.stack([np.sin(2 * np.pi * 200 * t), np.sin(2 * np.pi * 300 * t)], 1)
    high = 0.2 * np.stack([np.sin(2 * np.pi * 5000 * t), np.sin(2 * np.pi * 7000 * t)], 1)
    return written(low + high), written(low + 0.25 * high)


def test_at_the_strength_that_it_was_rendered_with_it_is_the_stem(two: tuple[File, File]) -> None:
    mix, stem = two
    (same,) = Bent(mix, [stem], [0.5], [0.5]).sounds
    heard, true = same.read(RATE // 2, RATE), stem.read(RATE // 2, RATE)
    assert unlike_db(true, heard) < -60
    assert (same.rate, same.channels, same.frames) == (RATE, 2, mix.frames)


@pytest.mark.parametrize(("rendered", "wanted", "share"), [(1.0, 0.5, 0.5), (1.0, 0.0, 1.0), (0.5, 1.0, 0.0625)])
def test_the_mask_is_bent_by_its_power(two: tuple[File, File], rendered: float, wanted: float, share: float) -> None:
    mix, stem = two
    (bent,) = Bent(mix, [stem], [rendered], [wanted]).sounds
    sound = bent.read(RATE // 2, RATE)[:, 0] * np.hanning(RATE)
    whole = mix.read(RATE // 2, RATE)[:, 0] * np.hanning(RATE)
    spectra = np.abs(np.fft.rfft(sound)), np.abs(np.fft.rfft(whole))
    assert spectra[0][200] / spectra[1][200] == pytest.approx(1, abs=0.01)
    assert spectra[0][5000] / spectra[1][5000] == pytest.approx(share, abs=0.01)


def test_it_is_the_same_sound_whatever_it_is_cut_into(two: tuple[File, File]) -> None:
    mix, stem = two
    (bent,) = Bent(mix, [stem], [1.0], [0.4]).sounds
    whole = bent.read(-500, 10_000)
    pieces = [bent.read(start, min(start + 777, 9_500) - start) for start in range(-500, 9_500, 777)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=2e-7)


@pytest.mark.parametrize("other", [0.0, 0.3, 1.0])
def test_each_stem_stands_alone_whatever_the_other_faders_do(written: Write, other: float) -> None:
    mix = GENERATOR.standard_normal((RATE, 1)).astype(np.float32) * 0.1
    file, halves = written(mix), [written(0.5 * mix), written(0.5 * mix)]
    both = Bent(file, halves, [1.0, 1.0], [other, 1.0]).sounds
    heard = [sound.read(RATE // 4, RATE // 2) for sound in both]
    np.testing.assert_allclose(heard[0], mix[RATE // 4 : 3 * RATE // 4] * 0.5**other, atol=1e-4)
    np.testing.assert_allclose(heard[1], mix[RATE // 4 : 3 * RATE // 4] / 2, atol=1e-4)


def test_a_stem_rendered_at_0_says_nothing_of_its_mask_and_stays_as_it_is(written: Write) -> None:
    mix = GENERATOR.standard_normal((RATE, 1)).astype(np.float32) * 0.1
    (bent,) = Bent(written(mix), [written(mix)], [0.0], [1.0]).sounds
    assert unlike_db(mix[5000:10_000], bent.read(5000, 5000)) < -60


def test_silence_stays_silence(written: Write) -> None:
    silent = np.zeros((RATE, 2), np.float32)
    (bent,) = Bent(written(silent), [written(silent)], [1.0], [0.3]).sounds
    assert not bent.read(0, RATE).any()


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_a_block_of_20_ms_is_there_in_time(written: Write, rate: int, in_time: Callable[[float, float], None]) -> None:
    sound = GENERATOR.standard_normal((2 * rate, 2)).astype(np.float32)
    mix, stem = written(sound, rate), written(0.3 * sound, rate)
    took = []
    for turn in range(20):  # a fader that is dragged: every block at another strength
        start = time.perf_counter()
        (bent,) = Bent(mix, [stem], [1.0], [1 - turn / 20]).sounds
        bent.read(turn * rate // 50, rate // 50)
        took.append(time.perf_counter() - start)
    in_time(sorted(took)[10], 0.04)  # 100 ms less the 60 that the card holds; 3 ms on an idle machine


def test_a_scene_at_other_strengths_is_bent_and_at_the_same_is_itself(two: tuple[File, File]) -> None:
    mix, stem = two
    scene = Scene(mix, (Part("hum", stem),)).heard("stem", "hum")
    assert scene.at_strengths({"hum": 1.0, "nobody": 0.3}) is scene
    softer = scene.at_strengths({"hum": 0.0})
    assert unlike_db(mix.read(RATE // 2, RATE), softer.at(RATE // 2, RATE)) < -60
    assert unlike_db(scene.at(RATE // 2, RATE), softer.at(RATE // 2, RATE)) > -20
