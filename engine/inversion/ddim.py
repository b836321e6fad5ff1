"""DDIM inversion (Song et al. 2021): the deterministic way up, one step after another."""

import torch
from torch import Tensor

from engine.backbones.base import Conditioning, Noise, clean_guess, column, noised
from engine.inversion.base import Ladder, Trail
from engine.inversion.ddpm import mean_and_deviation
from engine.inversion.fresh_noise import Renewal


class DDIM:
    """Approximate: each step up uses the epsilon of the point it starts from, asked at the level where it arrives."""

    name = "ddim"

    def climb(self, noise: Noise, ladder: Ladder, latent: Tensor, source: Conditioning, seeds: list[int]) -> Trail:  # noqa: ARG002 - draws nothing
        """x' = sqrt(AB') x0 + sqrt(1 - AB') eps, sequentially from the lowest level to the highest."""
        x = latent
        for level, alpha, below in zip(ladder.levels, ladder.alphas, ladder.below, strict=True):
            epsilon = noise(x, level.expand(len(x)), source)
            x = noised(clean_guess(x, below.expand(len(x)), epsilon), alpha.expand(len(x)), epsilon)
        return Trail(x, latent.new_empty(len(latent), 0, *latent.shape[1:]))

    def step(
        self,
        ladder: Ladder,
        trail: Trail,  # noqa: ARG002 - needs no trail
        rung: int,
        clean: Tensor,
        epsilon: Tensor,
        renewal: Renewal | None = None,
    ) -> Tensor:
        """The same equation downwards; renewed, x' = sqrt(AB') x0 + sqrt(1 - AB' - sigma^2) eps + sigma z (eq. 12 of the
        paper), sigma being the share of DDPM's deviation that is new."""
        below = ladder.below[rung].expand(len(clean))
        if renewal is None:
            return noised(clean, below, epsilon)
        _, deviation = mean_and_deviation(ladder, torch.full((len(clean),), rung), clean, epsilon)
        sigma, under = renewal.share * deviation, column(below, clean)
        kept = (1 - under - sigma**2).clamp_min(0).sqrt()
        return under.sqrt() * clean + kept * epsilon + sigma * renewal.noise(rung, clean)

    def passes(self, ladder: Ladder) -> int:
        """One per level."""
        return len(ladder)
