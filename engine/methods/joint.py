"""Joint descent: all slots come down together, and their shares of each other are the masks.

Each prompt has a slot, and the rest one more, under the inversion prompt, unless the prompts name every sound. Where the codec
is exact the clean guesses are scaled bin by bin after every step until their magnitudes sum to the mixture's, and the step is
taken from there; through a VAE that would cost a decode and an encode each time, and what it is worth is lost in the spread of
the mixes (ARCHITECTURE.md, Decisions), so there it is left out. Against ZeroSep's own descent on the same inversion joint is
better by 1.4 dB where both sounds of a mix are named, and level with it where one is (bench/RESULTS.md): it is the rivals in
the mask that help.
"""

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.backbones.batching import Work
from engine.inversion import INVERSIONS
from engine.inversion.base import descend
from engine.methods.base import Estimate, Scene, averaged, drawn, judged, judging_work, ladder, turned
from engine.request import Request

POWER = 1.5
"""Of the magnitudes that shares are made of: 1 is safest on recordings unlike the training sound (+0.3 dB against 1.5), 2, a
Wiener filter's, best where the model knows the sound (+0.2 dB), and worst where it does not (-0.8 dB)."""


class Joint:
    """Strength is the mask to the power omega, so every strength costs the same and a new one costs nothing."""

    name = "joint"
    strength_in_mask = True
    dials: ClassVar[Mapping[str, float]] = {"draws": 1}
    refine = None

    def estimate(self, scene: Scene) -> Estimate:
        """One climb, one batched descent for all prompts and the rest."""
        draws = turned(self, scene.request).draws
        masks, features = (averaged(each, draws) for each in _shared(drawn(scene, draws)))
        return Estimate(masks, features, judged(scene))

    def work(self, request: Request, backbone: Backbone) -> Work:
        """The climb, one descent per slot, the question whether each sound is there."""
        rungs = ladder(request, backbone)
        slots = len(request.prompts) + (not request.complete)
        once = Work(INVERSIONS[request.mode].passes(rungs) + slots * len(rungs), encodes=1, decodes=slots)
        return once * turned(self, request).draws + judging_work(request, backbone)


def _shared(scene: Scene) -> tuple[Tensor, Tensor]:
    """Masks and the model's own features (K, B, C, T, M) of the prompts' slots."""
    backbone, rungs, inversion = scene.backbone, scene.ladder(), scene.inversion()
    latent, mixture = scene.memory.encode(scene.features), backbone.magnitude(scene.features)

    def share(guesses: Tensor) -> Tensor:
        features = torch.stack([backbone.decode(guess) for guess in guesses])
        gain = mixture / torch.stack([backbone.magnitude(each) for each in features]).sum(0).clamp_min(1e-12)
        return torch.stack([backbone.encode(backbone.scale(each, gain)) for each in features])

    count = len(scene.request.prompts)
    slots = [*range(count)] if scene.request.complete else [*range(count), scene.unlike]
    trail = scene.memory.climb(inversion, rungs, latent, scene.rows([scene.unlike]), scene.seeds)
    ones, null = torch.ones(len(slots) * scene.windows), scene.rows([scene.null] * len(slots))
    latents = descend(
        scene.model, rungs, inversion, trail, scene.rows(slots), null, ones, share if backbone.exact_codec else None
    )
    features = torch.stack([scene.model.decode(each) for each in latents])
    powers = torch.stack([backbone.magnitude(each) for each in features]) ** POWER
    return (powers / powers.sum(0).clamp_min(1e-30))[:count], features[:count]
