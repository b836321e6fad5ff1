"""The model's half of a separation: the region's windows through a method, and the answers on tapes.

Windows go in groups that fit in memory, so what a job needs does not grow with the region's length.
"""

from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine import audio
from engine.ahead import ahead, behind
from engine.backbones.base import Backbone, Conditioning
from engine.cache import Recall, Shelf
from engine.fit import Fit
from engine.methods import METHODS
from engine.methods.base import Estimate, Fresh, Method, Scene, copies, ladder, presence_work, turned
from engine.passes import Passes, Work
from engine.presence import Verdict, verdicts
from engine.request import Request
from engine.separators.base import trained
from engine.separators.onepass import OnePass
from engine.windows import Layout, Tape, cut
from host_bridge.vocabulary import Progress

SILENCE = 1e-5
"""Peak of a window, -100 dBFS, below which the model is not asked."""

GROUP_BYTES = 512 << 20
"""Bound on what the windows that are worked on at once take."""
LATENTS_PER_ITEM = 8
"""Latents held for each item that is asked about at once: noise, noisy, guess, epsilon, mean, and what adds them up."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the model made of a region: masks, its own features of each stem where asked for, a verdict per prompt, and what
    it was asked."""

    masks: Tape
    features: Tape | None
    verdicts: list[Verdict]
    work: Work


def method_for(request: Request, backbone: Backbone) -> Method:
    """The method that the request names, or the model's best: its own where it was trained to separate, joint where its codec
    is free, else ZeroSep's descent."""
    if trained(backbone):
        return OnePass(backbone.name)
    return METHODS[request.method or ("joint" if backbone.exact_codec else "zerosep")]


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """A backbone, a method and one request, ready for any number of windows.

    shelf: where inversions and answers are kept, or None where they are not.
    """

    backbone: Backbone
    method: Method
    request: Request
    shelf: Shelf | None
    passes: Passes
    table: Conditioning

    def answer(self, windows: Tensor, first: int) -> Estimate:
        """(B, channels, window) of the region, the first of them number `first` -> an estimate of all, on the CPU.

        Windows without sound are not asked about: their masks are zero and their presence counts for nothing, so that
        `presence` is (K, loud windows); a method that cannot tell counts as sure. Features come at the region's own level.
        """
        sound, prompts = windows.to(self.backbone.device, non_blocking=True), len(self.request.prompts)
        loud = (sound.abs().amax((1, 2)) > SILENCE).nonzero()[:, 0].cpu()
        features = self.backbone.analyse(sound).cpu()
        masks, features = torch.zeros(prompts, *features.shape), features.repeat(prompts, 1, 1, 1, 1)
        self.passes.spare(self.method.work(self.request, self.backbone) * (len(windows) - len(loud)))
        if not len(loud):
            return Estimate(masks, features, torch.zeros(prompts, 0))
        told = self._ask(sound[loud], [_seed(self.request.seed, first + int(index)) for index in loud])
        masks[:, loud], features[:, loud] = told.masks.cpu(), told.features.cpu()
        presence = torch.full((prompts, len(loud)), torch.inf) if told.presence is None else told.presence.cpu()
        return Estimate(masks, features, presence)

    def _ask(self, sound: Tensor, seeds: list[int]) -> Estimate:
        """The method about windows that hold sound."""
        model = self.backbone
        gain = model.gain(sound)[:, None, None]
        memory = Fresh(self.passes) if self.shelf is None else Recall(self.shelf, self.passes)
        scene = Scene(self.passes, memory, self.table, model.analyse(sound * gain), seeds, self.request)
        told = memory.estimate(self.method, scene)
        kept = model.magnitude(scene.features).clamp_min(1e-12)
        powers = self.request.strengths if self.method.strength_in_mask else [1.0] * len(told.features)
        level = (1 / gain)[..., None]

        def said(stem: Tensor, power: float) -> Tensor:
            if power == 1:  # as the model said it, phase and all where its features have any
                return model.scale(stem, level)
            return model.scale(scene.features, (model.magnitude(stem).clamp_min(1e-12) / kept) ** power * level)

        features = torch.stack([said(stem, power) for stem, power in zip(told.features, powers, strict=True)])
        return Estimate(told.masks, features, told.presence)


def listen(backbone: Backbone, shelf: Shelf, source: audio.Source, request: Request, folder: Path, progress: Progress) -> Heard:
    """Separate a region as far as the model goes; tapes are made in `folder`. Raises Cancelled through `progress`."""
    grid, method = backbone.grid, method_for(request, backbone)
    table = backbone.embed(request.words)
    layout = Layout(Fit(grid, backbone.rate, source.rate).frames(source.length), backbone.window // grid.hop)
    passes = Passes(backbone, progress, method.work(request, backbone) * len(layout.starts))
    latent = _latent_bytes(backbone)
    keep = shelf if _levels(request, backbone) * latent * len(layout.starts) < shelf.bound // 2 else None
    listener = Listener(backbone, method, request, keep, passes, table)

    tape = partial(Tape, layout=layout, slots=len(request.prompts), channels=backbone.channels, bands=grid.bands)
    masks = tape(folder / "masks")
    features = tape(folder / "features") if request.generative else None
    scores: list[Tensor] = []
    first, size = 0, at_once(request, backbone, latent)
    windows = cut(audio.heard_by(source, backbone.rate, backbone.channels), layout, grid.hop)

    def lay(estimate: Estimate) -> None:
        for index in range(estimate.masks.shape[1]):
            masks.lay(estimate.masks[:, index].numpy())
            if features is not None:
                features.lay(estimate.features[:, index].numpy())

    groups = (_held(np.stack(group), backbone.device) for group in iter(lambda: list(islice(windows, size)), []))
    with behind(lay) as put:
        for group in ahead(groups):
            estimate = listener.answer(group, first)
            put(estimate)
            if estimate.presence is not None:
                scores.append(estimate.presence)
            first += len(group)
    if keep is not None:
        keep.trim()
    return Heard(masks, features, verdicts(torch.cat(scores, 1), backbone.presence), passes.done)


def _held(windows: NDArray[np.float32], device: torch.device) -> Tensor:
    """Windows as the device likes to fetch them: CUDA copies from pinned memory while it computes."""
    held = torch.from_numpy(windows)
    return held.pin_memory() if device.type == "cuda" else held


def at_once(request: Request, backbone: Backbone, latent: int) -> int:
    """How many windows are worked on at once, given the bytes of a latent: at the height of a climb, or when the network is
    asked about all draws of all prompts, whichever takes more."""
    items = max(_levels(request, backbone), presence_work(request).passes)
    return max(1, GROUP_BYTES // (LATENTS_PER_ITEM * items * latent))


def _levels(request: Request, backbone: Backbone) -> int:
    """Latents of one window's inversions."""
    return copies(turned(method_for(request, backbone), request), request) * (len(ladder(request, backbone)) + 1)


def _latent_bytes(backbone: Backbone) -> int:
    features = backbone.analyse(torch.zeros(1, backbone.channels, backbone.window, device=backbone.device))
    latent = features if trained(backbone) else backbone.encode(features)
    return latent.numel() * latent.element_size()


def _seed(seed: int, window: int) -> int:
    """A window's own seed: neighbours draw different noise, and no window's depends on how many there are."""
    return seed * 1_000_003 + window
