"""AudioLDM 2 against diffusers' own pipeline, on a tiny random checkpoint in the published layout."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from engine.backbones.audioldm2 import AudioLDM2
from engine.inversion import INVERSIONS
from engine.inversion.base import Ladder, Trail, descend
from host_bridge.errors import BadModel

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
PROMPTS = ["a dog", "", "rain on a roof"]


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[[str], Path]) -> Path:
    return tiny("audioldm2")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> AudioLDM2:
    return AudioLDM2(CPU, checkpoint, torch.float32)


@pytest.fixture(scope="module")
def pipeline(checkpoint: Path) -> Any:
    """With the language model in a class that has a head: with the published one the pipeline does not run."""
    from diffusers import (
        AudioLDM2Pipeline,
        AudioLDM2ProjectionModel,
        AudioLDM2UNet2DConditionModel,
        AutoencoderKL,
        DDIMScheduler,
    )
    from transformers import (
        AutoTokenizer,
        ClapFeatureExtractor,
        ClapModel,
        GPT2LMHeadModel,
        SpeechT5HifiGan,
        T5EncoderModel,
    )

    kinds = {
        "vae": AutoencoderKL,
        "text_encoder": ClapModel,
        "text_encoder_2": T5EncoderModel,
        "projection_model": AudioLDM2ProjectionModel,
        "language_model": GPT2LMHeadModel,
        "tokenizer": AutoTokenizer,
        "tokenizer_2": AutoTokenizer,
        "feature_extractor": ClapFeatureExtractor,
        "unet": AudioLDM2UNet2DConditionModel,
        "scheduler": DDIMScheduler,
        "vocoder": SpeechT5HifiGan,
    }
    made = AudioLDM2Pipeline(**{name: kind.from_pretrained(checkpoint / name) for name, kind in kinds.items()})
    made.set_progress_bar_config(disable=True)
    return made


@pytest.mark.parametrize("prompt", PROMPTS)
def test_words_become_what_the_pipeline_makes_of_them(model: AudioLDM2, pipeline: Any, prompt: str) -> None:
    with torch.no_grad():
        words, mask, states = pipeline.encode_prompt(prompt, CPU, 1, do_classifier_free_guidance=False, max_new_tokens=8)
    told = model.embed([prompt]).tensors
    assert states.shape == (1, 8, 16)
    torch.testing.assert_close(told["gpt2"], states, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(told["t5"][:, : words.shape[1]], words, atol=1e-5, rtol=1e-5)
    assert told["t5_mask"].sum() == mask.sum() == words.shape[1]


@pytest.mark.parametrize("strength", [1.0, 2.5])
def test_coming_down_is_the_pipelines_own_way(model: AudioLDM2, pipeline: Any, strength: float) -> None:
    top = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(5))
    null = model.embed([""]).tensors
    length = int(null["t5_mask"].sum())
    asked = model.embed(["a dog"])
    used = int(asked.tensors["t5_mask"].sum())
    with torch.no_grad():
        negative = torch.nn.functional.pad(null["t5"][:, :length], (0, 0, 0, used - length))
        heard = pipeline(
            prompt_embeds=asked.tensors["t5"][:, :used],
            attention_mask=asked.tensors["t5_mask"][:, :used].long(),
            generated_prompt_embeds=asked.tensors["gpt2"],
            negative_prompt_embeds=negative,
            negative_attention_mask=null["t5_mask"][:, :used].long(),
            negative_generated_prompt_embeds=null["gpt2"],
            latents=top,
            num_inference_steps=5,
            guidance_scale=strength,
            audio_length_in_s=0.64,
            output_type="pt",
        ).audios
    ladder, way = Ladder.build(model.schedule, 5), INVERSIONS["ddim"]
    trail = Trail(top, top.new_empty(1, 0, *top.shape[1:]))
    found = descend(model.noise, ladder, way, trail, asked, model.embed([""]), torch.full((1,), strength))[0]
    audio = model.render(model.decode(found))[:, 0]
    assert audio.std() > 1e-2
    torch.testing.assert_close(audio[:, : heard.shape[1]], heard, atol=2e-3, rtol=1e-3)


def test_a_language_model_saved_with_a_head_says_the_same(model: AudioLDM2, checkpoint: Path, tmp_path: Path) -> None:
    from transformers import GPT2LMHeadModel

    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    GPT2LMHeadModel.from_pretrained(checkpoint / "language_model").save_pretrained(folder / "language_model")
    other = AudioLDM2(CPU, folder, torch.float32).embed(["a dog"]).tensors["gpt2"]
    torch.testing.assert_close(other, model.embed(["a dog"]).tensors["gpt2"])


def test_the_number_of_its_vectors_is_the_checkpoints(checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    config = folder / "language_model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_new_tokens": 5}))
    assert AudioLDM2(CPU, folder, torch.float32).embed(["a dog"]).tensors["gpt2"].shape == (1, 5, 16)


def test_nothing_is_said_while_it_loads(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    AudioLDM2(CPU, checkpoint, torch.float32)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["language_model", "projection_model", "text_encoder", "text_encoder_2", "unet"])
def test_weights_that_are_not_all_there_are_refused_not_made_up(checkpoint: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    (file,) = (folder / name).glob("*.safetensors")
    tensors = load_file(file)
    lost = next(key for key in sorted(tensors) if key.endswith("weight") and "audio_" not in key and "embed" not in key)
    save_file({key: tensor for key, tensor in tensors.items() if key != lost}, file, {"format": "pt"})
    with pytest.raises(BadModel, match="has no "):
        AudioLDM2(CPU, folder, torch.float32)


def test_one_made_for_speech_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    from transformers import VitsConfig, VitsModel

    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    shutil.rmtree(folder / "text_encoder_2")
    VitsModel(VitsConfig(vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16)).save_pretrained(
        folder / "text_encoder_2"
    )
    with pytest.raises(BadModel, match="cannot be loaded"):
        AudioLDM2(CPU, folder, torch.float32)
