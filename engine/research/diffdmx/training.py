"""The loop: vocals among accompaniments, three losses, AdamW with a warm-up and a cosine.

The losses are the paper's: v, and two that pull what the conditioner's bottleneck and decoder say towards the vocals.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.research.diffdmx.network import DiffDMX
from engine.research.diffdmx.sampling import alpha_beta

Sound = NDArray[np.float32]

LATENT_WEIGHT, VOICE_WEIGHT = 0.5, 1.0
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""


def crop(rng: np.random.Generator, takes: Sequence[Sound], size: int) -> Sound:
    """(C, size) of one of the takes (C, N) at unit RMS, tried a few times not to be a pause."""
    sound = np.zeros((1, size), np.float32)
    for _ in range(8):
        take = takes[int(rng.integers(len(takes)))]
        at = int(rng.integers(0, take.shape[1] - size + 1))
        sound = take[:, at : at + size]
        if (rms := float(np.sqrt(np.square(sound).mean()))) > 1e-3:
            return np.asarray(sound / rms, dtype=np.float32)
    return np.zeros_like(sound)


def pairs(
    rng: np.random.Generator, vocals: Sequence[Sound], others: Sequence[Sound], size: int, count: int
) -> tuple[Tensor, Tensor]:
    """(count, C, size) mixtures at unit RMS and the vocals in them: a voice and one or two others within 5 dB of it."""
    wanted, mixtures = [], []
    for _ in range(count):
        voice = crop(rng, vocals, size)
        beside = [crop(rng, others, size) * 10 ** (rng.uniform(-5, 5) / 20) for _ in range(int(rng.integers(1, 3)))]
        mixture = np.sum([voice, *beside], axis=0)
        level = max(float(np.sqrt(np.square(mixture).mean())), 1e-5)
        wanted.append(voice / level)
        mixtures.append(mixture / level)
    return torch.from_numpy(np.stack(mixtures)).float(), torch.from_numpy(np.stack(wanted)).float()


def losses(model: DiffDMX, mixture: Tensor, voice: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Mean squares of v, of the bottleneck's vocals and of the decoder's."""
    level = torch.rand(len(voice), generator=generator).to(voice)
    noise = torch.randn(voice.shape, generator=generator).to(voice)
    alpha, beta = alpha_beta(level)
    embeddings, early, late = model.conditioner(mixture)
    said = model.generator(alpha * voice + beta * noise, level, embeddings, late)
    v = alpha * noise - beta * voice
    return (said - v).square().mean(), (early - voice).square().mean(), (late - voice).square().mean()


def train(
    model: DiffDMX,
    vocals: Sequence[Sound],
    others: Sequence[Sound],
    steps: int,
    batch: int = 8,
    rate: float = 1e-3,
    seed: int = 0,
    report: Callable[[int, float, tuple[float, ...]], None] = lambda _step, _gone, _three: None,
) -> None:
    """Fit `model`; `report` hears of every 50 steps' mean losses. The seed decides everything."""
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1e-4)
    heard: list[list[float]] = []
    for step in range(1, steps + 1):
        gone = step / steps
        for group in optimiser.param_groups:
            group["lr"] = rate * min(gone / WARM_UP, 1.0) * (0.02 + 0.98 * np.cos(np.pi / 2 * gone) ** 2)
        three = losses(model, *pairs(rng, vocals, others, model.sizes.samples, batch), generator)
        optimiser.zero_grad()
        (three[0] + LATENT_WEIGHT * three[1] + VOICE_WEIGHT * three[2]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        heard.append([float(each.detach()) for each in three])
        if step % 50 == 0:
            report(step, gone, tuple(np.mean(heard, axis=0)))
            heard = []
