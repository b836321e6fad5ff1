"""The mixture as every stem: the floor that each method has to beat."""

from collections.abc import Mapping
from typing import ClassVar

import torch

from engine.backbones.base import Backbone
from engine.methods.base import Estimate, Scene
from engine.passes import Work
from engine.request import Request


class Mixture:
    """Masks of one; asks the model nothing."""

    name = "mixture"
    strength_in_mask = True
    dials: ClassVar[Mapping[str, float]] = {}
    refine = None

    def estimate(self, scene: Scene) -> Estimate:
        """All of the mixture for each prompt (at full strength several prompts share it equally)."""
        masks = torch.ones(len(scene.request.prompts), *scene.features.shape, device=scene.features.device)
        return Estimate(masks, scene.features.expand_as(masks))

    def work(self, request: Request, backbone: Backbone) -> Work:  # noqa: ARG002 - asks nothing
        """None."""
        return Work()
