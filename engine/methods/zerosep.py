"""ZeroSep (arXiv 2505.23625): invert the mixture, denoise it under each prompt, and keep what the descent kept of it."""

import torch

from engine.backbones.base import Backbone
from engine.inversion import INVERSIONS
from engine.inversion.base import descend
from engine.methods.base import Estimate, Scene, ladder, presence, presence_passes
from engine.request import Request


class ZeroSep:
    """Strength is the guidance weight omega of eq. 6. The mask is the stem's magnitude over the mixture's, both through the
    same codec so that the codec's error cancels; with DDIM the inverted mixture is one more target of the descent."""

    name = "zerosep"
    strength_in_mask = False

    def estimate(self, scene: Scene) -> Estimate:
        """One climb, one batched descent for all prompts."""
        backbone, request, rungs, inversion = scene.backbone, scene.request, scene.ladder(), scene.inversion()
        trail = scene.climb(inversion, rungs, backbone.encode(scene.features), scene.rows([scene.unlike]), scene.seeds)
        targets = list(range(len(request.prompts)))
        strengths = [*request.strengths]
        if request.mode == "ddim":
            targets, strengths = [*targets, scene.unlike], [*strengths, 1.0]
        omega = torch.tensor(strengths).repeat_interleave(scene.windows)
        null = scene.rows([scene.null] * len(targets))
        latents = descend(scene.noise, rungs, inversion, trail, scene.rows(targets), null, omega)
        features = torch.stack([backbone.decode(latent) for latent in latents])
        magnitudes = torch.stack([backbone.magnitude(each) for each in features])
        if request.mode == "ddim":
            mixture, magnitudes, features = magnitudes[-1], magnitudes[:-1], features[:-1]
        else:
            mixture = backbone.magnitude(backbone.decode(backbone.encode(scene.features)))
        masks = (magnitudes / mixture.clamp_min(1e-12)).clamp(0, 1)
        return Estimate(masks, features, presence(scene))

    def passes(self, request: Request, backbone: Backbone) -> int:
        """The climb, one descent per prompt (two where 0 < omega < 1, or above 1), the question whether it is there."""
        rungs = ladder(request, backbone)
        branches = sum((omega != 0) + (omega != 1) for omega in request.strengths) + (request.mode == "ddim")
        return INVERSIONS[request.mode].passes(rungs) + branches * len(rungs) + presence_passes(request)
