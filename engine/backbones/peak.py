"""The level of a window, for models that were trained on sound of one peak."""

import torch
from torch import Tensor

SILENCE = 1e-5
"""A window with no larger sample lies below the floor of every model's features: silence, not to be blown up."""


def peak_gain(audio: Tensor, peak: float) -> Tensor:
    """The factor (B,) that brings the peak of each (B, C, N) to `peak`, where the mean does not count; 1 for silence."""
    found = (audio - audio.mean(-1, keepdim=True)).abs().amax((1, 2))
    return torch.where(found > SILENCE, peak / found.clamp_min(SILENCE), torch.ones_like(found))
