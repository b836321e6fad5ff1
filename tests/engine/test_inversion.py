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


@pytest.mark.parametrize(
    ("steps", "depth", "levels"),
    [
        (25, 0.7, 17),
        (100, 0.29, 29),
        (100, 0.57, 57),
        (10, 0.7, 7),
        (50, 0.999, 49),
        (25, 1.0, 25),
        (25, 0.01, 0),
        (3, 1 / 3, 1),
    ],
)
def test_a_start_ratio_between_two_levels_takes_the_lower_one_as_the_released_code(
    steps: int, depth: float, levels: int
) -> None:
    ladder = Ladder.build(Gaussian.schedule, steps, depth)
    assert len(ladder) == len(ladder.alphas) == len(ladder.below) == levels
    assert ladder.levels.tolist() == Gaussian.schedule.levels(steps)[:levels].tolist()


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_ddpm_is_the_published_result_but_for_the_noise_of_the_last_step(strength: float) -> None:
    """The released code sets the noise of the last step to zero, and each noise leads from one level to the next, so that all
    above it is the same. Its equations, written out here, on the closed form."""
    model, ladder = Gaussian(), Ladder.build(Gaussian.schedule, 12)
    latent, schedule = latents(model)[:1], Gaussian.schedule
    trail = INVERSIONS["ddpm"].climb(model.noise, ladder, latent, model.embed([""]), SEEDS[:1])
    steps, alphas = ladder.levels.tolist(), [float(each) for each in schedule.alphas]
    drawn = torch.randn(12, *latent.shape[1:], generator=torch.Generator().manual_seed(SEEDS[0]))

    def predicted(x: Tensor, at: int, weight: float) -> tuple[Tensor, float]:
        """Mean and deviation of the step below `at`, under the prompt "0.6" at `weight`."""
        alpha, below = alphas[steps[at]], alphas[steps[at - 1]] if at else schedule.floor
        null = model.noise(x, torch.tensor([steps[at]]), model.embed([""]))
        epsilon = null + weight * (model.noise(x, torch.tensor([steps[at]]), model.embed(["0.6"])) - null)
        clean = (x - (1 - alpha) ** 0.5 * epsilon) / alpha**0.5
        variance = (1 - below) / (1 - alpha) * (1 - alpha / below)
        return below**0.5 * clean + max(1 - below - variance, 0.0) ** 0.5 * epsilon, variance**0.5

    noisy = [latent, *(alphas[t] ** 0.5 * latent + (1 - alphas[t]) ** 0.5 * drawn[k] for k, t in enumerate(steps))]
    noises = []
    for at in range(12):
        mean, deviation = predicted(noisy[at + 1], at, 0.0)
        noises.append((noisy[at] - mean) / deviation)
    torch.testing.assert_close(trail.noises[0], torch.stack(noises)[:, 0], atol=1e-4, rtol=1e-4)

    def published(last: float) -> Tensor:
        x = noisy[-1]
        for at in reversed(range(12)):
            mean, deviation = predicted(x, at, strength)
            x = mean + deviation * noises[at] * (1.0 if at else last)
        result: Tensor = x
        return result

    def ours(noises: Tensor) -> Tensor:
        return down(model, INVERSIONS["ddpm"], Trail(trail.top, noises), ladder, ["0.6"], strength)[0]

    forgotten = trail.noises.clone()
    forgotten[:, 0] = 0
    torch.testing.assert_close(ours(forgotten), published(0.0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours(trail.noises), published(1.0), atol=1e-4, rtol=1e-4)
    assert float((published(0.0) - published(1.0)).norm() / latent.norm()) > 0.01
