"""References: what the model makes of windows that were inverted and come down again under each prompt.

ZeroSep divides them by the mixture, DGMO fits a mask to them; both may take several rounds, each from what the round before
left in a stem.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.inversion import INVERSIONS
from engine.inversion.base import descend
from engine.inversion.renewal import in_the_highs
from engine.methods.base import Dials, Scene, ladder
from engine.request import Request


def references(scene: Scene, features: Tensor, strengths: Sequence[float], dials: Dials) -> tuple[Tensor, Tensor]:
    """features (S, B, C, T, M): one mixture for all prompts (S = 1), or one for each (S = K) -> the features of a reference per
    prompt at its guidance (K, B, C, T, M), and those of the mixtures through the same codec, (S, B, C, T, M).

    With DDPM a descent under the inversion prompt returns the latent, so the codec alone will do; with DDIM the mixture comes
    down beside the references, and its errors are theirs.
    """
    backbone, request, rungs, inversion = scene.backbone, scene.request, scene.ladder(), scene.inversion()
    sources = scene.others if dials.unlike_others else [scene.unlike] * len(features)
    latent = backbone.encode(features.flatten(0, 1))
    if len(features) < len(sources):
        latent = latent.repeat(len(sources), 1, 1, 1)
    seeds = scene.seeds * len(sources)
    trail = scene.climb(inversion, rungs, latent, scene.rows(sources), seeds)
    beside = sources if request.mode == "ddim" else []
    targets = [*range(len(request.prompts)), *beside]
    omega = torch.tensor([*strengths, *[1.0] * len(beside)]).repeat_interleave(scene.windows)
    null, renewal = scene.rows([scene.null] * len(targets)), in_the_highs(backbone, dials.renew, latent, seeds)
    down = descend(scene.noise, rungs, inversion, trail, scene.rows(targets), null, omega, renewal=renewal)
    each = down.flatten(0, 1).split(scene.windows)
    said = [backbone.decode(one) for one in (each if beside else (*each, *latent.split(scene.windows)))]
    prompts = len(request.prompts)
    return torch.stack(said[:prompts]), torch.stack(said[prompts:])


def references_passes(request: Request, backbone: Backbone, strengths: Sequence[float], dials: Dials) -> int:
    """Network passes per window of all rounds and draws: each climbs once, or once per prompt where these part ways, and
    descends once per prompt (twice where 0 < omega < 1, or above 1)."""
    rungs, total = ladder(request, backbone), 0
    branches = sum((omega != 0) + (omega != 1) for omega in strengths)
    for turn in range(dials.rounds):
        climbs = len(request.prompts) if turn or dials.unlike_others else 1
        total += climbs * INVERSIONS[request.mode].passes(rungs)
        total += (branches + climbs * (request.mode == "ddim")) * len(rungs)
    return dials.draws * total
