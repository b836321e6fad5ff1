"""The picture shows each tone where it is, as loud as it is, whatever the zoom."""

from collections.abc import Callable

import numpy as np
import pytest

from ui.models.reading import SoundFile
from ui.models.spectrogram import FLOOR_DB, band_edges_hz, filters, frame_size, picture

Write = Callable[..., SoundFile]
RATE = 48_000


def tone(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


def band_of(hertz: float, rate: int, bands: int) -> int:
    return int(np.argmin(np.abs(band_edges_hz(rate, bands)[1:-1] - hertz)))


@pytest.mark.parametrize("hertz", [110, 440, 1000, 5000, 15_000])
@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_tone_of_full_scale_is_brightest_in_its_own_band_at_about_0_db(written: Write, hertz: float, rate: int) -> None:
    seen = picture(written(tone(hertz, 1.0, rate), rate), 0.1, 0.9, 40)
    assert seen.shape == (96, 40)
    assert (np.abs(seen.argmax(0) - band_of(hertz, rate, 96)) <= 1).all()
    assert (seen.max(0) > -3).all()
    assert (seen.max(0) < 4).all()  # neighbouring bins of a wide band add up


def test_half_as_loud_is_6_db_less_and_both_channels_count_alike(written: Write) -> None:
    loud = tone(1000, 1.0)
    whole, half = (picture(written(factor * loud), 0.1, 0.9, 10).max() for factor in (1.0, 0.5))
    assert whole - half == pytest.approx(6.02, abs=0.01)
    both = picture(written(np.stack([loud, loud], 1)), 0.1, 0.9, 10).max()
    left = picture(written(np.stack([loud, 0 * loud], 1)), 0.1, 0.9, 10).max()
    assert both == pytest.approx(whole, abs=0.01)
    assert whole - left == pytest.approx(3.01, abs=0.01)


def test_a_moment_stands_in_its_column(written: Write) -> None:
    sound = np.zeros(2 * RATE, np.float32)
    sound[RATE : RATE + RATE // 10] = tone(1000, 0.1)
    seen = picture(written(sound), 0, 2, 40)
    assert seen[:, 20:22].max() > -6
    assert (seen[:, :19] == FLOOR_DB).all()
    assert (seen[:, 24:] == FLOOR_DB).all()


def test_outside_the_sound_is_silence(written: Write) -> None:
    seen = picture(written(tone(1000, 1.0)), -2, 3, 50)
    assert (seen[:, :19] == FLOOR_DB).all()
    assert (seen[:, 31:] == FLOOR_DB).all()
    assert seen[:, 22:28].max(0).min() > -3


def test_a_long_stretch_is_sampled_and_a_close_one_overlaps(written: Write) -> None:
    file = written(np.concatenate([tone(300, 10.0), tone(3000, 10.0)]))
    reads: list[int] = []

    class Counted(SoundFile):
        def read(self, start: int, count: int) -> np.ndarray:
            reads.append(count)
            return super().read(start, count)

    seen = picture(Counted(file.path), 0, 20, 20)
    assert (np.abs(seen[:, :10].argmax(0) - band_of(300, RATE, 96)) <= 1).all()
    assert (np.abs(seen[:, 10:].argmax(0) - band_of(3000, RATE, 96)) <= 1).all()
    assert sum(reads) <= 4 * 20 * frame_size(RATE)  # a fifth of the sound
    close = picture(file, 1.0, 1.05, 500)
    assert (np.abs(close.argmax(0) - band_of(300, RATE, 96)) <= 1).all()


@pytest.mark.parametrize(("rate", "bands"), [(8000, 96), (44_100, 64), (48_000, 128), (192_000, 96)])
def test_no_band_is_without_a_bin(rate: int, bands: int) -> None:
    weights = filters(rate, frame_size(rate), bands)
    assert (weights.max(0) > 0.3).all()
    assert (np.diff(band_edges_hz(rate, bands)) > 0).all()
