"""The one thing that torch's STFT lacks: its inverse without centring, by weighted overlap-add."""

import torch
from torch import Tensor
from torch.nn.functional import fold


def overlap_add(frames: Tensor, window: Tensor, hop: int) -> Tensor:
    """(B, W, T) frames -> (B, (T - 1) hop + W) samples: windowed, added, and divided by the windows' squares.

    Inverts a windowed, uncentred STFT wherever any window is non-zero (Allen and Rabiner 1977; Griffin and Lim 1984).
    """
    _, size, count = frames.shape
    length = (count - 1) * hop + size

    def add(columns: Tensor) -> Tensor:
        return fold(columns, (1, length), (1, size), stride=(1, hop))[:, 0, 0]

    weight = add((window**2)[None, :, None].expand(1, size, count).contiguous())
    return add(frames * window[:, None]) / torch.where(weight > 1e-8, weight, torch.ones_like(weight))
