"""A method turns a batch of windows and some prompts into one mask per prompt.

K prompts, B windows; features (B, C, T, M); masks (K, B, C, T, M) in [0, 1], a share of the mixture's magnitude each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor

from engine.backbones.base import Backbone, Conditioning, add_noise, predict_clean
from engine.backbones.batching import BatchedModel, Cost
from engine.inversion import INVERSIONS
from engine.inversion.base import Inversion, InversionResult, Timesteps
from engine.request import Request
from engine.separators.base import trained
from host_bridge.errors import BadRequest


def num_steps(request: Request, backbone: Backbone) -> int:
    """The request's own number of steps, or the model's; a trained separator makes none."""
    if trained(backbone):
        return 0
    return backbone.default_steps if request.steps is None else request.steps


def timesteps_of(request: Request, backbone: Backbone) -> Timesteps:
    """The levels that a request climbs, none of a trained separator. Raises BadRequest for an impossible number of them."""
    if trained(backbone):
        return Timesteps(*[torch.zeros(0)] * 3)
    return Timesteps.build(backbone.schedule, num_steps(request, backbone), request.depth)


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """Options that only some methods have (see `Request`), with the values that switch them off."""

    unlike_others: bool = False
    renew: float = 0.0
    rounds: int = 1
    draws: int = 1
    guidance: float = 1.0


def resolve_options(method: "Method", request: Request) -> MethodOptions:
    """A method's options: its defaults, overridden by the request. Raises BadRequest for an option that the method does not
    have."""
    asked = {each.name: getattr(request, each.name) for each in fields(MethodOptions)}
    given = {name: value for name, value in asked.items() if value is not None and value is not False}
    for name in given:
        if name not in method.options:
            raise BadRequest(
                f'The method "{method.name}" knows nothing of {name.replace("_", " ")}.',
                "Leave it out, or choose a method that does: zerosep and dgmo have most of these.",
            )
    return MethodOptions(**{**method.options, **given})


def inversions_per_window(options: MethodOptions, request: Request) -> int:
    """How many inversions of each window are in memory at once."""
    own = options.unlike_others or options.rounds > 1
    return options.draws * (len(request.prompts) if own else 1)


@dataclass(frozen=True, slots=True, eq=False)
class WindowBatch:
    """The input of a method: a batch of windows, the embedded prompts, and the model.

    model: for everything that another strength or prompt would change. model_cache: for everything else.
    table: embedded prompts; rows 0..K-1 are the prompts, then `unlike` the inversion (source) prompt, then `null_row` the null
    prompt. The rows are those of `Request.words`: with `unlike_others` the last K rows, `other_rows`, are for each prompt all
    the others. seeds: one per window; all random numbers for a window come from its own seed.
    """

    model: BatchedModel
    model_cache: "ModelCache"
    table: Conditioning
    features: Tensor
    seeds: list[int]
    request: Request

    @property
    def backbone(self) -> Backbone:
        """The backbone behind `model`."""
        return self.model.backbone

    @property
    def windows(self) -> int:
        """B, the number of windows."""
        return len(self.features)

    @property
    def unlike(self) -> int:
        """The inversion prompt's row of the table."""
        return len(self.request.prompts)

    @property
    def null_row(self) -> int:
        """The null prompt's row of the table."""
        return len(self.request.prompts) + 1

    @property
    def other_rows(self) -> list[int]:
        """For each prompt, the row that holds all other prompts together."""
        return [self.null_row + 1 + slot for slot in range(len(self.request.prompts))]

    def rows(self, which: list[int]) -> Conditioning:
        """Conditioning (rows x B) for every window under each of these rows, all windows of the first row first."""
        return self.table.rows(torch.tensor(which).repeat_interleave(self.windows))

    def timesteps(self) -> Timesteps:
        """The noise levels of this request."""
        return timesteps_of(self.request, self.backbone)

    def inversion(self) -> Inversion:
        """The inversion algorithm of this request."""
        return INVERSIONS[self.request.mode]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """The output of a method for a batch of windows.

    masks: (K, B, C, T, M). features: (K, B, C, T, M), each stem as the model itself generates it.
    presence: (K, B) scores, the larger the surer that the sound is there; None where the method has none.
    """

    masks: Tensor
    features: Tensor
    presence: Tensor | None = None


class ModelCache(Protocol):
    """Results that do not depend on the strength (some not on the prompts either): computed now, or read from a cache."""

    def encode(self, features: Tensor) -> Tensor:
        """As `BatchedModel.encode`."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """As `BatchedModel.decode`, of what `encode` gave: the mixture as the codec has it."""
        ...

    def invert(
        self, inversion: Inversion, timesteps: Timesteps, latent: Tensor, source: Conditioning, seeds: list[int]
    ) -> InversionResult:
        """As `Inversion.invert` with this model."""
        ...

    def score_presence(self, batch: WindowBatch) -> Tensor:
        """As the function `score_presence`."""
        ...

    def estimate(self, method: "Method", batch: WindowBatch) -> Estimate:
        """As `Method.estimate`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class NoCache:
    """A `ModelCache` that stores nothing and computes everything."""

    model: BatchedModel

    def encode(self, features: Tensor) -> Tensor:
        """Run the codec."""
        return self.model.encode(features)

    def decode(self, latent: Tensor) -> Tensor:
        """Run the codec."""
        return self.model.decode(latent)

    def invert(
        self, inversion: Inversion, timesteps: Timesteps, latent: Tensor, source: Conditioning, seeds: list[int]
    ) -> InversionResult:
        """Run the inversion."""
        return inversion.invert(self.model, timesteps, latent, source, seeds)

    def score_presence(self, batch: WindowBatch) -> Tensor:
        """Run the network."""
        return score_presence(batch)

    def estimate(self, method: "Method", batch: WindowBatch) -> Estimate:
        """Run the method."""
        return method.estimate(batch)


Refine = Callable[[Request, Tensor, Tensor, Tensor, Callable[[float], None]], Tensor]
"""The request, magnitudes (channels, F, T) of the region's own spectrogram, masks (K, C or 1, T, M) of its frames, the share of
each band in each bin (F, M), and a callable to be told how far it is -> masks (K, channels, F, T) of the bins."""


class Method(Protocol):
    """A separation method."""

    @property
    def name(self) -> str:
        """The name that users type."""
        ...

    @property
    def strength_in_mask(self) -> bool:
        """True: strength is an exponent on the mask, applied later. False: the method has used it already, as guidance."""
        ...

    @property
    def options(self) -> Mapping[str, float]:
        """Which of `MethodOptions` it has, and their defaults."""
        ...

    @property
    def refine(self) -> Refine | None:
        """Maps masks from the model's bands to the bins of the region's own spectrogram; None: by interpolation."""
        ...

    def estimate(self, batch: WindowBatch) -> Estimate:
        """Masks at full strength (or at the request's, see `strength_in_mask`) for all prompts at once."""
        ...

    def cost(self, request: Request, backbone: Backbone) -> Cost:
        """Network passes and codec calls per window when nothing is cached."""
        ...


def finalise_masks(masks: Tensor, powers: Tensor, present: Tensor, guidances: Tensor | None = None) -> Tensor:
    """Final masks: zero for absent prompts, scaled so that they sum to at most 1 at full strength, then each prompt's strength
    as exponent.

    masks (K, ...); powers (K,) from `mask_exponents`; present (K,), 1 or 0. guidances (K,): the strength that the masks have in
    them already (`strength_in_mask` is false), 0 for the mixture itself; None: they are at full strength.
    Where the masks of a bin would sum to more than 1 at full strength they share it (Wiener-like), and only then come the
    strengths: so a stem does not change when another stem's strength does (exactly so without guidances; with them the
    others' masks at full strength are estimated, as mask^(1 / guidance)). Below full strength stems overlap and may sum to
    more than the mixture; the rest, which is the mixture less all stems, takes that away again. An absent prompt's mask is
    zero, and zero to the power of zero is one: at strength 0 even that stem is the mixture.
    """
    exponent = powers.to(masks).reshape(-1, *[1] * (masks.dim() - 1))
    there = present.to(masks).reshape(exponent.shape)
    shares = masks.clamp(0, 1) * there
    if guidances is None:
        return (shares / shares.sum(0).clamp_min(1)) ** exponent
    guided = guidances.to(masks).reshape(exponent.shape)
    claims = shares ** (1 / torch.where(guided > 0, guided, torch.ones_like(guided)))
    return (shares / claims.sum(0).clamp_min(1) ** guided) ** exponent


def mask_exponents(method: Method, request: Request) -> Tensor:
    """Exponent of each prompt's mask (K,): omega; or, where guidance has used omega, 1, and 0 for an omega of 0."""
    return torch.tensor([w if method.strength_in_mask else float(w > 0) for w in request.strengths])


def guidances(method: Method, request: Request) -> Tensor | None:
    """The strength that each prompt's mask has in it already (K,), as `finalise_masks` wants it; None where it is none."""
    return None if method.strength_in_mask else torch.tensor(request.strengths)


@dataclass(frozen=True, slots=True, eq=False)
class NoiseProbe:
    """Noise predictions for the same noisy mixture under each prompt and under the null prompt.

    guesses: (K + 1, B, c, t, m), predicted clean latents averaged over all draws, null last. scores: (K, B), by how much the
    error of the predicted noise is smaller under the prompt than under null: the larger, the surer that the sound is there.
    """

    guesses: Tensor
    scores: Tensor


def probe(batch: WindowBatch, heights: tuple[float, ...], draws: int) -> NoiseProbe:
    """Add noise to the windows, `draws` times at each of `heights` (shares of the noise schedule), and predict it under all
    prompts and null."""
    backbone, latent = batch.backbone, batch.model_cache.encode(batch.features)
    slots, count = [*range(len(batch.request.prompts)), batch.null_row], len(heights) * draws
    levels = torch.tensor([backbone.schedule.level(height) for height in heights for _ in range(draws)])
    # another stream than the inversion's, which starts from the seed itself
    generators = [torch.Generator().manual_seed(seed ^ 0x5EED) for seed in batch.seeds]
    drawn = torch.stack([torch.randn(count, *latent.shape[1:], generator=each) for each in generators], 1).to(latent)
    each_level = levels.repeat_interleave(batch.windows)
    alphas = backbone.schedule.alpha_bar(each_level)
    x = add_noise(latent.repeat(count, 1, 1, 1), alphas, drawn.flatten(0, 1))
    table_rows = torch.tensor(slots).repeat_interleave(len(x))
    told = batch.model(x.repeat(len(slots), 1, 1, 1), each_level.repeat(len(slots)), batch.table.rows(table_rows))
    clean = predict_clean(x.repeat(len(slots), 1, 1, 1), alphas.repeat(len(slots)), told)
    errors = (told.unflatten(0, (len(slots), count, -1)) - drawn).square().mean((3, 4, 5)).sum(1)
    return NoiseProbe(clean.unflatten(0, (len(slots), count, -1)).mean(1), errors[-1:] - errors[:-1])


PRESENCE_LEVELS, PRESENCE_DRAWS = (0.2, 0.3, 0.4, 0.5), 2


def score_presence(batch: WindowBatch) -> Tensor:
    """(K, B) scores: the larger, the surer that each prompt's sound is in each window."""
    return probe(batch, PRESENCE_LEVELS, PRESENCE_DRAWS).scores


def presence_cost(request: Request) -> Cost:
    """Cost per window of `score_presence`."""
    return Cost(len(PRESENCE_LEVELS) * PRESENCE_DRAWS * (len(request.prompts) + 1), encodes=1)


def score_presence_if_measured(batch: WindowBatch) -> Tensor | None:
    """`score_presence` if the model has measured thresholds, else None, since nothing would follow from the scores."""
    return None if batch.backbone.presence is None else batch.model_cache.score_presence(batch)


def presence_cost_if_measured(request: Request, backbone: Backbone) -> Cost:
    """Cost per window of `score_presence_if_measured`."""
    return Cost() if backbone.presence is None else presence_cost(request)


SEED_STRIDE = 0x9E3779B1
"""Between the seeds of two draws of one window; windows' own seeds lie side by side."""


def repeat_windows(batch: WindowBatch, draws: int) -> WindowBatch:
    """The batch repeated `draws` times with other seeds, all windows of the first draw first."""
    seeds = [(seed + draw * SEED_STRIDE) % 2**63 for draw in range(draws) for seed in batch.seeds]
    return replace(batch, features=batch.features.repeat(draws, 1, 1, 1), seeds=seeds)


def mean_over_draws(estimates: Tensor, draws: int) -> Tensor:
    """Mean over the draws of a repeated batch: (K, draws x B, ...) -> (K, B, ...)."""
    means: Tensor = estimates.unflatten(1, (draws, -1)).mean(1)
    return means


def apply_masks(batch: WindowBatch, masks: Tensor) -> Tensor:
    """Features of the mixture under each mask, (K, B, C, T, M): for methods that generate no sound of their own."""
    return torch.stack([batch.backbone.scale(batch.features, mask.clamp_min(1e-5)) for mask in masks])
