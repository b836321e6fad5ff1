"""What runs a network: one way per class, all with the same inputs and the same float32 answer.

Inputs are the keyword arguments of the network's `forward`, tensors only; B, the first axis of each, is the batch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Run = Callable[[Mapping[str, Tensor]], Tensor]
"""Inputs on any device -> the network's first output, float32, on the subject's device."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A network that is to be run.

    load: gives it afresh, in a number format, on `device`. fingerprint: changes with its weights. example: inputs as they come,
    the usual shapes. fixed: further keyword arguments, the same in every call. varying: inputs and their axes, beside
    the batch, whose sizes change between calls.
    """

    name: str
    fingerprint: str
    device: torch.device
    load: Callable[[torch.dtype], nn.Module]
    example: Mapping[str, Tensor]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    varying: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class Execution(Protocol):
    """One way to run a network."""

    @property
    def name(self) -> str:
        """As a person types it."""
        ...

    @property
    def quick(self) -> bool:
        """Whether `prepare` takes no more than a moment, so that it may be tried unasked."""
        ...

    def missing(self, device: torch.device) -> str | None:
        """Why it cannot be had on this machine and device, in half a sentence; None where it can."""
        ...

    def prepare(self, subject: Subject) -> Run:
        """Make it ready. Raises BadModel where that fails: damaged files, a provider that only pretends, other results."""
        ...


def difference(answer: Tensor, reference: Tensor) -> float:
    """Relative distance of two answers: |a - b| / |b|."""
    return float((answer.cpu() - reference.cpu()).norm() / reference.cpu().norm().clamp_min(1e-30))


_OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "failed to allocate",
    "alloc_failed",
    "bad_alloc",
)
"""What allocators say that have no class for it: torch's on the CPU (the second one on Windows), MPS, ONNX Runtime, cuBLAS."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether it is a lack of memory: CUDA has a class for it, numpy another, the rest says it in words only."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _OUT_OF_MEMORY)
