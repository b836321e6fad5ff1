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
    interferers that one descent does not get rid of).

    A stem at strength 0 is the mixture. Beside other stems the model is asked for its sound all the same, at guidance 1, since
    what they share at full strength depends on it (see `settle`)."""

    name = "zerosep"
    strength_in_mask = False
    dials: ClassVar[Mapping[str, float]] = {"unlike_others": False, "renew": 0.0, "rounds": 1, "draws": 1}
    refine = None

    def estimate(self, scene: Scene) -> Estimate:
        """One climb, one batched descent for all prompts; the same for each further round, with a climb per prompt."""
        dials = turned(self, scene.request)
        masks, features = (averaged(each, dials.draws) for each in _rounds(drawn(scene, dials.draws), dials))
        whole = [slot for slot, omega in enumerate(scene.request.strengths) if omega == 0]
        features[whole] = scene.features.to(features)
        return Estimate(masks, features, judged(scene))

    def work(self, request: Request, backbone: Backbone) -> Work:
        """The references, and the question whether each sound is there."""
        asked = references_work(request, backbone, _asked_at(request), turned(self, request))
        return asked + judging_work(request, backbone)


def _asked_at(request: Request) -> list[float]:
    """The guidance of each prompt's descent."""
    return [1.0 if omega == 0 and len(request.strengths) > 1 else omega for omega in request.strengths]


def _rounds(scene: Scene, dials: Dials) -> tuple[Tensor, Tensor]:
    """Masks, and what the last descents said, (K, B, C, T, M)."""
    features, masks = scene.features[None], scene.features.new_ones(())
    said = features
    for _ in range(dials.rounds):
        said, wholes = references(scene, features, _asked_at(scene.request), dials)
        stems = torch.stack([scene.backbone.magnitude(stem) for stem in said])
        masks = masks * (stems / wholes.clamp_min(1e-12)).clamp(0, 1)
        features = masked(scene, masks)
    return masks, said
