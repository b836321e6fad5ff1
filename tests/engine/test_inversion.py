"""Inversions against the closed form: up and down again, and what does not depend on batches. No weights needed."""

import pytest
import torch
from torch import Tensor

from engine.backbones.base import Conditioning
from engine.backbones.gaussian import Gaussian
from engine.inversion import INVERSIONS
from engine.inversion.base import Inversion, Ladder, Trail, descend

SEEDS = [7, 8, 9]


def latents(model: Gaussian, spread: float = 0.5) -> Tensor:
    return spread * torch.randn(3, 1, 16, 64, generator=torch.Generator().manual_seed(3))


def down(model: Gaussian, inversion: Inversion, trail: Trail, ladder: Ladder, prompts: list[str], strength: float) -> Tensor:
    count = len(trail.top)
    each = model.embed([prompt for prompt in prompts for _ in range(count)])
    null, omega = model.embed([""] * len(prompts) * count), torch.full((len(prompts) * count,), strength)
    return descend(model.noise, ladder, inversion, trail, each, null, omega)


def round_trip_error(model: Gaussian, mode: str, steps: int, prompt: str = "", depth: float = 1.0) -> float:
    inversion, ladder, latent = INVERSIONS[mode], Ladder.build(model.schedule, steps, depth), latents(model)
    trail = inversion.climb(model.noise, ladder, latent, model.embed([prompt] * 3), SEEDS)
    back = down(model, inversion, trail, ladder, [prompt], 1.0)[0]
    return float((back - latent).norm() / latent.norm())


@pytest.mark.parametrize("speaks_v", [False, True])
@pytest.mark.parametrize("steps", [1, 7, 50])
def test_ddpm_returns_the_latent_to_rounding_under_the_same_prompt(steps: int, speaks_v: bool) -> None:
    assert round_trip_error(Gaussian(speaks_v=speaks_v), "ddpm", steps, "0.7") < 2e-5


@pytest.mark.parametrize("speaks_v", [False, True])
def test_ddim_comes_back_near_and_nearer_with_more_steps(speaks_v: bool) -> None:
    model = Gaussian(speaks_v=speaks_v)
    few, many = round_trip_error(model, "ddim", 50), round_trip_error(model, "ddim", 400)
    assert few < 0.15
    assert many < few / 3


@pytest.mark.parametrize("mode", INVERSIONS)
def test_a_descent_under_another_prompt_arrives_where_that_prompt_lives(mode: str) -> None:
    model = Gaussian(spread=0.3)
    inversion, ladder = INVERSIONS[mode], Ladder.build(model.schedule, 100)
    trail = inversion.climb(model.noise, ladder, latents(model, 0.3), model.embed([""] * 3), SEEDS)
    there = down(model, inversion, trail, ladder, ["1.5"], 1.0)
    assert float(there.mean()) == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize("mode", INVERSIONS)
def test_strength_leads_from_the_mixture_to_the_prompt(mode: str) -> None:
    model = Gaussian(spread=0.3)
    inversion, ladder = INVERSIONS[mode], Ladder.build(model.schedule, 50)
    trail = inversion.climb(model.noise, ladder, latents(model, 0.3), model.embed([""] * 3), SEEDS)
    means = [float(down(model, inversion, trail, ladder, ["1"], omega).mean()) for omega in (0, 0.25, 0.5, 0.75, 1)]
    assert means == sorted(means)
    assert means[0] == pytest.approx(0, abs=0.05)
    assert means[-1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("mode", INVERSIONS)
def test_several_prompts_at_once_are_as_many_runs(mode: str) -> None:
    model = Gaussian()
    inversion, ladder = INVERSIONS[mode], Ladder.build(model.schedule, 20)
    trail = inversion.climb(model.noise, ladder, latents(model), model.embed([""] * 3), SEEDS)
    together = down(model, inversion, trail, ladder, ["1", "-1", "0.2"], 0.6)
    for slot, prompt in enumerate(["1", "-1", "0.2"]):
        torch.testing.assert_close(together[slot], down(model, inversion, trail, ladder, [prompt], 0.6)[0])


def test_a_batched_ddpm_climb_equals_a_sequential_one() -> None:
    model = Gaussian()
    inversion, ladder, latent = INVERSIONS["ddpm"], Ladder.build(model.schedule, 20), latents(model)
    calls: list[int] = []

    def one_at_a_time(x: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        calls.append(len(x))
        rows = [model.noise(x[i : i + 1], levels[i : i + 1], conditioning.rows(torch.tensor([i]))) for i in range(len(x))]
        return torch.cat(rows)

    batched = inversion.climb(model.noise, ladder, latent, model.embed([""] * 3), SEEDS)
    sequential = inversion.climb(one_at_a_time, ladder, latent, model.embed([""] * 3), SEEDS)
    assert calls == [3 * 20], "all levels of all items are one batch"
    torch.testing.assert_close(sequential.top, batched.top)
    torch.testing.assert_close(sequential.noises, batched.noises)


def test_an_items_noise_is_its_own_whoever_shares_the_batch() -> None:
    model = Gaussian()
    inversion, ladder, latent = INVERSIONS["ddpm"], Ladder.build(model.schedule, 5), latents(model)
    together = inversion.climb(model.noise, ladder, latent, model.embed([""] * 3), SEEDS)
    alone = inversion.climb(model.noise, ladder, latent[1:2], model.embed([""]), SEEDS[1:2])
    torch.testing.assert_close(together.noises[1:2], alone.noises)


@pytest.mark.parametrize("mode", INVERSIONS)
def test_a_shallow_climb_changes_less(mode: str) -> None:
    model = Gaussian(spread=0.3)
    changes = []
    for depth in (0.0, 0.3, 0.7, 1.0):
        inversion, ladder, latent = INVERSIONS[mode], Ladder.build(model.schedule, 50, depth), latents(model, 0.3)
        trail = inversion.climb(model.noise, ladder, latent, model.embed([""] * 3), SEEDS)
        changes.append(float((down(model, inversion, trail, ladder, ["1"], 1.0)[0] - latent).norm()))
    assert changes[0] == 0
    assert changes == sorted(changes)


@pytest.mark.parametrize("mode", INVERSIONS)
def test_an_inversion_says_how_many_passes_it_takes(mode: str) -> None:
    model = Gaussian()
    inversion, ladder = INVERSIONS[mode], Ladder.build(model.schedule, 12, 0.5)
    asked = 0

    def counted(x: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        nonlocal asked
        asked += len(x)
        return model.noise(x, levels, conditioning)

    inversion.climb(counted, ladder, latents(model), model.embed([""] * 3), SEEDS)
    assert asked == 3 * inversion.passes(ladder) == 3 * 6
