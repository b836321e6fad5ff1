"""The model as algorithms call it: split into batches that fit in memory, counted, with progress, cancellable between two
batches."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.backbones.base import Backbone, Conditioning
from engine.execution.base import is_out_of_memory
from host_bridge.errors import BadModel
from host_bridge.types import Progress, quietly

log = logging.getLogger(__name__)

ENCODE_COST, DECODE_COST = 6, 12
"""Network passes that take as long as one window through a lossy codec, each way: full-size AudioLDM-S on a processor."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Cost of a computation: items through the network, windows into the codec and out of it.

    Calls of a lossless codec are not counted.
    """

    passes: int = 0
    encodes: int = 0
    decodes: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.passes + other.passes, self.encodes + other.encodes, self.decodes + other.decodes)

    def __mul__(self, times: int) -> "Cost":
        return Cost(self.passes * times, self.encodes * times, self.decodes * times)

    def in_passes(self, backbone: Backbone) -> int:
        """The total in network passes of equal duration."""
        coded = ENCODE_COST * self.encodes + DECODE_COST * self.decodes
        return self.passes + (coded if coded and not backbone.lossless_codec else 0)


class BatchedModel:
    """A `NoisePredictor` callable over a backbone, and its codec.

    `done` is what was computed, for the sidecar; with what was `skipped` thanks to the cache it is the progress towards
    `expected`. A batch that does not fit in memory is halved and tried again; it stays so for this job, and the backbone's own
    batch size is not changed.
    """

    def __init__(self, backbone: Backbone, progress: Progress = quietly, expected: Cost = Cost()) -> None:
        self.backbone, self.progress, self._expected = backbone, progress, expected.in_passes(backbone)
        self.batch, self.done, self.skipped = max(1, backbone.batch), Cost(), Cost()

    def __call__(self, x: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for any number of items. Raises BadModel when not even one item fits in memory, Cancelled on request."""

        def told(here: slice, rows: Conditioning) -> Tensor:
            return self.backbone.noise(x[here], levels[here], rows)

        return self._batched(len(x), conditioning, told) if len(x) else torch.zeros_like(x)

    def masks(self, features: Tensor, conditioning: Conditioning) -> Tensor:
        """A trained separator's masks for any number of items. Raises as a call does."""
        separator: Any = self.backbone
        if not len(features):
            return torch.zeros_like(features)
        return self._batched(len(features), conditioning, lambda here, rows: separator.masks(features[here], rows))

    def _batched(self, count: int, conditioning: Conditioning, ask: Callable[[slice, Conditioning], Tensor]) -> Tensor:
        """What the network says of `count` items, batch by batch."""
        pieces: list[Tensor] = []
        at = 0
        while at < count:
            self.report_progress()
            assert self.batch > 0, "a batch of no items would never end"
            here = slice(at, at + self.batch)
            rows = Conditioning({name: tensor[here] for name, tensor in conditioning.tensors.items()})
            try:
                pieces.append(ask(here, rows))
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if self.batch == 1:
                    raise BadModel(
                        f"{self.backbone.name} does not fit in the memory of {self.backbone.device}.",
                        "Close other programs, or choose a smaller model or another device (`zerostem doctor` lists them).",
                    ) from error
                self.batch = max(1, self.batch // 2)
                log.warning("out of memory on %s: going on with batches of %d", self.backbone.device, self.batch)
                continue
            at += len(pieces[-1])
            self.done += Cost(passes=len(pieces[-1]))
        return torch.cat(pieces)

    def encode(self, features: Tensor) -> Tensor:
        """Features of any number of windows -> their latents. Raises Cancelled on request."""
        return self._coded(self.backbone.encode, features, Cost(encodes=1))

    def decode(self, latent: Tensor) -> Tensor:
        """Latents of any number of windows -> their features. Raises Cancelled on request."""
        return self._coded(self.backbone.decode, latent, Cost(decodes=1))

    def _coded(self, code: Callable[[Tensor], Tensor], windows: Tensor, each: Cost) -> Tensor:
        """A codec that costs seconds, and gigabytes in its first layers, is asked window by window, and stopped between two."""
        if self.backbone.lossless_codec:
            return code(windows)
        pieces = []
        for window in windows.split(1):
            self.report_progress()
            pieces.append(code(window))
            self.done += each
        return torch.cat(pieces)

    def count_skipped(self, work: Cost) -> None:
        """Count cached results as progress."""
        self.skipped += work

    def report_progress(self) -> None:
        """Report progress. Raises Cancelled after the user has cancelled."""
        if self._expected:
            self.progress(min((self.done + self.skipped).in_passes(self.backbone) / self._expected, 1.0), "separating")
