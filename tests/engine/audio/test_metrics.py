"""Measurements on files: an error of one sample or of -100 dB is found, and silence is said to be silence."""

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.audio import metrics
from engine.audio.metrics import lag_samples, null_dbfs, peak_dbfs, sha256, si_sdr
from engine.audio.source import AudioSource, open_source

Sound = np.ndarray[Any, np.dtype[np.float64]]


def noise(frames: int, channels: int = 2, seed: int = 1) -> Sound:
    return np.random.default_rng(seed).uniform(-0.25, 0.25, (frames, channels)).astype("f4").astype("f8")


def save(path: Path, sound: Sound, rate: int = 8000) -> Path:
    soundfile.write(path, sound, rate, format="WAV", subtype="FLOAT")
    return path


def mix_of(folder: Path, *stems: Sound, rate: int = 8000) -> AudioSource:
    soundfile.write(folder / "mix.wav", np.sum(stems, axis=0), rate, subtype="DOUBLE")
    return open_source(folder / "mix.wav")


@pytest.mark.parametrize(("frames", "channels"), [(1, 1), (1, 2), (5000, 1), (150_000, 2), (300, 7)])
def test_stems_that_sum_to_the_mix_null_to_the_floor(tmp_path: Path, frames: int, channels: int) -> None:
    a, b = noise(frames, channels), noise(frames, channels, seed=2)
    paths = [save(tmp_path / "a.wav", a), save(tmp_path / "b.wav", b)]
    assert null_dbfs(mix_of(tmp_path, a, b), paths) == -200.0


@pytest.mark.parametrize("at", [0, 65_536, 149_999])
def test_an_error_of_a_hundred_thousandth_is_minus_100_db_wherever_it_lies(tmp_path: Path, at: int) -> None:
    a, b = noise(150_000), noise(150_000, seed=2)
    source = mix_of(tmp_path, a, b)
    b[at, 1] += 1e-5
    paths = [save(tmp_path / "a.wav", a), save(tmp_path / "b.wav", b)]
    assert null_dbfs(source, paths) == pytest.approx(-100, abs=0.1)


def test_the_null_is_that_of_the_region_alone(tmp_path: Path) -> None:
    sound = noise(1000)
    mix_of(tmp_path, sound)
    part = open_source(tmp_path / "mix.wav", 300 / 8000, 200 / 8000)
    assert null_dbfs(part, [save(tmp_path / "a.wav", sound[300:500])]) == -200
    assert null_dbfs(part, [save(tmp_path / "a.wav", sound[301:501])]) > -20


@pytest.mark.parametrize("frames", [100_000, 200_000])
def test_a_file_that_is_too_short_or_too_long_does_not_null(tmp_path: Path, frames: int) -> None:
    source = mix_of(tmp_path, noise(150_000))
    sound = noise(200_000)
    sound[:150_000] = noise(150_000)
    assert null_dbfs(source, [save(tmp_path / "a.wav", sound[:frames])]) > -20


def test_errors_below_the_floor_are_the_floor(tmp_path: Path) -> None:
    source = mix_of(tmp_path, np.zeros((100, 1)))
    assert null_dbfs(source, [save(tmp_path / "a.wav", np.full((100, 1), 1e-12))]) == -200
    assert null_dbfs(source, [save(tmp_path / "a.wav", np.full((100, 1), 1e-9))]) == pytest.approx(-180)


@pytest.mark.parametrize("at", [0, 70_000])
def test_nan_is_infinitely_loud(tmp_path: Path, at: int) -> None:
    sound = noise(80_000)
    source = mix_of(tmp_path, sound)
    sound[at, 0] = np.nan
    path = save(tmp_path / "a.wav", sound)
    assert null_dbfs(source, [path]) == peak_dbfs(path) == math.inf


def test_files_of_other_channels_or_another_rate_cannot_null(tmp_path: Path) -> None:
    source = mix_of(tmp_path, noise(100, 2))
    with pytest.raises(ValueError, match="1 channels"):
        null_dbfs(source, [save(tmp_path / "a.wav", noise(100, 1))])
    with pytest.raises(ValueError, match="16000 Hz"):
        null_dbfs(source, [save(tmp_path / "a.wav", noise(100, 2), 16000)])


@pytest.mark.parametrize(("peak", "db"), [(1.0, 0.0), (-0.5, -6.0206), (2.0, 6.0206), (0.0, -200.0)])
def test_the_peak_is_that_of_the_largest_magnitude(tmp_path: Path, peak: float, db: float) -> None:
    sound = np.zeros((70_000, 2))
    sound[69_000, 1] = peak
    assert peak_dbfs(save(tmp_path / "a.wav", sound)) == pytest.approx(db, abs=1e-4)


def test_a_file_without_samples_has_no_peak(tmp_path: Path) -> None:
    assert peak_dbfs(save(tmp_path / "a.wav", np.zeros((0, 2)))) == -200


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", noise(100_000))
    assert sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("lag", [0, 1, -1, 7, -333, 2000, -2000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_shifted_stem_is_found_to_the_sample(tmp_path: Path, lag: int, channels: int) -> None:
    stem, other = noise(20_000, channels), noise(20_000, channels, seed=2)
    source = mix_of(tmp_path, stem, other)
    shifted = np.roll(np.pad(stem, ((2000, 2000), (0, 0))), lag, axis=0)[2000:-2000]
    assert lag_samples(source, save(tmp_path / "a.wav", shifted)) == lag


def test_a_lag_is_sought_where_the_stem_is_loudest_and_in_the_region(tmp_path: Path) -> None:
    sound = noise(40 * 8000, 1) * 0.01
    sound[25 * 8000 : 27 * 8000] *= 50
    mix_of(tmp_path, sound)
    part = open_source(tmp_path / "mix.wav", 3.0)
    late = np.pad(sound[3 * 8000 :], ((5, 0), (0, 0)))[:-5]
    late[: 20 * 8000] = sound[3 * 8000 : 23 * 8000]  # not late where it is quiet
    assert lag_samples(part, save(tmp_path / "a.wav", late)) == 5


def test_opposite_channels_do_not_hide_the_lag(tmp_path: Path) -> None:
    sound = noise(9000, 1) * [1, -1]
    late = np.pad(sound, ((3, 0), (0, 0)))[:-3]
    assert lag_samples(mix_of(tmp_path, sound), save(tmp_path / "a.wav", late)) == 3


@pytest.mark.parametrize("side", [[1, 0], [0, 1]])
def test_a_stem_on_one_side_has_a_lag(tmp_path: Path, side: list[int]) -> None:
    sound = noise(9000, 1) * side
    late = np.pad(sound, ((3, 0), (0, 0)))[:-3]
    assert lag_samples(mix_of(tmp_path, sound), save(tmp_path / "a.wav", late)) == 3


def test_a_steady_tone_has_the_nearest_of_its_lags(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 100 * np.arange(8000 * 12) / 8000)[:, None]
    assert lag_samples(mix_of(tmp_path, tone), save(tmp_path / "a.wav", tone)) == 0


def test_a_single_sample_has_a_lag(tmp_path: Path) -> None:
    one = np.full((1, 1), 0.5)
    assert lag_samples(mix_of(tmp_path, one), save(tmp_path / "a.wav", one)) == 0


def test_silence_has_no_lag(tmp_path: Path) -> None:
    source = mix_of(tmp_path, noise(5000))
    assert lag_samples(source, save(tmp_path / "a.wav", np.zeros((5000, 2)))) is None
    silent = mix_of(tmp_path, np.zeros((5000, 2)))
    assert lag_samples(silent, save(tmp_path / "a.wav", noise(5000))) is None


def test_si_sdr_is_the_ratio_of_the_papers_and_knows_no_scale_nor_mean() -> None:
    rng = np.random.default_rng(3)
    target = rng.standard_normal(10_000)
    target -= target.mean()
    error = rng.standard_normal(10_000)
    error -= error.mean()
    error -= target * (error @ target) / (target @ target)
    error *= 0.1 * np.linalg.norm(target) / np.linalg.norm(error)
    assert si_sdr(target + error, target) == pytest.approx(20)
    assert si_sdr(-3 * (target + error) + 5, 7 * target - 2) == pytest.approx(20)


def test_si_sdr_hears_a_sound_on_the_wrong_side() -> None:
    sound = noise(1000, 1)
    assert si_sdr(sound * [1, 1], sound * [1, 1]) > 150
    assert si_sdr(sound * [1, 0], sound * [1, 1]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("shape", [(500,), (500, 2), (1,)])
def test_si_sdr_of_silence_is_finite(shape: tuple[int, ...]) -> None:
    silence, sound = np.zeros(shape), np.arange(math.prod(shape), dtype="f8").reshape(shape)
    assert si_sdr(silence, silence) == 200
    if len(sound) > 1:
        assert si_sdr(silence, sound) == si_sdr(sound, silence) == -200
        assert si_sdr(sound, sound) == 200


def test_si_sdr_of_unequal_lengths_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="shape"):
        si_sdr(noise(5), noise(6))


def test_a_measurement_never_holds_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = noise(10_000)
    source, path = mix_of(tmp_path, sound), save(tmp_path / "a.wav", sound)
    monkeypatch.setattr(metrics, "_BLOCK", 100)
    largest = 0
    read = soundfile.SoundFile.read

    def watched(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal largest
        found = read(self, *args, **kwargs)
        largest = max(largest, len(found))
        return found

    monkeypatch.setattr(soundfile.SoundFile, "read", watched)
    assert null_dbfs(source, [path]) == -200
    peak_dbfs(path)
    assert 0 < largest <= 100
