"""torch on a processor with the weights laid out once as oneDNN wants them, instead of anew in every call.

What torch.compile's freezing does there, without its minutes of compilation. One item of full-size AudioLDM-S takes 0.17 s
in bfloat16 instead of 0.23 s; with more items in a batch the layout counts for less.
"""

from typing import Any

import torch
from torch import Tensor, nn

from engine.execution.base import NetworkSpec, Run
from engine.execution.plain import load_network, make_run, network_dtype

OPERATORS = ("_reorder_convolution_weight", "_convolution_pointwise", "_reorder_linear_weight", "_linear_pointwise")
"""What inductor calls. torch promises them to nobody: one without them has no such execution."""
PLAINLY: tuple[str, list[float], str] = ("none", [], "")
"""Nothing fused behind an operator: what, with which numbers, by which algorithm."""


class Packed:
    """Convolutions and linear layers over packed weights; everything else as in plain torch, whatever the size of a batch."""

    name = "packed"
    quick = True

    def missing(self, device: torch.device) -> str | None:
        """oneDNN is for processors, and not in every torch."""
        if device.type != "cpu":
            return "it is for processors"
        if not (torch.backends.mkldnn.is_available() and all(hasattr(torch.ops.mkldnn, name) for name in OPERATORS)):
            return f"PyTorch {torch.__version__} has none of oneDNN's operators for it"
        return None

    @torch.no_grad()
    def prepare(self, network_spec: NetworkSpec) -> Run:
        """The network in the usual format, channels last, its weights in oneDNN's own layout."""
        dtype = network_dtype(network_spec.device)
        network = load_network(network_spec, dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for parent in [*network.modules()]:
            for name, layer in [*parent.named_children()]:
                if type(layer) is nn.Conv2d and layer.padding_mode == "zeros" and not isinstance(layer.padding, str):
                    setattr(parent, name, _Convolution(layer))
                elif type(layer) is nn.Linear:
                    setattr(parent, name, _Linear(layer))
        return make_run(network, network_spec, dtype)


class _Layer(nn.Module):
    """weight: empty; the code around a layer asks it for nothing but its number format."""

    def __init__(self, layer: nn.Conv2d | nn.Linear, packed: Tensor, run: str) -> None:
        super().__init__()
        self.packed, self.bias, self.weight = packed, layer.bias, layer.weight.new_empty(0)
        self.run = _operator(run)


class _Convolution(_Layer):
    def __init__(self, layer: nn.Conv2d) -> None:
        self.shape = (layer.padding, layer.stride, layer.dilation, layer.groups)
        pack = _operator("_reorder_convolution_weight")
        super().__init__(layer, pack(layer.weight, *self.shape), "_convolution_pointwise")

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Conv2d`'s."""
        answer: Tensor = self.run(x, self.packed, self.bias, *self.shape, *PLAINLY)
        return answer


class _Linear(_Layer):
    def __init__(self, layer: nn.Linear) -> None:
        super().__init__(layer, _operator("_reorder_linear_weight")(layer.weight), "_linear_pointwise")

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Linear`'s."""
        answer: Tensor = self.run(x, self.packed, self.bias, *PLAINLY)
        return answer


def _operator(name: str) -> Any:
    return getattr(torch.ops.mkldnn, name)
