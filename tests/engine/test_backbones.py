"""The conformance suite: what every backbone of the table must do, whatever it is made of."""

import pytest
import torch

from engine.backbones import BACKBONES, VOCABULARIES, load, vocabulary
from engine.backbones.base import Backbone

ELSEWHERE = {"audioldm"}
"""Backbones whose weights do not come along: test_audioldm.py puts tiny ones through the same demands."""


@pytest.fixture(scope="module", params=[key for key in BACKBONES if key not in ELSEWHERE])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return load(request.param, torch.device("cpu"))


@pytest.fixture(scope="module")
def windows(backbone: Backbone) -> torch.Tensor:
    """Two windows, one of them quiet."""
    sound = 0.2 * torch.randn(2, backbone.channels, backbone.window, generator=torch.Generator().manual_seed(0))
    sound[1] *= 1e-3
    return sound


def test_features_lie_on_the_grid(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows)
    assert features.shape[0] == 2
    assert features.shape[2] == backbone.window // backbone.grid.hop
    assert features.shape[3] == backbone.grid.bands
    assert backbone.magnitude(features).min() >= 0


def test_the_codec_goes_there_and_back(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows)
    back = backbone.decode(backbone.encode(features))
    assert back.shape == features.shape
    if backbone.exact_codec:
        torch.testing.assert_close(back, features, atol=1e-3, rtol=1e-3)


def test_scaled_features_have_scaled_magnitudes(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows[:1])
    halved = backbone.magnitude(backbone.scale(features, torch.full_like(features, 0.5)))
    torch.testing.assert_close(halved, 0.5 * backbone.magnitude(features), atol=1e-4, rtol=1e-3)


def test_gain_brings_loud_and_quiet_to_one_level_and_leaves_silence_alone(backbone: Backbone, windows: torch.Tensor) -> None:
    with_silence = torch.cat([windows, torch.zeros_like(windows[:1])])
    gain = backbone.gain(with_silence)
    assert gain.shape == (3,)
    assert gain[2] == 1
    assert torch.isfinite(gain).all()


def test_its_voice_is_as_long_as_its_frames(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows)[:, :, :40]
    assert backbone.render(features).shape == (2, backbone.channels, 40 * backbone.grid.hop)


def test_noise_is_shaped_as_the_latent_and_each_item_has_its_own_level_and_prompt(
    backbone: Backbone, windows: torch.Tensor
) -> None:
    latent, levels = backbone.encode(backbone.analyse(windows)), torch.tensor([101, 801])
    rows = backbone.embed(["", ""])
    together = backbone.noise(latent, levels, rows)
    assert together.shape == latent.shape
    assert together.dtype == torch.float32
    for item in range(2):
        only = torch.tensor([item])
        alone = backbone.noise(latent[only], levels[only], rows.rows(only))
        assert (alone - together[only]).norm() / alone.norm() < 0.03


def test_levels_rise_and_the_signal_fades_with_each(backbone: Backbone) -> None:
    for steps in (1, 10, 25, 100):
        levels = backbone.schedule.levels(steps)
        alphas = backbone.schedule.alpha_bar(levels)
        assert len(levels) == steps
        assert (levels.diff() > 0).all()
        assert (alphas.diff() < 0).all()
        assert 0 < alphas.min() <= alphas.max() <= backbone.schedule.floor < 1


def test_it_says_who_it_is(backbone: Backbone) -> None:
    assert backbone.name in BACKBONES
    assert backbone.licence
    assert backbone.fingerprint
    assert backbone.batch >= 1
    assert backbone.default_steps >= 1


@pytest.mark.parametrize("key", VOCABULARIES)
def test_a_closed_vocabulary_is_what_the_model_embeds_and_every_meaning_means_itself(key: str) -> None:
    words = vocabulary(key)
    assert all(words[meaning] == meaning for meaning in words.values())
    load(key, torch.device("cpu")).embed([*words])


def test_what_follows_any_text_has_no_vocabulary() -> None:
    assert {key for key in BACKBONES if vocabulary(key)} == {*VOCABULARIES} <= {*BACKBONES}
