"""Joint descent: all slots come down together, and after every step they are made to add up to the mixture.

Each prompt has a slot, and the rest one more, under the inversion prompt, unless the prompts name every sound. The clean
guesses are scaled bin by bin until their magnitudes sum to the mixture's; the step is taken from there. Against ZeroSep's own
descent on the same inversion it is better by 1.4 dB where both sounds of a mix are named, and level with it, within the spread
of the mixes, where one is (bench/RESULTS.md).
"""

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.inversion import INVERSIONS
from engine.inversion.base import descend
from engine.methods.base import Estimate, Scene, ladder, presence, presence_passes
from engine.request import Request

POWER = 1.5
"""Of the magnitudes that shares are made of: 1 is safest on recordings unlike the training sound (+0.3 dB against 1.5), 2, a
Wiener filter's, best where the model knows the sound (+0.2 dB), and worst where it does not (-0.8 dB)."""


class Joint:
    """Strength is the mask to the power omega, so every strength costs the same and a new one costs nothing."""

    name = "joint"
    strength_in_mask = True

    def estimate(self, scene: Scene) -> Estimate:
        """One climb, one batched descent for all prompts and the rest."""
        backbone, rungs, inversion = scene.backbone, scene.ladder(), scene.inversion()
        latent = backbone.encode(scene.features)
        mixture = backbone.magnitude(backbone.decode(latent))

        def share(guesses: Tensor) -> Tensor:
            features = torch.stack([backbone.decode(guess) for guess in guesses])
            gain = mixture / torch.stack([backbone.magnitude(each) for each in features]).sum(0).clamp_min(1e-12)
            return torch.stack([backbone.encode(backbone.scale(each, gain)) for each in features])

        count = len(scene.request.prompts)
        slots = [*range(count)] if scene.request.complete else [*range(count), scene.unlike]
        trail = scene.climb(inversion, rungs, latent, scene.rows([scene.unlike]), scene.seeds)
        ones, null = torch.ones(len(slots) * scene.windows), scene.rows([scene.null] * len(slots))
        latents = descend(scene.noise, rungs, inversion, trail, scene.rows(slots), null, ones, share)
        features = torch.stack([backbone.decode(each) for each in latents])
        powers = torch.stack([backbone.magnitude(each) for each in features]) ** POWER
        masks = powers / powers.sum(0).clamp_min(1e-30)
        return Estimate(masks[:count], features[:count], presence(scene))

    def passes(self, request: Request, backbone: Backbone) -> int:
        """The climb, one descent per slot, the question whether each sound is there."""
        rungs = ladder(request, backbone)
        slots = len(request.prompts) + (not request.complete)
        return INVERSIONS[request.mode].passes(rungs) + slots * len(rungs) + presence_passes(request)
