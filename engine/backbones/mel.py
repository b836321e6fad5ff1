"""The front end of the mel backbones: log-mel as AudioLDM was trained on, and the way back to any spectrogram's bins.

Reflect padding of 432 without centring puts frame i around sample 160 i + 80. The public inference code centres its frames
instead, which makes everything 80 samples late.
"""

from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.backbones.base import Grid
from host_bridge.types import Hertz, Samples

RATE = Hertz(16_000)
HOP = Samples(160)
WINDOW = 1024
MELS = 64
TOP_HZ = 8000.0
SILENCE = float(np.log(1e-5))
"""Log-mel of digital silence: magnitudes are floored at 1e-5."""

LOUDEST = 8.0
"""Log-mel at which runaway guesses are held; full-scale sound reaches about 4."""

EDGE = (WINDOW - HOP) // 2
TOP = 1 / 16
"""Above the highest band a mask is the mean of this share of the bands below it."""


@cache
def filters(device: torch.device, size: int = WINDOW, bands: int = MELS) -> Tensor:
    """The Slaney filter bank (bands, size / 2 + 1) on magnitudes."""
    from transformers.audio_utils import mel_filter_bank  # costs a second: only once there is sound

    bank = mel_filter_bank(size // 2 + 1, bands, 0.0, TOP_HZ, RATE, norm="slaney", mel_scale="slaney")
    return torch.tensor(bank.T, dtype=torch.float32, device=device)


def log_mel(audio: Tensor, size: int = WINDOW, bands: int = MELS) -> Tensor:
    """(B, N) samples at 16 kHz, N a multiple of 160 -> (B, N / 160, bands), natural log of the mel magnitude.

    size: of the Fourier transform; the window is `WINDOW` samples long, with zeros around it.
    """
    edge = (size - HOP) // 2
    padded = pad(audio[:, None], (edge, edge), mode="reflect")[:, 0]
    hann = torch.hann_window(WINDOW, device=audio.device)
    spectrum = torch.stft(padded, size, HOP, WINDOW, hann, center=False, return_complex=True).abs()
    return (filters(audio.device, size, bands) @ spectrum).clamp_min(np.exp(SILENCE)).log().transpose(1, 2)


def magnitude(features: Tensor) -> Tensor:
    """Log-mel -> mel magnitude; runaway guesses are held."""
    return features.clamp(SILENCE, LOUDEST).exp()


def scale(features: Tensor, gain: Tensor) -> Tensor:
    """Log-mel whose magnitudes are `gain` times as large: a sum of logarithms, never below silence."""
    return (features.clamp(SILENCE, LOUDEST) + gain.log()).clamp_min(SILENCE)


def spread(frequencies: Tensor, bands: int = MELS) -> Tensor:
    """Frequencies in Hz (F,) -> weights (F, bands), rows summing to 1: where each frequency lies among the mel bands.

    Each band's triangle has its peak at the band's centre, so between two centres this is linear interpolation. Below the
    lowest centre the lowest band counts alone; above the highest, the mean of the top bands.
    """
    from transformers.audio_utils import hertz_to_mel, mel_to_hertz

    edges = mel_to_hertz(np.linspace(0.0, hertz_to_mel(TOP_HZ, "slaney"), bands + 2), "slaney")
    centres = torch.tensor(edges[1:-1], dtype=frequencies.dtype)
    above = torch.searchsorted(centres, frequencies).clamp(1, bands - 1)
    share = ((frequencies - centres[above - 1]) / (centres[above] - centres[above - 1])).clamp(0, 1)
    weights = torch.zeros(len(frequencies), bands, dtype=frequencies.dtype)
    weights.scatter_(1, above[:, None] - 1, 1 - share[:, None])
    weights.scatter_(1, above[:, None], share[:, None])
    count = round(bands * TOP)
    top = torch.zeros(bands, dtype=frequencies.dtype)
    top[-count:] = 1 / count
    weights[frequencies > centres[-1]] = top
    return weights


GRID = Grid(hop=HOP, first=HOP / 2, bands=MELS, spread=spread)
