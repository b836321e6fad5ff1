"""Reading: every format and every way of cutting gives the same sound, and what cannot be used is refused in words."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import signal

from engine import audio
from engine.audio import Source, heard, heard_by, open_source, resampled
from host_bridge.errors import BadAudio, BadRequest
from host_bridge.vocabulary import Hertz

Sound = np.ndarray[Any, np.dtype[np.float64]]
RATE = 8000
FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "double.wav": ("WAV", "DOUBLE"),
    "wavex.wav": ("WAVEX", "PCM_24"),
    "adpcm.wav": ("WAV", "MS_ADPCM"),
    "rf64": ("RF64", "FLOAT"),
    "flac": ("FLAC", "PCM_24"),
    "aiff": ("AIFF", "PCM_16"),
    "caf": ("CAF", "PCM_24"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def noise(frames: int, channels: int = 2, seed: int = 1) -> Sound:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (frames, channels))


def save(path: Path, sound: Sound, rate: int = RATE, kind: str = "double.wav") -> Path:
    container, subtype = FORMATS[kind]
    soundfile.write(path, sound, rate, format=container, subtype=subtype)
    return path


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of 12000 stereo samples for each format."""
    folder = tmp_path_factory.mktemp("shelf")
    for kind in FORMATS:
        save(folder / f"x.{kind}", noise(12000), kind=kind)
    return folder


def region(source: Source, size: int = 4096) -> Sound:
    return np.concatenate([block for _, block in source.blocks(size)])


LOSSY = {"adpcm.wav": 6e-3, "ogg": 1e-6, "mp3": 1e-5}
"""How far FFmpeg's decoders, which read these, are from libsndfile's. Opus they decode at 48 kHz, as its RFC says."""


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "opus"])
def test_every_format_is_read_as_libsndfile_reads_it_whole(shelf: Path, kind: str) -> None:
    whole, _ = soundfile.read(shelf / f"x.{kind}", always_2d=True)
    source = open_source(shelf / f"x.{kind}")
    assert (source.rate, source.channels, source.samples, source.start) == (RATE, 2, len(whole), 0)
    assert source.peak == pytest.approx(np.abs(whole).max(), rel=2e-2 if kind == "adpcm.wav" else 1e-5)
    np.testing.assert_allclose(source.mean, whole.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(region(source), whole, rtol=0, atol=LOSSY.get(kind, 0))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_region_is_the_same_stretch_of_every_format(shelf: Path, kind: str) -> None:
    whole = region(open_source(shelf / f"x.{kind}"))
    source = open_source(shelf / f"x.{kind}", 0.7501, 0.25)
    rate = 48_000 if kind == "opus" else RATE
    first, length = round(0.7501 * rate), rate // 4
    assert (source.start, source.length, source.samples) == (first, length, len(whole))
    np.testing.assert_array_equal(region(source, 777), whole[first : first + length])
    assert source.peak == np.abs(whole[first : first + length]).max()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    kind=st.sampled_from(["wav", "mp3", "ogg", "flac"]),
    size=st.integers(1, 400),
    around=st.integers(0, 500),
    start=st.integers(0, 11999),
    length=st.integers(1, 700),
)
def test_the_size_of_blocks_never_changes_what_is_read(
    shelf: Path, kind: str, size: int, around: int, start: int, length: int
) -> None:
    source = open_source(shelf / f"x.{kind}", start / RATE, length / RATE)
    whole = region(open_source(shelf / f"x.{kind}"), 12000)
    stretch = whole[start : start + length]
    padded = np.pad(stretch, ((around, around), (0, 0)))
    expected = 0
    for position, block in source.blocks(size, around):
        n = min(size, len(stretch) - position)
        assert position == expected
        np.testing.assert_array_equal(block, padded[position : position + n + 2 * around])
        block[:] = 7  # the caller may do as it likes with its block
        expected += n
    assert expected == len(stretch) == source.length


@pytest.mark.parametrize("channels", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("rate", [1, 11025, 44100, 384000])
def test_any_rate_and_any_number_of_channels_is_read(tmp_path: Path, rate: int, channels: int) -> None:
    sound = noise(37, channels)
    source = open_source(save(tmp_path / "x.wav", sound, rate))
    assert (source.rate, source.channels, source.length) == (rate, channels, 37)
    np.testing.assert_array_equal(region(source), sound)


def test_names_with_spaces_and_any_script_are_read(tmp_path: Path) -> None:
    path = tmp_path / "Ünïcode 太鼓 (mix) [final]"
    path.mkdir()
    assert open_source(save(path / "søng – 02 🎸.wav", noise(9))).length == 9


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = save(tmp_path / "x.wav", noise(50))
    assert open_source(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_length_beyond_the_end_is_cut_at_the_end(tmp_path: Path) -> None:
    sound = noise(100)
    source = open_source(save(tmp_path / "x.wav", sound), 90 / RATE, 1e300)
    assert (source.start, source.length) == (90, 10)
    np.testing.assert_array_equal(region(source), sound[90:])


@pytest.mark.parametrize("start_s", [-0.001, float("nan"), float("inf"), -float("inf"), 100 / RATE, 5.0, 1e308])
def test_a_start_that_is_not_in_the_file_is_a_bad_request(tmp_path: Path, start_s: float) -> None:
    with pytest.raises(BadRequest, match="cannot start at"):
        open_source(save(tmp_path / "x.wav", noise(100)), start_s)


@pytest.mark.parametrize("length_s", [0, -1.0, float("nan"), float("inf")])
def test_a_length_of_nothing_is_a_bad_request(tmp_path: Path, length_s: float) -> None:
    with pytest.raises(BadRequest, match="long"):
        open_source(save(tmp_path / "x.wav", noise(100)), None, length_s)


def test_the_last_sample_can_be_asked_for_alone(tmp_path: Path) -> None:
    sound = noise(100)
    np.testing.assert_array_equal(region(open_source(save(tmp_path / "x.wav", sound), 99 / RATE)), sound[99:])


def refused(path: Path, words: str) -> None:
    with pytest.raises(BadAudio) as caught:
        open_source(path)
    assert words in caught.value.what
    assert path.name in caught.value.what
    assert caught.value.what.endswith(".")
    assert caught.value.todo.endswith(".")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "gone.wav", "does not exist")


def test_a_file_inside_a_file_is_missing(tmp_path: Path) -> None:
    refused(save(tmp_path / "x.wav", noise(5)) / "y.wav", "does not exist")


def test_a_name_longer_than_any_file_system_allows_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / ("n" * 400), "cannot be read")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "songs.wav").mkdir()
    refused(tmp_path / "songs.wav", "is a folder")


def test_a_pipe_is_refused_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    refused(tmp_path / "pipe.wav", "pipe or a device")


def test_a_device_is_refused() -> None:
    refused(Path("/dev/zero"), "pipe or a device")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.wav").touch()
    refused(tmp_path / "x.wav", "is empty")


@pytest.mark.parametrize("name", ["x.wav", "x.mp3", "x.flac", "x.raw", "x"])
@pytest.mark.parametrize("raw", [b"Dear diary, " * 500, b"\x89PNG\r\n\x1a\n" + bytes(3000), b"RIFF", b"OggS", bytes(5000)])
def test_what_is_not_audio_is_refused(tmp_path: Path, name: str, raw: bytes) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(BadAudio):
        open_source(tmp_path / name)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "x.wav", noise(5))

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)  # to the superuser no file is closed
    refused(path, "cannot be read: Permission denied")


def test_a_file_of_no_samples_is_refused(tmp_path: Path) -> None:
    refused(save(tmp_path / "x.wav", noise(0)), "holds no sound")


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "adpcm.wav"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_file_that_is_cut_off_is_refused(shelf: Path, tmp_path: Path, kind: str, kept: float) -> None:
    raw = (shelf / f"x.{kind}").read_bytes()
    (tmp_path / f"x.{kind}").write_bytes(raw[: int(len(raw) * kept)])
    refused(tmp_path / f"x.{kind}", "cut off or damaged")


@pytest.mark.parametrize("kind", ["wav", "float.wav", "rf64", "aiff", "caf", "flac", "ogg", "opus"])
def test_one_byte_less_is_cut_off(shelf: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / f"x.{kind}").write_bytes((shelf / f"x.{kind}").read_bytes()[:-1])
    refused(tmp_path / f"x.{kind}", "cut off or damaged")


def test_a_flac_that_is_damaged_in_the_middle_is_refused(shelf: Path, tmp_path: Path) -> None:
    raw = bytearray((shelf / "x.flac").read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 20000] = bytes(20000)
    (tmp_path / "x.flac").write_bytes(raw)
    refused(tmp_path / "x.flac", "cut off or damaged")


def test_a_wav_stream_of_unknown_length_is_read_to_its_end(shelf: Path, tmp_path: Path) -> None:
    raw = bytearray((shelf / "x.float.wav").read_bytes())
    raw[4:8] = b"\xff" * 4
    at = raw.index(b"data")
    raw[at + 4 : at + 8] = b"\xff" * 4
    (tmp_path / "x.wav").write_bytes(raw)
    np.testing.assert_array_equal(region(open_source(tmp_path / "x.wav")), region(open_source(shelf / "x.float.wav")))


def test_a_flac_stream_of_unknown_length_is_read_to_its_end(shelf: Path, tmp_path: Path) -> None:
    raw = bytearray((shelf / "x.flac").read_bytes())
    raw[21] &= 0xF0  # the 36 bits of STREAMINFO's total samples
    raw[22:26] = bytes(4)
    (tmp_path / "x.flac").write_bytes(raw)
    source = open_source(tmp_path / "x.flac", 1.0)
    assert source.samples == 12000
    np.testing.assert_array_equal(region(source), region(open_source(shelf / "x.flac", 1.0)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("at", [0, 4000, 11999])
def test_a_sample_that_is_no_number_is_refused_with_its_time(tmp_path: Path, value: float, at: int) -> None:
    sound = noise(12000)
    sound[at, 1] = value
    refused(save(tmp_path / "x.wav", sound), f"NaN or infinite) at {at / RATE:.3f} s")


def test_the_time_of_a_bad_sample_is_right_in_later_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_VALUES", 1000)
    sound = noise(12000)
    sound[[8000, 8200], 0] = np.nan
    path = save(tmp_path / "x.wav", sound)
    refused(path, "at 1.000 s")
    with pytest.raises(BadAudio, match=r"at 1\.025 s"):
        open_source(path, 1.001)
    assert open_source(path, 0.2, 0.8).length == 6400  # a region beside them is as good as any


def test_a_file_that_changes_between_scan_and_reading_is_refused(tmp_path: Path) -> None:
    source = open_source(save(tmp_path / "x.wav", noise(1000)))
    save(tmp_path / "x.wav", noise(500))
    with pytest.raises(BadAudio, match="changed"):
        region(source)


@pytest.mark.parametrize("start_s", [0.0, 1.4])
def test_a_flac_that_ends_too_soon_is_cut_off_and_did_not_change(shelf: Path, tmp_path: Path, start_s: float) -> None:
    raw = (shelf / "x.flac").read_bytes()
    (tmp_path / "x.flac").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(BadAudio, match="cut off or damaged"):
        open_source(tmp_path / "x.flac", start_s, 0.01)


@pytest.mark.parametrize(
    ("weights", "fold"),
    [
        ([1], [1]),
        ([1, 1], [0.5, 0.5]),
        ([1, 0], [0.5, 0.5]),
        ([1, -1], [1, 0]),
        ([1, -1.1], [0, 1]),
        ([1, -0.4], [0.5, 0.5]),  # keeps 15 %
        ([1, -0.6], [1, 0]),  # keeps 6 %
        ([1, -1, 0.01], [1, 0, 0]),
        ([0, 0], [0.5, 0.5]),
    ],
)
def test_channels_are_averaged_unless_they_cancel(tmp_path: Path, weights: list[float], fold: list[float]) -> None:
    source = open_source(save(tmp_path / "x.wav", noise(1000, 1) * weights))
    np.testing.assert_array_equal(source.fold, fold)


def test_the_fold_is_judged_in_the_region_alone(tmp_path: Path) -> None:
    sound = noise(1000, 1) * [1, -1]
    sound[500:, 1] *= -1
    path = save(tmp_path / "x.wav", sound)
    assert list(open_source(path, 0, 500 / RATE).fold) == [1, 0]
    assert list(open_source(path, 500 / RATE).fold) == [0.5, 0.5]


def test_a_scan_in_small_blocks_finds_the_same(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = open_source(shelf / "x.flac", 0.3, 0.9)
    monkeypatch.setattr(audio, "_VALUES", 500)
    small = open_source(shelf / "x.flac", 0.3, 0.9)
    assert (small.peak, small.samples, list(small.fold)) == (large.peak, large.samples, list(large.fold))
    np.testing.assert_array_equal(region(small), region(large))


def cut(sound: Any, sizes: list[int]) -> Iterator[Any]:
    at = 0
    for size in [*sizes, len(sound)]:
        yield sound[at : at + size]
        at += size


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 3000),
    rates=st.sampled_from([(44100, 16000), (48000, 16000), (16000, 44100), (192000, 16000), (11025, 48000)]),
    sizes=st.lists(st.integers(1, 900), max_size=5),
)
def test_resampling_in_any_pieces_gives_the_same_ceil_of_samples(n: int, rates: tuple[int, int], sizes: list[int]) -> None:
    source, target = Hertz(rates[0]), Hertz(rates[1])
    sound = noise(n, 1)[:, 0].astype("f4")
    whole = np.concatenate(list(resampled([sound], source, target)))
    pieces = np.concatenate(list(resampled(cut(sound, sizes), source, target)))
    assert len(whole) == -(-n * target // source)
    np.testing.assert_array_equal(whole, pieces)


@pytest.mark.parametrize(("source", "target"), [(44100, 16000), (16000, 48000), (48000, 44100)])
def test_resampling_does_not_shift_the_sound(source: int, target: int) -> None:
    def wave(rate: int) -> Any:
        time_s = np.arange(rate) / rate
        return np.sin(2 * np.pi * 440 * time_s) * np.hanning(rate)

    made = np.concatenate(list(resampled([wave(source).astype("f4")], Hertz(source), Hertz(target))))
    np.testing.assert_allclose(made, wave(target), atol=2e-4)


def high_passed(pieces: Iterable[Any], rate: int) -> Sound:
    """Without what nobody hears, the whole at once."""
    sections = signal.butter(2, audio.LOWEST_HZ, "highpass", fs=rate, output="sos")
    filtered: Sound = signal.sosfilt(sections, np.concatenate(list(pieces)), axis=0)
    return filtered


def test_a_mono_model_hears_the_fold_of_the_region_at_its_rate(tmp_path: Path) -> None:
    sound = noise(150_000)
    source = open_source(save(tmp_path / "x.wav", sound, 44100), 1.0)
    mean = sound[44100:].mean(axis=1)
    mean = (mean - mean.mean()).astype("f4")
    made = np.concatenate(list(heard(source, Hertz(16000))))
    assert made.dtype == np.float32
    expected = high_passed(resampled([mean], Hertz(44100), Hertz(16000)), 16000)
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-6)
    same = np.concatenate(list(heard(source, Hertz(44100))))
    np.testing.assert_allclose(same, high_passed([mean], 44100), rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_stereo_model_hears_stereo_as_it_is_and_anything_else_folded_on_both_sides(tmp_path: Path, rate: int) -> None:
    sound = noise(50_000)
    stereo = open_source(save(tmp_path / "x.wav", sound, 44100))
    made = np.concatenate(list(heard_by(stereo, Hertz(rate), 2)))
    for number, side in enumerate(sound.T):
        alone = open_source(save(tmp_path / "side.wav", side[:, None], 44100))
        np.testing.assert_allclose(made[:, number], np.concatenate(list(heard(alone, Hertz(rate)))), rtol=0, atol=1e-6)
    mono = open_source(save(tmp_path / "y.wav", sound[:, :1], 44100))
    both = np.concatenate(list(heard_by(mono, Hertz(rate), 2)))
    np.testing.assert_array_equal(both, np.stack([np.concatenate(list(heard(mono, Hertz(rate))))] * 2, 1))


@pytest.mark.parametrize("offset", [0.02, 0.1, 0.4, -0.4])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_model_hears_no_offset_and_no_step_where_it_begins(tmp_path: Path, offset: float, channels: int) -> None:
    sound = 0.5 * noise(50_000)
    plain = np.concatenate(list(heard_by(open_source(save(tmp_path / "x.wav", sound, 44100)), Hertz(16000), channels)))
    moved = np.concatenate(list(heard_by(open_source(save(tmp_path / "y.wav", sound + offset, 44100)), Hertz(16000), channels)))
    assert np.abs(moved - plain).max() < 1e-6
    assert np.abs(moved.mean(axis=0)).max() < 1e-3


@pytest.mark.parametrize(("hertz", "least_db", "most_db"), [(2, -200, -35), (10, -200, -11), (40, -0.5, 0), (80, -0.1, 0)])
def test_a_model_hears_from_twenty_hertz_on(hertz: float, least_db: float, most_db: float) -> None:
    wave = np.sin(2 * np.pi * hertz * np.arange(160_000) / 16_000).astype("f4")
    made = np.concatenate(list(audio.audible(cut(wave, [7, 4000]), Hertz(16_000))))
    level_db = 20 * np.log10(np.abs(made[80_000:]).max())
    assert least_db <= level_db <= most_db + 1e-6
