"""Inversion maps a clean latent to noise under one prompt; `denoise` maps it back under others.

Latents are (B, c, t, m). Both directions visit the same `Timesteps`; `denoise` is the same for every inversion and every
method.
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
    """The noise levels that inversion and denoising visit, lowest first; every field has shape (L,)."""

    levels: Tensor
    alphas: Tensor
    """Alpha-bar at each level."""
    previous_alphas: Tensor
    """Alpha-bar of the next lower level, for each level."""

    @classmethod
    def build(cls, schedule: Schedule, steps: int, depth: float = 1.0) -> "Timesteps":
        """The lowest `depth * steps` of `steps` levels of the schedule; `depth` is the papers' start ratio, in [0, 1].

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
    """What an inversion found: the noisy latent, and the noise of every step back.

    latent: (B, c, t, m), at the highest level.
    noises: (B, L, c, t, m), the noise of each denoising step, or (B, 0, c, t, m) where steps are deterministic.
    """

    latent: Tensor
    noises: Tensor


class Inversion(Protocol):
    """One inversion algorithm. Implementations keep no state between calls."""

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
        """One denoising step, from level `step_index` to the one below, given the predicted clean latent and epsilon, (K x B,
        c, t, m); with `fresh_noise` a part of the step's noise is new."""
        ...

    def passes(self, timesteps: Timesteps) -> int:
        """Network passes that the inversion of one item takes."""
        ...


MixtureConsistency = Callable[[Tensor], Tensor]
"""(K, B, c, t, m) predicted clean latents -> the same, projected so that they sum to the mixture (mixture consistency)."""


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
    """Denoise inverted latents under K prompts as one batch -> clean latents (K, B, c, t, m).

    prompts, null: one row per item, K x B, all items of the first prompt first. strength (K x B,): omega per item.
    fresh_noise: used in all steps but the last, after which no step could remove it.
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
