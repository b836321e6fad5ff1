"""Guidance: which branches are asked, and what comes of them."""

import pytest
import torch
from torch import Tensor

from engine.backbones.base import Conditioning, add_noise, epsilon_from_v, guided_epsilon, implied_epsilon, predict_clean
from engine.backbones.gaussian import Gaussian

MODEL = Gaussian()
X = torch.randn(4, 1, 16, 64, generator=torch.Generator().manual_seed(0))
LEVELS = torch.tensor([1, 201, 401, 901])
PROMPTS, NULL = MODEL.embed(["1", "-1", "0.5", "2"]), MODEL.embed([""] * 4)


class Counted:
    """The closed-form network, counting its passes."""

    def __init__(self) -> None:
        self.passes = 0

    def __call__(self, x: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        self.passes += len(x)
        return MODEL.noise(x, levels, conditioning)


@pytest.mark.parametrize(("strength", "passes"), [(0.0, 4), (1.0, 4), (0.5, 8), (2.0, 8)])
def test_only_the_branches_that_count_are_asked(strength: float, passes: int) -> None:
    network = Counted()
    guided_epsilon(network, X, LEVELS, PROMPTS, NULL, torch.full((4,), strength))
    assert network.passes == passes


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 2.5])
def test_one_branch_equals_two_branches(strength: float) -> None:
    blank, told = MODEL.noise(X, LEVELS, NULL), MODEL.noise(X, LEVELS, PROMPTS)
    epsilon = guided_epsilon(MODEL.noise, X, LEVELS, PROMPTS, NULL, torch.full((4,), strength))
    torch.testing.assert_close(epsilon, blank + strength * (told - blank))


def test_each_item_of_a_batch_has_its_own_strength() -> None:
    strengths = torch.tensor([0.0, 1.0, 0.5, 3.0])
    together = guided_epsilon(MODEL.noise, X, LEVELS, PROMPTS, NULL, strengths)
    for i in range(4):
        row = torch.tensor([i])
        alone = guided_epsilon(MODEL.noise, X[row], LEVELS[row], PROMPTS.rows(row), NULL.rows(row), strengths[row])
        torch.testing.assert_close(together[row], alone)


def test_a_network_that_speaks_v_means_the_same_epsilon() -> None:
    talking_v = Gaussian(speaks_v=True)
    torch.testing.assert_close(talking_v.noise(X, LEVELS, PROMPTS), MODEL.noise(X, LEVELS, PROMPTS), atol=1e-5, rtol=1e-5)


def test_v_is_the_rotation_of_clean_and_noise() -> None:
    clean, noise = torch.randn(2, 4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    alphas = MODEL.schedule.alpha_bar(LEVELS)
    x = add_noise(clean, alphas, noise)
    kept = alphas.float().reshape(-1, 1, 1, 1)
    torch.testing.assert_close(epsilon_from_v(kept.sqrt() * noise - (1 - kept).sqrt() * clean, x, alphas), noise)


def test_the_guess_and_its_epsilon_are_inverses() -> None:
    epsilon = torch.randn(X.shape, generator=torch.Generator().manual_seed(2))
    alphas = MODEL.schedule.alpha_bar(LEVELS)
    torch.testing.assert_close(implied_epsilon(X, alphas, predict_clean(X, alphas, epsilon)), epsilon, atol=1e-3, rtol=1e-3)
