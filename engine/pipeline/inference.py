"""The first pass of a separation: runs a method on the region's windows and writes masks to disk.

Windows are processed in groups that fit in memory, so memory does not grow with the region's length.
"""

from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.audio import source as audio
from engine.audio.chunks import ChunkLayout, OverlapAddFile, cut_chunks
from engine.backbones.base import Backbone, Conditioning
from engine.backbones.batching import BatchedModel, Cost
from engine.methods import METHODS
from engine.methods.base import (
    Estimate,
    Method,
    NoCache,
    WindowBatch,
    inversions_per_window,
    presence_cost,
    resolve_options,
    timesteps_of,
)
from engine.methods.onepass import OnePass
from engine.pipeline.cache import CachedModel, DiskCache
from engine.pipeline.masking import MaskProjector
from engine.pipeline.prefetch import prefetch, write_behind
from engine.pipeline.presence import Verdict, verdicts
from engine.request import Request
from engine.separators.base import trained
from host_bridge.types import Progress

SILENCE = 1e-5
"""Peak of a window, -100 dBFS, below which the model is not asked."""

GROUP_BYTES = 512 << 20
"""Bound on what the windows that are worked on at once take."""
LATENTS_PER_ITEM = 8
"""Latents held for each item that is asked about at once: noise, noisy, guess, epsilon, mean, and what adds them up."""


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """The model's output for a region: masks, generated features where asked for, a presence verdict per prompt, and the
    cost."""

    masks: OverlapAddFile
    features: OverlapAddFile | None
    verdicts: list[Verdict]
    cost: Cost


def method_for(request: Request, backbone: Backbone) -> Method:
    """The method that the request names, or the model's best: its own where it was trained to separate, joint where its codec
    is free, else ZeroSep's descent."""
    if trained(backbone):
        return OnePass(backbone.name)
    return METHODS[request.method or ("joint" if backbone.lossless_codec else "zerosep")]


@dataclass(frozen=True, slots=True, eq=False)
class WindowRunner:
    """Runs one method with one request on any number of windows.

    disk_cache: where inversions and estimates are cached; None: nowhere.
    """

    backbone: Backbone
    method: Method
    request: Request
    disk_cache: DiskCache | None
    passes: BatchedModel
    table: Conditioning

    def answer(self, windows: Tensor, first: int) -> Estimate:
        """Windows (B, channels, N) of the region, the first of which has the index `first` -> their estimate, on the CPU.

        Windows without sound are not asked about: their masks are zero and their presence counts for nothing, so that
        `presence` is (K, loud windows); a method that cannot tell counts as sure. Features come at the region's own level.
        """
        sound, prompts = windows.to(self.backbone.device, non_blocking=True), len(self.request.prompts)
        loud = (sound.abs().amax((1, 2)) > SILENCE).nonzero()[:, 0].cpu()
        features = self.backbone.analyse(sound).cpu()
        masks, features = torch.zeros(prompts, *features.shape), features.repeat(prompts, 1, 1, 1, 1)
        self.passes.count_skipped(self.method.cost(self.request, self.backbone) * (len(windows) - len(loud)))
        if not len(loud):
            return Estimate(masks, features, torch.zeros(prompts, 0))
        told = self._ask(sound[loud], [_seed(self.request.seed, first + int(index)) for index in loud])
        masks[:, loud], features[:, loud] = told.masks.cpu(), told.features.cpu()
        presence = torch.full((prompts, len(loud)), torch.inf) if told.presence is None else told.presence.cpu()
        return Estimate(masks, features, presence)

    def _ask(self, sound: Tensor, seeds: list[int]) -> Estimate:
        """Run the method on windows that are not silent."""
        model = self.backbone
        gain = model.gain(sound)[:, None, None]
        model_cache = NoCache(self.passes) if self.disk_cache is None else CachedModel(self.disk_cache, self.passes)
        batch = WindowBatch(self.passes, model_cache, self.table, model.analyse(sound * gain), seeds, self.request)
        told = model_cache.estimate(self.method, batch)
        kept = model.magnitude(batch.features).clamp_min(1e-12)
        powers = self.request.strengths if self.method.strength_in_mask else [1.0] * len(told.features)
        level = (1 / gain)[..., None]

        def said(stem: Tensor, power: float) -> Tensor:
            if power == 1:  # as the model said it, phase and all where its features have any
                return model.scale(stem, level)
            return model.scale(batch.features, (model.magnitude(stem).clamp_min(1e-12) / kept) ** power * level)

        features = torch.stack([said(stem, power) for stem, power in zip(told.features, powers, strict=True)])
        return Estimate(told.masks, features, told.presence)


def run_inference(
    backbone: Backbone, disk_cache: DiskCache, source: audio.AudioSource, request: Request, folder: Path, progress: Progress
) -> ModelOutput:
    """Compute masks for a region and write them to files in `folder`. Raises Cancelled through `progress`."""
    grid, method = backbone.grid, method_for(request, backbone)
    table = backbone.embed(request.words)
    layout = ChunkLayout(MaskProjector(grid, backbone.rate, source.rate).frames(source.length), backbone.window // grid.hop)
    passes = BatchedModel(backbone, progress, method.cost(request, backbone) * len(layout.starts))
    latent = _latent_bytes(backbone)
    keep = disk_cache if _levels(request, backbone) * latent * len(layout.starts) < disk_cache.bound // 2 else None
    runner = WindowRunner(backbone, method, request, keep, passes, table)

    tape = partial(OverlapAddFile, layout=layout, slots=len(request.prompts), channels=backbone.channels, bands=grid.bands)
    masks = tape(folder / "masks")
    features = tape(folder / "features") if request.generative else None
    scores: list[Tensor] = []
    first, size = 0, windows_per_group(request, backbone, latent)
    windows = cut_chunks(audio.blocks_for_model(source, backbone.rate, backbone.channels), layout, grid.hop)

    def append(estimate: Estimate) -> None:
        for index in range(estimate.masks.shape[1]):
            masks.append(estimate.masks[:, index].numpy())
            if features is not None:
                features.append(estimate.features[:, index].numpy())

    groups = (_to_device(np.stack(group), backbone.device) for group in iter(lambda: list(islice(windows, size)), []))
    with write_behind(append) as put:
        for group in prefetch(groups):
            estimate = runner.answer(group, first)
            put(estimate)
            if estimate.presence is not None:
                scores.append(estimate.presence)
            first += len(group)
    if keep is not None:
        keep.trim()
    return ModelOutput(masks, features, verdicts(torch.cat(scores, 1), backbone.presence), passes.done)


def _to_device(windows: NDArray[np.float32], device: torch.device) -> Tensor:
    """Windows as a tensor; in pinned memory for CUDA, which then copies while it computes."""
    held = torch.from_numpy(windows)
    return held.pin_memory() if device.type == "cuda" else held


def windows_per_group(request: Request, backbone: Backbone, latent: int) -> int:
    """How many windows fit in one group, given the bytes of a latent: bounded by the inversion's latents or by the presence
    scores' draws, whichever take more."""
    items = max(_levels(request, backbone), presence_cost(request).passes)
    return max(1, GROUP_BYTES // (LATENTS_PER_ITEM * items * latent))


def _levels(request: Request, backbone: Backbone) -> int:
    """Number of latents that one window's inversions hold."""
    return inversions_per_window(resolve_options(method_for(request, backbone), request), request) * (
        len(timesteps_of(request, backbone)) + 1
    )


def _latent_bytes(backbone: Backbone) -> int:
    features = backbone.analyse(torch.zeros(1, backbone.channels, backbone.window, device=backbone.device))
    latent = features if trained(backbone) else backbone.encode(features)
    return latent.numel() * latent.element_size()


def _seed(seed: int, window: int) -> int:
    """A window's own seed: neighbours differ, and no seed depends on the number of windows."""
    return seed * 1_000_003 + window
