"""The ear's view of sound: log-mel in 80 bands up to 16 kHz, whose lowest 64 are pocket's, and the way back to STFT bins.

At 32 kHz a window of 2048 and a hop of 320 are pocket's 1024 and 160 at 16 kHz: the same frames, and bins of the same
15.625 Hz. Every magnitude is twice pocket's, because twice as many samples are summed; `SCALE` undoes that.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.backbones import mel
from engine.backbones.base import Grid
from host_bridge.types import Hertz, Samples

RATE = Hertz(32_000)
HOP = Samples(320)
SIZE = 2048
"""Samples of the Fourier transform and of its Hann window."""
EDGE = (SIZE - HOP) // 2
FRAMES = 256
"""Of one window: 2.56 s."""
WINDOW = Samples(FRAMES * HOP)
BANDS = 80
TOP_HZ = 16_000.0
SCALE = 0.5
TOP = 4
"""Bands whose mean holds above the highest band."""


@cache
def edges() -> np.ndarray:
    """(BANDS + 2,) corner frequencies in Hz: pocket's 64 bands, then 16 of nearly the same width in mel up to `TOP_HZ`."""
    from transformers.audio_utils import hertz_to_mel, mel_to_hertz  # costs a second: only once there is sound

    low = np.linspace(0.0, hertz_to_mel(mel.TOP_HZ, "slaney"), mel.MELS + 2)
    high = np.linspace(low[-2], hertz_to_mel(TOP_HZ, "slaney"), BANDS - mel.MELS + 2)
    return np.asarray(mel_to_hertz(np.concatenate([low[:-1], high[1:]]), "slaney"))


@cache
def filters(device: torch.device) -> Tensor:
    """The filter bank (BANDS, SIZE / 2 + 1) on magnitudes: triangles of equal area."""
    bins, corners = np.fft.rfftfreq(SIZE, 1 / RATE), edges()
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None].copy()
    right[mel.MELS - 1] = mel.TOP_HZ  # pocket's highest band ends where pocket's hearing does
    rows = np.maximum(0, np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))) * 2 / (right - left)
    return torch.tensor(rows, dtype=torch.float32, device=device)


@cache
def hann(device: torch.device) -> Tensor:
    """The analysis window (SIZE,)."""
    return torch.hann_window(SIZE, device=device)


def spectrum(audio: Tensor) -> Tensor:
    """(B, N) samples at 32 kHz, N a multiple of 320 -> complex (B, SIZE / 2 + 1, N / 320)."""
    padded = pad(audio[:, None], (EDGE, EDGE), mode="reflect")[:, 0]
    return torch.stft(padded, SIZE, HOP, SIZE, hann(audio.device), center=False, return_complex=True)


def log_mel(bins: Tensor) -> Tensor:
    """`spectrum`'s (B, SIZE / 2 + 1, T) -> (B, T, BANDS), natural log of the mel magnitude, floored as pocket's."""
    loud = filters(bins.device) @ (bins.abs() * SCALE)
    return loud.clamp_min(float(np.exp(mel.SILENCE))).log().transpose(1, 2)


def spread(frequencies: Tensor) -> Tensor:
    """Frequencies in Hz (F,) -> weights (F, BANDS), rows summing to 1: linear interpolation between the bands' centres.

    Below the lowest centre the lowest band counts alone; above the highest, the mean of the `TOP` highest bands.
    """
    centres = torch.tensor(edges()[1:-1], dtype=frequencies.dtype)
    above = torch.searchsorted(centres, frequencies).clamp(1, BANDS - 1)
    share = ((frequencies - centres[above - 1]) / (centres[above] - centres[above - 1])).clamp(0, 1)
    weights = torch.zeros(len(frequencies), BANDS, dtype=frequencies.dtype)
    weights.scatter_(1, above[:, None] - 1, 1 - share[:, None])
    weights.scatter_(1, above[:, None], share[:, None])
    top = torch.zeros(BANDS, dtype=frequencies.dtype)
    top[-TOP:] = 1 / TOP
    weights[frequencies > centres[-1]] = top
    return weights


GRID = Grid(hop=HOP, first=HOP / 2, bands=BANDS, spread=spread)
