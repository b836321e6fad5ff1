"""An inversion climbs from a clean latent to noise so that a descent can come back down another way.

Latents are (B, c, t, m). Both directions walk one `Ladder`; `descend` is the same for every inversion and every method.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.backbones.base import Conditioning, Noise, Schedule, clean_guess, guided, implied_epsilon
from engine.inversion.renewal import Renewal

ROUNDING = 1e-6
"""Of a level: a product of depth and steps that is so close to a whole number is meant to be it."""


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """The levels that a climb and its descent visit, lowest first, (L,) each."""

    levels: Tensor
    alphas: Tensor
    """Alpha-bar at each level."""
    below: Tensor
    """Alpha-bar one step down from each level."""

    @classmethod
    def build(cls, schedule: Schedule, steps: int, depth: float = 1.0) -> "Ladder":
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
class Trail:
    """The way up, kept: where it ended, and what leads back down.

    top: (B, c, t, m), the latent at the highest level.
    noises: (B, L, c, t, m), the noise of each step down, or (B, 0, c, t, m) where steps are deterministic.
    """

    top: Tensor
    noises: Tensor


class Inversion(Protocol):
    """One way up. Implementations are plain frozen objects: no state between calls."""

    name: str

    def climb(self, noise: Noise, ladder: Ladder, latent: Tensor, source: Conditioning, seeds: list[int]) -> Trail:
        """Invert `latent` under `source` (one conditioning row per item); `seeds` (B) draw each item's noise by itself,
        so that no result depends on which items share a batch."""
        ...

    def step(
        self, ladder: Ladder, trail: Trail, rung: int, clean: Tensor, epsilon: Tensor, renewal: Renewal | None = None
    ) -> Tensor:
        """From level `rung` to the one below, given the guess of the clean latent and epsilon, (K x B, c, t, m); with
        `renewal` a part of the step's noise is new."""
        ...

    def passes(self, ladder: Ladder) -> int:
        """Network passes per item of a climb."""
        ...


Share = Callable[[Tensor], Tensor]
"""(K, B, c, t, m) guesses of clean latents -> the same, made to agree about the mixture."""


def descend(
    noise: Noise,
    ladder: Ladder,
    inversion: Inversion,
    trail: Trail,
    prompts: Conditioning,
    null: Conditioning,
    strength: Tensor,
    share: Share | None = None,
    renewal: Renewal | None = None,
) -> Tensor:
    """Walk down from the trail's top under K prompts at once -> clean latents (K, B, c, t, m).

    prompts, null: one row per item, K x B, all items of the first prompt first. strength (K x B,): omega per item.
    renewal: fresh noise for all steps but the last, whose noise nothing would take away.
    """
    count = len(strength) // len(trail.top)
    x = trail.top.repeat(count, 1, 1, 1)
    for rung in reversed(range(len(ladder))):
        level = ladder.levels[rung].expand(len(x))
        alpha = ladder.alphas[rung].expand(len(x))
        epsilon = guided(noise, x, level, prompts, null, strength)
        clean = clean_guess(x, alpha, epsilon)
        if share is not None:
            clean = share(clean.unflatten(0, (count, -1))).flatten(0, 1)
            epsilon = implied_epsilon(x, alpha, clean)
        x = inversion.step(ladder, trail, rung, clean, epsilon, renewal if rung else None)
    slots: Tensor = x.unflatten(0, (count, -1))
    return slots
