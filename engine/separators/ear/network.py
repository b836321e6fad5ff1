"""The ear's network: pocket's U-Net on pocket's patches of a mixture, answering a mask for one prompt vector.

It was begun from pocket's generative weights; the mask comes out where those predicted noise.
"""

from typing import Any

import torch
from torch import Tensor, nn

from engine.backbones.pocket.codec import CHANNELS, PatchCodec
from engine.backbones.pocket.network import PROMPT_WIDTH, unet

STEP = 50
"""The noise step that the network is told, always the same."""
STEEP, OFFSET = 2.0, -1.0
"""From the network's patches to logits."""


class EarNetwork(nn.Module):
    """(B, T, K) log-mel of mixtures at -25 dBFS and (B, 64) prompt vectors -> (B, T, K) logits of a mask."""

    mean: Tensor
    std: Tensor

    def __init__(self, words: int, network: Any = None) -> None:
        """`words`: rows of the table of prompt vectors."""
        super().__init__()
        self.net = network or unet()
        self.vectors = nn.Parameter(torch.randn(words, PROMPT_WIDTH, generator=torch.Generator().manual_seed(1)))
        self.register_buffer("mean", torch.zeros(1, CHANNELS, 1, 1))
        self.register_buffer("std", torch.ones(1, CHANNELS, 1, 1))

    def told(self, labels: Tensor) -> Tensor:
        """(B, words), 1 for each word that is asked for -> prompt vectors: their sum over the root of their number."""
        return labels @ self.vectors / labels.sum(1, keepdim=True).clamp_min(1).sqrt()

    def forward(self, mel: Tensor, told: Tensor) -> Tensor:
        """The logits."""
        latent = PatchCodec(self.mean, self.std).encode(mel[:, None])
        steps = torch.full((len(latent),), STEP, device=latent.device)
        answer = self.net(latent, steps, encoder_hidden_states=None, class_labels=told).sample
        return PatchCodec.untransform(answer)[:, 0] * STEEP + OFFSET
