"""Odd files: all their sound is read, or a sentence says why not, whatever they are called and their headers promise."""

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import soundfile

from host_bridge.errors import BadAudio, Cancelled, CannotWrite
from host_bridge.settings import places
from host_bridge.sound import AudioFile, audio_file, containers, pcm_length_s


def _odd() -> ModuleType:
    spec = importlib.util.spec_from_file_location("odd", Path(__file__).with_name("odd.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


odd = _odd()


def whole(file: AudioFile) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    file.verify()
    with file.opened() as reader:
        return reader.read(0, file.samples)


@pytest.mark.parametrize("name", odd.CASES)
def test_an_odd_file_gives_all_its_samples_or_the_right_sentence(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    expected = odd.CASES[name](path)
    if isinstance(expected, str):
        with pytest.raises(BadAudio) as caught:
            whole(audio_file(path))
        assert str(caught.value) == expected.format(name=name)
        return
    file = audio_file(path)
    read = whole(file)
    assert (file.samples, len(read)) == (expected, expected)
    assert bool(file.notes) == (name in odd.NOTED)
    assert all(name in note and note.endswith(".") for note in file.notes)
    assert 0.2 < np.abs(read).max() < 0.6  # tones of 0.3, not noise
    assert np.abs(read[-expected // 4 :]).max() > 0.2  # to the end


@pytest.mark.parametrize("name", ["joined.mp3", "chained.ogg", "chained.opus", "joined.flac", "chained-flac.oga"])
def test_what_was_joined_is_each_part_as_it_is_alone(tmp_path: Path, name: str) -> None:
    odd.CASES[name](tmp_path / name)
    joined = whole(audio_file(tmp_path / name))
    at = 0
    for seed, samples in enumerate((odd.N, 3000, 5000)):
        part = joined[at : at + samples]
        expected = odd.sound(samples, seed)
        level = np.sqrt(np.mean(expected**2))
        assert np.sqrt(np.mean((part - expected)[200:-200] ** 2)) < 0.3 * level  # in time: a shift would leave 1.4
        at += samples


@pytest.mark.parametrize("name", ["joined.mp3", "hole.mp3", "m4a-called.wav", "film-called.mp3", "cut-off.mp3"])
def test_nothing_reaches_the_terminal_meanwhile(tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    odd.CASES[name](tmp_path / name)
    capfd.readouterr()
    with contextlib.suppress(BadAudio):
        whole(audio_file(tmp_path / name))
    assert capfd.readouterr() == ("", "")


def test_more_than_32_bits_can_say_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    size = 4 * ((1 << 30) + 1000)
    path.write_bytes(odd.riff(odd.fmt(), odd.chunk(b"data", b"", said=size % (1 << 32)), said=(size + 36) % (1 << 32)))
    with path.open("rb+") as file:
        file.truncate(44 + size)  # a hole on the disk
    assert pcm_length_s(path) == size / 4 / odd.RATE


@pytest.mark.parametrize("name", [b"bad\xff.wav", b"bad\xff.mp3", b"bad\xff.m4a", b"bad\xff.flac"])
@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow no such names")
def test_a_name_that_is_no_utf_8_is_read_like_any_other(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    plain = {".wav": "two-data-chunks.wav", ".mp3": "with-xing.mp3", ".m4a": "alac.m4a", ".flac": "24-bit-behind-id3.flac"}
    whole_name = tmp_path / plain[path.suffix]
    expected = odd.CASES[whole_name.name](whole_name)
    whole_name.rename(path)
    assert audio_file(path).samples == expected


def test_any_stretch_of_a_decoded_copy_is_that_stretch(tmp_path: Path) -> None:
    odd.CASES["with-xing.mp3"](tmp_path / "x.mp3")
    file = audio_file(tmp_path / "x.mp3")
    everything = whole(file)
    with file.opened() as one, file.opened() as other:
        np.testing.assert_array_equal(one.read(3000, 500), everything[3000:3500])
        np.testing.assert_array_equal(other.read(10, 7), everything[10:17])
        np.testing.assert_array_equal(one.read(3900, 500), everything[3900:])


def test_flac_is_sought_to_the_sample(tmp_path: Path) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (100_000, 3))
    soundfile.write(tmp_path / "x.flac", sound, 44_100, subtype="PCM_24")
    expected = soundfile.read(tmp_path / "x.flac")[0]
    file = audio_file(tmp_path / "x.flac")
    with file.opened() as reader:
        for start in np.random.default_rng(1).integers(0, 99_000, 50):
            np.testing.assert_array_equal(reader.read(int(start), 1000), expected[start : start + 1000])


def test_a_copy_is_made_once_while_somebody_holds_it_and_leaves_nothing(tmp_path: Path, home: Path) -> None:
    odd.CASES["with-xing.mp3"](tmp_path / "x.mp3")
    first, second = audio_file(tmp_path / "x.mp3"), audio_file(tmp_path / "x.mp3")
    assert first._copy is second._copy
    assert not list((places().cache / "tracks").iterdir())  # it has no name


def test_cancelling_while_it_is_decoded_leaves_nothing(tmp_path: Path) -> None:
    def stop(_done: float, _stage: str) -> None:
        raise Cancelled

    odd.CASES["with-xing.mp3"](tmp_path / "x.mp3")
    with pytest.raises(Cancelled):
        audio_file(tmp_path / "x.mp3", stop)
    assert not list((places().cache / "tracks").iterdir())


def test_progress_rises_to_its_end_over_all_parts(tmp_path: Path) -> None:
    shares: list[float] = []
    odd.CASES["joined.mp3"](tmp_path / "x.mp3")
    audio_file(tmp_path / "x.mp3", lambda done, _stage: shares.append(done))
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1


def test_a_disk_without_room_is_named_before_anything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd.CASES["with-xing.mp3"](tmp_path / "x.mp3")
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(CannotWrite, match=r"x\.mp3 takes .* GB of .* free\. Make room there, set ZEROSTEM_HOME"):
        audio_file(tmp_path / "x.mp3")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is of Linux")
def test_a_disk_that_fills_up_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd.CASES["with-xing.mp3"](tmp_path / "x.mp3")
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Path("/dev/full").open("r+b", buffering=0))  # noqa: SIM115
    with pytest.raises(CannotWrite, match=r"x\.mp3 cannot be decoded to a .*: No space left on device\. Make"):
        audio_file(tmp_path / "x.mp3")


def test_memory_stays_flat_over_a_long_compressed_file(tmp_path: Path) -> None:
    odd.encoded(tmp_path / "x.mp3", "mp3", samples=60 * odd.RATE)
    data = (tmp_path / "x.mp3").read_bytes()
    (tmp_path / "long.mp3").write_bytes(data * 20)  # 150 MB once decoded
    code = (
        "import resource, sys; from pathlib import Path; from host_bridge.sound import audio_file\n"
        "audio_file(Path(sys.argv[1])); before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "file = audio_file(Path(sys.argv[2]))\n"
        "with file.opened() as reader: reader.read(file.samples - 10, 10)\n"
        "print(file.samples, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "x.mp3", tmp_path / "long.mp3"], capture_output=True, text=True, check=True
    )
    samples, grown = map(int, told.stdout.split())
    assert samples == 1200 * odd.RATE
    assert grown < 64_000  # KiB


@pytest.mark.parametrize("said", [0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF - 36, 0x80000000, 0x7F000000])
def test_sizes_of_streams_are_known(said: int) -> None:
    assert containers.is_open_ended(said)


@pytest.mark.parametrize("said", [0, 1, 44_100, 1 << 30, 0x7FF00000, 0xF0000000])
def test_sizes_of_files_are_no_streams(said: int) -> None:
    assert not containers.is_open_ended(said)
