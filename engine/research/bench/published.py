"""The published recipe, written plainly after ZeroSep's paper and its public code, to hold the engine against.

Window by window and prompt by prompt: encode, invert one level at a time, denoise with both branches at every level whatever
omega is, decode, and give the result a voice. Where the public code is wrong (see `recipe`) this is right, or the results could
not be compared.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.backbones.base import Backbone, Conditioning, add_noise, predict_clean
from engine.backbones.batching import BatchedModel, Cost
from engine.execution.base import difference
from engine.inversion.base import Timesteps
from engine.inversion.ddpm import posterior_mean_std
from engine.methods import METHODS
from engine.methods.base import NoCache, WindowBatch
from engine.request import Request

SEED = 7


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds that the recipe and the engine took, what each asked the model, and how far their results are apart."""

    recipe_s: float
    engine_s: float
    recipe_work: Cost
    engine_work: Cost
    difference: float

    @property
    def ratio(self) -> float:
        """How many times the engine is as fast."""
        return self.recipe_s / self.engine_s


def recipe(backbone: Backbone, noise: BatchedModel, sound: Tensor, prompts: Sequence[str], steps: int, mode: str) -> Tensor:
    """Windows (B, channels, N), one after another -> features of each stem (K, B, C, T, M), at omega = 1.

    Both branches of a window are one batch. Two mistakes of the public code are not made: its DDPM forgets the last noise, so
    that nothing comes back as it was, and its DDIM takes what a v-predicting network says for epsilon.
    """
    noise.batch = max(noise.batch, 2)
    return torch.stack(
        [
            torch.cat([_stem(backbone, noise, window, prompt, steps, mode, seed) for seed, window in _seeded(sound)])
            for prompt in prompts
        ]
    )


def _seeded(sound: Tensor) -> Iterable[tuple[int, Tensor]]:
    return enumerate(sound.split(1), SEED)


def _stem(backbone: Backbone, noise: BatchedModel, window: Tensor, prompt: str, steps: int, mode: str, seed: int) -> Tensor:
    features = backbone.analyse(window * backbone.gain(window)[:, None, None])
    latent, table = noise.encode(features), backbone.embed([prompt, ""])
    timesteps = Timesteps.build(backbone.schedule, steps)
    top, noises = CLIMBS[mode](noise, timesteps, latent, table, seed)
    x = top
    for step_index in reversed(range(len(timesteps))):
        both = noise(x.repeat(2, 1, 1, 1), timesteps.levels[step_index].expand(2), table)
        told, blank = both.chunk(2)
        epsilon = blank + 1.0 * (told - blank)
        clean = predict_clean(x, timesteps.alphas[step_index].expand(1), epsilon)
        if mode == "ddpm":
            mean, deviation = posterior_mean_std(timesteps, torch.tensor([step_index]), clean, epsilon)
            x = mean + deviation * noises[step_index]
        else:
            x = add_noise(clean, timesteps.previous_alphas[step_index].expand(1), epsilon)
    features = noise.decode(x)
    backbone.render(features)
    return features


def _ddpm(
    noise: BatchedModel, timesteps: Timesteps, latent: Tensor, table: Conditioning, seed: int
) -> tuple[Tensor, list[Tensor]]:
    """Edit-friendly: every level drawn by itself, and asked about one after another."""
    null = table.rows(torch.tensor([1]))
    drawn = torch.randn(len(timesteps), *latent.shape[1:], generator=torch.Generator().manual_seed(seed)).to(latent)
    levels = [add_noise(latent, timesteps.alphas[[step_index]], drawn[[step_index]]) for step_index in range(len(timesteps))]
    noises = []
    for step_index, x in enumerate(levels):
        epsilon = noise(x, timesteps.levels[[step_index]], null)
        clean = predict_clean(x, timesteps.alphas[[step_index]], epsilon)
        mean, deviation = posterior_mean_std(timesteps, torch.tensor([step_index]), clean, epsilon)
        noises.append(((levels[step_index - 1] if step_index else latent) - mean) / deviation)
    return levels[-1], noises


def _ddim(
    noise: BatchedModel, timesteps: Timesteps, latent: Tensor, table: Conditioning, _seed: int
) -> tuple[Tensor, list[Tensor]]:
    """The public code asks both branches on the way up too, and keeps the null one's answer."""
    x = latent
    for level, alpha, below in zip(timesteps.levels, timesteps.alphas, timesteps.previous_alphas, strict=True):
        _told, epsilon = noise(x.repeat(2, 1, 1, 1), level.expand(2), table).chunk(2)
        x = add_noise(predict_clean(x, below.expand(1), epsilon), alpha.expand(1), epsilon)
    return x, []


CLIMBS: dict[str, Callable[[BatchedModel, Timesteps, Tensor, Conditioning, int], tuple[Tensor, list[Tensor]]]] = {
    "ddpm": _ddpm,
    "ddim": _ddim,
}


def engine(backbone: Backbone, noise: BatchedModel, sound: Tensor, prompts: Sequence[str], steps: int, mode: str) -> Tensor:
    """The same result by the engine itself: one inversion, all prompts denoised as one batch, only the branches that count."""
    request = Request.of(list(prompts), method="zerosep", mode=mode, steps=steps)
    features, seeds = backbone.analyse(sound * backbone.gain(sound)[:, None, None]), [seed for seed, _ in _seeded(sound)]
    batch = WindowBatch(noise, NoCache(noise), backbone.embed(request.words), features, seeds, request)
    return METHODS["zerosep"].estimate(batch).features


@torch.no_grad()
def races(
    slow: Backbone, quick: Sequence[Backbone], sound: Tensor, prompts: Sequence[str], steps: int, mode: str
) -> list[Race]:
    """The recipe on `slow`, in float32; then the engine on each of `quick`, as it is set; each once."""
    first, found = _timed(recipe, slow, sound, prompts, steps, mode), []
    for backbone in quick:
        told = _timed(engine, backbone, sound, prompts, steps, mode)
        masks = [slow.magnitude(answer.flatten(0, 1)) for answer in (told.answer, first.answer)]
        found.append(Race(first.seconds, told.seconds, first.cost, told.cost, difference(*masks)))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    seconds: float
    cost: Cost
    answer: Tensor


def _timed(
    run: Callable[..., Tensor], backbone: Backbone, sound: Tensor, prompts: Sequence[str], steps: int, mode: str
) -> _Run:
    noise = BatchedModel(backbone)
    began = time.perf_counter()
    answer = run(backbone, noise, sound, prompts, steps, mode).cpu()
    return _Run(time.perf_counter() - began, noise.done, answer)
