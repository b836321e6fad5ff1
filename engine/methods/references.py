"""References: windows inverted and denoised again under each prompt.

ZeroSep divides them by the mixture, DGMO fits a mask to them; both may take several iterations, each starting from the stem of
the one before.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.inversion import INVERSIONS
from engine.inversion.base import denoise
from engine.inversion.fresh_noise import high_frequency_noise
from engine.methods.base import MethodOptions, WindowBatch, timesteps_of
from engine.request import Request


def references(
    batch: WindowBatch, features: Tensor, strengths: Sequence[float], options: MethodOptions
) -> tuple[Tensor, Tensor]:
    """features (S, B, C, T, M): one mixture for all prompts (S = 1), or one for each (S = K) -> the features of a reference per
    prompt at its guidance, and the magnitudes of the mixture that each is a share of, (K, B, C, T, M).

    The mixture goes through the same codec, so that the codec's error cancels. A DDIM inversion has an error of its own, which
    is all of a reference at strength 0 and lost among what the prompt changes at strength 1. So below 1 the mixture comes down
    beside the references, and counts for as much as the strength falls short of it: no strength makes the mask jump.
    """
    backbone, request, timesteps, inversion = batch.backbone, batch.request, batch.timesteps(), batch.inversion()
    sources = batch.other_rows if options.unlike_others else [batch.unlike] * len(features)
    latent = batch.model_cache.encode(features.flatten(0, 1))
    wholes = backbone.magnitude(batch.model_cache.decode(latent))
    if len(features) < len(sources):
        latent = latent.repeat(len(sources), 1, 1, 1)
    seeds = batch.seeds * len(sources)
    inverted = batch.model_cache.invert(inversion, timesteps, latent, batch.rows(sources), seeds)
    beside = sources if _denoises_mixture(request, strengths) else []
    targets = [*range(len(strengths)), *beside]
    omega = torch.tensor([*strengths, *[1.0] * len(beside)]).repeat_interleave(batch.windows)
    null, fresh_noise = (
        batch.rows([batch.null_row] * len(targets)),
        high_frequency_noise(backbone, options.renew, latent, seeds),
    )
    down = denoise(batch.model, timesteps, inversion, inverted, batch.rows(targets), null, omega, fresh_noise=fresh_noise)
    said = [batch.model.decode(each) for each in down.flatten(0, 1).split(batch.windows)]
    each = [*wholes.split(batch.windows)] * (len(strengths) // len(features))
    for slot, strength in enumerate(strengths if beside else ()):
        back = backbone.magnitude(said[len(strengths) + slot % len(beside)])
        short = 1 - min(strength, 1.0)
        each[slot] = each[slot] ** (1 - short) * back**short
    return torch.stack(said[: len(strengths)]), torch.stack(each)


def references_cost(request: Request, backbone: Backbone, strengths: Sequence[float], options: MethodOptions) -> Cost:
    """Cost per window of all iterations and draws: one inversion each, or one per prompt where their inputs differ, and one
    denoising run per prompt (two branches where 0 < omega < 1, or above 1)."""
    timesteps, total = timesteps_of(request, backbone), Cost()
    branches = sum((omega != 0) + (omega != 1) for omega in strengths)
    for turn in range(options.rounds):
        own = options.unlike_others or turn > 0
        inversions, mixtures = (len(strengths) if own else 1), (len(strengths) if turn else 1)
        beside = inversions * _denoises_mixture(request, strengths)
        passes = inversions * INVERSIONS[request.mode].passes(timesteps) + (branches + beside) * len(timesteps)
        total += Cost(passes, encodes=mixtures, decodes=mixtures + len(strengths) + beside)
    return total * options.draws


def _denoises_mixture(request: Request, strengths: Sequence[float]) -> bool:
    """True if the mixture is denoised as well, to share DDIM's round-trip error. DDPM returns the mixture exactly and needs
    none."""
    return request.mode == "ddim" and min(strengths) < 1
