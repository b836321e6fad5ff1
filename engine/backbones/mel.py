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
from host_bridge.vocabulary import Hertz, Samples

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
TOP_BANDS = 4
"""Above the highest band a mask is the mean of this many bands below it."""


@cache
def filters(device: torch.device) -> Tensor:
    """The Slaney filter bank (64, 513) on magnitudes."""
    from transformers.audio_utils import mel_filter_bank  # costs a second: only once there is sound

    bank = mel_filter_bank(WINDOW // 2 + 1, MELS, 0.0, TOP_HZ, RATE, norm="slaney", mel_scale="slaney")
    return torch.tensor(bank.T, dtype=torch.float32, device=device)


def log_mel(audio: Tensor) -> Tensor:
    """(B, N) samples at 16 kHz, N a multiple of 160 -> (B, N / 160, 64), natural log of the mel magnitude."""
    padded = pad(audio[:, None], (EDGE, EDGE), mode="reflect")[:, 0]
    hann = torch.hann_window(WINDOW, device=audio.device)
    spectrum = torch.stft(padded, WINDOW, HOP, WINDOW, hann, center=False, return_complex=True).abs()
    return (filters(audio.device) @ spectrum).clamp_min(np.exp(SILENCE)).log().transpose(1, 2)


def magnitude(features: Tensor) -> Tensor:
    """Log-mel -> mel magnitude; runaway guesses are held."""
    return features.clamp(SILENCE, LOUDEST).exp()


def scale(features: Tensor, gain: Tensor) -> Tensor:
    """Log-mel whose magnitudes are `gain` times as large: a sum of logarithms, never below silence."""
    return (features.clamp(SILENCE, LOUDEST) + gain.log()).clamp_min(SILENCE)


def spread(frequencies: Tensor) -> Tensor:
    """Frequencies in Hz (F,) -> weights (F, 64), rows summing to 1: where each frequency lies among the mel bands.

    Each band's triangle has its peak at the band's centre, so between two centres this is linear interpolation. Below the
    lowest centre the lowest band counts alone; above the highest, the mean of the top bands.
    """
    from transformers.audio_utils import hertz_to_mel, mel_to_hertz

    edges = mel_to_hertz(np.linspace(0.0, hertz_to_mel(TOP_HZ, "slaney"), MELS + 2), "slaney")
    centres = torch.tensor(edges[1:-1], dtype=frequencies.dtype)
    above = torch.searchsorted(centres, frequencies).clamp(1, MELS - 1)
    share = ((frequencies - centres[above - 1]) / (centres[above] - centres[above - 1])).clamp(0, 1)
    weights = torch.zeros(len(frequencies), MELS, dtype=frequencies.dtype)
    weights.scatter_(1, above[:, None] - 1, 1 - share[:, None])
    weights.scatter_(1, above[:, None], share[:, None])
    top = torch.zeros(MELS, dtype=frequencies.dtype)
    top[-TOP_BANDS:] = 1 / TOP_BANDS
    weights[frequencies > centres[-1]] = top
    return weights


GRID = Grid(hop=HOP, first=HOP / 2, bands=MELS, spread=spread)
