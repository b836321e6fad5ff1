"""A log-mel picture of a stretch of sound, as many columns as the screen has; of a long one, samples of it."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ui.models.reading import Sound

FRAME_S = 0.046
"""Length of one frame: 2048 at 44.1 and 48 kHz."""
LOOKS = 4
"""Frames that a column is made of at most, spread over its stretch."""
FLOOR_DB = -120.0
LOWEST_HZ = 30.0
_AT_ONCE = 256
"""Columns computed at once, so that memory stays small however wide the screen is."""

Picture = NDArray[np.float32]
"""(bands, columns) in dB, 0 for a sine of full scale; the lowest band first."""


def picture(sound: Sound, start_s: float, end_s: float, columns: int, bands: int = 96) -> Picture:
    """(bands, columns) in dB, down to `FLOOR_DB`. Outside the sound is silence.

    Raises BadAudio where the disk refuses.
    """
    size = frame_size(sound.rate)
    width = (end_s - start_s) * sound.rate / columns
    looks = int(np.clip(np.ceil(width / (size // 2)), 1, LOOKS))
    window = np.hanning(size + 1)[:-1]
    weights = filters(int(sound.rate), size, bands)
    out = np.empty((bands, columns), np.float32)
    for begin in range(0, columns, _AT_ONCE):
        count = min(_AT_ONCE, columns - begin)
        centres = start_s * sound.rate + width * (begin + (np.arange(count * looks) + 0.5) / looks)
        frames = _cut(sound, np.round(centres).astype(np.int64) - size // 2, size)
        power = np.zeros((count * looks, size // 2 + 1))
        for channel in range(sound.channels):
            power += np.abs(np.fft.rfft(frames[:, :, channel] * window, axis=1)) ** 2
        power *= (2 / window.sum()) ** 2 / sound.channels
        mel = (power.reshape(count, looks, -1).mean(1) @ weights).T
        out[:, begin : begin + count] = 10 * np.log10(np.maximum(mel, 10 ** (FLOOR_DB / 10)))
    return out


def frame_size(rate: int) -> int:
    """Samples of a frame at that rate, even."""
    return 2 * max(32, round(rate * FRAME_S / 2))


def band_edges_hz(rate: int, bands: int) -> NDArray[np.float64]:
    """(bands + 2,) in Hz: band b reaches from edge b to edge b + 2 and is highest at edge b + 1. Equal steps in mel."""
    low, high = _mel(LOWEST_HZ), _mel(rate / 2)
    edges: NDArray[np.float64] = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    return edges


@cache
def filters(rate: int, size: int, bands: int) -> NDArray[np.float64]:
    """(size / 2 + 1, bands): triangles over the mel scale (O'Shaughnessy), each with 1 at its top.

    A band that is narrower than a bin takes its share of the two around it, so that the low end has no dark rows.
    """
    edges = band_edges_hz(rate, bands)
    bins = np.fft.rfftfreq(size, 1 / rate)
    step = bins[1]
    left = np.minimum(edges[:-2], edges[1:-1] - step)
    right = np.maximum(edges[2:], edges[1:-1] + step)
    rising = (bins[:, None] - left) / (edges[1:-1] - left)
    falling = (right - bins[:, None]) / (right - edges[1:-1])
    weights: NDArray[np.float64] = np.clip(np.minimum(rising, falling), 0, 1)
    return weights


def _cut(sound: Sound, starts: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """(n, size, channels): frames from these places; those that overlap come from one reading."""
    if len(starts) > 1 and starts[-1] - starts[0] < 4 * size * len(starts):
        whole = sound.read(int(starts[0]), int(starts[-1] - starts[0]) + size)
        frames: NDArray[np.float32] = whole[(starts - starts[0])[:, None] + np.arange(size)]
        return frames
    return np.stack([sound.read(int(start), size) for start in starts])


def _mel(frequency: float) -> float:
    return float(2595 * np.log10(1 + frequency / 700))
