"""What a trained separator must offer, and nothing more: a model that was taught to take mixtures apart.

It is the sibling of `engine.backbones.base.Backbone`, which was taught to make sounds and is separated with all the same.
Shapes: B windows or items, C channels, N samples, T frames, M bands, K prompts.
"""

from collections.abc import Sequence
from typing import Any, Protocol, TypeGuard

import torch
from torch import Tensor

from engine.backbones.base import Conditioning, Grid
from engine.execution.base import NetworkSpec
from engine.execution.fallback import FallbackRunner
from host_bridge.types import Hertz, Samples


class TrainedSeparator(Protocol):
    """A separator that answers with one mask per prompt on a grid of frames and bands.

    Every tensor it returns lies on `device` in float32. A model that answers with sound instead of masks, like those with a
    fixed set of stems, can be given this form by the share of its stem's magnitude in the mixture's; one that follows any
    text has no `sources`.
    """

    device: torch.device
    """Where it computes."""

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
        """Changes with the weights: part of the key under which answers are kept."""
        ...

    @property
    def rate(self) -> Hertz:
        """Sample rate that the model works at."""
        ...

    @property
    def channels(self) -> int:
        """1: hears a fold of the region's channels; 2: hears stereo."""
        ...

    @property
    def window(self) -> Samples:
        """The longest stretch heard at once, at `rate`."""
        ...

    @property
    def grid(self) -> Grid:
        """Where its masks lie."""
        ...

    @property
    def sources(self) -> Sequence[str] | None:
        """The closed list of what it knows; None where it follows any text."""
        ...

    @property
    def batch(self) -> int:
        """Items per network call that suit the device."""
        ...

    @property
    def network_spec(self) -> NetworkSpec | None:
        """Its network, for whatever runs it; None where there is nothing to choose."""
        ...

    @property
    def run(self) -> FallbackRunner | None:
        """What runs its network now; a planner may put another way there."""
        ...

    @property
    def presence(self) -> tuple[float, float] | None:
        """Scores of `onepass.presence`, in dB, below which a sound is clearly absent and above which it is clearly there, as
        measured for this model; None where nobody has measured."""
        ...

    def gain(self, audio: Tensor) -> Tensor:
        """The factor (B,) that brings each window (B, C, N) to the level the model was trained at; 1 for silence."""
        ...

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, C, N) at the model's level -> features (B, C, T, M): what the network hears, and what is masked."""
        ...

    def magnitude(self, features: Tensor) -> Tensor:
        """Features -> linear magnitudes (B, C, T, M), at least 0."""
        ...

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """Features whose magnitudes are those of `features` times `gain`."""
        ...

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """One row per prompt. Raises BadRequest for a prompt that the model cannot follow."""
        ...

    def masks(self, features: Tensor, prompts: Conditioning) -> Tensor:
        """Features (B, C, T, M) and as many rows of prompts -> masks (B, C, T, M) in [0, 1], in one pass."""
        ...


def trained(model: Any) -> TypeGuard[TrainedSeparator]:
    """Whether a model was taught to separate; the others were taught to make sounds (`engine.backbones.base.Backbone`)."""
    return hasattr(model, "masks")
