"""Sound from mel magnitudes where a model has no vocoder: Griffin and Lim (1984), with Perraudin et al.'s momentum (2013)."""

import torch
from torch import Tensor

from engine.backbones import mel
from engine.spectra import overlap_add

ITERATIONS, MOMENTUM = 32, 0.99
SEED = 0
"""Of the first phases, so that the same magnitudes always sound the same."""


def _to_bins(device: torch.device) -> Tensor:
    """(513, 64): the non-negative way back from mel bands to bins, each bin the mean of its bands over their weights' sum."""
    bank = mel.filters(device)
    return (bank / bank.sum(0, keepdim=True).clamp_min(1e-8) / bank.sum(1, keepdim=True)).T


def render(magnitude: Tensor) -> Tensor:
    """(B, T, 64) mel magnitudes -> (B, 160 T) samples at 16 kHz whose `log_mel` comes near them."""
    target = (magnitude @ _to_bins(magnitude.device).T).transpose(1, 2)
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
