"""Windows: nothing lost, nothing counted twice, whatever the length and however the stream is cut."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.audio.chunks import ChunkLayout, OverlapAddFile, cut_chunks


@given(frames=st.integers(1, 3000), size=st.sampled_from([8, 32, 256]))
def test_fades_over_every_frame_sum_to_one(frames: int, size: int) -> None:
    layout = ChunkLayout(frames, size)
    total = np.zeros(layout.starts[-1] + size)
    for start, fade in zip(layout.starts, layout.fades(), strict=True):
        total[start : start + size] += fade
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(frames=st.integers(1, 3000), size=st.sampled_from([8, 32, 256]))
def test_windows_cover_the_region_and_the_last_ends_with_it(frames: int, size: int) -> None:
    starts = ChunkLayout(frames, size).starts
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert starts[-1] == max(frames - size, 0)
    assert all(b - a <= size - size // 4 for a, b in itertools.pairwise(starts))


@given(samples=st.integers(1, 2000), pieces=st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_how_a_stream_is_cut_into_blocks_never_shows(samples: int, pieces: list[int]) -> None:
    hop, size = 4, 16
    sound = np.arange(1, samples + 1, dtype=np.float32)[:, None]
    blocks, at, turn = [], 0, 0
    while at < samples:
        blocks.append(sound[at : at + pieces[turn % len(pieces)]])
        at, turn = at + pieces[turn % len(pieces)], turn + 1
    layout = ChunkLayout(-(-samples // hop), size)
    padded = np.concatenate([sound[:, 0], np.zeros(size * hop, np.float32)])
    windows = list(cut_chunks(blocks, layout, hop))
    assert len(windows) == len(layout.starts)
    for start, window in zip(layout.starts, windows, strict=True):
        np.testing.assert_array_equal(window[0], padded[start * hop : (start + size) * hop])


def test_a_tape_of_equal_windows_has_no_seam(tmp_path: Path) -> None:
    layout = ChunkLayout(700, 256)
    tape = OverlapAddFile(tmp_path / "tape.npy", layout, slots=2, channels=1, bands=4)
    for _ in layout.starts:
        tape.append(np.full((2, 1, 256, 4), 0.25, np.float32))
    np.testing.assert_allclose(tape.read(0, 699), 0.25, atol=1e-6)


def test_a_tape_fades_from_one_window_to_the_next(tmp_path: Path) -> None:
    layout = ChunkLayout(448, 256)
    tape = OverlapAddFile(tmp_path / "tape.npy", layout, slots=1, channels=1, bands=1)
    for value in (0.0, 1.0):
        tape.append(np.full((1, 1, 256, 1), value, np.float32))
    values = tape.read(0, 447)[0, 0, :, 0]
    assert values[:192] == pytest.approx(0)
    assert values[256:] == pytest.approx(1)
    assert (np.diff(values) >= 0).all()
    assert np.abs(np.diff(values)).max() < 0.03, "a seam would be a jump"


def test_beyond_its_ends_a_tape_repeats_the_edge(tmp_path: Path) -> None:
    tape = OverlapAddFile(tmp_path / "tape.npy", ChunkLayout(10, 16), slots=1, channels=1, bands=1)
    tape.append(np.arange(16, dtype=np.float32).reshape(1, 1, 16, 1))
    assert tape.read(-2, 1)[0, 0, :, 0].tolist() == [0, 0, 0, 1]
    assert tape.read(8, 12)[0, 0, :, 0].tolist() == [8, 9, 9, 9, 9]
