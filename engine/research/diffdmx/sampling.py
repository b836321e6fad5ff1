"""From noise to vocals: DDIM in v, with new noise in the highs, chunk after chunk.

A level s in 0..1 has alpha = cos(pi s / 2), beta = sin(pi s / 2); x = alpha x0 + beta eps; v = alpha eps - beta x0 (Salimans
and Ho 2022). The refinement noise is the paper's own: white, through a 4th-order Butterworth high-pass, back at unit power.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from scipy.signal import butter, sosfilt
from torch import Tensor

from engine.research.diffdmx.network import DiffDMX

STEPS, ETA, CORNER_HZ, ORDER = 50, 0.4, 5000.0, 4
OVERLAP = 0.2
"""Of a chunk, shared with the next."""


def alpha_beta(level: Tensor) -> tuple[Tensor, Tensor]:
    """Of each item (B,), made to multiply (B, C, N)."""
    angle = (torch.pi / 2 * level)[:, None, None]
    return angle.cos(), angle.sin()


def refinement(shape: tuple[int, ...], rate: int, corner_hz: float, generator: torch.Generator) -> Tensor:
    """High-passed normal noise of unit power. Raises ValueError for a corner that the rate cannot hold."""
    if not 0 < corner_hz < rate / 2:
        raise ValueError(f"a corner of {corner_hz:g} Hz does not lie below half of {rate} Hz")
    sections = butter(ORDER, corner_hz, "highpass", fs=rate, output="sos")
    white = torch.randn(shape, generator=generator).numpy()
    passed = torch.from_numpy(sosfilt(sections, white, axis=-1).astype(np.float32))
    return passed / passed.square().mean().sqrt()


@torch.no_grad()
def sample(
    model: DiffDMX,
    mixture: Tensor,
    seed: int = 0,
    steps: int = STEPS,
    eta: float = ETA,
    corner_hz: float = CORNER_HZ,
    progress: Callable[[float], None] = lambda _: None,
) -> Tensor:
    """(B, C, N) mixtures of a chunk's length -> vocals. An eta of 0 is DDIM. Raises what `progress` does."""
    generator = torch.Generator().manual_seed(seed)
    embeddings, _, voice = model.conditioner(mixture)
    x = torch.randn(mixture.shape, generator=generator).to(mixture)
    levels = torch.linspace(1, 0, steps + 1)
    for step, (here, below) in enumerate(pairwise(levels)):
        progress(step / steps)
        at, under = here.expand(len(x)).to(x), below.expand(len(x)).to(x)
        (alpha, beta), (alpha_, beta_) = alpha_beta(at), alpha_beta(under)
        v = model.generator(x, at, embeddings, voice)
        clean, epsilon = alpha * x - beta * v, beta * x + alpha * v
        sigma = (
            eta * (beta_ / beta) * (1 - (alpha / alpha_) ** 2).clamp_min(0).sqrt() if eta and step < steps - 1 else 0 * beta_
        )
        x = alpha_ * clean + (beta_**2 - sigma**2).clamp_min(0).sqrt() * epsilon
        if eta and step < steps - 1:
            x = x + sigma * refinement(tuple(x.shape), model.sizes.rate, corner_hz, generator).to(x)
    return x


def vocals(model: DiffDMX, mixture: Tensor, **how: object) -> Tensor:
    """(C, N) of any length at the model's rate -> (C, N): chunk after chunk, each at unit RMS, with cross-fades."""
    size, length = model.sizes.samples, mixture.shape[1]
    shared = round(OVERLAP * size)
    hop = size - shared
    starts = [*range(0, max(length - size, 0) + hop, hop)]
    padded = torch.nn.functional.pad(mixture, (0, starts[-1] + size - length))
    total, fade = torch.zeros_like(padded), torch.linspace(0, 1, shared + 2)[1:-1]
    for index, start in enumerate(starts):
        chunk = padded[:, start : start + size]
        level = chunk.square().mean().sqrt().clamp_min(1e-5)
        said = sample(model, (chunk / level)[None], seed=index, **how)[0] * level  # type: ignore[arg-type]
        weight = torch.ones(size)
        if index:
            weight[:shared] = fade
        if index < len(starts) - 1:
            weight[-shared:] = 1 - fade
        total[:, start : start + size] += weight * said
    return total[:, :length]
