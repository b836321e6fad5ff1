"""References: what the model makes of windows that were inverted and come down again under each prompt.

ZeroSep divides them by the mixture, DGMO fits a mask to them; both may take several rounds, each from what the round before
left in a stem.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.backbones.batching import Work
from engine.inversion import INVERSIONS
from engine.inversion.base import descend
from engine.inversion.fresh_noise import in_the_highs
from engine.methods.base import Dials, Scene, ladder
from engine.request import Request


def references(scene: Scene, features: Tensor, strengths: Sequence[float], dials: Dials) -> tuple[Tensor, Tensor]:
    """features (S, B, C, T, M): one mixture for all prompts (S = 1), or one for each (S = K) -> the features of a reference per
    prompt at its guidance, and the magnitudes of the mixture that each is a share of, (K, B, C, T, M).

    The mixture goes through the same codec, so that the codec's error cancels. A DDIM inversion has an error of its own, which
    is all of a reference at strength 0 and lost among what the prompt changes at strength 1. So below 1 the mixture comes down
    beside the references, and counts for as much as the strength falls short of it: no strength makes the mask jump.
    """
    backbone, request, rungs, inversion = scene.backbone, scene.request, scene.ladder(), scene.inversion()
    sources = scene.others if dials.unlike_others else [scene.unlike] * len(features)
    latent = scene.memory.encode(features.flatten(0, 1))
    wholes = backbone.magnitude(scene.memory.decode(latent))
    if len(features) < len(sources):
        latent = latent.repeat(len(sources), 1, 1, 1)
    seeds = scene.seeds * len(sources)
    trail = scene.memory.climb(inversion, rungs, latent, scene.rows(sources), seeds)
    beside = sources if _comes_down_too(request, strengths) else []
    targets = [*range(len(strengths)), *beside]
    omega = torch.tensor([*strengths, *[1.0] * len(beside)]).repeat_interleave(scene.windows)
    null, renewal = scene.rows([scene.null] * len(targets)), in_the_highs(backbone, dials.renew, latent, seeds)
    down = descend(scene.model, rungs, inversion, trail, scene.rows(targets), null, omega, renewal=renewal)
    said = [scene.model.decode(each) for each in down.flatten(0, 1).split(scene.windows)]
    each = [*wholes.split(scene.windows)] * (len(strengths) // len(features))
    for slot, strength in enumerate(strengths if beside else ()):
        back = backbone.magnitude(said[len(strengths) + slot % len(beside)])
        short = 1 - min(strength, 1.0)
        each[slot] = each[slot] ** (1 - short) * back**short
    return torch.stack(said[: len(strengths)]), torch.stack(each)


def references_work(request: Request, backbone: Backbone, strengths: Sequence[float], dials: Dials) -> Work:
    """What each window asks for all rounds and draws: each climbs once, or once per prompt where these part ways, and
    descends once per prompt (twice where 0 < omega < 1, or above 1)."""
    rungs, total = ladder(request, backbone), Work()
    branches = sum((omega != 0) + (omega != 1) for omega in strengths)
    for turn in range(dials.rounds):
        own = dials.unlike_others or turn > 0
        climbs, mixtures = (len(strengths) if own else 1), (len(strengths) if turn else 1)
        beside = climbs * _comes_down_too(request, strengths)
        passes = climbs * INVERSIONS[request.mode].passes(rungs) + (branches + beside) * len(rungs)
        total += Work(passes, encodes=mixtures, decodes=mixtures + len(strengths) + beside)
    return total * dials.draws


def _comes_down_too(request: Request, strengths: Sequence[float]) -> bool:
    """Whether the inverted mixture is a target of the descent: DDPM's returns as it was, and needs none."""
    return request.mode == "ddim" and min(strengths) < 1
