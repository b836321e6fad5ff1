"""How loud something is to people: integrated loudness after ITU-R BS.1770-4 and EBU R 128, in LUFS.

The K-weighting is applied to the power spectrum of each 400 ms block (Parseval), which needs no filter loop in Python.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ui.models.reading import Frames

BLOCK_S = 0.4
OVERLAP = 4
"""A block begins every quarter of its length."""
GATE_LUFS = -70.0
GATE_LU = -10.0
"""Blocks so far below the loudness of the others do not count."""
QUIET_LUFS = -120.0
_GULP = 64
"""Blocks that are weighed at once."""

_SHELF = (1681.974450955533, 3.999843853973347, 0.7071752369554196)
_HIGH_PASS = (38.13547087602444, 0.5003270373238773)
"""The two filters of BS.1770 as frequency (Hz), gain (dB) and quality, from which any rate's follow; at 48 kHz they are the
coefficients that the recommendation prints."""


def lufs(read: Callable[[int, int], Frames], rate: int, start: int, end: int) -> float:
    """Integrated loudness of the frames `start` to `end`, each channel counting alike; `QUIET_LUFS` for silence.

    read: (start, count) -> (count, channels).
    """
    size = round(rate * BLOCK_S)
    hop = size // OVERLAP
    starts = np.arange(start, max(end - size, start) + 1, hop)
    powers = np.concatenate([_powers(read, rate, int(first), size, hop, starts) for first in starts[::_GULP]])
    loud = powers[_db(powers) > GATE_LUFS]
    if not len(loud):
        return QUIET_LUFS
    kept = loud[_db(loud) > _db(loud.mean()) + GATE_LU]
    return float(_db(kept.mean()))


def _powers(
    read: Callable[[int, int], Frames], rate: int, first: int, size: int, hop: int, starts: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,) K-weighted mean squares, summed over the channels, of up to `_GULP` blocks from `first` on."""
    count = int(min(_GULP, (starts[-1] - first) // hop + 1))
    sound = read(first, (count - 1) * hop + size)
    blocks = np.lib.stride_tricks.sliding_window_view(sound, size, axis=0)[::hop]
    power = np.abs(np.fft.rfft(blocks, axis=-1)).astype(np.float64) ** 2 * weighting(rate, size)
    power[..., 1 : (size + 1) // 2] *= 2  # the other half of the spectrum
    weighed: NDArray[np.float64] = power.sum((1, 2)) / size**2
    return weighed


@cache
def weighting(rate: int, size: int) -> NDArray[np.float64]:
    """(size / 2 + 1,): the power gain of the K-weighting at each bin."""
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    frequency, gain_db, quality = _SHELF
    k, high = np.tan(np.pi * frequency / rate), 10 ** (gain_db / 20)
    middle = high**0.4996667741545416
    preset_store = (
        (high + middle * k / quality + k * k) + 2 * (k * k - high) * z + (high - middle * k / quality + k * k) * z**2
    ) / ((1 + k / quality + k * k) + 2 * (k * k - 1) * z + (1 - k / quality + k * k) * z**2)
    frequency, quality = _HIGH_PASS
    k = np.tan(np.pi * frequency / rate)
    below = 1 + k / quality + k * k
    passed = (1 - z) ** 2 / (1 + 2 * (k * k - 1) / below * z + (1 - k / quality + k * k) / below * z**2)
    weights: NDArray[np.float64] = np.abs(preset_store * passed) ** 2
    return weights


def _db(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(-0.691 + 10 * np.log10(np.maximum(power, 1e-13)))
