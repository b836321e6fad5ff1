"""DGMO (arXiv 2506.02858): a mask on the region's own spectrogram, fitted until the masked sound is what the model refers to.

Each round regenerates the references from the mixture under the mask so far; mask and optimiser go on where they were. Between
rounds the mask lives on the model's own bands; the one that is applied is fitted on the region's bins, at its rate and for each
of its channels. No gradient passes through the network: this is plain fitting of spectrograms.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.base import Backbone
from engine.methods.base import Dials, Estimate, Scene, averaged, drawn, judged, judging_work, masked, turned
from engine.methods.references import references, references_work
from engine.passes import Work
from engine.request import Request

STEPS = 300
"""Of the optimiser in each round."""
RATE = 0.01
"""Of its learning. From `START`, one round of it shuts a mask to 0.15 at most (-16 dB), two to 0.004 (-48 dB)."""
START = 3.0
"""Logit where a mask begins: 0.953."""
WHOLE = 0.9
"""A finished mask from here on is 1."""
FLOOR = 1e-5
"""Shares below -100 dB count as this."""


class DGMO:
    """Strength is the mask to the power omega; `guidance` is the omega of the references.

    The mask's target is a share: reference over mixture, both through the same codec. So it means the same on the model's mono
    fold, on which it is found, and on each of the region's channels, whatever their levels.

    The paper's n references differ only by what the VAE's posterior draws. Ours come from its mode, so with DDIM they would
    be n times the same, and one is made; with DDPM they differ by the noise of their inversions. Fitting n references by
    squares is fitting their mean in log-magnitude.
    """

    name = "dgmo"
    strength_in_mask = True
    dials: ClassVar[Mapping[str, float]] = {"unlike_others": False, "renew": 0.0, "rounds": 2, "draws": 1, "guidance": 1.0}

    def estimate(self, scene: Scene) -> Estimate:
        """Masks in closed form, the share itself: `refine` fits them. Features: the last round's references."""
        dials, every = self._dials(scene.request), drawn(scene, self._dials(scene.request).draws)
        under = scene.features.new_ones(len(scene.request.prompts), *scene.features.shape)
        fit, shares, said, features = Fit.begun(START * under), under, under, scene.features[None]
        strengths = [dials.guidance] * len(under)

        def level(magnitudes: Tensor) -> Tensor:
            return averaged(magnitudes.clamp_min(FLOOR).log(), dials.draws)

        for turn in range(dials.rounds):
            said, wholes = references(every, features.repeat(1, dials.draws, 1, 1, 1), strengths, dials)
            stems = torch.stack([scene.backbone.magnitude(each) for each in said])
            shares = under * (level(stems) - level(wholes)).exp()
            if turn < dials.rounds - 1:
                fit = fit.further(torch.ones_like(under), shares, None, STEPS, lambda _: scene.model.report())
                under = mask(fit.logits)
                features = masked(scene, under)
        return Estimate(shares.clamp(0, 1), averaged(said, dials.draws), judged(scene))

    def refine(
        self, request: Request, magnitudes: Tensor, masks: Tensor, spread: Tensor, progress: Callable[[float], None]
    ) -> Tensor:
        """The masks of the bins under which each channel's bands come to have their shares, in as many steps as all rounds."""
        sound = magnitudes.transpose(1, 2).float()
        logits = torch.full((len(masks), *sound.shape), START, device=sound.device)
        steps = STEPS * self._dials(request).rounds
        found = fitted(sound, masks.to(sound), spread.to(sound), steps, logits, progress)
        return mask(found).transpose(2, 3)

    def work(self, request: Request, backbone: Backbone) -> Work:
        """The references, and the question whether each sound is there."""
        dials = self._dials(request)
        asked = references_work(request, backbone, [dials.guidance] * len(request.prompts), dials)
        return asked + judging_work(request, backbone)

    def _dials(self, request: Request) -> Dials:
        dials = turned(self, request)
        return replace(dials, draws=1) if request.mode == "ddim" else dials


def mask(logits: Tensor) -> Tensor:
    """Masks in (0, 1]: what is nearly all of the mixture is all of it."""
    found = logits.sigmoid()
    return torch.where(found >= WHOLE, torch.ones_like(found), found)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A mask while it is fitted: its logits, and what Adam (Kingma and Ba 2015) remembers of the steps so far."""

    logits: Tensor
    first: Tensor
    second: Tensor
    steps: int = 0

    @classmethod
    def begun(cls, logits: Tensor) -> "Fit":
        """Before the first step."""
        return cls(logits, torch.zeros_like(logits), torch.zeros_like(logits))

    def further(
        self, magnitudes: Tensor, shares: Tensor, spread: Tensor | None, steps: int, progress: Callable[[float], None]
    ) -> "Fit":
        """So many steps more, as `fitted`, with Adam's moments and count going on from the last ones."""
        shut, sound = shares.clamp(FLOOR, 1).log(), magnitudes.clamp_min(1e-9)
        bands = sound if spread is None else sound @ spread
        logits, first, second = self.logits, self.first, self.second
        for done in range(1, steps + 1):
            progress(done / steps)
            step = self.steps + done
            found = logits.sigmoid()
            under = sound * found
            heard = under if spread is None else under @ spread
            pull = 2 * ((heard / bands).log() - shut) / heard
            slope = (pull if spread is None else pull @ spread.T) * under * (1 - found)
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            logits = logits - RATE * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        return Fit(logits, first, second, self.steps + steps)


def fitted(
    magnitudes: Tensor, shares: Tensor, spread: Tensor | None, steps: int, logits: Tensor, progress: Callable[[float], None]
) -> Tensor:
    """Logits (..., T, F) of the masks on `magnitudes` (..., T, F) that bring their bands to `shares` (..., T, M) of what they
    are, `steps` of Adam on from `logits`.

    The loss is the sum of (ln (|X| M W) / (|X| W) - ln share)^2; `spread` (F, M) is W, None: bins are bands. Frames are apart
    from each other and Adam does not see the scale, so no result depends on what shares a block. Raises what `progress` does.
    """
    return Fit.begun(logits).further(magnitudes, shares, spread, steps, progress).logits
