"""The protocol of a pretrained model, as far as separation needs it.

Shapes: B batch items, C channels, N samples, T frames, M bands; latents are (B, c, t, m) as the model likes them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from engine.execution.base import NetworkSpec
from engine.execution.fallback import FallbackRunner
from host_bridge.types import Hertz, Samples


@dataclass(frozen=True, slots=True)
class Conditioning:
    """Embedded prompts: named tensors, each with one row per prompt along its first axis.

    A model with several text encoders has several tensors; whatever they are, `rows` picks the prompts of a batch.
    """

    tensors: Mapping[str, Tensor]

    def rows(self, which: Tensor) -> "Conditioning":
        """The conditioning of a batch whose items follow the prompts numbered `which`, (B,) integers."""
        return Conditioning({name: tensor[which.to(tensor.device)] for name, tensor in self.tensors.items()})


NoisePredictor = Callable[[Tensor, Tensor, Conditioning], Tensor]
"""A noise predictor: latent (B, c, t, m), levels (B,), one conditioning row per item -> epsilon, shaped as the latent."""


class Schedule(Protocol):
    """A noise schedule."""

    @property
    def floor(self) -> float:
        """Alpha-bar below the lowest level, that of a clean latent (final_alpha_cumprod in diffusers)."""
        ...

    def levels(self, steps: int) -> Tensor:
        """The levels visited by `steps` steps, from the least noise to the most, (steps,)."""
        ...

    def level(self, height: float) -> float:
        """The noise level at a share of the schedule, 0..1."""
        ...

    def alpha_bar(self, levels: Tensor) -> Tensor:
        """The signal's share of the power at each level, in (0, 1), shaped as `levels`."""
        ...


@dataclass(frozen=True, slots=True)
class Grid:
    """Where features lie in time and frequency, so that masks can be mapped to another spectrogram."""

    hop: Samples
    """Samples at the backbone's rate between two frames."""
    first: float
    """Centre of frame 0, in samples at the backbone's rate."""
    bands: int
    """M: frequency bands per frame."""
    spread: Callable[[Tensor], Tensor]
    """Frequencies in Hz (F,) -> weights (F, M), rows summing to 1, that carry a mask from bands to frequencies."""


class Backbone(Protocol):
    """A pretrained text-to-audio diffusion model, cut down to what methods need.

    Every tensor it returns lies on `device` in float32; precision below that is the backbone's own affair.
    """

    @property
    def name(self) -> str:
        """As a person types it."""
        ...

    @property
    def licence(self) -> str:
        """What the weights may be used for, in a word or two."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with the weights: part of the key under which inversions are kept."""
        ...

    @property
    def rate(self) -> Hertz:
        """Sample rate that the model works at."""
        ...

    @property
    def channels(self) -> int:
        """1: gets a downmix of the region's channels; 2: gets stereo."""
        ...

    @property
    def window(self) -> Samples:
        """The longest stretch heard at once, at `rate`."""
        ...

    @property
    def device(self) -> torch.device:
        """The torch device of all its tensors."""
        ...

    @property
    def schedule(self) -> Schedule:
        """Its noise schedule."""
        ...

    @property
    def grid(self) -> Grid:
        """Where its features lie."""
        ...

    @property
    def lossless_codec(self) -> bool:
        """True if `decode(encode(f))` is `f` at next to no cost, so that mixture consistency can be enforced in every step."""
        ...

    @property
    def frequency_axis(self) -> int | None:
        """The axis of a latent along which frequency rises (negative index); None where no axis does."""
        ...

    @property
    def default_steps(self) -> int:
        """Default number of inversion steps."""
        ...

    @property
    def batch(self) -> int:
        """Items per network call that suit the device: enough to keep it busy, few enough to be stopped within a second."""
        ...

    @property
    def network_spec(self) -> NetworkSpec | None:
        """Its network as an execution needs it; None where there is no choice of executions."""
        ...

    @property
    def run(self) -> FallbackRunner | None:
        """What runs its network; `tuning.tune` may replace it. None where there is no network."""
        ...

    @property
    def presence(self) -> tuple[float, float] | None:
        """Scores of `methods.base.presence` below which a sound is clearly absent and above which it is clearly there, as
        measured for this model; None where nobody has measured."""
        ...

    def gain(self, audio: Tensor) -> Tensor:
        """Gain (B,) that brings each window (B, channels, N) to the level of the training data; 1 for silence."""
        ...

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, channels, N) at the model's level, N a multiple of what the codec needs -> features (B, C, T, M)."""
        ...

    def encode(self, features: Tensor) -> Tensor:
        """Features -> latent."""
        ...

    def decode(self, latent: Tensor) -> Tensor:
        """Latent -> features."""
        ...

    def magnitude(self, features: Tensor) -> Tensor:
        """Features -> linear magnitudes (B, C, T, M), at least 0: what masks are ratios of."""
        ...

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """Features whose magnitudes are those of `features` times `gain`."""
        ...

    def render(self, features: Tensor) -> Tensor:
        """Vocoder: features of any number of frames -> audio (B, channels, frames x hop)."""
        ...

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """One row per prompt; "" is the null prompt. Raises BadRequest for a prompt that the model cannot follow."""
        ...

    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon, whatever the network predicts. `levels` has one entry per batch item, so that the levels of a whole
        inversion can be one batch."""
        ...


def append_dims(values: Tensor, like: Tensor) -> Tensor:
    """Reshape (B,) numbers so that they broadcast over (B, c, t, m) latents."""
    return values.to(like).reshape(-1, *[1] * (like.dim() - 1))


def add_noise(clean: Tensor, alpha_bar: Tensor, noise: Tensor) -> Tensor:
    """The forward process: sqrt(AB) clean + sqrt(1 - AB) noise, one alpha-bar per item."""
    kept = append_dims(alpha_bar, clean)
    return kept.sqrt() * clean + (1 - kept).sqrt() * noise


def predict_clean(x: Tensor, alpha_bar: Tensor, epsilon: Tensor) -> Tensor:
    """Predicted clean latent: (x - sqrt(1 - AB) epsilon) / sqrt(AB)."""
    kept = append_dims(alpha_bar, x)
    return (x - (1 - kept).sqrt() * epsilon) / kept.sqrt()


def implied_epsilon(x: Tensor, alpha_bar: Tensor, clean: Tensor) -> Tensor:
    """The inverse of `predict_clean`: the epsilon under which `clean` is the predicted clean latent."""
    kept = append_dims(alpha_bar, x)
    return (x - kept.sqrt() * clean) / (1 - kept).sqrt()


def epsilon_from_v(v: Tensor, x: Tensor, alpha_bar: Tensor) -> Tensor:
    """Converts v-prediction to epsilon: sqrt(AB) v + sqrt(1 - AB) x (Salimans and Ho 2022)."""
    kept = append_dims(alpha_bar, x)
    return kept.sqrt() * v + (1 - kept).sqrt() * x


def guided_epsilon(
    noise: NoisePredictor, x: Tensor, levels: Tensor, prompts: Conditioning, null: Conditioning, strength: Tensor
) -> Tensor:
    """Classifier-free guidance: eps_null + omega (eps_prompt - eps_null), ZeroSep eq. 6.

    `strength` (B,) is omega. At 1 the null branch cancels and is not computed, at 0 the prompt's branch is not; all computed
    branches form one batch.
    """
    strength = strength.to(x.device)
    asked, blank = strength.ne(0).nonzero()[:, 0], strength.ne(1).nonzero()[:, 0]
    both = torch.cat([asked, blank])
    rows = {
        name: torch.cat([prompts.tensors[name][asked.to(t.device)], t[blank.to(t.device)]]) for name, t in null.tensors.items()
    }
    told, ignored = noise(x[both], levels[both.to(levels.device)], Conditioning(rows)).split([len(asked), len(blank)])
    epsilon = torch.zeros_like(x)
    epsilon[asked] = append_dims(strength[asked], told) * told
    return epsilon.index_add_(0, blank, append_dims(1 - strength[blank], ignored) * ignored)
