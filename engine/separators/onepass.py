"""How a trained separator answers a request: one pass per window and prompt, all prompts in one batch.

It has the form of a method (`engine.methods.base.Method`), so that everything after it, from the tapes to the sidecar, is the
same for separators that were trained to separate and for models that were not.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from engine.methods.base import Estimate, Scene, masked
from engine.passes import Work
from engine.request import Request

SHARPNESS = 1.0
"""Power of the masks that shares are made of where the prompts name every sound."""
SILENT_DB = -80.0
"""What a stem without any energy counts as."""


class OnePass:
    """Strength is the mask to the power omega, so a new strength costs nothing."""

    strength_in_mask = True
    dials: ClassVar[Mapping[str, float]] = {}
    refine = None

    def __init__(self, name: str) -> None:
        """`name`: the separator's own, which is what a person reads as the method."""
        self.name = name

    def estimate(self, scene: Scene) -> Estimate:
        """Masks, made shares of each other where the prompts name every sound; presence by each stem's level."""
        count = len(scene.request.prompts)
        told = scene.model.masks(scene.features.repeat(count, 1, 1, 1), scene.rows([*range(count)]))
        masks = told.unflatten(0, (count, -1))
        sure = presence(masks, scene.backbone.magnitude(scene.features))
        if scene.request.complete:
            masks = shared(masks)
        return Estimate(masks, masked(scene, masks), sure)

    def work(self, request: Request, backbone: object) -> Work:  # noqa: ARG002 - the same for every separator
        """One pass for each prompt."""
        return Work(len(request.prompts))


def shared(masks: Tensor) -> Tensor:
    """Masks (K, ...) -> shares of each other that sum to 1 everywhere: equal ones where all of them are zero."""
    powers = masks.clamp_min(1e-6) ** SHARPNESS
    return powers / powers.sum(0)


def presence(masks: Tensor, magnitudes: Tensor) -> Tensor:
    """Level of each stem in its mixture, in dB (K, B): masks (K, B, C, T, M) on magnitudes (B, C, T, M)."""
    energies = (masks * magnitudes).square().sum((2, 3, 4))
    return 10 * torch.log10(energies / magnitudes.square().sum((1, 2, 3)).clamp_min(1e-20) + 10 ** (SILENT_DB / 10))
