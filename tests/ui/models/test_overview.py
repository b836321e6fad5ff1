"""A waveform's peaks are those of its samples at every zoom, and an hour is never in memory."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from host_bridge.errors import BadAudio, Cancelled
from host_bridge.vocabulary import Samples
from ui.models.overview import CELL, GULP, LEVEL, Overview
from ui.models.reading import File
from ui.models.region import Region, of_file

Write = Callable[..., File]
RATE = 8000
NOISE = np.random.default_rng(1).uniform(-1, 1, (GULP + 12_345, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("overview") / "noise.wav"
    soundfile.write(made, NOISE, RATE, subtype="FLOAT")
    return made


@pytest.fixture(scope="module")
def overview(path: Path) -> Overview:
    made = Overview(path)
    made.scan()
    return made


def brute(first: int, last: int) -> NDArray[np.float32]:
    """(channels, 2) of these frames."""
    return np.stack([NOISE[first:last].min(0), NOISE[first:last].max(0)], -1)


@pytest.mark.parametrize("width", [CELL, 3 * CELL, CELL * LEVEL, 2 * CELL * LEVEL])
def test_columns_of_whole_cells_are_exact(overview: Overview, width: int) -> None:
    columns = 5
    peaks = overview.peaks(4 * width / RATE, (4 + columns) * width / RATE, columns)
    expected = np.stack([brute((4 + column) * width, (5 + column) * width) for column in range(columns)], 1)
    np.testing.assert_array_equal(peaks, expected)


def test_any_column_holds_its_samples_and_at_most_a_cell_more_on_each_side(overview: Overview) -> None:
    start, end, columns = 1.2345, 20.9876, 77
    peaks = overview.peaks(start, end, columns)
    edges = np.linspace(start * RATE, end * RATE, columns + 1)
    for column in range(columns):
        inner = brute(int(np.ceil(edges[column])), int(edges[column + 1]))
        outer = brute(int(edges[column]) - CELL, int(edges[column + 1]) + CELL + 1)
        assert (peaks[:, column, 0] <= inner[:, 0]).all()
        assert (peaks[:, column, 1] >= inner[:, 1]).all()
        assert (peaks[:, column, 0] >= outer[:, 0]).all()
        assert (peaks[:, column, 1] <= outer[:, 1]).all()


def test_close_up_every_sample_is_shown(overview: Overview) -> None:
    peaks = overview.peaks(100 / RATE, 110 / RATE, 10)
    np.testing.assert_array_equal(peaks, np.repeat(NOISE[100:110].T[..., None], 2, axis=2))
    wide = overview.peaks(100 / RATE, 110 / RATE, 40)  # four columns a sample: no gaps
    np.testing.assert_array_equal(wide[:, ::4, 0], NOISE[100:110].T)
    assert np.isin(wide, NOISE[100:111]).all()


def test_all_of_it_in_one_column_is_its_extremes(overview: Overview) -> None:
    peaks = overview.peaks(0, len(NOISE) / RATE, 1)
    np.testing.assert_array_equal(peaks[:, 0], brute(0, len(NOISE)))


@pytest.mark.parametrize("per_column", [3, CELL, CELL * LEVEL])
def test_outside_is_silence(overview: Overview, per_column: int) -> None:
    length = 8 * per_column / RATE
    assert not overview.peaks(-length, 0, 8).any()
    end = len(NOISE) / RATE + CELL * LEVEL**2 / RATE
    assert not overview.peaks(end, end + length, 8).any()


def test_what_is_not_read_yet_is_silent_and_a_stopped_scan_goes_on(path: Path) -> None:
    overview = Overview(path)

    def stop(done: float, _stage: str) -> None:
        if done > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        overview.scan(stop)
    assert overview.read_s == GULP / RATE
    assert not overview.whole
    assert overview.peaks(0, GULP / RATE, 10).any()
    assert not overview.peaks((GULP + CELL) / RATE, (GULP + 9 * CELL) / RATE, 8).any()
    overview.scan()
    assert overview.whole
    np.testing.assert_array_equal(overview.peaks(0, len(NOISE) / RATE, 1)[:, 0], brute(0, len(NOISE)))


def test_of_a_region_only_its_own_stretch_is_shown(path: Path) -> None:
    whole = of_file(path)
    start, frames = 1234, 50_000
    region = Region(path, Samples(start), Samples(frames), whole.rate, 2, "part")
    overview = Overview(region)
    overview.scan()
    np.testing.assert_array_equal(overview.peaks(0, frames / RATE, 1)[:, 0], brute(start, start + frames))
    np.testing.assert_array_equal(overview.peaks(0, 8 / RATE, 8)[..., 0], NOISE[start : start + 8].T)


def test_an_hour_is_drawn_without_being_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "hour.wav"
    second = (0.5 * np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for number in range(3600):
            file.write(second * (0.25 if number < 1800 else 1.0))
    tracemalloc.start()
    try:
        overview = Overview(path)
        overview.scan()
        peaks = overview.peaks(0, 3600, 1000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 16 << 20  # the sound itself is 115 MB as float32
    np.testing.assert_allclose(peaks[0, :499, 1], 0.125, atol=1e-3)
    np.testing.assert_allclose(peaks[0, 501:, 1], 0.5, atol=1e-3)


def test_a_file_that_is_shorter_than_it_says_is_refused(written: Write) -> None:
    file = written(NOISE)
    overview = Overview(file.path)
    with file.path.open("rb+") as raw:
        raw.truncate(100_000)
    with pytest.raises(BadAudio, match="changed while it was read"):
        overview.scan()
