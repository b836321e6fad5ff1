"""A file gives the same frames however it is asked, holds a few blocks, and survives being replaced."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from host_bridge.errors import BadAudio
from ui.models.reading import BLOCK, KEPT, File, Shifted, Taken

Write = Callable[..., File]
NOISE = np.random.default_rng(0).uniform(-1, 1, (3 * BLOCK + 777, 2)).astype(np.float32)


@pytest.mark.parametrize(("start", "count"), [(0, 10), (BLOCK - 5, 10), (1, 3 * BLOCK), (2 * BLOCK, BLOCK + 777), (5, 0)])
@pytest.mark.parametrize("held", [True, False])
def test_any_stretch_is_read_as_it_is(written: Write, start: int, count: int, held: bool) -> None:
    file = File(written(NOISE).path, held=held)
    np.testing.assert_array_equal(file.read(start, count), NOISE[start : start + count])


def test_before_and_behind_it_is_silence(written: Write) -> None:
    file = written(NOISE)
    around = file.read(-100, len(NOISE) + 200)
    np.testing.assert_array_equal(around[100:-100], NOISE)
    assert not around[:100].any()
    assert not around[-100:].any()
    assert not file.read(-300, 100).any()
    assert not file.read(len(NOISE) + 5, 100).any()


def test_only_a_few_blocks_are_kept(written: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(np.zeros(((KEPT + 4) * BLOCK, 1), np.float32))
    for number in range(KEPT + 4):
        file.read(number * BLOCK, 1)
    assert len(file._blocks) == KEPT
    monkeypatch.setattr(file, "_held", None)
    monkeypatch.setattr(type(file.audio), "opened", lambda _: pytest.fail("a block that is kept was read again"))
    file.read((KEPT + 3) * BLOCK, 1)


def test_a_file_that_is_replaced_is_heard_to_its_end(written: Write, tmp_path: Path) -> None:
    file = written(NOISE, name="stem.wav")
    soundfile.write(tmp_path / "new.wav", -NOISE, 48_000, subtype="FLOAT")
    (tmp_path / "new.wav").replace(file.path)
    np.testing.assert_array_equal(file.read(0, len(NOISE)), NOISE)
    np.testing.assert_array_equal(File(file.path).read(0, 10), -NOISE[:10])


def test_what_is_no_audio_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "song.txt").write_text("la la la", encoding="utf-8")
    with pytest.raises(BadAudio, match="song.txt is not audio"):
        File(tmp_path / "song.txt")
    with pytest.raises(BadAudio, match="does not exist"):
        File(tmp_path / "gone.wav")
    with pytest.raises(BadAudio, match="is a folder"):
        File(tmp_path)
    soundfile.write(tmp_path / "empty.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(BadAudio, match="holds no sound"):
        File(tmp_path / "empty.wav")


def test_a_file_that_is_taken_away_says_so_when_it_must_be_opened_anew(written: Write) -> None:
    file = File(written(NOISE).path, held=False)
    file.read(0, 1)
    file.path.unlink()
    file.read(0, 1)
    with pytest.raises(BadAudio, match="does not exist"):
        file.read(2 * BLOCK, 1)


def test_a_stretch_of_a_sound_is_the_sound_moved(written: Write) -> None:
    file = written(NOISE)
    stretch = Shifted(file, -1000, 500)
    np.testing.assert_array_equal(stretch.read(-10, 520), np.pad(NOISE[1000:1500], ((10, 10), (0, 0))))
    placed = Shifted(stretch, 200, 5000)
    np.testing.assert_array_equal(placed.read(190, 520), np.pad(NOISE[1000:1500], ((10, 10), (0, 0))))
    assert (placed.frames, placed.rate, placed.channels) == (5000, 48_000, 2)


def test_what_was_taken_out_is_the_mix_less_the_rest(written: Write) -> None:
    taken = Taken(written(NOISE), written(NOISE / 4))
    np.testing.assert_allclose(taken.read(-5, 100)[5:], 0.75 * NOISE[:95], rtol=1e-6)
    assert taken.frames == len(NOISE)
