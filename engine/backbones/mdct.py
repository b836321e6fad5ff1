"""A stereo waveform as something that can be masked and undone: a lapped cosine transform (MDCT) that loses nothing.

Blocks of `SIZE` samples overlap by half a block on either side (sine window); at the two ends of the sound they do not, so
N samples become exactly N coefficients and come back to rounding. Coefficients are signed: they hold the phase as well.
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from engine.backbones.base import Grid
from host_bridge.types import Hertz, Samples

SIZE = Samples(1024)
"""Samples per block, and coefficients: 23 ms and 21.5 Hz at 44.1 kHz, near the spectrogram that masks are applied to."""


@cache
def _cosines(device: torch.device) -> Tensor:
    """The orthonormal DCT-IV (SIZE, SIZE), its own inverse."""
    middles = torch.arange(SIZE, dtype=torch.float64) + 0.5
    return ((math.pi / SIZE * middles[:, None] * middles).cos() * math.sqrt(2 / SIZE)).float().to(device)


def _crossed(blocks: Tensor, direction: float) -> Tensor:
    """Neighbouring halves (..., T, SIZE) turned into each other, sample by mirrored sample; -1 turns them back."""
    half = SIZE // 2
    angles = math.pi / 4 * (1 + (2 * torch.arange(half, device=blocks.device) + 1) / SIZE)
    keep, give = angles.sin(), direction * angles.cos()
    before, after = blocks[..., :-1, half:].flip(-1), blocks[..., 1:, :half]
    crossed = blocks.clone()
    crossed[..., 1:, :half] = keep * after + give * before
    crossed[..., :-1, half:] = (keep * before - give * after).flip(-1)
    return crossed


def analyse(audio: Tensor) -> Tensor:
    """(B, C, N) samples, N a multiple of `SIZE` -> (B, C, N / SIZE, SIZE) coefficients, low frequencies first."""
    return _crossed(audio.unflatten(-1, (-1, SIZE)), 1.0) @ _cosines(audio.device)


def synthesise(coefficients: Tensor) -> Tensor:
    """The inverse of `analyse`."""
    return _crossed(coefficients @ _cosines(coefficients.device), -1.0).flatten(-2)


def magnitude(coefficients: Tensor) -> Tensor:
    """How much sound there is at each place, hardly depending on phase: sqrt(X_k^2 + (X_k+1 - X_k-1)^2), which comes near
    the modulus of a Fourier transform (Daudet and Sandler 2004, the pseudo-spectrum)."""
    around = pad(coefficients, (1, 1))
    return (coefficients.square() + (around[..., 2:] - around[..., :-2]).square()).sqrt()


def grid(rate: Hertz) -> Grid:
    """Where coefficients lie, for sound at `rate`."""

    def spread(frequencies: Tensor) -> Tensor:
        """Between the middles of two neighbouring bands, linear interpolation; beyond the outermost, they alone."""
        places = (frequencies / rate * 2 * SIZE - 0.5).clamp(0, SIZE - 1)
        left = places.floor().long().clamp(max=SIZE - 2)
        share = (places - left)[:, None]
        weights = torch.zeros(len(frequencies), SIZE, dtype=frequencies.dtype)
        weights.scatter_(1, left[:, None], 1 - share)
        return weights.scatter_(1, left[:, None] + 1, share)

    return Grid(hop=SIZE, first=SIZE / 2, bands=SIZE, spread=spread)
