"""Noise schedules, written down where hubs may forget them."""

import math
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


def linear(first: float, last: float) -> Discrete:
    """Betas that rise evenly from `first` to `last`."""
    return Discrete((1 - torch.linspace(first, last, TRAINING_STEPS, dtype=torch.float64)).cumprod(0))


@dataclass(frozen=True, slots=True)
class Continuous:
    """A schedule over t in (0, 1) with alpha-bar = cos^2(pi t / 2), so that sigma = tan(pi t / 2); a level is its t.

    Steps stand at sigmas that rise by equal factors from `lowest` to `highest`, both visited.
    """

    lowest: float
    highest: float

    @property
    def floor(self) -> float:
        """A clean latent counts as one with a tenth of the noise of the lowest level."""
        return 1 / (1 + (self.lowest / 10) ** 2)

    def levels(self, steps: int) -> Tensor:
        """Raises BadRequest outside 1..500 steps."""
        if not 1 <= steps <= TRAINING_STEPS // 2:
            raise BadRequest(f"{steps} steps cannot be taken.", "Choose a number from 1 to 500; 50 to 200 are usual.")
        sigmas = torch.linspace(math.log(self.lowest), math.log(self.highest), steps, dtype=torch.float64).exp()
        return sigmas.atan() * 2 / math.pi

    def level(self, height: float) -> float:
        """t itself, as far up as there are steps."""
        return min(height, math.atan(self.highest) * 2 / math.pi)

    def alpha_bar(self, levels: Tensor) -> Tensor:
        """Alpha-bar at each t, float64."""
        return (levels.cpu().double() * math.pi / 2).cos().square().to(levels.device)
