"""The patch codec: a fixed 8 x 4 cosine transform in place of a VAE.

It is linear, lossless and free, so a guess of the clean latent can be turned into sound at any step of a descent.
"""

from dataclasses import dataclass

import torch
from scipy.fft import dct
from torch import Tensor

TIME, BANDS = 8, 4
"""Frames and mel bands per patch."""
CHANNELS = TIME * BANDS


def _basis(size: int) -> Tensor:
    return torch.tensor(dct(torch.eye(size).numpy(), norm="ortho", axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class PatchCodec:
    """(B, 1, T, 64) log-mel <-> (B, 32, T / 8, 16) latent.

    `mean` and `std` (1, 32, 1, 1) bring each coefficient to the size of the noise; they are fitted on training sound.
    """

    mean: Tensor
    std: Tensor

    @staticmethod
    def transform(mel: Tensor) -> Tensor:
        """Patches of the log-mel as cosine coefficients, coarse first."""
        b, _, t, f = mel.shape
        patches = mel.reshape(b, t // TIME, TIME, f // BANDS, BANDS)
        time, bands = _basis(TIME).to(mel), _basis(BANDS).to(mel)
        return torch.einsum("btifj,ai,cj->bactf", patches, time, bands).reshape(b, CHANNELS, t // TIME, f // BANDS)

    @staticmethod
    def untransform(coefficients: Tensor) -> Tensor:
        """The inverse of `transform`."""
        b, _, t, f = coefficients.shape
        time, bands = _basis(TIME).to(coefficients), _basis(BANDS).to(coefficients)
        grouped = coefficients.reshape(b, TIME, BANDS, t, f)
        return torch.einsum("bactf,ai,cj->btifj", grouped, time, bands).reshape(b, 1, t * TIME, f * BANDS)

    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel -> latent."""
        return (self.transform(mel) - self.mean) / self.std

    def decode(self, latent: Tensor) -> Tensor:
        """Latent -> log-mel."""
        return self.untransform(latent * self.std + self.mean)

    @classmethod
    def fit(cls, mel: Tensor) -> "PatchCodec":
        """The codec for sound like `mel` (B, 1, T, 64). Fine coefficients stay quieter than coarse ones."""
        coefficients = cls.transform(mel)
        mean, std = (each[None, :, None, None] for each in (coefficients.mean((0, 2, 3)), coefficients.std((0, 2, 3))))
        return cls(mean, std * (std.max() / std) ** 0.4)
