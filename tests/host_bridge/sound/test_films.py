"""A film's sound comes out in time with its picture, at its own rate."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from host_bridge.errors import BadAudio
from host_bridge.sound import audio_file

RATE = 22_050


def noise(samples: int = RATE) -> NDArray[np.int16]:
    """(2, samples), loud enough to be found again."""
    return np.random.default_rng(0).integers(-8000, 8000, (2, samples)).astype(np.int16)


def film(path: Path, sound: NDArray[np.int16] | None, codec: str = "pcm_s16le", late: int = 0, hole: int = 0) -> Path:
    """A second of grey, ten frames; the sound begins `late` samples after it, and pauses for `hole` in its middle."""
    with av.open(str(path), "w") as made:
        picture: Any = made.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 32
        picture.pix_fmt = "yuv420p"
        track: Any = made.add_stream(codec, rate=RATE, layout="stereo") if sound is not None else None
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
    file = audio_file(path)
    assert file.rate == RATE
    with file.opened() as reader:
        return reader.read(0, file.samples)


def test_sound_without_loss_comes_out_sample_for_sample(tmp_path: Path) -> None:
    sound = noise()
    assert np.array_equal(extracted(film(tmp_path / "clip.mov", sound)), sound.T / 32768)


def test_a_track_that_begins_after_the_picture_begins_with_as_much_silence(tmp_path: Path) -> None:
    found = extracted(film(tmp_path / "clip.mov", noise(), late=2205))
    assert len(found) == RATE + 2205
    assert not found[:2205].any()
    assert np.array_equal(found[2205:], noise().T / 32768)


def test_a_hole_in_the_track_is_silence_and_what_follows_is_in_time(tmp_path: Path) -> None:
    found = extracted(film(tmp_path / "clip.mkv", noise(), hole=4410))
    assert len(found) == pytest.approx(RATE + 4410, abs=RATE // 1000 + 1)  # Matroska counts in milliseconds
    half = -(-RATE // 2 // 1050) * 1050
    assert np.array_equal(found[:half], noise().T[:half] / 32768)
    assert np.array_equal(found[half - RATE :], noise().T[half:] / 32768)


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadAudio, match="has no sound track"):
        extracted(film(tmp_path / "mute.mp4", None))


def test_a_video_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", noise(), "aac")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadAudio, match=r"clip.mp4 is cut off or damaged"):
        extracted(path)


def test_where_no_picture_keeps_the_time_a_track_begins_at_once(tmp_path: Path) -> None:
    path = tmp_path / "song.mka"
    sound = noise()
    with av.open(str(path), "w") as made:
        track: Any = made.add_stream("flac", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(sound.T.reshape(1, -1).copy(), format="s16", layout="stereo")
        frame.sample_rate, frame.pts = RATE, 5 * RATE  # a recording that began long before
        made.mux(track.encode(frame))
        made.mux(track.encode())
    assert np.array_equal(extracted(path), sound.T / 32768)
