"""ZeroSep (arXiv 2505.23625): invert the mixture, denoise it under each prompt, and keep what the descent kept of it."""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.methods.base import Dials, Estimate, Scene, averaged, drawn, judged, judging_work, masked, turned
from engine.methods.references import references, references_work
from engine.passes import Work
from engine.request import Request


class ZeroSep:
    """Strength is the guidance weight omega of eq. 6. The mask is the stem's magnitude over the mixture's, both through the
    same codec so that the codec's error cancels. Another round separates the stem again, as the mixture was (appendix: for
    interferers that one descent does not get rid of)."""

    name = "zerosep"
    strength_in_mask = False
    dials: ClassVar[Mapping[str, float]] = {"unlike_others": False, "renew": 0.0, "rounds": 1, "draws": 1}
    refine = None

    def estimate(self, scene: Scene) -> Estimate:
        """One climb, one batched descent for all prompts; the same for each further round, with a climb per prompt."""
        dials = turned(self, scene.request)
        masks, features = (averaged(each, dials.draws) for each in _rounds(drawn(scene, dials.draws), dials))
        return Estimate(masks, features, judged(scene))

    def work(self, request: Request, backbone: Backbone) -> Work:
        """The references, and the question whether each sound is there."""
        asked = references_work(request, backbone, request.strengths, turned(self, request))
        return asked + judging_work(request, backbone)


def _rounds(scene: Scene, dials: Dials) -> tuple[Tensor, Tensor]:
    """Masks, and what the last descents said, (K, B, C, T, M)."""
    features, masks = scene.features[None], scene.features.new_ones(())
    said = features
    for _ in range(dials.rounds):
        said, wholes = references(scene, features, scene.request.strengths, dials)
        stems = torch.stack([scene.backbone.magnitude(stem) for stem in said])
        masks = masks * (stems / wholes.clamp_min(1e-12)).clamp(0, 1)
        features = masked(scene, masks)
    return masks, said
