"""A network run by torch itself: in one of three number formats, or compiled to CUDA graphs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.execution.base import NetworkSpec, Run

HALF_ON_CPU = "on a processor it takes a hundred times as long"


@dataclass(frozen=True, slots=True)
class Plain:
    """torch, eagerly, in one number format; `kind` is torch's name of it."""

    name: str
    kind: str
    quick: bool = True

    def missing(self, device: torch.device) -> str | None:
        """float16 is for GPUs, bfloat16 for what computes in it."""
        if self.kind == "float16" and device.type == "cpu":
            return HALF_ON_CPU
        if self.kind == "bfloat16" and not _computes_bfloat16(device):
            return f"{device} does not compute in bfloat16"
        return None

    def prepare(self, network_spec: NetworkSpec) -> Run:
        """The network in that format; times and levels of noise stay as they are."""
        return make_run(load_network(network_spec, getattr(torch, self.kind)), network_spec, getattr(torch, self.kind))


REFERENCE = "torch-fp32"
"""What every other way is held against, and what a job goes on with when another breaks."""
PLAIN = (Plain(REFERENCE, "float32"), Plain("torch-bf16", "bfloat16"), Plain("torch-fp16", "float16"))


@dataclass(frozen=True, slots=True)
class Compiled:
    """torch.compile with CUDA graphs, in the format that suits the device; compiled anew for every size of batch."""

    name: str
    quick: bool = False

    def missing(self, device: torch.device) -> str | None:
        """On a processor it takes minutes to compile and is slower then (0.44 s against 0.41 s for AudioLDM-S)."""
        return None if device.type == "cuda" else "it is for CUDA devices; on a processor it is slower than plain torch"

    def prepare(self, network_spec: NetworkSpec) -> Run:
        """Kernels are compiled at the first call of each size."""
        dtype = torch.bfloat16 if _computes_bfloat16(network_spec.device) else torch.float16
        network = torch.compile(load_network(network_spec, dtype), mode="reduce-overhead")
        return make_run(network, network_spec, dtype, graphs=True)


def default_for(device: torch.device) -> Plain:
    """The way that is the fastest on most such devices, before anybody has measured."""
    return for_dtype(network_dtype(device))


def for_dtype(dtype: torch.dtype) -> Plain:
    """torch in one number format."""
    return next(way for way in PLAIN if way.kind == str(dtype).removeprefix("torch."))


def network_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, float16 on older CUDA and on MPS, else float32: what is usually fastest.

    Only networks run in it: the state of a descent stays float32, or the DDPM round trip loses its exactness (1.7e-3).
    """
    if _computes_bfloat16(device):
        return torch.bfloat16
    return torch.float32 if device.type == "cpu" else torch.float16


def _computes_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16"))


def load_network(network_spec: NetworkSpec, dtype: torch.dtype) -> nn.Module:
    """The network, loaded afresh, for answers only."""
    return network_spec.load(dtype).eval().requires_grad_(requires_grad=False)


def make_run(network: Any, network_spec: NetworkSpec, dtype: torch.dtype, *, graphs: bool = False) -> Run:
    """Inputs placed and cast for the network; `graphs`: it is compiled to CUDA graphs, which overwrite their answers."""
    followed = frozenset(
        name for name, tensor in network_spec.example.items() if tensor.is_floating_point() and tensor.dim() > 1
    )

    @torch.no_grad()
    def run(inputs: Mapping[str, Tensor]) -> Tensor:
        placed = {
            name: tensor.to(network_spec.device, dtype if name in followed else tensor.dtype) for name, tensor in inputs.items()
        }
        if graphs:  # what the graph before this one has answered may be overwritten
            torch.compiler.cudagraph_mark_step_begin()
        answer: Tensor = network(**placed, **network_spec.fixed, return_dict=False)[0]
        return answer.float().clone() if graphs else answer.float()

    return run
