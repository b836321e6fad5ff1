"""The conformance suite: what every backbone of the table must do, whatever it is made of.

Those whose weights do not come along are asked in the shape of tiny random checkpoints (see `tiny.py`).
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine import separators
from engine.backbones import BACKBONES, VOCABULARIES, backbone_class, load, vocabulary
from engine.backbones.base import Backbone
from engine.backbones.batching import BatchedModel
from engine.inversion import INVERSIONS
from engine.inversion.base import InversionResult, Timesteps, denoise
from engine.models import catalogue as weights
from engine.separators import SEPARATORS
from host_bridge.errors import BadModel, BadRequest

pytestmark = pytest.mark.slow

HERE = {"pocket", "gaussian"}
"""Backbones that need no checkpoint from elsewhere."""

VARIANTS = ["audioldm, music", "auffusion, plain"]
"""Other kinds of checkpoint that a backbone runs."""

CPU = torch.device("cpu")
WORDS = {"pocket": ["drums", "speech"], "gaussian": ["0.5", "-1"]}
"""Two prompts that a model of few words follows."""


@pytest.fixture(scope="module", params=[*BACKBONES, *VARIANTS])
def backbone(request: pytest.FixtureRequest, tiny: Callable[[str], Path]) -> Backbone:
    key = request.param
    return load(key, CPU) if key in HERE else backbone_class(key.split(",")[0])(CPU, tiny(key), torch.float32)


@pytest.fixture(scope="module")
def windows(backbone: Backbone) -> torch.Tensor:
    """Two windows, one of them quiet."""
    sound = 0.2 * torch.randn(2, backbone.channels, backbone.window, generator=torch.Generator().manual_seed(0))
    sound[1] *= 1e-3
    return sound


@pytest.fixture(scope="module")
def latent(backbone: Backbone, windows: torch.Tensor) -> torch.Tensor:
    """Of the shortest stretch that every codec and network takes."""
    short = windows[..., : backbone.window // (4 if backbone.name in HERE else 16)]
    return backbone.encode(backbone.analyse(short * backbone.gain(short)[:, None, None]))


def levels(backbone: Backbone, *heights: float) -> torch.Tensor:
    return torch.tensor([backbone.schedule.level(height) for height in heights])


def words(backbone: Backbone) -> list[str]:
    return WORDS.get(backbone.name, ["a dog", "rain on a roof"])


def test_it_has_all_that_the_protocol_names(backbone: Backbone) -> None:
    assert all(hasattr(backbone, name) for name in {*vars(Backbone), *Backbone.__annotations__} if not name.startswith("_"))


def test_features_lie_on_the_grid(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows)
    assert features.shape[:2] == (2, backbone.channels)
    assert features.shape[2] == backbone.window // backbone.grid.hop
    assert features.shape[3] == backbone.grid.bands
    assert backbone.magnitude(features).min() >= 0


def test_a_click_is_found_in_the_frame_where_it_lies(backbone: Backbone) -> None:
    grid, frame = backbone.grid, 30
    click = torch.zeros(1, backbone.channels, backbone.window)
    click[..., round(grid.first + frame * grid.hop)] = 0.9
    loudness = backbone.magnitude(backbone.analyse(click)).square().sum((0, 1, 3))
    heavy = (loudness * torch.arange(len(loudness))).sum() / loudness.sum()
    assert abs(float(heavy) - frame) < 0.6


def test_a_tone_is_found_in_the_bands_that_carry_masks_to_it(backbone: Backbone) -> None:
    for hertz in (440.0, 3000.0):
        time = torch.arange(backbone.window) / backbone.rate
        tone = (0.5 * torch.sin(2 * torch.pi * hertz * time)).expand(1, backbone.channels, -1)
        loudness = backbone.magnitude(backbone.analyse(tone)).square().sum((0, 1, 2))
        weights = backbone.grid.spread(torch.tensor([hertz]))[0]
        assert abs(int(loudness.argmax()) - int(weights.argmax())) <= 1
        torch.testing.assert_close(weights.sum(), torch.tensor(1.0))


def test_the_codec_goes_there_and_back(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows)
    back = backbone.decode(backbone.encode(features))
    assert back.shape == features.shape
    assert back.dtype == torch.float32
    if backbone.lossless_codec:
        torch.testing.assert_close(back, features, atol=1e-3, rtol=1e-3)


def test_scaled_features_have_scaled_magnitudes(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows[:1])
    halved = backbone.magnitude(backbone.scale(features, torch.full_like(features, 0.5)))
    torch.testing.assert_close(halved, 0.5 * backbone.magnitude(features), atol=1e-4, rtol=1e-3)
    assert backbone.scale(features, torch.zeros_like(features)).isfinite().all()


def test_gain_brings_loud_and_quiet_to_one_level_and_leaves_silence_alone(backbone: Backbone, windows: torch.Tensor) -> None:
    with_silence = torch.cat([windows, torch.zeros_like(windows[:1])])
    gain = backbone.gain(with_silence)
    assert gain.shape == (3,)
    assert gain[2] == 1
    assert torch.isfinite(gain).all()
    if backbone.name != "gaussian":  # to which any level is the same
        torch.testing.assert_close(backbone.gain(windows[:1] / 100), 100 * gain[:1])


def test_its_voice_is_as_long_as_its_frames_and_can_be_heard(backbone: Backbone, windows: torch.Tensor) -> None:
    features = backbone.analyse(windows)[:, :, :40]
    voice = backbone.render(features)
    assert voice.shape == (2, backbone.channels, 40 * backbone.grid.hop)
    assert voice[0].std() > 1e-3


def test_noise_is_shaped_as_the_latent_and_each_item_has_its_own_level_and_prompt(
    backbone: Backbone, latent: torch.Tensor
) -> None:
    heights, rows = levels(backbone, 0.1, 0.8), backbone.embed(["", words(backbone)[0]])
    together = backbone.noise(latent, heights, rows)
    assert together.shape == latent.shape
    assert together.dtype == torch.float32
    for item in range(2):
        only = torch.tensor([item])
        alone = backbone.noise(latent[only], heights[only], rows.rows(only))
        most = 1e-6 if backbone.name == "gaussian" else 0.03  # networks round differently in batches of other sizes
        assert (alone - together[only]).norm() / alone.norm() < most


def test_what_is_said_depends_on_the_level_and_on_the_prompt(backbone: Backbone, latent: torch.Tensor) -> None:
    prompts = backbone.embed([*words(backbone), ""])
    one = latent[:1]
    said = [backbone.noise(one, levels(backbone, 0.6), prompts.rows(torch.tensor([k]))) for k in range(3)]
    assert all((said[a] - said[b]).abs().max() > 1e-6 for a, b in ((0, 1), (0, 2), (1, 2)))
    assert (said[0] - backbone.noise(one, levels(backbone, 0.2), prompts.rows(torch.tensor([0])))).abs().max() > 1e-5


def test_a_prompt_does_not_depend_on_its_neighbours(backbone: Backbone, latent: torch.Tensor) -> None:
    first, second = words(backbone)
    null, asked = backbone.embed(["", first]), backbone.embed([second, first, ""])
    for alone, among in ((0, 2), (1, 1)):
        one, other = null.rows(torch.tensor([alone])), asked.rows(torch.tensor([among]))
        for name, tensor in one.tensors.items():  # the same numbers in the same shape: kept inversions are found again
            torch.testing.assert_close(tensor, other.tensors[name], atol=1e-6, rtol=1e-5)


def test_a_prompt_of_too_many_words_is_refused_and_not_cut(backbone: Backbone) -> None:
    with pytest.raises(BadRequest):
        backbone.embed(["a dog " * 300])


def test_climbing_and_coming_down_under_the_same_prompt_returns_the_latent(backbone: Backbone, latent: torch.Tensor) -> None:
    noise, inversion = BatchedModel(backbone), INVERSIONS["ddpm"]
    noise.batch = 1  # a random network magnifies the rounding that batches of other sizes bring
    timesteps, null = Timesteps.build(backbone.schedule, 3), backbone.embed([""])
    inverted = inversion.invert(noise, timesteps, latent[:1], null, [7])
    back = denoise(noise, timesteps, inversion, inverted, null, null, torch.ones(1))[0]
    assert (back - latent[:1]).norm() / latent[:1].norm() < 3e-3


def test_prompts_that_come_down_together_come_down_as_if_alone(backbone: Backbone, latent: torch.Tensor) -> None:
    noise = BatchedModel(backbone)
    noise.batch = 1
    timesteps, inversion = Timesteps.build(backbone.schedule, 3), INVERSIONS["ddim"]
    top = torch.randn(1, *latent.shape[1:], generator=torch.Generator().manual_seed(3))
    inverted, asked = InversionResult(top, top.new_empty(1, 0, *top.shape[1:])), backbone.embed([*words(backbone), ""])
    null = asked.rows(torch.tensor([2, 2]))
    both = denoise(noise, timesteps, inversion, inverted, asked.rows(torch.tensor([0, 1])), null, torch.full((2,), 2.0))
    for k in range(2):
        row = asked.rows(torch.tensor([k]))
        alone = denoise(noise, timesteps, inversion, inverted, row, null.rows(torch.tensor([0])), torch.full((1,), 2.0))[0]
        torch.testing.assert_close(both[k], alone, atol=1e-4, rtol=1e-4)


def test_levels_rise_and_the_signal_fades_with_each(backbone: Backbone) -> None:
    for steps in (1, 10, 25, 100):
        visited = backbone.schedule.levels(steps)
        alphas = backbone.schedule.alpha_bar(visited)
        assert len(visited) == steps
        assert (visited.diff() > 0).all()
        assert (alphas.diff() < 0).all()
        assert 0 < alphas.min() <= alphas.max() <= backbone.schedule.floor < 1
    assert 0 < float(backbone.schedule.alpha_bar(levels(backbone, 0.999))[0]) < 0.05


def test_an_impossible_number_of_steps_is_refused(backbone: Backbone) -> None:
    for steps in (0, 501):
        with pytest.raises(BadRequest):
            backbone.schedule.levels(steps)


def test_it_says_who_it_is(backbone: Backbone) -> None:
    assert backbone.name
    assert backbone.licence
    assert backbone.fingerprint
    assert backbone.batch >= 1
    assert backbone.default_steps >= 1


ELSEWHERE = [key for key in BACKBONES if key not in HERE]


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("key", ELSEWHERE)
def test_only_the_network_runs_in_half_precision(key: str, precision: torch.dtype, tiny: Callable[[str], Path]) -> None:
    whole, half = (backbone_class(key)(CPU, tiny(key), dtype) for dtype in (torch.float32, precision))
    sound = 0.1 * torch.randn(1, whole.channels, whole.window // 16, generator=torch.Generator().manual_seed(1))
    latent = whole.encode(whole.analyse(sound))
    torch.testing.assert_close(half.encode(half.analyse(sound)), latent)
    asked = levels(whole, 0.5)
    exact, rounded = (each.noise(latent, asked, each.embed(["a dog"])) for each in (whole, half))
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).norm() / exact.norm() < 0.05
    assert half.run is not None
    assert whole.run is not None
    assert half.run.name != whole.run.name
    torch.testing.assert_close(half.embed("a dog").tensors, half.embed(["a dog"]).tensors)  # a bare string is one prompt


@pytest.mark.parametrize("key", [*ELSEWHERE, *VARIANTS])
def test_a_checkpoint_is_known_for_what_it_is_and_lacks_nothing_unnoticed(
    key: str, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny(key), tmp_path / "copy"))
    found = weights.at(folder)
    assert found.weights.backbone == key.split(",", maxsplit=1)[0]
    for file in found.files:
        (folder / file).rename(tmp_path / "aside")
        with pytest.raises(BadModel) as caught:
            weights.at(folder)
        assert "\n" not in caught.value.what
        (tmp_path / "aside").rename(folder / file)
    assert weights.at(folder).files == found.files


@pytest.mark.parametrize("key", ELSEWHERE)
def test_a_checkpoint_of_another_family_is_refused_by_name(key: str, tiny: Callable[[str], Path]) -> None:
    other = next(each for each in ELSEWHERE if each != key)
    with pytest.raises(BadModel, match=f"is one of {other}'s, not of {key}'s"):
        load(key, CPU, tiny(other))


@pytest.mark.parametrize("key", ELSEWHERE)
def test_tensors_of_another_shape_are_refused_in_one_line(key: str, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny(key), tmp_path / "copy", ignore=shutil.ignore_patterns("converted-*")))
    file = {"tango": "vae_config.json", "stable_audio": "transformer/config.json"}.get(key, "unet/config.json")
    told = json.loads((folder / file).read_text())
    (told["ddconfig"] if key == "tango" else told).update({"in_channels": 3})
    (folder / file).write_text(json.dumps(told))
    with pytest.raises(BadModel, match="cannot be loaded") as caught:
        load(key, CPU, folder)
    assert "\n" not in caught.value.what
    assert len(caught.value.what) < 500


@pytest.mark.parametrize("key", VOCABULARIES)
def test_a_closed_vocabulary_is_what_the_model_embeds_and_every_meaning_means_itself(key: str) -> None:
    words = vocabulary(key)
    assert all(words[meaning] == meaning for meaning in words.values())
    model = (separators.load if key in SEPARATORS else load)(key, torch.device("cpu"))
    model.embed([*words])


def test_what_follows_any_text_has_no_vocabulary() -> None:
    assert {key for key in (*BACKBONES, *SEPARATORS) if vocabulary(key)} == {*VOCABULARIES}
