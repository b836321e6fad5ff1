"""The two networks: a conditioner that reads the mixture at several depths, and a generator that denoises the vocals beside it.

Both work on waveforms (B, C, N) and share their strides, so what the one reads joins the other where they are equally long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

CLUES = 32
"""Random Fourier features of the noise level, cosines and sines each."""
SPREAD = 4.0
"""Of their frequencies."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large the networks are, and what they hear. One width per level, from the finest; each level's stride leads to it.

    The paper gives the number of levels and of parameters (15.9 and 82.9 million), but no widths: these come near the counts.
    """

    rate: int = 44_100
    channels: int = 2
    seconds: float = 3.0
    strides: tuple[int, ...] = (4, 4, 4, 2, 2, 2, 2)
    generator: tuple[int, ...] = (80, 112, 160, 192, 240, 304, 384)
    conditioner: tuple[int, ...] = (176, 272, 352, 528, 624, 896, 1072)
    kernel: int = 5

    def __post_init__(self) -> None:
        levels = {len(self.strides), len(self.generator), len(self.conditioner)}
        if len(levels) != 1 or min(self.rate, self.channels, self.kernel % 2, *self.strides) < 1 or self.seconds <= 0:
            raise ValueError(f"no network has these sizes: {self}")

    @property
    def samples(self) -> int:
        """Of a chunk: whole strides, at least `seconds` long."""
        whole = prod(self.strides)
        return -(-round(self.seconds * self.rate) // whole) * whole


class ResidualBlock(nn.Module):
    """Two convolutions around a shortcut; between them features are scaled and shifted by the noise level (FiLM)."""

    def __init__(self, inward: int, outward: int, kernel: int, told: int = 0) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(1, inward), nn.SiLU(), nn.Conv1d(inward, outward, kernel, padding="same"))
        self.second = nn.Sequential(nn.GroupNorm(1, outward), nn.SiLU(), nn.Conv1d(outward, outward, kernel, padding="same"))
        self.film = nn.Linear(told, 2 * outward) if told else None
        self.short = nn.Conv1d(inward, outward, 1) if inward != outward else nn.Identity()

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        """(B, inward, n), level (B, told) -> (B, outward, n)."""
        inside: Tensor = self.first(x)
        if self.film is not None:
            scale, shift = self.film(level)[..., None].chunk(2, 1)
            inside = inside * (1 + scale) + shift
        told: Tensor = self.second(inside) + self.short(x)
        return told


def _down(inward: int, outward: int, stride: int) -> nn.Module:
    return nn.Conv1d(inward, outward, 2 * stride + 1, stride, padding=stride)


def _up(inward: int, outward: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=stride), nn.Conv1d(inward, outward, 2 * stride + 1, padding=stride))


class Conditioner(nn.Module):
    """An autoencoder on the mixture whose decoder speaks vocals; its decoder's features, level by level, are the embeddings.

    Shortcuts lead from encoder to decoder: the waveform need not be learnt by heart before anything is taken out of it.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        widths, strides, kernel = sizes.conditioner, sizes.strides, sizes.kernel
        inward = (sizes.channels, *widths[:-1])
        self.down = nn.ModuleList(map(_down, inward, widths, strides))
        self.encode = nn.ModuleList(ResidualBlock(width, width, kernel) for width in widths)
        self.decode = nn.ModuleList(ResidualBlock(width, width, kernel) for width in widths)
        self.up = nn.ModuleList(map(_up, widths[1:], widths[:-1], strides[1:]))
        self.voice = _up(widths[0], sizes.channels, strides[0])
        self.latent_voice = nn.ConvTranspose1d(widths[-1], sizes.channels, prod(strides), prod(strides))

    def forward(self, mixture: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """(B, C, N) -> embeddings per level, the vocals as the bottleneck knows them, and as the decoder does, (B, C, N)."""
        x, kept = mixture, []
        for down, block in zip(self.down, self.encode, strict=True):
            x = block(down(x))
            kept.append(x)
        latent, told = x, list[Tensor]()
        for level in reversed(range(len(self.decode))):
            x = self.decode[level](x)
            told.insert(0, x)
            if level:
                x = self.up[level - 1](x) + kept[level - 1]
        return told, self.latent_voice(latent), self.voice(x)


class Generator(nn.Module):
    """A 1-D U-Net that hears noisy vocals, the noise level and the embeddings, and answers in v."""

    frequencies: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        widths, strides, kernel, told = sizes.generator, sizes.strides, sizes.kernel, 4 * CLUES
        self.register_buffer("frequencies", SPREAD * torch.randn(CLUES))
        self.clue = nn.Sequential(nn.Linear(2 * CLUES, told), nn.SiLU(), nn.Linear(told, told), nn.SiLU())
        self.down = nn.ModuleList(map(_down, (sizes.channels, *widths[:-1]), widths, strides))
        self.join = nn.ModuleList(nn.Conv1d(own + read, own, 1) for own, read in zip(widths, sizes.conditioner, strict=True))
        self.encode = nn.ModuleList(ResidualBlock(width, width, kernel, told) for width in widths)
        self.decode = nn.ModuleList(ResidualBlock(2 * width, width, kernel, told) for width in widths)
        self.up = nn.ModuleList(map(_up, widths[1:], widths[:-1], strides[1:]))
        self.out = _up(widths[0], sizes.channels, strides[0])
        self.near = nn.Conv1d(3 * sizes.channels, sizes.channels, kernel, padding="same")

    def forward(self, noisy: Tensor, level: Tensor, embeddings: Sequence[Tensor], voice: Tensor) -> Tensor:
        """(B, C, N) at levels (B,), 0 clean to 1 noise, beside the mixture's embeddings and the decoder's voice -> v."""
        angle = 2 * torch.pi * level[:, None] * self.frequencies
        clue, x = self.clue(torch.cat([angle.cos(), angle.sin()], 1)), noisy
        skips = []
        for down, join, block, read in zip(self.down, self.join, self.encode, embeddings, strict=True):
            x = block(join(torch.cat([down(x), read], 1)), clue)
            skips.append(x)
        for index in reversed(range(len(self.decode))):
            x = self.decode[index](torch.cat([x, skips[index]], 1), clue)
            if index:
                x = self.up[index - 1](x)
        told: Tensor = self.near(torch.cat([self.out(x), noisy, voice], 1))
        return told


class DiffDMX(nn.Module):
    """Both, with the sizes that made them."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes, self.conditioner, self.generator = sizes, Conditioner(sizes), Generator(sizes)
