"""How a trained separator answers a request: one pass per window and prompt, all prompts in one batch.

It has the form of a method (`engine.methods.base.Method`), so that everything after it, from the tapes to the sidecar, is the
same for separators that were trained to separate and for models that were not.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.batching import Cost
from engine.methods.base import Estimate, WindowBatch, apply_masks
from engine.models import instruments
from engine.request import Request
from engine.separators.base import TrainedSeparator
from host_bridge.errors import BadRequest

SHARPNESS = 1.0
"""Power of the masks that shares are made of where the prompts name every sound."""
SILENT_DB = -80.0
"""What a stem without any energy counts as."""


class OnePass:
    """Strength is the mask to the power omega, so a new strength costs nothing."""

    strength_in_mask = True
    options: ClassVar[Mapping[str, float]] = {}
    refine = None

    def __init__(self, name: str) -> None:
        """`name`: the separator's own, which is what a person reads as the method."""
        self.name = name

    def estimate(self, batch: WindowBatch) -> Estimate:
        """Masks, made shares of each other where the prompts name every sound; presence by each stem's level."""
        count = len(batch.request.prompts)
        told = batch.model.masks(batch.features.repeat(count, 1, 1, 1), batch.rows([*range(count)]))
        masks = told.unflatten(0, (count, -1))
        sure = presence(masks, batch.backbone.magnitude(batch.features))
        if batch.request.complete:
            masks = shared(masks)
        return Estimate(masks, apply_masks(batch, masks), sure)

    def cost(self, request: Request, backbone: object) -> Cost:  # noqa: ARG002 - the same for every separator
        """One pass for each prompt."""
        return Cost(len(request.prompts))


def check(separator: TrainedSeparator, request: Request) -> None:
    """Raise BadRequest for what a trained separator has nothing to answer with."""
    if request.method not in (None, separator.name):
        raise BadRequest(
            f'{separator.name} was trained to separate and has one way; "{request.method}" is for models that were not.',
            "Leave out --method, or choose another model, like `-n pocket`.",
        )
    turned = {
        "an inversion prompt (--not)": request.unlike or request.unlike_others,
        "a depth": request.depth != 1,
        "steps": request.steps is not None,
        "a voice of its own (--generative)": request.generative,
        "rounds": request.rounds not in (None, 1),
        "draws": request.draws not in (None, 1),
        "fresh noise (--renew)": request.renew,
        "guidance": request.guidance not in (None, 1),
    }
    for what, asked in turned.items():
        if asked:
            raise BadRequest(
                f"{separator.name} answers in one pass and has no use for {what}.",
                "Leave it out, or choose another model: `-n pocket`.",
            )
    if separator.sources is not None:
        instruments.told_apart(request.prompts, separator.sources)
    separator.embed(request.words)


def shared(masks: Tensor) -> Tensor:
    """Masks (K, ...) -> shares of each other that sum to 1 everywhere: equal ones where all of them are zero."""
    powers = masks.clamp_min(1e-6) ** SHARPNESS
    return powers / powers.sum(0)


def presence(masks: Tensor, magnitudes: Tensor) -> Tensor:
    """Level of each stem in its mixture, in dB (K, B): masks (K, B, C, T, M) on magnitudes (B, C, T, M)."""
    energies = (masks * magnitudes).square().sum((2, 3, 4))
    return 10 * torch.log10(energies / magnitudes.square().sum((1, 2, 3)).clamp_min(1e-20) + 10 ** (SILENT_DB / 10))
