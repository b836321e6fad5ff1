"""The model at work, as the algorithms see it: cut to batches that fit, counted, timed by progress, and stopped between two."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.backbones.base import Backbone, Conditioning
from engine.execution.base import is_out_of_memory
from host_bridge.errors import BadModel
from host_bridge.vocabulary import Progress, quietly

log = logging.getLogger(__name__)

ENCODING, DECODING = 6, 12
"""Network passes that take as long as one window through a lossy codec, each way: full-size AudioLDM-S on a processor."""


@dataclass(frozen=True, slots=True)
class Work:
    """How often a model is asked: items through its network, windows into its codec and out of it.

    A codec that costs next to nothing (`Backbone.exact_codec`) is not counted when it is asked.
    """

    passes: int = 0
    encodes: int = 0
    decodes: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.passes + other.passes, self.encodes + other.encodes, self.decodes + other.decodes)

    def __mul__(self, times: int) -> "Work":
        return Work(self.passes * times, self.encodes * times, self.decodes * times)

    def weight(self, backbone: Backbone) -> int:
        """All of it in network passes, as far as time goes."""
        coded = ENCODING * self.encodes + DECODING * self.decodes
        return self.passes + (coded if coded and not backbone.exact_codec else 0)


class Passes:
    """A `Noise` callable over a backbone, and its codec.

    `done` is what the model was asked, for the sidecar; with what was `spared`, progress against `expected`. A batch that does
    not fit in memory is halved and tried again; it stays so for this job, and the model's own size of batch is not changed.
    """

    def __init__(self, backbone: Backbone, progress: Progress = quietly, expected: Work = Work()) -> None:
        self.backbone, self.progress, self._expected = backbone, progress, expected.weight(backbone)
        self.batch, self.done, self.spared = max(1, backbone.batch), Work(), Work()

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
            self.report()
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
            self.done += Work(passes=len(pieces[-1]))
        return torch.cat(pieces)

    def encode(self, features: Tensor) -> Tensor:
        """Features of any number of windows -> their latents. Raises Cancelled on request."""
        return self._coded(self.backbone.encode, features, Work(encodes=1))

    def decode(self, latent: Tensor) -> Tensor:
        """Latents of any number of windows -> their features. Raises Cancelled on request."""
        return self._coded(self.backbone.decode, latent, Work(decodes=1))

    def _coded(self, code: Callable[[Tensor], Tensor], windows: Tensor, each: Work) -> Tensor:
        """A codec that costs seconds, and gigabytes in its first layers, is asked window by window, and stopped between two."""
        if self.backbone.exact_codec:
            return code(windows)
        pieces = []
        for window in windows.split(1):
            self.report()
            pieces.append(code(window))
            self.done += each
        return torch.cat(pieces)

    def spare(self, work: Work) -> None:
        """Count as progress what need not be asked."""
        self.spared += work

    def report(self) -> None:
        """Say how far it is; raises Cancelled once the user said stop."""
        if self._expected:
            self.progress(min((self.done + self.spared).weight(self.backbone) / self._expected, 1.0), "separating")
