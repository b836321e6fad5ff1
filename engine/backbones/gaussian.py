"""A backbone whose answers are known in closed form: under a prompt, clean latents are normal. Tests need no weights."""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.backbones import griffin_lim, mel
from engine.backbones.base import Conditioning, append_dims, epsilon_from_v
from engine.backbones.schedules import scaled_linear
from host_bridge.errors import BadRequest
from host_bridge.types import Samples

CENTRE, WIDTH = -5.0, 2.0
"""Log-mel of ordinary sound, brought to the size of the noise by the codec."""


class Gaussian:
    """Under prompt p every number of a clean latent is N(mean[p], spread^2), so the best epsilon is a straight line in x.

    Prompts are numbers in words ("0.5"); "" means 0. With `speaks_v` the network answers in v, as Tango's does, and the
    conversion at the edge is on the way. Its latents (B, 1, T, 64) are log-mel of 16 kHz mono, shifted and scaled.
    """

    name = "gaussian"
    licence = "MIT"
    fingerprint = "closed form"
    rate = mel.RATE
    channels = 1
    window = Samples(256 * mel.HOP)
    schedule = scaled_linear(0.0015, 0.0195)
    grid = mel.GRID
    lossless_codec = True
    frequency_axis = -1
    default_steps = 20
    batch = 64
    presence = None
    network_spec = run = None

    def __init__(self, device: torch.device | None = None, spread: float = 0.5, *, speaks_v: bool = False) -> None:
        self.device = device or torch.device("cpu")
        self.spread, self.speaks_v = spread, speaks_v

    def gain(self, audio: Tensor) -> Tensor:
        """Any level will do."""
        return torch.ones(len(audio), device=audio.device)

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, 1, N) -> log-mel (B, 1, N / 160, 64)."""
        return mel.log_mel(audio[:, 0])[:, None]

    def encode(self, features: Tensor) -> Tensor:
        """Log-mel -> latent."""
        return (features - CENTRE) / WIDTH

    def decode(self, latent: Tensor) -> Tensor:
        """Latent -> log-mel."""
        return latent * WIDTH + CENTRE

    def magnitude(self, features: Tensor) -> Tensor:
        """Log-mel -> mel magnitude."""
        return mel.magnitude(features)

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """A factor on magnitudes is a sum on their logarithm."""
        return mel.scale(features, gain)

    def render(self, features: Tensor) -> Tensor:
        """Log-mel -> audio by Griffin and Lim."""
        return griffin_lim.render(self.magnitude(features)[:, 0])[:, None]

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """The mean that each prompt names. Raises BadRequest for one that is no number."""
        try:
            means = [float(prompt or 0) for prompt in prompts]
        except ValueError as error:
            raise BadRequest(
                f"The closed-form model takes numbers for prompts ({error}).", 'Write one, such as "0.5".'
            ) from error
        return Conditioning({"mean": torch.tensor(means, device=self.device)})

    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """eps = sqrt(1 - AB) (x - sqrt(AB) mean) / (AB spread^2 + 1 - AB), the conditional expectation."""
        alpha_bar = self.schedule.alpha_bar(levels)
        kept = append_dims(alpha_bar, latent)
        mean = append_dims(conditioning.tensors["mean"], latent)
        epsilon = (1 - kept).sqrt() * (latent - kept.sqrt() * mean) / (kept * self.spread**2 + 1 - kept)
        if self.speaks_v:
            v = (epsilon - (1 - kept).sqrt() * latent) / kept.sqrt()
            return epsilon_from_v(v, latent, alpha_bar)
        return epsilon
