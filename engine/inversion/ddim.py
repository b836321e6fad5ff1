"""DDIM inversion (Song et al. 2021): deterministic, one step after another."""

import torch
from torch import Tensor

from engine.backbones.base import Conditioning, NoisePredictor, add_noise, append_dims, predict_clean
from engine.inversion.base import InversionResult, Timesteps
from engine.inversion.ddpm import posterior_mean_std
from engine.inversion.fresh_noise import FreshNoise


class DDIM:
    """Approximate inversion: each step uses epsilon of the latent it starts from, predicted at the level it goes to."""

    name = "ddim"

    def invert(
        self,
        noise: NoisePredictor,
        timesteps: Timesteps,
        latent: Tensor,
        source: Conditioning,
        seeds: list[int],  # noqa: ARG002 - draws nothing
    ) -> InversionResult:
        """x' = sqrt(AB') x0 + sqrt(1 - AB') eps, sequentially from the lowest level to the highest."""
        x = latent
        for level, alpha, below in zip(timesteps.levels, timesteps.alphas, timesteps.previous_alphas, strict=True):
            epsilon = noise(x, level.expand(len(x)), source)
            x = add_noise(predict_clean(x, below.expand(len(x)), epsilon), alpha.expand(len(x)), epsilon)
        return InversionResult(x, latent.new_empty(len(latent), 0, *latent.shape[1:]))

    def step(
        self,
        timesteps: Timesteps,
        inverted: InversionResult,  # noqa: ARG002 - needs no trail
        step_index: int,
        clean: Tensor,
        epsilon: Tensor,
        fresh_noise: FreshNoise | None = None,
    ) -> Tensor:
        """The same equation towards the clean latent; with fresh noise, x' = sqrt(AB') x0 + sqrt(1 - AB' - sigma^2) eps + sigma
        z (eq. 12 of the paper), sigma being the share of DDPM's deviation that is new."""
        below = timesteps.previous_alphas[step_index].expand(len(clean))
        if fresh_noise is None:
            return add_noise(clean, below, epsilon)
        _, deviation = posterior_mean_std(timesteps, torch.full((len(clean),), step_index), clean, epsilon)
        sigma, under = fresh_noise.eta * deviation, append_dims(below, clean)
        kept = (1 - under - sigma**2).clamp_min(0).sqrt()
        return under.sqrt() * clean + kept * epsilon + sigma * fresh_noise.noise(step_index, clean)

    def passes(self, timesteps: Timesteps) -> int:
        """One network pass per level."""
        return len(timesteps)
