"""An inversion climbs from a clean latent to noise so that a descent can come back down another way.

Latents are (B, c, t, m). Both directions walk one `Timesteps`; `descend` is the same for every inversion and every method.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.backbones.base import Conditioning, NoisePredictor, Schedule, guided_epsilon, implied_epsilon, predict_clean
from engine.inversion.fresh_noise import FreshNoise

ROUNDING = 1e-6
"""Of a level: a product of depth and steps that is so close to a whole number is meant to be it."""


@dataclass(frozen=True, slots=True, eq=False)
class Timesteps:
    """The levels that a climb and its descent visit, lowest first, (L,) each."""

    levels: Tensor
    alphas: Tensor
    """Alpha-bar at each level."""
    previous_alphas: Tensor
    """Alpha-bar one step down from each level."""

    @classmethod
    def build(cls, schedule: Schedule, steps: int, depth: float = 1.0) -> "Timesteps":
        """`steps` levels of the schedule, cut off at a share `depth` of the way up (the papers' start or noise ratio).

        Whole levels only, rounded down as in the released code: 17 of 25 at 0.7. But 0.29 of 100 are 29, though as floats
        their product is 28.999...
        """
        levels = schedule.levels(steps)[: math.floor(depth * steps + ROUNDING)]
        alphas = schedule.alpha_bar(levels)
        return cls(levels, alphas, torch.cat([alphas.new_tensor([schedule.floor]), alphas])[: len(levels)])

    def __len__(self) -> int:
        return len(self.levels)


@dataclass(frozen=True, slots=True, eq=False)
class InversionResult:
    """The way up, kept: where it ended, and what leads back down.

    top: (B, c, t, m), the latent at the highest level.
    noises: (B, L, c, t, m), the noise of each step down, or (B, 0, c, t, m) where steps are deterministic.
    """

    latent: Tensor
    noises: Tensor


class Inversion(Protocol):
    """One way up. Implementations are plain frozen objects: no state between calls."""

    name: str

    def invert(
        self, noise: NoisePredictor, timesteps: Timesteps, latent: Tensor, source: Conditioning, seeds: list[int]
    ) -> InversionResult:
        """Invert `latent` under `source` (one conditioning row per item); `seeds` (B) draw each item's noise by itself,
        so that no result depends on which items share a batch."""
        ...

    def step(
        self,
        timesteps: Timesteps,
        inverted: InversionResult,
        step_index: int,
        clean: Tensor,
        epsilon: Tensor,
        fresh_noise: FreshNoise | None = None,
    ) -> Tensor:
        """From level `rung` to the one below, given the guess of the clean latent and epsilon, (K x B, c, t, m); with
        `renewal` a part of the step's noise is new."""
        ...

    def passes(self, timesteps: Timesteps) -> int:
        """Network passes per item of a climb."""
        ...


MixtureConsistency = Callable[[Tensor], Tensor]
"""(K, B, c, t, m) guesses of clean latents -> the same, made to agree about the mixture."""


def denoise(
    noise: NoisePredictor,
    timesteps: Timesteps,
    inversion: Inversion,
    inverted: InversionResult,
    prompts: Conditioning,
    null: Conditioning,
    strength: Tensor,
    project_to_mixture: MixtureConsistency | None = None,
    fresh_noise: FreshNoise | None = None,
) -> Tensor:
    """Walk down from the trail's top under K prompts at once -> clean latents (K, B, c, t, m).

    prompts, null: one row per item, K x B, all items of the first prompt first. strength (K x B,): omega per item.
    renewal: fresh noise for all steps but the last, whose noise nothing would take away.
    """
    count = len(strength) // len(inverted.latent)
    x = inverted.latent.repeat(count, 1, 1, 1)
    for step_index in reversed(range(len(timesteps))):
        level = timesteps.levels[step_index].expand(len(x))
        alpha = timesteps.alphas[step_index].expand(len(x))
        epsilon = guided_epsilon(noise, x, level, prompts, null, strength)
        clean = predict_clean(x, alpha, epsilon)
        if project_to_mixture is not None:
            clean = project_to_mixture(clean.unflatten(0, (count, -1))).flatten(0, 1)
            epsilon = implied_epsilon(x, alpha, clean)
        x = inversion.step(timesteps, inverted, step_index, clean, epsilon, fresh_noise if step_index else None)
    slots: Tensor = x.unflatten(0, (count, -1))
    return slots
