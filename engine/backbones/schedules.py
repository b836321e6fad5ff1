"""Noise schedules, written down where hubs may forget them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from host_bridge.errors import BadRequest

TRAINING_STEPS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Discrete:
    """A schedule of 1000 training steps; a level is the number of its step.

    `alphas` (1000,) is alpha-bar per step, as float64 so that ratios of neighbours keep their digits.
    """

    alphas: Tensor

    @property
    def floor(self) -> float:
        """A clean latent counts as step 0 (`set_alpha_to_one=False`)."""
        return float(self.alphas[0])

    def levels(self, steps: int) -> Tensor:
        """Leading spacing with an offset of one, as AudioLDM samples: step k stands at 1 + k 1000 / steps, rounded down.

        Raises BadRequest outside 1..500 steps.
        """
        if not 1 <= steps <= TRAINING_STEPS // 2:
            raise BadRequest(f"{steps} steps cannot be taken.", "Choose a number from 1 to 500; 25 to 100 are usual.")
        return 1 + torch.arange(steps) * TRAINING_STEPS // steps

    def level(self, height: float) -> float:
        """The training step at a share of the way up."""
        return float(round(height * TRAINING_STEPS))

    def alpha_bar(self, levels: Tensor) -> Tensor:
        """Alpha-bar of each step, float64."""
        return self.alphas[levels.long().cpu()].to(levels.device)


def scaled_linear(first: float, last: float) -> Discrete:
    """Betas whose square roots rise evenly from `first` to `last`: Stable Diffusion's schedule, and AudioLDM's."""
    betas = torch.linspace(first**0.5, last**0.5, TRAINING_STEPS, dtype=torch.float64) ** 2
    return Discrete((1 - betas).cumprod(0))
