"""Contrast: masks from one batch of network passes, without inversion or denoising.

A little noise is added to the mixture; the predicted clean latent under a prompt, compared with the one under null from the
same noise, points towards that prompt's sound. The log ratio of both, sharpened, is a mask.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.methods.base import Estimate, WindowBatch, apply_masks, probe
from engine.request import Request

HEIGHTS, DRAWS = (0.2, 0.3, 0.4), 6
SHARPNESS = 8.0
"""Factor on the log gain, because one small step towards the prompt changes less than a full denoising run."""


class Contrast:
    """Strength is the mask to the power omega."""

    name = "contrast"
    strength_in_mask = True
    options: ClassVar[Mapping[str, float]] = {}
    refine = None

    def estimate(self, batch: WindowBatch) -> Estimate:
        """Compares all prompts with null, and with each other where there are several."""
        found = probe(batch, HEIGHTS, DRAWS)
        magnitudes = torch.stack([batch.backbone.magnitude(batch.model.decode(guess)) for guess in found.guesses])
        gains = SHARPNESS * (magnitudes[:-1] / magnitudes[-1].clamp_min(1e-12)).clamp_min(1e-12).log()
        masks = _shares(gains, complete=batch.request.complete)
        return Estimate(masks, apply_masks(batch, masks), found.scores)

    def cost(self, request: Request, backbone: Backbone) -> Cost:  # noqa: ARG002 - the same for every model
        """One batch for each prompt and one for null."""
        asked = len(request.prompts) + 1
        return Cost(len(HEIGHTS) * DRAWS * asked, encodes=1, decodes=asked)


def _shares(gains: Tensor, *, complete: bool) -> Tensor:
    """Log gains (K, ...) -> masks by softmax over the prompts; what no prompt claims is left to the rest."""
    claimed = torch.ones_like(gains[0]) if complete else gains.amax(0).exp().clamp(max=1)
    return gains.softmax(0) * claimed
