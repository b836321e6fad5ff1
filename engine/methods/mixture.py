"""Baseline: every stem is the mixture."""

from collections.abc import Mapping
from typing import ClassVar

import torch

from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.methods.base import Estimate, WindowBatch
from engine.request import Request


class Mixture:
    """Masks of 1, without any network pass."""

    name = "mixture"
    strength_in_mask = True
    options: ClassVar[Mapping[str, float]] = {}
    refine = None

    def estimate(self, batch: WindowBatch) -> Estimate:
        """All of the mixture for each prompt (at full strength several prompts share it equally)."""
        masks = torch.ones(len(batch.request.prompts), *batch.features.shape, device=batch.features.device)
        return Estimate(masks, batch.features.expand_as(masks))

    def cost(self, request: Request, backbone: Backbone) -> Cost:  # noqa: ARG002 - asks nothing
        """No cost."""
        return Cost()
