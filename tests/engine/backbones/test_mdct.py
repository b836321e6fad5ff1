"""The lapped transform: nothing lost, nothing louder, and magnitudes that follow the sound and not its phase."""

import pytest
import torch

from engine.backbones import mdct
from engine.backbones.mdct import SIZE


def noise(blocks: int) -> torch.Tensor:
    return torch.randn(2, 2, blocks * SIZE, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("blocks", [1, 2, 7])
def test_there_and_back_is_the_same_sound_with_the_same_energy(blocks: int) -> None:
    coefficients = mdct.analyse(noise(blocks))
    assert coefficients.shape == (2, 2, blocks, SIZE)
    torch.testing.assert_close(mdct.synthesise(coefficients), noise(blocks), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(coefficients.square().sum(), noise(blocks).square().sum())


def test_neighbouring_frames_can_be_taken_from_anywhere_but_their_edges() -> None:
    coefficients = mdct.analyse(noise(8))
    part = mdct.synthesise(coefficients[:, :, 2:6])
    torch.testing.assert_close(part[..., SIZE:-SIZE], noise(8)[..., 3 * SIZE : 5 * SIZE], atol=1e-5, rtol=1e-5)


def test_a_steady_tone_has_a_steady_magnitude_though_its_coefficients_swing() -> None:
    tone = torch.sin(2 * torch.pi * 3333 * torch.arange(32 * SIZE) / 44_100)[None, None]
    coefficients = mdct.analyse(tone)
    band = int(3333 / 44_100 * 2 * SIZE)
    raw, steady = (each[0, 0, 4:-4, band] for each in (coefficients.abs(), mdct.magnitude(coefficients)))
    assert raw.std() / raw.mean() > 0.4
    assert steady.std() / steady.mean() < 0.12


def test_masks_of_one_reach_every_frequency_as_one() -> None:
    weights = mdct.grid(44_100).spread(torch.linspace(0, 24_000, 500, dtype=torch.float64))  # type: ignore[arg-type]
    assert weights.shape == (500, SIZE)
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum(1), torch.ones(500, dtype=torch.float64))
