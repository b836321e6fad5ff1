"""Fresh noise in the high frequencies while denoising: Diff-DMX's refinement noise (arXiv 2511.21342) for any inversion.

High frequencies are sparse and weak, and what denoising once lost of them stays lost; new noise there gives the model another
try, while the rest follows the inversion. The paper filters the noise and scales it back to unit power, which leaves the lows
with less noise than their level says; here eta itself rises with the frequency, so every row keeps its level.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.backbones.base import Backbone

CORNER_HZ, ORDER = 5000.0, 4
"""Of the Butterworth high-pass: the paper's best among 600 Hz, 2 kHz, 5 kHz and none."""


@dataclass(frozen=True, slots=True, eq=False)
class FreshNoise:
    """eta: 0..1, (c, t, m) or broadcastable to it: the part of a step's noise that is new. seeds: one per item."""

    eta: Tensor
    seeds: list[int]

    def noise(self, step_index: int, like: Tensor) -> Tensor:
        """Standard normal, shaped as `like`, (K x B, c, t, m): for each item its own, the same for all prompts."""
        generators = [torch.Generator().manual_seed((seed + 7_919 * (step_index + 1)) ^ 0xD1FF) for seed in self.seeds]
        drawn = torch.stack([torch.randn(like.shape[1:], generator=each) for each in generators]).to(like)
        return drawn.repeat(len(like) // len(self.seeds), 1, 1, 1)


def high_frequency_noise(backbone: Backbone, eta: float, latent: Tensor, seeds: list[int]) -> FreshNoise | None:
    """Fresh noise with `eta` in the high frequencies, falling to 0 below `CORNER_HZ`; None for an eta of 0.

    A row of the latent along its rising axis holds M / m neighbouring bands, and has the mean of their shares.
    """
    if eta == 0 or backbone.frequency_axis is None:
        return None
    frequencies = torch.linspace(0, backbone.rate / 2, 4097)[1:]
    weights = backbone.grid.spread(frequencies)
    centres = (weights * frequencies[:, None]).sum(0) / weights.sum(0).clamp_min(1e-9)
    passed = 1 / (1 + (CORNER_HZ / centres.clamp_min(1e-3)) ** (2 * ORDER)).sqrt()
    rows = torch.stack([each.mean() for each in passed.tensor_split(latent.shape[backbone.frequency_axis])])
    return FreshNoise(eta * rows.to(latent).reshape(-1, *[1] * (-1 - backbone.frequency_axis)), seeds)
