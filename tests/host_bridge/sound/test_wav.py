"""The files we write: bit for bit what was said, where it came from, and sizes beyond RIFF."""

import errno
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from host_bridge.errors import BadAudio, CannotWrite
from host_bridge.sound import wav
from host_bridge.types import Hertz, Samples

RATE = Hertz(44100)


def noise(frames: int, channels: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(frames + channels).standard_normal((frames, channels)).astype("f4")


def written(path: Path, sound: Any, start: int = 0, description: str = "") -> Path:
    with wav.Writer(path, RATE, sound.shape[1], Samples(start), description) as out:
        out.write(sound)
    return path


def chunks(path: Path) -> dict[bytes, tuple[int, bytes]]:
    """Every chunk of a small RIFF file, in order: name -> offset of its body, body."""
    raw, at, found = path.read_bytes(), 12, {}
    while at < len(raw):
        name, size = struct.unpack_from("<4sI", raw, at)
        found[name] = (at + 8, raw[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return found


def libsndfile_bext(path: Path) -> bytes:
    with soundfile.SoundFile(path) as file:
        room = soundfile._ffi.new("char[]", 2048)
        assert soundfile._snd.sf_command(file._file, 0x10F0, room, 860) == 1  # SFC_GET_BROADCAST_INFO
        return bytes(soundfile._ffi.buffer(room))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(pieces=st.lists(st.integers(0, 300), max_size=6), channels=st.integers(1, 9), start=st.integers(0, 2**64 - 1))
def test_what_is_written_in_any_pieces_is_read_back_bit_for_bit(
    tmp_path: Path, pieces: list[int], channels: int, start: int
) -> None:
    path = tmp_path / "x.wav"
    path.unlink(missing_ok=True)
    blocks = [noise(n, channels) * 3 for n in pieces]
    with wav.Writer(path, RATE, channels, Samples(start)) as out:
        for block in blocks:
            out.write(block)
    back, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    np.testing.assert_array_equal(back, np.concatenate([np.zeros((0, channels), "f4"), *blocks]))
    assert wav.time_reference(path) == start


def test_the_header_is_ieee_float_with_fact_and_bext_before_data(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav", noise(10, 2), 7)
    found = chunks(path)
    assert list(found) == [b"JUNK", b"bext", b"fmt ", b"fact", b"data"]
    assert found[b"fmt "][1] == struct.pack("<HHIIHHH", 3, 2, RATE, RATE * 8, 8, 32, 0)
    assert len(found[b"fmt "][1]) == 18
    assert found[b"fact"][1] == struct.pack("<I", 10)
    assert len(found[b"data"][1]) == 80
    assert struct.unpack_from("<I", path.read_bytes(), 4)[0] == path.stat().st_size - 8
    assert len(found[b"JUNK"][1]) == 28
    assert found[b"JUNK"][0] == 20


def test_the_time_reference_lies_at_338_as_64_bits_and_the_version_is_1(tmp_path: Path) -> None:
    start = 0x0102030405060708
    body = chunks(written(tmp_path / "x.wav", noise(1, 1), start))[b"bext"][1]
    assert len(body) == 602
    assert body[338:346] == start.to_bytes(8, "little")
    assert body[346:348] == b"\x01\x00"


def test_libsndfile_reads_the_same_bext(tmp_path: Path) -> None:
    start = 5 * 2**32 + 17
    said = libsndfile_bext(written(tmp_path / "x.wav", noise(3, 2), start, "a dog barking"))
    assert said[:256].rstrip(b"\0") == b"a dog barking"
    assert said[256:288].rstrip(b"\0") == b"ZeroStem"
    assert struct.unpack_from("<IIh", said, 340) == (17, 5, 1)  # aligned, in memory


def test_a_long_description_is_cut_between_characters(tmp_path: Path) -> None:
    body = chunks(written(tmp_path / "x.wav", noise(1, 1), 0, "é" * 127 + "太鼓"))[b"bext"][1]
    assert body[:256].rstrip(b"\0").decode() == "é" * 127


def test_a_file_is_riff_up_to_the_last_byte_that_riff_can_say_and_rf64_one_frame_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = written(tmp_path / "a.wav", noise(500, 2))
    monkeypatch.setattr(wav, "RIFF_LIMIT", exact.stat().st_size - 8)
    riff, rf64 = written(tmp_path / "b.wav", noise(500, 2)), written(tmp_path / "c.wav", noise(501, 2), 99, "drums")
    assert riff.read_bytes() == exact.read_bytes()
    raw = rf64.read_bytes()
    assert raw[:8] == b"RF64\xff\xff\xff\xff"
    assert raw[12:16] == b"ds64"
    assert struct.unpack_from("<IQQQI", raw, 16) == (28, len(raw) - 8, 501 * 8, 501, 0)
    with soundfile.SoundFile(rf64) as file:
        assert (file.format, file.subtype, file.frames) == ("RF64", "FLOAT", 501)
        np.testing.assert_array_equal(file.read(dtype="float32"), noise(501, 2))
    assert wav.time_reference(rf64) == 99
    assert libsndfile_bext(rf64)[:5] == b"drums"


def test_the_time_reference_is_found_behind_the_sound_in_rf64_and_past_odd_chunks(tmp_path: Path) -> None:
    path = written(tmp_path / "x.wav", noise(4, 1), 1234)
    bext = wav._chunk(b"bext", chunks(path)[b"bext"][1])
    ds64 = wav._chunk(b"ds64", struct.pack("<QQQI", 0, 6, 3, 0))
    odd = wav._chunk(b"odd ", b"abc") + b"\0"
    path.write_bytes(b"RF64\xff\xff\xff\xffWAVE" + ds64 + odd + b"data\xff\xff\xff\xff" + bytes(6) + bext)
    assert wav.time_reference(path) == 1234


@pytest.mark.parametrize(
    "raw", [b"", b"RIFF", b"fLaC" + bytes(400), b"RIFF\x04\0\0\0WAVE", b"RIFF\x10\0\0\0WAVEbext\x04\0\0\0abcd"]
)
def test_a_file_without_a_bext_names_no_start(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x.wav").write_bytes(raw)
    assert wav.time_reference(tmp_path / "x.wav") is None


def test_a_missing_file_is_bad_audio(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match=r"gone\.wav"):
        wav.time_reference(tmp_path / "gone.wav")


def test_a_pipe_is_bad_audio_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(BadAudio, match=r"pipe\.wav"):
        wav.time_reference(tmp_path / "pipe.wav")


def test_a_file_in_the_way_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "x.wav").write_bytes(b"precious")
    with pytest.raises(CannotWrite, match=r"x\.wav"):
        wav.Writer(tmp_path / "x.wav", RATE, 1)
    assert (tmp_path / "x.wav").read_bytes() == b"precious"


def test_a_writing_that_raises_leaves_no_file(tmp_path: Path) -> None:
    def interrupted() -> None:
        with wav.Writer(tmp_path / "x.wav", RATE, 1) as out:
            out.write(noise(5, 1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("frames", [3, 100_000])  # found out when closing, and in the middle
def test_a_full_disk_is_two_sentences_and_leaves_no_file(tmp_path: Path, frames: int) -> None:
    class Full:
        """A file on a disk that has just filled up; like the real one, it may notice only when it is closed."""

        closed = False

        def write(self, data: Any) -> None:
            if memoryview(data).nbytes > 10_000:
                self.seek(0)

        def seek(self, _at: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            self.closed = True

    def write() -> None:
        with wav.Writer(tmp_path / "x.wav", RATE, 1) as out:
            out._file.close()
            out._file = Full()  # type: ignore[assignment]
            out.write(noise(frames, 1))

    with pytest.raises(CannotWrite) as caught:
        write()
    assert caught.value.what == "x.wav cannot be written: No space left on device."
    assert caught.value.todo.startswith("Make room")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="cannot be written"):
        wav.Writer(tmp_path / "no" / "x.wav", RATE, 1)


def test_a_block_of_other_channels_is_a_mistake(tmp_path: Path) -> None:
    with wav.Writer(tmp_path / "x.wav", RATE, 2) as out, pytest.raises(ValueError, match="2 channels"):
        out.write(noise(5, 1))
