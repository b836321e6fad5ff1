"""Sound from mel magnitudes where a model has no vocoder: Griffin and Lim (1984), with Perraudin et al.'s momentum (2013)."""

import torch
from torch import Tensor

from engine.audio.stft import overlap_add
from engine.backbones import mel

UPDATES = 50
ITERATIONS, MOMENTUM = 32, 0.99
SEED = 0
"""Of the first phases, so that the same magnitudes always sound the same."""


def _bins(magnitude: Tensor) -> Tensor:
    """(B, T, 64) mel magnitudes -> (B, T, 513) the non-negative bins that explain them, by multiplicative updates.

    Lee and Seung 2001, with the filter bank as the fixed dictionary; starts from each bin's share of its bands.
    """
    bank = mel.filters(magnitude.device)
    bins = magnitude @ (bank / bank.sum(0).clamp_min(1e-8) / bank.sum(1, keepdim=True))
    for _ in range(UPDATES):
        bins = bins * ((magnitude @ bank) / (bins @ bank.T @ bank).clamp_min(1e-10))
    return bins


def render(magnitude: Tensor) -> Tensor:
    """(B, T, 64) mel magnitudes -> (B, 160 T) samples at 16 kHz whose `log_mel` comes near them."""
    target = _bins(magnitude).transpose(1, 2)
    window = torch.hann_window(mel.WINDOW, device=magnitude.device)
    angles = torch.rand(target.shape, generator=torch.Generator().manual_seed(SEED)).to(target) * 2 * torch.pi
    phase, before = torch.polar(torch.ones_like(target), angles), torch.zeros(1, device=target.device)
    for _ in range(ITERATIONS):
        audio = overlap_add(torch.fft.irfft(target * phase, n=mel.WINDOW, dim=1), window, mel.HOP)
        again = torch.stft(audio, mel.WINDOW, mel.HOP, mel.WINDOW, window, center=False, return_complex=True)
        leap = again + MOMENTUM * (again - before)
        phase, before = leap / leap.abs().clamp_min(1e-12), again
    audio = overlap_add(torch.fft.irfft(target * phase, n=mel.WINDOW, dim=1), window, mel.HOP)
    return audio[:, mel.EDGE : audio.shape[1] - mel.EDGE]
