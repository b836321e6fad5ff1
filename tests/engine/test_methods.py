"""Every method of the table, on the embedded model: shapes, shares, and the number of passes that it promised."""

import pytest
import torch
from torch import Tensor

from engine.backbones.pocket import Pocket
from engine.listening import Listener
from engine.methods import METHODS
from engine.methods.base import Estimate, exponents, guidances, settle
from engine.passes import Passes
from engine.request import Request

WINDOWS = 2


@pytest.fixture(scope="module")
def pocket() -> Pocket:
    return Pocket(torch.device("cpu"))


@pytest.fixture(scope="module")
def sound(pocket: Pocket) -> Tensor:
    """Two windows: a plucked chord with noise bursts over it."""
    t = torch.arange(pocket.window) / pocket.rate
    chord = torch.stack([torch.sin(2 * torch.pi * hz * t) for hz in (220, 277, 330)]).sum(0) * torch.exp(-3 * (t % 0.5))
    hits = torch.randn(pocket.window, generator=torch.Generator().manual_seed(0)) * (t % 0.25 < 0.03)
    return torch.stack([0.05 * chord + 0.1 * hits, 0.1 * chord])[:, None]


def estimate(pocket: Pocket, sound: Tensor, request: Request) -> tuple[Estimate, int]:
    passes = Passes(pocket)
    table = pocket.embed([*request.prompts, request.unlike, ""])
    listener = Listener(pocket, METHODS[request.method or ""], request, None, passes, table)
    with torch.no_grad():
        return listener.answer(sound, 0), passes.done.passes


@pytest.mark.parametrize("prompts", [["drums"], ["drums", "piano"]])
@pytest.mark.parametrize("method", METHODS)
def test_a_method_gives_masks_in_range_and_takes_the_passes_that_it_promised(
    pocket: Pocket, sound: Tensor, method: str, prompts: list[str]
) -> None:
    request = Request.of(prompts, method=method, steps=4)
    told, passes = estimate(pocket, sound, request)
    assert told.masks.shape == told.features.shape == (len(prompts), WINDOWS, 1, 256, 64)
    assert told.masks.min() >= 0
    assert told.masks.max() <= 1
    assert torch.isfinite(told.features).all()
    assert passes == WINDOWS * METHODS[method].work(request, pocket).passes


@pytest.mark.parametrize("mode", ["ddpm", "ddim"])
@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("method", ["zerosep", "joint"])
def test_passes_are_promised_rightly_for_every_strength_and_mode(
    pocket: Pocket, sound: Tensor, method: str, mode: str, strength: float
) -> None:
    request = Request.of(["drums", "bass"], [strength, 1.0], method=method, mode=mode, steps=3)
    assert estimate(pocket, sound, request)[1] == WINDOWS * METHODS[method].work(request, pocket).passes


@pytest.mark.parametrize("method", ["joint", "contrast", "nmf"])
def test_complete_shares_give_everything_away(pocket: Pocket, sound: Tensor, method: str) -> None:
    request = Request.of(["drums", "piano"], method=method, steps=4, complete=True)
    masks = estimate(pocket, sound, request)[0].masks
    torch.testing.assert_close(masks.sum(0), torch.ones_like(masks[0]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_masks(pocket: Pocket, sound: Tensor, method: str) -> None:
    request = Request.of(["drums"], method=method, steps=3, seed=5)
    assert torch.equal(estimate(pocket, sound, request)[0].masks, estimate(pocket, sound, request)[0].masks)


@pytest.mark.parametrize("method", ["zerosep", "joint"])
def test_several_prompts_at_once_cost_one_climb(pocket: Pocket, method: str) -> None:
    one, three = (METHODS[method].work(Request.of(p, steps=10), pocket).passes for p in (["drums"], ["drums", "bass", "flute"]))
    assert three - one == 2 * (10 + 8), "a descent and a question more for each further prompt, and no climb"


def test_zerosep_at_strength_zero_is_the_mixture(pocket: Pocket, sound: Tensor) -> None:
    request = Request.of(["drums"], 0.0, method="zerosep", steps=10)
    masks = estimate(pocket, sound, request)[0].masks
    assert masks.mean() > 0.97, "bf16 rounding may cost a little, the descent itself nothing"


def test_several_prompts_at_once_are_as_many_runs(pocket: Pocket, sound: Tensor) -> None:
    together = estimate(pocket, sound, Request.of(["drums", "piano"], method="zerosep", steps=5))[0].masks
    for slot, prompt in enumerate(["drums", "piano"]):
        alone = estimate(pocket, sound, Request.of([prompt], method="zerosep", steps=5))[0].masks[0]
        assert (together[slot] - alone).abs().mean() < 0.02, "bf16 rounds by batch; the noise and the prompt are the same"


def test_a_window_of_silence_is_not_asked_about(pocket: Pocket) -> None:
    told, passes = estimate(pocket, torch.zeros(2, 1, pocket.window), Request.of(["drums"], method="joint"))
    assert passes == 0
    assert told.masks.max() == 0
    assert told.presence is not None
    assert told.presence.shape == (1, 0)


def settled_by(method: str, masks: Tensor, strengths: list[float]) -> Tensor:
    """Random masks of a method as they are applied; `masks` are those of full strength."""
    request = Request.of([f"sound {slot}" for slot in range(len(masks))], strengths)
    guided = guidances(METHODS[method], request)
    if guided is not None:  # what such a method would say: the mask to the strength that it was asked for, 1 instead of 0
        asked = torch.where(guided > 0, guided, torch.ones_like(guided))
        masks = masks ** asked.reshape(-1, *[1] * (masks.dim() - 1))
    return settle(masks, exponents(METHODS[method], request), torch.ones(len(masks)), guided)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_at_strength_zero_each_stem_is_the_mixture_however_many_there_are(method: str, count: int) -> None:
    masks = torch.rand(count, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(settled_by(method, masks, [0.0] * count), torch.ones(count, 5, 5))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("other", [0.0, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("own", [0.0, 0.4, 1.0])
def test_a_stem_does_not_change_with_the_strength_of_another(method: str, own: float, other: float) -> None:
    masks = torch.rand(3, 100, generator=torch.Generator().manual_seed(0))  # half of the bins are claimed twice
    before, after = (settled_by(method, masks, [own, each, 1.0]) for each in (1.0, other))
    torch.testing.assert_close(after[0], before[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(after[2], before[2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_at_full_strength_nothing_is_given_away_twice_and_more_strength_takes_no_more(method: str) -> None:
    masks = torch.rand(4, 100, generator=torch.Generator().manual_seed(0))
    full = settled_by(method, masks, [1.0] * 4)
    assert full.sum(0).max() <= 1 + 1e-6
    torch.testing.assert_close(full, masks / masks.sum(0).clamp_min(1))
    softer = settled_by(method, masks, [0.0, 0.2, 0.7, 1.0])
    assert (softer >= full - 1e-6).all()
    assert softer.max() <= 1


def test_a_sound_that_is_not_there_takes_nothing_from_the_others() -> None:
    masks = torch.full((2, 10), 0.8)
    for guided in (None, torch.ones(2)):
        assert torch.equal(settle(masks, torch.ones(2), torch.tensor([0, 1]), guided)[1], masks[1])


def test_an_absent_stem_is_silent_unless_its_strength_is_zero() -> None:
    masks = torch.full((2, 10), 0.4)
    settled = settle(masks, torch.tensor([0.5, 1.0]), torch.tensor([0, 1]))
    assert settled[0].max() == 0
    assert settle(masks, torch.tensor([0.0, 1.0]), torch.tensor([0, 1]))[0].min() == 1


def test_masks_shrink_steadily_with_strength() -> None:
    mask = torch.rand(1, 1000, generator=torch.Generator().manual_seed(0))
    means = [float(settle(mask, torch.tensor([omega]), torch.ones(1)).mean()) for omega in (0, 0.25, 0.5, 0.75, 1)]
    assert means == sorted(means, reverse=True)
    assert means[0] == 1
