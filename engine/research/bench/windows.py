"""Windows through a method and its masks, without files: what quality and presence are measured on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.audio.chunks import ChunkLayout, OverlapAddFile, cut_chunks
from engine.backbones.base import Backbone
from engine.backbones.batching import BatchedModel
from engine.methods.base import Estimate, Method, Refine, finalise_masks
from engine.pipeline.ideal_mask import ideal_masks
from engine.pipeline.inference import WindowRunner
from engine.pipeline.masking import MaskProjector
from engine.request import Request
from engine.research.pocket_training.heldout import Mix
from host_bridge.types import Samples

Sound = NDArray[np.floating]

SOUNDFONT, RECORDED = "held-out soundfont", "real recordings"
"""The worlds."""


@dataclass(frozen=True, slots=True)
class Worlds:
    """Mixes to be judged on, by the name of where they come from; or, where there are none, what to do about it."""

    mixes: dict[str, list[Mix]]
    missing: dict[str, str]

    @property
    def prompts(self) -> list[str]:
        """Every sound that occurs."""
        return sorted({name for mixes in self.mixes.values() for mix in mixes for name in mix.names})


@dataclass(frozen=True, slots=True, eq=False)
class Asker:
    """A model and how it is asked."""

    backbone: Backbone
    steps: int | None = None
    """Levels of each inversion; None: the model's own."""

    @torch.no_grad()
    def ask(self, method: Method, prompts: Sequence[str], mix: Sound, **settings: Any) -> Estimate:
        """What a method says of the windows of a mix (N,)."""
        backbone, hop = self.backbone, self.backbone.grid.hop
        request = Request.of(prompts, method=method.name, steps=self.steps, **settings)
        layout = ChunkLayout(-(-len(mix) // hop), backbone.window // hop)
        windows = np.stack([*cut_chunks([mix.astype(np.float32)[:, None]], layout, hop)])
        listener = WindowRunner(backbone, method, request, None, BatchedModel(backbone), backbone.embed(request.words))
        return listener.answer(torch.from_numpy(windows), 0)

    def fitting(self, method: Method, prompts: Sequence[str]) -> tuple[Refine, Request] | None:
        """How a method fits its masks to the region's bins, for `stems`; None where they are interpolated."""
        if method.refine is None:
            return None
        return method.refine, Request.of(prompts, method=method.name, steps=self.steps)

    @torch.no_grad()
    def ideal(self, parts: Sound) -> Tensor:
        """The oracle's masks (K, 1, 1, T, M) for the parts (K, N) of one window."""
        short = self.backbone.window - parts.shape[1]
        heard = torch.from_numpy(np.pad(parts, ((0, 0), (0, short))))[:, None, None]
        return ideal_masks(self.backbone, heard.to(self.backbone.device)).cpu()

    def stems(
        self, mix: Sound, masks: Tensor, power: float = 1.0, fitted_by: tuple[Refine, Request] | None = None
    ) -> NDArray[np.float64]:
        """One window (N,) under masks (K, 1, 1, T, M) to a power -> (K, N), as a job would write them, all of them found.

        Masks are interpolated to the spectrogram's bins, or `fitted_by` a method's `refine` for a request.
        """
        fit = MaskProjector(self.backbone.grid, self.backbone.rate, self.backbone.rate)
        hops, count, frames = -(-len(mix) // fit.hop), len(masks), masks.shape[3]
        around = np.pad(mix.astype(np.float64), (fit.context, fit.context + hops * fit.hop - len(mix)))
        with TemporaryDirectory() as folder:
            tape = OverlapAddFile(Path(folder) / "masks.npy", ChunkLayout(frames, frames), count, 1, masks.shape[4])
            tape.append(masks[:, 0].numpy())
            shares, powers, present = fit.masks(tape, Samples(0), hops + 3), torch.full((count,), power), torch.ones(count)
        spectrum = fit.spectrum(around[:, None])
        if fitted_by is None:
            bins = fit.bins(finalise_masks(shares, powers, present))
        else:
            refine, request = fitted_by
            bins = finalise_masks(refine(request, spectrum.abs(), shares, fit.spread, lambda _: None), powers, present)
        return fit.sound(spectrum, bins)[:, : len(mix), 0]
