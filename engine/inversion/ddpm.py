"""Edit-friendly DDPM inversion (Huberman-Spiegelglas et al. 2024; for audio Manor and Michaeli 2024).

Every level is drawn from the forward process by itself, so all passes of a climb are independent: one batch. Going down
under the same prompt returns the latent to rounding, because every noise is kept, the last one too.
"""

import torch
from torch import Tensor

from engine.backbones.base import Conditioning, Noise, clean_guess, column, noised
from engine.inversion.base import Ladder, Trail
from engine.inversion.fresh_noise import Renewal


def mean_and_deviation(ladder: Ladder, rungs: Tensor, clean: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Of DDPM's step down (eta = 1) from each item's rung (B,): mean (B, c, t, m), deviation broadcastable to it.

    var = (1 - AB') / (1 - AB) (1 - AB / AB');  mean = sqrt(AB') x0 + sqrt(1 - AB' - var) eps.
    """
    here, below = ladder.alphas[rungs], ladder.below[rungs]
    variance = (1 - below) / (1 - here) * (1 - here / below)
    direction = (1 - below - variance).clamp_min(0).sqrt()
    mean = column(below.sqrt(), clean) * clean + column(direction, epsilon) * epsilon
    return mean, column(variance.sqrt(), clean)


class DDPM:
    """Exact under its own prompt, at one pass per level."""

    name = "ddpm"

    def climb(self, noise: Noise, ladder: Ladder, latent: Tensor, source: Conditioning, seeds: list[int]) -> Trail:
        """z_t = (x_below - mean) / deviation for every level, all levels of all items as one batch."""
        count, shape = len(ladder), latent.shape[1:]
        if count == 0:
            return Trail(latent, latent.new_empty(len(latent), 0, *shape))
        draws = torch.stack([torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        rungs = torch.arange(count).repeat(len(latent))
        start = latent.repeat_interleave(count, 0)
        x = noised(start, ladder.alphas[rungs], draws.flatten(0, 1).to(latent))
        source = source.rows(torch.arange(len(latent)).repeat_interleave(count))
        epsilon = noise(x, ladder.levels[rungs], source)
        mean, deviation = mean_and_deviation(ladder, rungs, clean_guess(x, ladder.alphas[rungs], epsilon), epsilon)
        levels = x.unflatten(0, (-1, count))
        below = torch.cat([latent[:, None], levels[:, :-1]], 1).flatten(0, 1)
        return Trail(levels[:, -1], ((below - mean) / deviation).unflatten(0, (-1, count)))

    def step(
        self, ladder: Ladder, trail: Trail, rung: int, clean: Tensor, epsilon: Tensor, renewal: Renewal | None = None
    ) -> Tensor:
        """The mean under the guided epsilon, plus the noise that the climb kept, as far as it is not renewed."""
        mean, deviation = mean_and_deviation(ladder, torch.full((len(clean),), rung), clean, epsilon)
        noises = trail.noises[:, rung].repeat(len(clean) // len(trail.top), 1, 1, 1)
        if renewal is not None:
            noises = (1 - renewal.share**2).sqrt() * noises + renewal.share * renewal.noise(rung, clean)
        return mean + deviation * noises

    def passes(self, ladder: Ladder) -> int:
        """One per level."""
        return len(ladder)
