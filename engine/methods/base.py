"""A method turns a batch of windows and some prompts into one mask per prompt.

K prompts, B windows; features (B, C, T, M); masks (K, B, C, T, M) in [0, 1], a share of the mixture's magnitude each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor

from engine.backbones.base import Backbone, Conditioning, clean_guess, noised
from engine.inversion import INVERSIONS
from engine.inversion.base import Inversion, Ladder, Trail
from engine.passes import Passes, Work
from engine.request import Request
from engine.separators.base import trained
from host_bridge.errors import BadRequest


def steps(request: Request, backbone: Backbone) -> int:
    """The request's own number of steps, or the model's; a trained separator makes none."""
    if trained(backbone):
        return 0
    return backbone.default_steps if request.steps is None else request.steps


def ladder(request: Request, backbone: Backbone) -> Ladder:
    """The levels that a request climbs, none of a trained separator. Raises BadRequest for an impossible number of them."""
    if trained(backbone):
        return Ladder(*[torch.zeros(0)] * 3)
    return Ladder.build(backbone.schedule, steps(request, backbone), request.depth)


@dataclass(frozen=True, slots=True)
class Dials:
    """The settings that only some methods have (see `Request`), as they are where a method does not have them."""

    unlike_others: bool = False
    renew: float = 0.0
    rounds: int = 1
    draws: int = 1
    guidance: float = 1.0


def turned(method: "Method", request: Request) -> Dials:
    """A method's dials as the request turns them. Raises BadRequest for one that the method does not have."""
    asked = {each.name: getattr(request, each.name) for each in fields(Dials)}
    given = {name: value for name, value in asked.items() if value is not None and value is not False}
    for name in given:
        if name not in method.dials:
            raise BadRequest(
                f'The method "{method.name}" knows nothing of {name.replace("_", " ")}.',
                "Leave it out, or choose a method that does: zerosep and dgmo have most of these.",
            )
    return Dials(**{**method.dials, **given})


def copies(dials: Dials, request: Request) -> int:
    """How many inversions of each window are held at once."""
    own = dials.unlike_others or dials.rounds > 1
    return dials.draws * (len(request.prompts) if own else 1)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A batch of windows as a method meets it.

    model: asked for everything that another strength or prompt would change. memory: asked for the rest.
    table: the embedded prompts, then the inversion prompt, then the null prompt: row k, `unlike`, `null`.
    The table is that of `Request.words`: with `unlike_others` its last rows, `others`, are each prompt's rivals.
    seeds: one per window; whatever is drawn for a window is drawn from its own.
    """

    model: Passes
    memory: "Memory"
    table: Conditioning
    features: Tensor
    seeds: list[int]
    request: Request

    @property
    def backbone(self) -> Backbone:
        """The model itself."""
        return self.model.backbone

    @property
    def windows(self) -> int:
        """B."""
        return len(self.features)

    @property
    def unlike(self) -> int:
        """The inversion prompt's row of the table."""
        return len(self.request.prompts)

    @property
    def null(self) -> int:
        """The null prompt's row of the table."""
        return len(self.request.prompts) + 1

    @property
    def others(self) -> list[int]:
        """For each prompt the row of its rivals."""
        return [self.null + 1 + slot for slot in range(len(self.request.prompts))]

    def rows(self, which: list[int]) -> Conditioning:
        """Conditioning for every window under each of these rows of the table, all windows of the first one first."""
        return self.table.rows(torch.tensor(which).repeat_interleave(self.windows))

    def ladder(self) -> Ladder:
        """The levels that the request climbs."""
        return ladder(self.request, self.backbone)

    def inversion(self) -> Inversion:
        """The request's way up."""
        return INVERSIONS[self.request.mode]


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What a method found out about a batch of windows.

    masks: (K, B, C, T, M). features: (K, B, C, T, M), each stem as the model itself would say it.
    presence: (K, B), how sure it is that each sound is there, or None where it cannot tell.
    """

    masks: Tensor
    features: Tensor
    presence: Tensor | None = None


class Memory(Protocol):
    """What is the same for several requests about the same windows: found out now, or kept from the last time."""

    def encode(self, features: Tensor) -> Tensor:
        """As `Passes.encode`."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """As `Passes.decode`, of what `encode` gave: the mixture as the codec has it."""
        ...

    def climb(self, inversion: Inversion, ladder: Ladder, latent: Tensor, source: Conditioning, seeds: list[int]) -> Trail:
        """As `Inversion.climb` over the scene's model."""
        ...

    def judge(self, scene: Scene) -> Tensor:
        """As `presence`."""
        ...

    def estimate(self, method: "Method", scene: Scene) -> Estimate:
        """As `Method.estimate`."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """A memory that keeps nothing."""

    model: Passes

    def encode(self, features: Tensor) -> Tensor:
        """Asks the codec."""
        return self.model.encode(features)

    def decode(self, latent: Tensor) -> Tensor:
        """Asks the codec."""
        return self.model.decode(latent)

    def climb(self, inversion: Inversion, ladder: Ladder, latent: Tensor, source: Conditioning, seeds: list[int]) -> Trail:
        """Climbs."""
        return inversion.climb(self.model, ladder, latent, source, seeds)

    def judge(self, scene: Scene) -> Tensor:
        """Asks the network."""
        return presence(scene)

    def estimate(self, method: "Method", scene: Scene) -> Estimate:
        """Asks the method."""
        return method.estimate(scene)


Refine = Callable[[Request, Tensor, Tensor, Tensor, Callable[[float], None]], Tensor]
"""The request, magnitudes (channels, F, T) of the region's own spectrogram, masks (K, C or 1, T, M) of its frames, the share of
each band in each bin (F, M), and a callable to be told how far it is -> masks (K, channels, F, T) of the bins."""


class Method(Protocol):
    """One way to separate."""

    @property
    def name(self) -> str:
        """As a person types it."""
        ...

    @property
    def strength_in_mask(self) -> bool:
        """Strength is the mask to the power omega; else the method has used it already."""
        ...

    @property
    def dials(self) -> Mapping[str, float]:
        """Which of `Dials` it has, and its own values of them."""
        ...

    @property
    def refine(self) -> Refine | None:
        """How its masks find their way from the model's bands to the bins of the region's own spectrogram, where that is not
        by interpolation."""
        ...

    def estimate(self, scene: Scene) -> Estimate:
        """Masks at full strength (or at the request's, see `strength_in_mask`) for all prompts at once."""
        ...

    def work(self, request: Request, backbone: Backbone) -> Work:
        """What each window asks of the model where nothing is remembered."""
        ...


def settle(masks: Tensor, powers: Tensor, present: Tensor, guidances: Tensor | None = None) -> Tensor:
    """Masks as they are applied: silence for absent prompts, no bin given away twice at full strength, then each prompt's own
    strength as an exponent.

    masks (K, ...); powers (K,) from `exponents`; present (K,), 1 or 0. guidances (K,): the strength that the masks have in them
    already (`strength_in_mask` is false), 0 for the mixture itself; None: they are at full strength.
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


def exponents(method: Method, request: Request) -> Tensor:
    """The power of each prompt's mask (K,): omega; or 1 where the guidance has used omega, and 0 where that was 0."""
    return torch.tensor([w if method.strength_in_mask else float(w > 0) for w in request.strengths])


def guidances(method: Method, request: Request) -> Tensor | None:
    """The strength that each prompt's mask has in it already (K,), as `settle` wants it; None where it is none."""
    return None if method.strength_in_mask else torch.tensor(request.strengths)


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """The mixture's noise as told under each prompt and under null, from the same noisy latents.

    guesses: (K + 1, B, c, t, m), clean guesses averaged over all draws, null last. scores: (K, B), how much better the
    noise is told under the prompt than under null: the larger, the surer that the sound is there.
    """

    guesses: Tensor
    scores: Tensor


def probe(scene: Scene, heights: tuple[float, ...], draws: int) -> Probe:
    """Noise the windows `draws` times to each height (a share of the way up), and ask all prompts and null about each."""
    backbone, latent = scene.backbone, scene.memory.encode(scene.features)
    slots, count = [*range(len(scene.request.prompts)), scene.null], len(heights) * draws
    levels = torch.tensor([backbone.schedule.level(height) for height in heights for _ in range(draws)])
    # another stream than the inversion's, which starts from the seed itself
    generators = [torch.Generator().manual_seed(seed ^ 0x5EED) for seed in scene.seeds]
    drawn = torch.stack([torch.randn(count, *latent.shape[1:], generator=each) for each in generators], 1).to(latent)
    each_level = levels.repeat_interleave(scene.windows)
    alphas = backbone.schedule.alpha_bar(each_level)
    x = noised(latent.repeat(count, 1, 1, 1), alphas, drawn.flatten(0, 1))
    table_rows = torch.tensor(slots).repeat_interleave(len(x))
    told = scene.model(x.repeat(len(slots), 1, 1, 1), each_level.repeat(len(slots)), scene.table.rows(table_rows))
    clean = clean_guess(x.repeat(len(slots), 1, 1, 1), alphas.repeat(len(slots)), told)
    errors = (told.unflatten(0, (len(slots), count, -1)) - drawn).square().mean((3, 4, 5)).sum(1)
    return Probe(clean.unflatten(0, (len(slots), count, -1)).mean(1), errors[-1:] - errors[:-1])


PRESENCE_HEIGHTS, PRESENCE_DRAWS = (0.2, 0.3, 0.4, 0.5), 2


def presence(scene: Scene) -> Tensor:
    """(K, B) scores of how surely each prompt's sound is in each window."""
    return probe(scene, PRESENCE_HEIGHTS, PRESENCE_DRAWS).scores


def presence_work(request: Request) -> Work:
    """What each window asks for `presence`."""
    return Work(len(PRESENCE_HEIGHTS) * PRESENCE_DRAWS * (len(request.prompts) + 1), encodes=1)


def judged(scene: Scene) -> Tensor | None:
    """`presence`, where thresholds make use of it: a model that nobody has measured is not asked."""
    return None if scene.backbone.presence is None else scene.memory.judge(scene)


def judging_work(request: Request, backbone: Backbone) -> Work:
    """What each window asks for `judged`."""
    return Work() if backbone.presence is None else presence_work(request)


DRAWS_APART = 0x9E3779B1
"""Between the seeds of two draws of one window; windows' own seeds lie side by side."""


def drawn(scene: Scene, draws: int) -> Scene:
    """The same windows, each `draws` times with a noise of its own, all windows of the first draw first."""
    seeds = [(seed + draw * DRAWS_APART) % 2**63 for draw in range(draws) for seed in scene.seeds]
    return replace(scene, features=scene.features.repeat(draws, 1, 1, 1), seeds=seeds)


def averaged(estimates: Tensor, draws: int) -> Tensor:
    """(K, draws x B, ...) of a scene drawn several times -> their means (K, B, ...)."""
    means: Tensor = estimates.unflatten(1, (draws, -1)).mean(1)
    return means


def masked(scene: Scene, masks: Tensor) -> Tensor:
    """The features of stems that are nothing but the mixture under masks: what a method without sound of its own says."""
    return torch.stack([scene.backbone.scale(scene.features, mask.clamp_min(1e-5)) for mask in masks])
