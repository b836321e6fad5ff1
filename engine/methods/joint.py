"""Joint denoising: all prompts and the rest are denoised together, and the masks are their shares of the sum.

Each prompt is denoised under its own conditioning, and the rest under the inversion prompt, unless the prompts name every
sound. With a lossless codec the predicted clean features are scaled bin by bin after every step until their magnitudes sum to
the mixture's (mixture consistency). Through a VAE that would cost a decode and an encode per step for no measurable gain
(docs/adr), so there it is left out. Compared with ZeroSep on the same inversion, joint is better by 1.4 dB where both sounds of
a mix are named, and equal where one is (bench/RESULTS.md): it helps that prompts compete in the mask.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.inversion import INVERSIONS
from engine.inversion.base import denoise
from engine.methods.base import (
    Estimate,
    WindowBatch,
    mean_over_draws,
    presence_cost_if_measured,
    repeat_windows,
    resolve_options,
    score_presence_if_measured,
    timesteps_of,
)
from engine.request import Request

POWER = 1.5
"""Of the magnitudes that shares are made of: 1 is safest on recordings unlike the training sound (+0.3 dB against 1.5), 2, a
Wiener filter's, best where the model knows the sound (+0.2 dB), and worst where it does not (-0.8 dB)."""


class Joint:
    """Strength is the mask to the power omega, so every strength costs the same and a new one costs nothing."""

    name = "joint"
    strength_in_mask = True
    options: ClassVar[Mapping[str, float]] = {"draws": 1}
    refine = None

    def estimate(self, batch: WindowBatch) -> Estimate:
        """One inversion, and one denoising run for all prompts and the rest as a batch."""
        draws = resolve_options(self, batch.request).draws
        masks, features = (mean_over_draws(each, draws) for each in _denoise_jointly(repeat_windows(batch, draws)))
        return Estimate(masks, features, score_presence_if_measured(batch))

    def cost(self, request: Request, backbone: Backbone) -> Cost:
        """The inversion, one denoising run per prompt and for the rest, and presence scores."""
        timesteps = timesteps_of(request, backbone)
        slots = len(request.prompts) + (not request.complete)
        once = Cost(INVERSIONS[request.mode].passes(timesteps) + slots * len(timesteps), encodes=1, decodes=slots)
        return once * resolve_options(self, request).draws + presence_cost_if_measured(request, backbone)


def _denoise_jointly(batch: WindowBatch) -> tuple[Tensor, Tensor]:
    """Masks and generated features of the prompts, (K, B, C, T, M) each."""
    backbone, timesteps, inversion = batch.backbone, batch.timesteps(), batch.inversion()
    latent, mixture = batch.model_cache.encode(batch.features), backbone.magnitude(batch.features)

    def project_to_mixture(guesses: Tensor) -> Tensor:
        features = torch.stack([backbone.decode(guess) for guess in guesses])
        gain = mixture / torch.stack([backbone.magnitude(each) for each in features]).sum(0).clamp_min(1e-12)
        return torch.stack([backbone.encode(backbone.scale(each, gain)) for each in features])

    count = len(batch.request.prompts)
    slots = [*range(count)] if batch.request.complete else [*range(count), batch.unlike]
    inverted = batch.model_cache.invert(inversion, timesteps, latent, batch.rows([batch.unlike]), batch.seeds)
    ones, null = torch.ones(len(slots) * batch.windows), batch.rows([batch.null_row] * len(slots))
    latents = denoise(
        batch.model,
        timesteps,
        inversion,
        inverted,
        batch.rows(slots),
        null,
        ones,
        project_to_mixture if backbone.lossless_codec else None,
    )
    features = torch.stack([batch.model.decode(each) for each in latents])
    powers = torch.stack([backbone.magnitude(each) for each in features]) ** POWER
    return (powers / powers.sum(0).clamp_min(1e-30))[:count], features[:count]
