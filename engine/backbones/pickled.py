"""Checkpoints that their authors saved by hand: pickles, read as numbers only, and HiFi-GANs under the authors' own names."""

import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def unpickled(file: Path) -> Any:
    """What a PyTorch file holds, on the CPU, mapped from disk. torch refuses whatever is not tensors in plain containers."""
    return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))


def below(tensors: Tensors, prefix: str) -> Tensors:
    """Those whose names begin with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")}


def hifi_gan(tensors: Tensors) -> Tensors:
    """A HiFi-GAN generator's tensors (Kong et al. 2020, the authors' code) as `SpeechT5HifiGan` names them.

    Weight normalisation is folded: weight = g v / |v|, each output channel (of a transposed convolution: input) by itself.
    """
    renamed = {name.replace("ups.", "upsampler."): tensor for name, tensor in tensors.items()}
    for name in [name for name in renamed if name.endswith(".weight_v")]:
        stem = name.removesuffix("_v")
        direction, length = renamed.pop(name), renamed.pop(f"{stem}_g")
        renamed[stem] = direction * (length / direction.norm(dim=(1, 2), keepdim=True))
    bands = renamed["conv_pre.weight"].shape[1]
    return {**renamed, "mean": torch.zeros(bands), "scale": torch.ones(bands)}  # a normalisation that only speech uses
