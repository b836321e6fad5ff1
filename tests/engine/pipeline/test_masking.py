"""Fit: masks from a model's grid, on the user's own spectrogram."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.audio.chunks import ChunkLayout, OverlapAddFile
from engine.backbones import mel
from engine.pipeline.masking import MaskProjector
from host_bridge.types import Hertz, Samples

RATES = [8000, 16000, 22050, 44100, 48000, 96000, 192000]


def noise(length: int, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.1, (length, channels))


@pytest.mark.parametrize("rate", [100, *RATES])
def test_masks_of_one_give_back_the_mixture(rate: int) -> None:
    projector = MaskProjector(mel.GRID, mel.RATE, Hertz(rate))
    hops = 5
    around = noise(hops * projector.hop + 2 * projector.context)
    out = projector.apply(around, torch.ones(3, 1, hops + 3, 64))
    for stem in out:
        np.testing.assert_allclose(stem, around[projector.context : -projector.context], atol=1e-12)


def test_masks_that_sum_to_one_split_the_mixture() -> None:
    projector = MaskProjector(mel.GRID, mel.RATE, Hertz(44100))
    around = noise(8 * projector.hop + 2 * projector.context)
    share = torch.rand(1, 1, 11, 64, generator=torch.Generator().manual_seed(0))
    stems = projector.apply(around, torch.cat([share, 1 - share]))
    np.testing.assert_allclose(stems.sum(0), around[projector.context : -projector.context], atol=1e-6)


def test_blocks_meet_without_a_seam() -> None:
    projector = MaskProjector(mel.GRID, mel.RATE, Hertz(16000))
    hops, context = 12, projector.context
    sound = noise(hops * projector.hop + 2 * context)
    masks = torch.rand(1, 1, hops + 3, 64, generator=torch.Generator().manual_seed(0))
    whole = projector.apply(sound, masks)[0]
    halves = [
        projector.apply(
            sound[first * projector.hop : (first + 6) * projector.hop + 2 * context], masks[:, :, first : first + 9]
        )[0]
        for first in (0, 6)
    ]
    np.testing.assert_allclose(np.concatenate(halves), whole, atol=1e-12)


@pytest.mark.parametrize("rate", RATES)
def test_a_mask_lands_at_its_own_moment(rate: int, tmp_path: Path) -> None:
    projector, seconds = MaskProjector(mel.GRID, mel.RATE, Hertz(rate)), 2
    tape = OverlapAddFile(tmp_path / "tape.npy", ChunkLayout(seconds * 100, 256), slots=1, channels=1, bands=64)
    values = np.zeros((1, 1, 256, 64), np.float32)
    values[:, :, 100:] = 1  # from 1 s on
    tape.append(values)
    masks = projector.masks(tape, Samples(0), seconds * rate // projector.hop)[0, 0, :, 0]
    centres_s = (np.arange(len(masks)) - 1) * projector.hop / rate
    crossing_s = float(np.interp(0.5, masks.numpy(), centres_s))
    assert crossing_s == pytest.approx(1.0, abs=0.009)


@pytest.mark.parametrize("rate", RATES)
def test_every_frequency_gets_weights_that_sum_to_one(rate: int) -> None:
    weights = mel.spread(torch.fft.rfftfreq(2048, 1 / rate, dtype=torch.float64))
    torch.testing.assert_close(weights.sum(1), torch.ones(1025, dtype=torch.float64))
    assert (weights >= 0).all()


def test_a_band_opens_at_its_own_frequency_and_the_top_bands_open_everything_above() -> None:
    frequencies = torch.linspace(0, 24000, 2401, dtype=torch.float64)
    weights = mel.spread(frequencies)
    bank = mel.filters(torch.device("cpu"))
    for band in (5, 30, 60):
        peak_hz = float(frequencies[weights[:, band].argmax()])
        assert peak_hz == pytest.approx(float(bank[band].argmax()) * 16000 / 1024, abs=16)
    assert weights[-1].nonzero()[:, 0].tolist() == [60, 61, 62, 63]


def test_the_front_end_puts_frame_i_around_sample_160_i_plus_80() -> None:
    for frame in (3, 50, 99):
        click = torch.zeros(1, 16000)
        click[0, 160 * frame + 80] = 1
        assert int(mel.log_mel(click)[0].sum(1).argmax()) == frame


def test_digital_silence_is_the_log_of_a_hundred_thousandth() -> None:
    assert mel.log_mel(torch.zeros(1, 16000)).unique().tolist() == pytest.approx([-11.513], abs=1e-3)
