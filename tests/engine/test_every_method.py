"""The conformance suite of methods: every one of the table on every kind of backbone, and their closed forms."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from engine.backbones import BACKBONES, backbone_class
from engine.backbones.base import Backbone, Conditioning
from engine.backbones.gaussian import WIDTH, Gaussian
from engine.cache import Shelf
from engine.inversion import INVERSIONS
from engine.listening import Listener
from engine.methods import METHODS
from engine.methods.base import Estimate, turned
from engine.passes import Passes, Work
from engine.request import Request
from engine.separation import Separator
from host_bridge.errors import BadRequest
from host_bridge.vocabulary import Samples

pytestmark = pytest.mark.slow

WINDOWS, FRAMES = 2, 16


class Counting(Gaussian):
    """The closed form on short windows; several prompts in one, as `unlike_others` makes them, are their mean."""

    window = Samples(Gaussian.grid.hop * FRAMES)

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        each = [super(Counting, self).embed(prompt.split(", ")).tensors["mean"].mean() for prompt in prompts]
        return Conditioning({"mean": torch.stack(each)})


class Judged(Counting):
    """One whose presence is asked about."""

    presence = (-1e9, -1e9)  # type: ignore[assignment]


class Lossy(Counting):
    """A codec that blurs, on latents a quarter as long and as high, as a VAE's are."""

    exact_codec = False

    def encode(self, features: Tensor) -> Tensor:
        return avg_pool2d(super().encode(features), 4).repeat(1, 8, 1, 1)

    def decode(self, latent: Tensor) -> Tensor:
        return interpolate(super().decode(latent[:, :1]), scale_factor=4, mode="bilinear")


class Stereo(Counting):
    """Two channels, each with features of its own."""

    channels = 2

    def analyse(self, audio: Tensor) -> Tensor:
        return torch.cat([super(Stereo, self).analyse(each) for each in audio.split(1, 1)], 1)


class Vowing(Counting):
    """A network that speaks v."""

    def __init__(self) -> None:
        super().__init__(speaks_v=True)


KINDS = {kind.__name__: kind for kind in (Counting, Judged, Lossy, Stereo, Vowing)}


@pytest.fixture(scope="module", params=KINDS)
def backbone(request: pytest.FixtureRequest) -> Counting:
    made: Counting = KINDS[request.param]()
    return made


def sound(backbone: Counting) -> Tensor:
    drawn = torch.randn(WINDOWS, backbone.channels, backbone.window, generator=torch.Generator().manual_seed(1))
    return 0.1 * drawn


def asked(backbone: Counting, request: Request) -> tuple[Estimate, int]:
    passes = Passes(backbone)
    listener = Listener(backbone, METHODS[request.method or ""], request, None, passes, backbone.embed(request.words))
    with torch.no_grad():
        return listener.answer(sound(backbone), 0), passes.done.passes


SETTINGS: list[dict[str, Any]] = [
    {},
    {"mode": "ddim"},
    {"complete": True},
    {"depth": 0.5},
    {"draws": 2},
    {"rounds": 2},
    {"unlike_others": True},
    {"renew": 0.4},
    {"guidance": 2.0},
    {"mode": "ddim", "unlike_others": True, "rounds": 2, "draws": 2, "renew": 0.4},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: " ".join(f"{k}={v}" for k, v in each.items()) or "plain")
@pytest.mark.parametrize("method", METHODS)
def test_it_gives_masks_in_range_and_takes_the_passes_that_it_promised(
    backbone: Counting, method: str, settings: dict[str, Any]
) -> None:
    request = Request.of(["-0.5", "1"], [1.0, 0.5], method=method, steps=4, **settings)
    has_not = settings.keys() & {"draws", "rounds", "unlike_others", "renew", "guidance"} - METHODS[method].dials.keys()
    if has_not:
        with pytest.raises(BadRequest, match="knows nothing of"):
            turned(METHODS[method], request)
        return
    told, passes = asked(backbone, request)
    assert told.masks.shape == told.features.shape == (2, WINDOWS, backbone.channels, FRAMES, 64)
    assert told.masks.min() >= 0
    assert told.masks.max() <= 1
    assert torch.isfinite(told.features).all()
    assert passes == WINDOWS * METHODS[method].work(request, backbone).passes


@pytest.mark.parametrize("method", METHODS)
def test_only_a_model_with_thresholds_is_asked_what_is_there(method: str) -> None:
    request = Request.of(["1"], method=method, steps=4)
    without, judged = (METHODS[method].work(request, each).passes for each in (Counting(), Judged()))
    assert judged - without in ({16} if method in {"joint", "zerosep", "dgmo"} else {0})


@pytest.mark.parametrize("method", METHODS)
def test_no_window_hears_who_else_is_in_its_batch(method: str) -> None:
    backbone, request = Counting(), Request.of(["-0.5", "1"], method=method, steps=4)
    listener = Listener(backbone, METHODS[method], request, None, Passes(backbone), backbone.embed(request.words))
    windows = sound(backbone)
    with torch.no_grad():
        together, alone = listener.answer(windows, 0), listener.answer(windows[1:], 1)
    torch.testing.assert_close(together.masks[:, 1:], alone.masks, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module", params=sorted(BACKBONES.keys() - {"gaussian", "pocket"}))
def checkpoint(request: pytest.FixtureRequest, tiny: Callable[[str], Path]) -> Backbone:
    """Every other backbone of the table, as a tiny random checkpoint."""
    return backbone_class(request.param)(torch.device("cpu"), tiny(request.param), torch.float32)


@pytest.mark.parametrize(("method", "mode"), [("joint", "ddpm"), ("zerosep", "ddim"), ("dgmo", "ddpm"), ("contrast", "ddpm")])
def test_it_works_on_every_published_kind_of_model(checkpoint: Backbone, method: str, mode: str) -> None:
    dials = {"draws": 1} if "draws" in METHODS[method].dials else {}
    request = Request.of(["a dog", "rain"], method=method, steps=2, mode=mode, **dials)
    length = checkpoint.window // 16
    drawn = 0.1 * torch.randn(1, checkpoint.channels, length, generator=torch.Generator().manual_seed(1))
    passes = Passes(checkpoint)
    listener = Listener(checkpoint, METHODS[method], request, None, passes, checkpoint.embed(request.words))
    with torch.no_grad():
        told = listener.answer(drawn, 0)
    assert told.masks.shape == (2, 1, checkpoint.channels, length // checkpoint.grid.hop, checkpoint.grid.bands)
    assert torch.isfinite(told.masks).all()
    assert told.masks.min() >= 0
    assert told.masks.max() <= 1
    assert torch.isfinite(told.features).all()
    assert passes.done == METHODS[method].work(request, checkpoint), "codec and all"


def shift(mode: str, steps: int, before: float, after: float) -> float:
    """How far the closed form moves every number of a latent that was inverted under one mean and comes down under another:
    it does not depend on the number."""
    from engine.inversion.base import Ladder, descend

    model, rungs = Counting(), Ladder.build(Counting.schedule, steps)
    latent = torch.tensor([0.3]).double().reshape(1, 1, 1, 1)
    trail = INVERSIONS[mode].climb(model.noise, rungs, latent, model.embed([str(before)]), [0])
    ends = [
        descend(model.noise, rungs, INVERSIONS[mode], trail, model.embed([str(mean)]), model.embed([""]), torch.ones(1))
        for mean in (before, after)
    ]
    return float(ends[1] - ends[0])


def log_mask(request: Request) -> Tensor:
    return asked(Counting(), request)[0].masks.log()


def astray(mode: str, steps: int) -> Tensor:
    """By how much windows come back otherwise than they went, in log-magnitude: nothing by DDPM."""
    from engine.inversion.base import Ladder, descend

    model, rungs, one = Counting(), Ladder.build(Counting.schedule, steps), torch.ones(WINDOWS)
    latent, null = model.encode(model.analyse(sound(model))), model.embed([""] * WINDOWS)
    trail = INVERSIONS[mode].climb(model.noise, rungs, latent, null, [0] * WINDOWS)
    return WIDTH * (descend(model.noise, rungs, INVERSIONS[mode], trail, null, null, one) - latent)


@pytest.mark.parametrize("mode", INVERSIONS)
def test_zerosep_is_its_closed_form_and_strength_moves_it_evenly(mode: str) -> None:
    full, error = WIDTH * shift(mode, 10, 0, -0.4), astray(mode, 10)
    assert (error.abs().max() > 0.1) == (mode == "ddim")
    for omega in (0.0, 0.001, 0.25, 0.5, 0.999, 1.0):
        found = log_mask(Request.of(["-0.4"], omega, method="zerosep", mode=mode, steps=10))
        torch.testing.assert_close(found, (omega * (full + error)).clamp(max=0), atol=2e-3, rtol=1e-3)


def test_a_second_round_does_to_the_stem_what_the_first_did_to_the_mixture() -> None:
    once, twice = (log_mask(Request.of(["-0.4"], method="zerosep", steps=10, rounds=n)) for n in (1, 2))
    torch.testing.assert_close(twice, 2 * once, atol=4e-3, rtol=1e-3)


def test_under_each_others_prompts_a_stem_is_what_the_other_is_not() -> None:
    request = Request.of(["-0.4", "0.5"], method="zerosep", steps=10, unlike_others=True)
    found = log_mask(request)[0]
    torch.testing.assert_close(found, torch.full_like(found, WIDTH * shift("ddpm", 10, 0.5, -0.4)), atol=2e-3, rtol=1e-3)


def test_draws_of_the_closed_form_agree_and_their_first_is_the_plain_one() -> None:
    one, three = (log_mask(Request.of(["-0.4"], method="zerosep", steps=10, draws=n)) for n in (1, 3))
    torch.testing.assert_close(one, three, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("mode", INVERSIONS)
def test_renewed_noise_changes_the_highs_and_leaves_the_lows(mode: str) -> None:
    plain, fresh = (
        asked(Counting(), Request.of(["-0.4"], method="zerosep", mode=mode, steps=10, renew=eta))[0].masks[0]
        for eta in (0, 0.4)
    )
    change = (plain - fresh).abs().mean((0, 1, 2))
    assert change[-4:].mean() > 20 * change[:32].mean()
    assert change[:32].mean() < 1e-3


def test_dgmo_in_closed_form_is_the_share_of_its_last_references() -> None:
    one = asked(Counting(), Request.of(["-0.4"], method="dgmo", steps=10, rounds=1))[0].masks
    assert one.log().mean() == pytest.approx(WIDTH * shift("ddpm", 10, 0, -0.4), abs=2e-3)
    deeper = asked(Counting(), Request.of(["-0.4"], method="dgmo", steps=10, rounds=1, guidance=3.0))[0].masks
    torch.testing.assert_close(deeper.log(), 3 * one.log(), atol=5e-3, rtol=1e-2)


def test_another_strength_neither_climbs_nor_enters_the_codec(tmp_path: Path) -> None:
    backbone, seen = Lossy(), list[float]()

    def work(strength: float) -> Work:
        request = Request.of(["-0.4", "1"], strength, method="zerosep", steps=4)
        passes = Passes(backbone, lambda done, _: seen.append(done), METHODS["zerosep"].work(request, backbone) * WINDOWS)
        listener = Listener(backbone, METHODS["zerosep"], request, Shelf(tmp_path), passes, backbone.embed(request.words))
        with torch.no_grad():
            listener.answer(sound(backbone), 0)
        return passes.done

    assert work(0.5) == Work(4 + 2 * 2 * 4, encodes=1, decodes=2 + 1) * WINDOWS
    assert seen == sorted(seen)
    assert 0.9 < seen[-1] < 1
    assert work(1.0) == Work(2 * 4, encodes=0, decodes=2) * WINDOWS


def test_an_unknown_dial_of_a_method_is_refused_before_any_file_is_read() -> None:
    separator = Separator(Counting(), Shelf(Path("nowhere")))
    with pytest.raises(BadRequest, match='"joint" knows nothing of rounds'):
        separator.check(Request.of(["1"], method="joint", rounds=2))
    separator.check(Request.of(["1", "2"], method="zerosep", rounds=2, unlike_others=True))
