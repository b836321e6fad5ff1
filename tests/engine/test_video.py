"""A video's sound comes out in time with its picture, at its own rate, and leaves nothing lying about."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from engine import video
from engine.measure import sha256
from engine.request import Request
from engine.separation import Wish, _loaded
from host_bridge.errors import BadAudio, BadRequest, Cancelled
from host_bridge.vocabulary import quietly

pytestmark = pytest.mark.slow

RATE = 22_050


@pytest.fixture
def av() -> ModuleType:
    """PyAV, or a skip that says so."""
    module: ModuleType = pytest.importorskip("av", reason="PyAV is not installed (the extra `video`)")
    return module


def noise(samples: int = RATE) -> NDArray[np.int16]:
    """(2, samples), loud enough to be found again."""
    return np.random.default_rng(0).integers(-8000, 8000, (2, samples)).astype(np.int16)


def film(av: Any, path: Path, sound: NDArray[np.int16] | None, codec: str = "pcm_s16le", late: int = 0, hole: int = 0) -> Path:
    """A second of grey, ten frames; the sound begins `late` samples after it, and pauses for `hole` in its middle."""
    with av.open(str(path), "w") as made:
        picture = made.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 32
        picture.pix_fmt = "yuv420p"
        track = made.add_stream(codec, rate=RATE, layout="stereo") if sound is not None else None
        for _ in range(10):
            made.mux(picture.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 99, np.uint8), format="rgb24")))
        made.mux(picture.encode())
        if track is not None and sound is not None:
            for at in range(0, sound.shape[1], 1050):
                piece = sound[:, at : at + 1050]
                frame = av.AudioFrame.from_ndarray(piece.T.reshape(1, -1).copy(), format="s16", layout="stereo")
                frame.sample_rate = RATE
                frame.pts = at + late + (hole if at >= sound.shape[1] // 2 else 0)
                made.mux(track.encode(frame))
            made.mux(track.encode())
    return path


def extracted(path: Path) -> NDArray[np.float64]:
    """(samples, channels)."""
    to = path.parent / "track.wav"
    to.unlink(missing_ok=True)
    video.extract(path, to, quietly)
    sound, rate = soundfile.read(to, always_2d=True)
    assert rate == RATE
    read: NDArray[np.float64] = sound
    return read


def test_sound_without_loss_comes_out_sample_for_sample(av: ModuleType, tmp_path: Path) -> None:
    sound = noise()
    assert np.array_equal(extracted(film(av, tmp_path / "clip.mov", sound)), sound.T / 32768)


def test_a_track_that_begins_after_the_picture_begins_with_as_much_silence(av: ModuleType, tmp_path: Path) -> None:
    found = extracted(film(av, tmp_path / "clip.mov", noise(), late=2205))
    assert len(found) == RATE + 2205
    assert not found[:2205].any()
    assert np.array_equal(found[2205:], noise().T / 32768)


def test_a_hole_in_the_track_is_silence_and_what_follows_is_in_time(av: ModuleType, tmp_path: Path) -> None:
    found = extracted(film(av, tmp_path / "clip.mkv", noise(), hole=4410))
    assert len(found) == pytest.approx(RATE + 4410, abs=RATE // 1000 + 1)  # Matroska counts in milliseconds
    half = -(-RATE // 2 // 1050) * 1050
    assert np.array_equal(found[:half], noise().T[:half] / 32768)
    assert np.array_equal(found[half - RATE :], noise().T[half:] / 32768)


@pytest.mark.parametrize(("name", "codec"), [("clip.mp4", "aac"), ("song.m4a", "aac"), ("clip.webm", "libopus")])
def test_usual_containers_are_read(av: ModuleType, tmp_path: Path, name: str, codec: str) -> None:
    path = tmp_path / name
    rate = 48_000 if codec == "libopus" else RATE
    with av.open(str(path), "w") as made:
        track = made.add_stream(codec, rate=rate, layout="stereo")
        wave = np.tile((8000 * np.sin(np.arange(rate) * 2 * np.pi * 440 / rate)).astype(np.int16), (2, 1))
        frame = av.AudioFrame.from_ndarray(wave.T.reshape(1, -1).copy(), format="s16", layout="stereo")
        frame.sample_rate = rate
        for piece in [*av.AudioResampler(format=track.format, rate=rate, frame_size=track.frame_size or 960).resample(frame)]:
            made.mux(track.encode(piece))
        made.mux(track.encode())
    to = tmp_path / "track.wav"
    video.extract(path, to, quietly)
    sound, found = soundfile.read(to)
    assert found == rate
    assert sound.shape[1] == 2
    assert abs(len(sound) - rate) <= 2048
    assert 0.2 < np.abs(sound).max() < 0.3


def test_a_video_is_separated_and_the_sidecar_names_the_video(av: ModuleType, tmp_path: Path, home: Path) -> None:
    path = film(av, tmp_path / "clip.mov", noise())
    told = _loaded("pocket", "cpu").separate(path, Request.of(["drums"], method="mixture", steps=2), Wish())
    assert told["input"] == {"path": str(path), "sha256": sha256(path), "rate": RATE, "channels": 2, "samples": RATE}
    assert (tmp_path / "clip stems" / "clip - drums.wav").exists()
    assert told["null_dbfs"] <= -120
    assert not list((home / "cache" / "tracks").iterdir())


def test_a_region_of_a_video_is_a_region_of_its_sound(av: ModuleType, tmp_path: Path) -> None:
    path = film(av, tmp_path / "clip.mov", noise())
    with video.opened(path, 0.5, 0.25, quietly) as source:
        block = np.concatenate([block for _, block in source.blocks(1000)])
    first = RATE // 2
    assert np.array_equal(block, (noise().T / 32768)[first : first + len(block)])
    with pytest.raises(BadRequest), video.opened(path, 7.0, None, quietly):
        pass


def test_stopping_leaves_nothing(av: ModuleType, tmp_path: Path, home: Path) -> None:
    def stop(_done: float, _stage: str) -> None:
        raise Cancelled

    path = film(av, tmp_path / "clip.mov", noise())
    with pytest.raises(Cancelled), video.opened(path, None, None, stop):
        pass
    assert not list((home / "cache" / "tracks").iterdir())


def test_a_video_without_sound_is_refused(av: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match="has no sound track"):
        extracted(film(av, tmp_path / "mute.mp4", None))


def test_a_video_that_is_cut_off_is_refused(av: ModuleType, tmp_path: Path) -> None:
    path = film(av, tmp_path / "clip.mp4", noise(), "aac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadAudio, match=r"clip.mp4 cannot be decoded: .* Copy or export"):
        extracted(path)


def test_a_file_that_only_looks_like_a_video_is_refused(av: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "letter.mp4").write_text("dear all, " * 500)
    with pytest.raises(BadAudio, match="letter.mp4 cannot be decoded"):
        extracted(tmp_path / "letter.mp4")
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(BadAudio, match="is empty"), video.opened(tmp_path / "empty.mp4", None, None, quietly):
        pass
    with pytest.raises(BadAudio, match="does not exist"), video.opened(tmp_path / "none.mp4", None, None, quietly):
        pass


def test_without_pyav_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "clip.mp4").write_bytes(b"something")
    with pytest.raises(BadAudio, match=r"PyAV.*zerostem\[video\]"), video.opened(tmp_path / "clip.mp4", None, None, quietly):
        pass
    assert not list((home / "cache" / "tracks").iterdir())


def test_other_files_are_read_as_ever_and_without_pyav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    soundfile.write(tmp_path / "song.wav", noise().T, RATE)
    with video.opened(tmp_path / "song.wav", None, None, quietly) as source:
        assert source.path == tmp_path / "song.wav"
