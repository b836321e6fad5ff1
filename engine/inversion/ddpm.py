"""Edit-friendly DDPM inversion (Huberman-Spiegelglas et al. 2024; for audio Manor and Michaeli 2024).

Every level is drawn from the forward process independently, so all network passes of an inversion form one batch. Denoising
under the same prompt returns the latent up to rounding, because the noise of every step is kept, that of the last one too.
"""

import torch
from torch import Tensor

from engine.backbones.base import Conditioning, NoisePredictor, add_noise, append_dims, predict_clean
from engine.inversion.base import InversionResult, Timesteps
from engine.inversion.fresh_noise import FreshNoise


def posterior_mean_std(timesteps: Timesteps, step_indices: Tensor, clean: Tensor, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Posterior mean (B, c, t, m) and standard deviation (broadcastable to it) of DDPM's step (eta = 1) from each item's level
    (B,).

    var = (1 - AB') / (1 - AB) (1 - AB / AB');  mean = sqrt(AB') x0 + sqrt(1 - AB' - var) eps.
    """
    here, below = timesteps.alphas[step_indices], timesteps.previous_alphas[step_indices]
    variance = (1 - below) / (1 - here) * (1 - here / below)
    direction = (1 - below - variance).clamp_min(0).sqrt()
    mean = append_dims(below.sqrt(), clean) * clean + append_dims(direction, epsilon) * epsilon
    return mean, append_dims(variance.sqrt(), clean)


class DDPM:
    """Edit-friendly DDPM inversion: exact under its own prompt, one network pass per level."""

    name = "ddpm"

    def invert(
        self, noise: NoisePredictor, timesteps: Timesteps, latent: Tensor, source: Conditioning, seeds: list[int]
    ) -> InversionResult:
        """z_t = (x_below - mean) / deviation for every level, all levels of all items as one batch."""
        count, shape = len(timesteps), latent.shape[1:]
        if count == 0:
            return InversionResult(latent, latent.new_empty(len(latent), 0, *shape))
        draws = torch.stack([torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        step_indices = torch.arange(count).repeat(len(latent))
        start = latent.repeat_interleave(count, 0)
        x = add_noise(start, timesteps.alphas[step_indices], draws.flatten(0, 1).to(latent))
        source = source.rows(torch.arange(len(latent)).repeat_interleave(count))
        epsilon = noise(x, timesteps.levels[step_indices], source)
        mean, deviation = posterior_mean_std(
            timesteps, step_indices, predict_clean(x, timesteps.alphas[step_indices], epsilon), epsilon
        )
        levels = x.unflatten(0, (-1, count))
        below = torch.cat([latent[:, None], levels[:, :-1]], 1).flatten(0, 1)
        return InversionResult(levels[:, -1], ((below - mean) / deviation).unflatten(0, (-1, count)))

    def step(
        self,
        timesteps: Timesteps,
        inverted: InversionResult,
        step_index: int,
        clean: Tensor,
        epsilon: Tensor,
        fresh_noise: FreshNoise | None = None,
    ) -> Tensor:
        """The posterior mean under the guided epsilon, plus the noise that the inversion kept, except for the part that is
        fresh."""
        mean, deviation = posterior_mean_std(timesteps, torch.full((len(clean),), step_index), clean, epsilon)
        noises = inverted.noises[:, step_index].repeat(len(clean) // len(inverted.latent), 1, 1, 1)
        if fresh_noise is not None:
            noises = (1 - fresh_noise.eta**2).sqrt() * noises + fresh_noise.eta * fresh_noise.noise(step_index, clean)
        return mean + deviation * noises

    def passes(self, timesteps: Timesteps) -> int:
        """One network pass per level."""
        return len(timesteps)
