"""ZeroSep (arXiv 2505.23625): invert the mixture, denoise it under each prompt, and use the ratio of result to mixture as
mask."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.methods.base import (
    Estimate,
    MethodOptions,
    WindowBatch,
    apply_masks,
    mean_over_draws,
    presence_cost_if_measured,
    repeat_windows,
    resolve_options,
    score_presence_if_measured,
)
from engine.methods.references import references, references_cost
from engine.request import Request


class ZeroSep:
    """Strength is the guidance weight omega of eq. 6. The mask is the stem's magnitude over the mixture's, both through the
    same codec so that the codec's error cancels. Another iteration separates the stem again, as the mixture was (the paper's
    appendix: for interferers that one run does not remove).

    A stem at strength 0 is the mixture. Beside other stems the model is asked for its sound all the same, at guidance 1, since
    what they share at full strength depends on it (see `settle`)."""

    name = "zerosep"
    strength_in_mask = False
    options: ClassVar[Mapping[str, float]] = {"unlike_others": False, "renew": 0.0, "rounds": 1, "draws": 1}
    refine = None

    def estimate(self, batch: WindowBatch) -> Estimate:
        """One inversion and one batched denoising run for all prompts; each further iteration takes an inversion per prompt."""
        options = resolve_options(self, batch.request)
        masks, features = (
            mean_over_draws(each, options.draws) for each in _iterate(repeat_windows(batch, options.draws), options)
        )
        whole = [slot for slot, omega in enumerate(batch.request.strengths) if omega == 0]
        features[whole] = batch.features.to(features)
        return Estimate(masks, features, score_presence_if_measured(batch))

    def cost(self, request: Request, backbone: Backbone) -> Cost:
        """Cost of the references and of the presence scores."""
        asked = references_cost(request, backbone, _asked_at(request), resolve_options(self, request))
        return asked + presence_cost_if_measured(request, backbone)


def _asked_at(request: Request) -> list[float]:
    """The guidance of each prompt's descent."""
    return [1.0 if omega == 0 and len(request.strengths) > 1 else omega for omega in request.strengths]


def _iterate(batch: WindowBatch, options: MethodOptions) -> tuple[Tensor, Tensor]:
    """Masks and the features of the last iteration, (K, B, C, T, M) each."""
    features, masks = batch.features[None], batch.features.new_ones(())
    said = features
    for _ in range(options.rounds):
        said, wholes = references(batch, features, _asked_at(batch.request), options)
        stems = torch.stack([batch.backbone.magnitude(stem) for stem in said])
        masks = masks * (stems / wholes.clamp_min(1e-12)).clamp(0, 1)
        features = apply_masks(batch, masks)
    return masks, said
