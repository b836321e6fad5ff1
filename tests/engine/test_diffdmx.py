"""Diff-DMX: the sampler against a network that knows the answer, the two networks' shapes, the losses, the checkpoint."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from engine.diffdmx import __main__ as command
from engine.diffdmx import checkpoint, sampling, training
from engine.diffdmx.network import DiffDMX, Sizes
from host_bridge.errors import BadModel

pytestmark = pytest.mark.slow

TINY = Sizes(rate=8000, channels=2, seconds=0.02, strides=(4, 2, 2), generator=(8, 12, 16), conditioner=(8, 8, 12), kernel=3)


@pytest.fixture
def tiny() -> DiffDMX:
    torch.manual_seed(0)
    return DiffDMX(TINY).eval()


class Knowing(DiffDMX):
    """Networks whose vocals are half of the mixture, told as exactly as v can."""

    def __init__(self) -> None:
        super().__init__(TINY)
        self.conditioner.forward = lambda mixture: ([], mixture / 2, mixture / 2)  # type: ignore[method-assign]
        self.generator.forward = self._v  # type: ignore[method-assign]

    def _v(self, noisy: Tensor, level: Tensor, embeddings: Sequence[Tensor], voice: Tensor) -> Tensor:
        alpha, beta = sampling.alpha_beta(level.clamp_min(1e-4))
        return alpha * (noisy - alpha * voice) / beta - beta * voice


@pytest.mark.parametrize("eta", [0.0, 0.4])
def test_a_network_that_knows_the_answer_is_sampled_to_it(eta: float) -> None:
    mixture = torch.randn(2, 2, TINY.samples, generator=torch.Generator().manual_seed(1))
    said = sampling.sample(Knowing(), mixture, steps=8, eta=eta, corner_hz=1000)
    torch.testing.assert_close(said, mixture / 2, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("length", [7, 160, 161, 1000])
def test_chunks_join_without_a_seam(length: int) -> None:
    mixture = 0.1 * torch.randn(2, length, generator=torch.Generator().manual_seed(1))
    said = sampling.vocals(Knowing(), mixture, steps=2, corner_hz=1000)
    torch.testing.assert_close(said, mixture / 2, atol=1e-4, rtol=1e-4)


def test_refinement_noise_has_unit_power_and_none_of_it_in_the_lows() -> None:
    noise = sampling.refinement((1, 1, 44_100), 44_100, 5000, torch.Generator().manual_seed(0))
    power = torch.fft.rfft(noise[0, 0]).abs().square()
    assert noise.square().mean() == pytest.approx(1, abs=1e-4)
    assert power[:2500].mean() < 1e-3 * power[6000:].mean()
    with pytest.raises(ValueError, match="half of 8000 Hz"):
        sampling.refinement((1, 1, 100), 8000, 5000, torch.Generator())


def test_the_same_seed_samples_the_same(tiny: DiffDMX) -> None:
    mixture = torch.randn(1, 2, TINY.samples)
    one, again = (sampling.sample(tiny, mixture, seed=3, steps=3, corner_hz=1000) for _ in range(2))
    assert torch.equal(one, again)


def test_embeddings_are_as_long_as_the_generators_levels(tiny: DiffDMX) -> None:
    mixture = torch.randn(3, 2, TINY.samples)
    embeddings, early, late = tiny.conditioner(mixture)
    assert [tuple(each.shape) for each in embeddings] == [(3, 8, 40), (3, 8, 20), (3, 12, 10)]
    assert early.shape == late.shape == mixture.shape
    assert tiny.generator(mixture, torch.rand(3), embeddings, late).shape == mixture.shape


def test_the_generator_hears_level_and_mixture(tiny: DiffDMX) -> None:
    noisy, mixture = torch.randn(2, 1, 2, TINY.samples)
    embeddings, _, voice = tiny.conditioner(mixture)
    low, high = (tiny.generator(noisy, torch.tensor([level]), embeddings, voice) for level in (0.1, 0.9))
    assert (low - high).abs().max() > 1e-3
    other, _, _ = tiny.conditioner(-mixture)
    assert (low - tiny.generator(noisy, torch.tensor([0.1]), other, voice)).abs().max() > 1e-3


def test_full_size_networks_come_near_the_papers_counts() -> None:
    with torch.device("meta"):
        model = DiffDMX(Sizes())
    millions = [sum(each.numel() for each in part.parameters()) / 1e6 for part in (model.generator, model.conditioner)]
    assert millions == [pytest.approx(15.9, rel=0.1), pytest.approx(82.9, rel=0.1)]
    assert Sizes().samples / 44_100 == pytest.approx(3, rel=0.02)


def test_sizes_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="no network has these sizes"):
        Sizes(strides=(4, 2))


def test_losses_of_a_network_that_knows_are_nothing() -> None:
    voice = torch.randn(4, 2, TINY.samples)
    level, early, late = training.losses(Knowing(), 2 * voice, voice, torch.Generator().manual_seed(0))
    assert float(level) < 1e-4
    assert float(early) == float(late) == 0


def test_a_few_steps_of_training_bring_the_losses_down(tiny: DiffDMX) -> None:
    at = np.arange(4000) / 8000
    voices, others = [np.sin(2 * np.pi * hz * at)[None].repeat(2, 0).astype(np.float32) for hz in (300, 1900)]
    heard: list[float] = []
    training.train(tiny.train(), [voices], [others], 60, batch=4, report=lambda _, __, three: heard.append(three[2]))
    mixture, voice = training.pairs(np.random.default_rng(5), [voices], [others], TINY.samples, 4)
    with torch.no_grad():
        after = training.losses(tiny.eval(), mixture, voice, torch.Generator().manual_seed(0))
    untrained = training.losses(DiffDMX(TINY), mixture, voice, torch.Generator().manual_seed(0))
    assert float(after[2]) < 0.7 * float(untrained[2].detach())
    assert len(heard) == 1


def test_a_checkpoint_comes_back_as_it_was(tiny: DiffDMX, tmp_path: Path) -> None:
    checkpoint.save(tiny, tmp_path, "noise")
    again = checkpoint.load(tmp_path, torch.device("cpu"))
    mixture = torch.randn(1, 2, TINY.samples)
    with torch.no_grad():
        assert torch.equal(tiny.conditioner(mixture)[2], again.conditioner(mixture)[2])
    assert again.sizes == TINY


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda folder: (folder / "diffdmx.json").unlink(), "FileNotFoundError"),
        (lambda folder: (folder / "diffdmx.safetensors").write_bytes(b"x"), "cannot be loaded"),
        (lambda folder: (folder / "diffdmx.json").write_text('{"schema": "other"}'), "its schema is"),
        (lambda folder: _sizes(folder, depth=3), "sizes of no meaning: depth"),
        (lambda folder: _sizes(folder, kernel=5), "size mismatch"),
    ],
)
def test_a_damaged_checkpoint_is_refused_by_name(tiny: DiffDMX, tmp_path: Path, damage: object, complaint: str) -> None:
    checkpoint.save(tiny, tmp_path, "noise")
    damage(tmp_path)  # type: ignore[operator]
    with pytest.raises(BadModel, match=complaint):
        checkpoint.load(tmp_path, torch.device("cpu"))


def _sizes(folder: Path, **changed: int) -> None:
    sheet = json.loads((folder / "diffdmx.json").read_text())
    sheet["sizes"] |= changed
    (folder / "diffdmx.json").write_text(json.dumps(sheet))


def test_the_command_gives_vocals_at_the_files_rate_and_length(tiny: DiffDMX, tmp_path: Path) -> None:
    checkpoint.save(tiny, tmp_path, "noise")
    soundfile.write(tmp_path / "in.wav", 0.1 * np.random.default_rng(0).standard_normal((3001, 1)), 22_050)
    given = ["separate", str(tmp_path), str(tmp_path / "in.wav"), str(tmp_path / "out.wav"), "--steps", "2", "--corner", "1000"]
    assert command.main(given) == 0
    said, rate = soundfile.read(tmp_path / "out.wav", always_2d=True)
    assert (said.shape, rate) == ((3001, 2), 22_050)
