"""DDIM inversion (Song et al. 2021): the deterministic way up, one step after another."""

from torch import Tensor

from engine.backbones.base import Conditioning, Noise, clean_guess, noised
from engine.inversion.base import Ladder, Trail


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

    def step(self, ladder: Ladder, trail: Trail, rung: int, clean: Tensor, epsilon: Tensor) -> Tensor:  # noqa: ARG002 - needs no trail
        """The same equation downwards."""
        return noised(clean, ladder.below[rung].expand(len(clean)), epsilon)

    def passes(self, ladder: Ladder) -> int:
        """One per level."""
        return len(ladder)
