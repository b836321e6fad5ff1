"""The network as the algorithms see it: cut to batches that fit, counted, timed by progress, and stopped between two passes."""

import logging

import torch
from torch import Tensor

from engine.backbones.base import Backbone, Conditioning
from host_bridge.errors import BadModel
from host_bridge.vocabulary import Progress, quietly

log = logging.getLogger(__name__)


class Passes:
    """A `Noise` callable over a backbone.

    `done` counts network passes (one item through the network once), for the sidecar and for progress against `expected`.
    A batch that does not fit in memory is halved and tried again, from then on.
    """

    def __init__(self, backbone: Backbone, progress: Progress = quietly, expected: int = 0) -> None:
        self.backbone, self.progress, self.expected = backbone, progress, expected
        self.batch, self.done, self.saved = backbone.batch, 0, 0

    def __call__(self, x: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for any number of items. Raises BadModel when not even one item fits in memory, Cancelled on request."""
        pieces: list[Tensor] = []
        at = 0
        while at < len(x):
            self.report()
            here = slice(at, at + self.batch)
            rows = Conditioning({name: tensor[here] for name, tensor in conditioning.tensors.items()})
            try:
                pieces.append(self.backbone.noise(x[here], levels[here], rows))
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
            self.done += len(pieces[-1])
        return torch.cat(pieces) if pieces else torch.zeros_like(x)

    def spare(self, passes: int) -> None:
        """Count passes that a cached inversion made unnecessary as progress."""
        self.saved += passes

    def report(self) -> None:
        """Say how far it is; raises Cancelled once the user said stop."""
        if self.expected:
            self.progress(min((self.done + self.saved) / self.expected, 1.0), "separating")


def is_out_of_memory(error: Exception) -> bool:
    """CUDA and MPS have a class for it, numpy another; torch's allocator on the CPU says it in words only."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
