"""Auffusion, with an adapter and without, against diffusers' own pipeline and the formulas of the public code."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import conv1d, conv_transpose1d, layer_norm, leaky_relu, linear, pad

from engine import weights
from engine.backbones.auffusion import Auffusion
from engine.inversion import INVERSIONS
from engine.inversion.base import Ladder, Trail, descend
from host_bridge.errors import BadModel

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
BLACK, WHITE = math.log(1e-5), math.log(200)


@pytest.fixture(scope="module")
def plain(tiny: Callable[[str], Path]) -> Auffusion:
    return Auffusion(CPU, tiny("auffusion, plain"), torch.float32)


@pytest.fixture(scope="module")
def adapted(tiny: Callable[[str], Path]) -> Auffusion:
    return Auffusion(CPU, tiny("auffusion"), torch.float32)


@pytest.fixture(scope="module")
def pipeline(tiny: Callable[[str], Path]) -> Any:
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import AutoTokenizer, CLIPTextModel

    kinds = {
        "vae": AutoencoderKL,
        "text_encoder": CLIPTextModel,
        "tokenizer": AutoTokenizer,
        "unet": UNet2DConditionModel,
        "scheduler": DDIMScheduler,
    }
    parts = {name: kind.from_pretrained(tiny("auffusion, plain") / name) for name, kind in kinds.items()}
    made = StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made


@pytest.fixture
def copy(tiny: Callable[[str], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny("auffusion"), tmp_path / "copy"))


@pytest.mark.parametrize("kind", ["auffusion", "auffusion, plain"])
def test_a_published_folder_is_known_for_what_it_is(tiny: Callable[[str], Path], kind: str) -> None:
    found = weights.at(tiny(kind))
    assert found.weights.backbone == "auffusion"
    assert "vocoder/vocoder.pt" in found.files


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_coming_down_is_the_pipelines_own_way(plain: Auffusion, pipeline: Any, strength: float) -> None:
    top = torch.randn(1, 4, 32, 16, generator=torch.Generator().manual_seed(5))
    how = {"num_inference_steps": 5, "guidance_scale": strength, "height": 256, "width": 128, "latents": top}
    picture = pipeline("a dog", output_type="pt", **how).images
    trail, way = Trail(top, top.new_empty(1, 0, *top.shape[1:])), INVERSIONS["ddim"]
    ladder, asked, null = Ladder.build(plain.schedule, 5), plain.embed(["a dog"]), plain.embed([""])
    found = descend(plain.noise, ladder, way, trail, asked, null, torch.full((1,), strength))[0]
    published = torch.flip(picture, [2])[:, 0] * (WHITE - BLACK) + BLACK  # (B, 256, T), as its own code takes it apart
    torch.testing.assert_close(plain.decode(found)[:, 0], published.transpose(1, 2), atol=2e-3, rtol=1e-3)


def test_sound_becomes_the_picture_that_the_public_code_makes(plain: Auffusion, pipeline: Any) -> None:
    features = plain.analyse(0.3 * torch.randn(1, 1, 10_240, generator=torch.Generator().manual_seed(1)))
    grey = ((features[:, 0].transpose(1, 2) - BLACK) / (WHITE - BLACK)).clamp(0, 1)
    picture = torch.flip(grey[:, None].repeat(1, 3, 1, 1), [2]) * 2 - 1
    with torch.no_grad():
        latent = pipeline.vae.encode(picture).latent_dist.mode() * pipeline.vae.config.scaling_factor
    torch.testing.assert_close(plain.encode(features), latent)


def test_an_adapter_hears_the_words_and_then_silence(adapted: Auffusion, tiny: Callable[[str], Path]) -> None:
    held = torch.load(tiny("auffusion") / "condition_adapter_0" / "condition_adapter.pt", weights_only=True)
    tokens = adapted._tokenizer("a dog", return_tensors="pt").input_ids
    with torch.no_grad():
        words = pad(adapted._clip(tokens).last_hidden_state, (0, 0, 0, 77 - tokens.shape[1]))
        told = layer_norm(linear(words, held["proj.weight"], held["proj.bias"]), (16,), held["norm.weight"], held["norm.bias"])
    embedded = adapted.embed(["a dog", ""]).tensors["clip"]
    torch.testing.assert_close(embedded[:1], told)
    assert embedded[1].abs().max() == 0


def test_without_an_adapter_the_null_prompt_is_words_like_any(plain: Auffusion, pipeline: Any) -> None:
    with torch.no_grad():
        told, null = pipeline.encode_prompt("a dog", CPU, 1, do_classifier_free_guidance=True)
    torch.testing.assert_close(plain.embed(["a dog", ""]).tensors["clip"], torch.cat([told, null]))


def test_its_voice_is_the_generator_that_was_published(plain: Auffusion, tiny: Callable[[str], Path]) -> None:
    held = torch.load(tiny("auffusion, plain") / "vocoder" / "vocoder.pt", weights_only=True)["generator"]
    features = plain.analyse(0.3 * torch.randn(1, 1, 10_240, generator=torch.Generator().manual_seed(1)))
    expected = generator(held, features[:, 0].transpose(1, 2), [5, 4, 2, 2, 2], [16, 16, 8, 4, 4])
    assert expected.shape[-1] == 10_240
    assert expected.std() > 1e-3
    torch.testing.assert_close(plain.render(features), expected, atol=1e-5, rtol=1e-4)


def generator(held: dict[str, Any], x: torch.Tensor, rates: list[int], sizes: list[int]) -> torch.Tensor:
    """HiFi-GAN as its paper and Auffusion's code describe it, with weight normalisation in place."""

    def tensors(name: str) -> tuple[torch.Tensor, torch.Tensor]:
        v = held[f"{name}.weight_v"]
        return v / v.norm(dim=(1, 2), keepdim=True) * held[f"{name}.weight_g"], held[f"{name}.bias"]

    x = conv1d(x, *tensors("conv_pre"), padding=3)
    for i, (rate, size) in enumerate(zip(rates, sizes, strict=True)):
        odd = (size - rate) % 2
        cut = (size - rate) // 2 + odd
        x = conv_transpose1d(leaky_relu(x, 0.1), *tensors(f"ups.{i}"), stride=rate, padding=cut, output_padding=odd)
        for j, dilation in enumerate((1, 3, 5)):
            y = conv1d(leaky_relu(x, 0.1), *tensors(f"resblocks.{i}.convs1.{j}"), padding=dilation, dilation=dilation)
            x = x + conv1d(leaky_relu(y, 0.1), *tensors(f"resblocks.{i}.convs2.{j}"), padding=1)
    return conv1d(leaky_relu(x, 0.01), *tensors("conv_post"), padding=3).tanh()


def test_a_vocoder_that_transformers_saved_is_taken_as_it_is(
    plain: Auffusion, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    from transformers import SpeechT5HifiGan

    folder = Path(shutil.copytree(tiny("auffusion, plain"), tmp_path / "copy"))
    shutil.rmtree(folder / "vocoder")
    plain._vocoder.save_pretrained(folder / "vocoder")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "AuffusionPipeline"}))
    features = plain.analyse(0.3 * torch.randn(1, 1, 10_240, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():
        said = SpeechT5HifiGan.from_pretrained(folder / "vocoder")(features[:, 0])
    torch.testing.assert_close(Auffusion(CPU, folder, torch.float32).render(features)[:, 0], said[:, :10_240])


def test_gain_brings_the_peak_to_where_training_had_it(plain: Auffusion) -> None:
    sound = 0.01 * torch.randn(1, 1, 10_240)
    loud = sound * plain.gain(sound)
    torch.testing.assert_close((loud - loud.mean()).abs().max(), torch.tensor(0.95))


@pytest.mark.parametrize("file", ["vocoder/vocoder.pt", "condition_adapter_0/condition_adapter.pt", "unet"])
def test_a_pickle_that_carries_code_is_refused_and_runs_none(copy: Path, tmp_path: Path, file: str) -> None:
    fired = tmp_path / "fired"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (fired,)

    if file == "unet":
        (copy / "unet" / "diffusion_pytorch_model.safetensors").unlink()
        file = "unet/diffusion_pytorch_model.bin"
    torch.save({"generator": Trap()}, copy / file)
    with pytest.raises(BadModel, match="might run code"):
        Auffusion(CPU, copy)
    assert not fired.exists()


@pytest.mark.parametrize("file", ["vocoder/vocoder.pt", "condition_adapter_0/condition_adapter.pt", "condition_config.json"])
def test_a_file_cut_short_is_named(copy: Path, file: str) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:-20])
    with pytest.raises(BadModel, match="is damaged"):
        Auffusion(CPU, copy)


@pytest.mark.parametrize(("key", "value"), [("num_mels", 64), ("sampling_rate", 22_050), ("resblock", "2")])
def test_a_vocoder_of_another_kind_is_refused(copy: Path, key: str, value: Any) -> None:
    config = copy / "vocoder" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {key: value}))
    with pytest.raises(BadModel):
        Auffusion(CPU, copy)
