"""NMF-MFCC, the blind baseline (Spiertz and Gnann 2009): spectral templates grouped by the shape of their spectra.

It knows nothing of prompts: groups are handed out by loudness, the loudest to the first prompt, so it says what separation
without listening to words is worth. Windows are grouped one by one.
"""

import warnings
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.methods.base import Estimate, WindowBatch, apply_masks
from engine.request import Request

TEMPLATES, COEFFICIENTS, ITERATIONS = 50, 13, 200


class NMF:
    """50 templates, k-means on their MFCCs, soft masks."""

    name = "nmf"
    strength_in_mask = True
    options: ClassVar[Mapping[str, float]] = {}
    refine = None

    def estimate(self, batch: WindowBatch) -> Estimate:
        """One group per prompt, and one for the rest unless the prompts name every sound."""
        count = len(batch.request.prompts)
        groups = count + (not batch.request.complete)
        magnitudes = batch.backbone.magnitude(batch.features)
        windows = zip(magnitudes, batch.seeds, strict=True)
        each = torch.stack([_grouped(window.flatten(0, 1), groups, seed % 2**32)[:count] for window, seed in windows], 1)
        masks = each.reshape(count, *magnitudes.shape).to(magnitudes)
        return Estimate(masks, apply_masks(batch, masks))

    def cost(self, request: Request, backbone: Backbone) -> Cost:  # noqa: ARG002 - asks nothing
        """No cost."""
        return Cost()


def _grouped(magnitude: Tensor, groups: int, seed: int) -> Tensor:
    """(T, M) magnitudes -> (groups, T, M) masks, loudest group first."""
    from sklearn import decomposition
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    spectrum = magnitude.double().cpu().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = decomposition.NMF(TEMPLATES, init="random", max_iter=ITERATIONS, random_state=seed)
        activations = model.fit_transform(spectrum)
        templates = model.components_
        timbre = dct(np.log(templates + 1e-8), norm="ortho", axis=1)[:, 1 : COEFFICIENTS + 1]
        labels = KMeans(groups, n_init=4, random_state=seed).fit_predict(timbre)
    parts = np.stack([activations[:, labels == group] @ templates[labels == group] for group in range(groups)]) + 1e-12
    loudest = np.argsort(-(parts**2).sum((1, 2)))
    return torch.tensor(parts[loudest] / parts.sum(0))
