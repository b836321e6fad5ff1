"""AudioLDM against a tiny random checkpoint in the published layout: every shape and formula, none of the beauty."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine.backbones.audioldm import AudioLDM
from engine.backbones.base import Backbone, Conditioning, guided
from engine.inversion import INVERSIONS
from engine.inversion.base import Ladder, Trail, descend
from host_bridge.errors import BadModel, BadRequest

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
WORDS = 16
FACTOR = 0.9392935633659363


def load(folder: Path, precision: torch.dtype | None = torch.float32) -> AudioLDM:
    return AudioLDM(CPU, folder, precision)


def copy(checkpoint: Path, folder: Path) -> Path:
    return Path(shutil.copytree(checkpoint, folder / "copy"))


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[[str], Path]) -> Path:
    return tiny("audioldm")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> AudioLDM:
    return load(checkpoint)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("something went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def sound(windows: int, samples: int = 2 * 5120) -> Tensor:
    return torch.randn(windows, 1, samples, generator=torch.Generator().manual_seed(1)) * 0.1


def latents(count: int) -> Tensor:
    return torch.randn(count, 8, 8, 16, generator=torch.Generator().manual_seed(2))


def test_it_is_a_backbone(model: AudioLDM) -> None:
    assert all(hasattr(model, name) for name in {*vars(Backbone), *Backbone.__annotations__} if not name.startswith("_"))
    assert (model.rate, model.channels, model.window) == (16_000, 1, 163_840)
    assert model.grid.first == 80
    assert not model.exact_codec


def test_features_and_latents_have_the_published_shapes(model: AudioLDM) -> None:
    features = model.analyse(sound(2))
    assert features.shape == (2, 1, 64, 64)
    latent = model.encode(features)
    assert latent.shape == (2, 8, 16, 16)
    assert model.decode(latent).shape == features.shape
    assert all(tensor.dtype == torch.float32 for tensor in (features, latent, model.decode(latent)))


def test_a_window_is_refused_when_the_codec_would_have_to_pad_it(model: AudioLDM) -> None:
    with pytest.raises(ValueError, match="5121"):
        model.analyse(sound(1, 5121))


def test_encode_is_the_mode_of_the_posterior_times_the_factor(model: AudioLDM, checkpoint: Path) -> None:
    from diffusers import AutoencoderKL

    features = model.analyse(sound(1))
    with torch.no_grad():
        mean = AutoencoderKL.from_pretrained(checkpoint / "vae").encode(features).latent_dist.mean
    torch.testing.assert_close(model.encode(features), mean * FACTOR)


def test_decode_undoes_the_factor(model: AudioLDM, checkpoint: Path) -> None:
    from diffusers import AutoencoderKL

    with torch.no_grad():
        plain = AutoencoderKL.from_pretrained(checkpoint / "vae").decode(latents(1)).sample
    torch.testing.assert_close(model.decode(latents(1) * FACTOR), plain)


def test_magnitudes_are_those_of_the_log_mel(model: AudioLDM) -> None:
    features = model.analyse(sound(1))
    torch.testing.assert_close(model.magnitude(features), features.exp())
    assert model.magnitude(features + 1000).isfinite().all()


def test_gain_brings_each_window_to_half_scale_and_leaves_silence(model: AudioLDM) -> None:
    windows = torch.cat([sound(1), sound(1) * 5, torch.zeros(1, 1, 10240), torch.full((1, 1, 10240), 0.3)])
    gain = model.gain(windows)
    loud = (windows - windows.mean(-1, keepdim=True)) * gain[:, None, None]
    torch.testing.assert_close(loud.abs().amax((1, 2))[:2], torch.tensor([0.5, 0.5]))
    assert gain[2:].tolist() == [1, 1]


@pytest.mark.parametrize("frames", [1, 30, 64])
def test_the_voice_lasts_exactly_as_long_as_the_frames(model: AudioLDM, frames: int) -> None:
    audio = model.render(model.analyse(sound(2))[:, :, :frames])
    assert audio.shape == (2, 1, frames * 160)
    assert audio.std() > 1e-3


def test_prompts_become_unit_vectors_and_the_null_prompt_is_one_of_them(model: AudioLDM) -> None:
    words = model.embed(["a dog", "", "rain on a roof"]).tensors["clap"]
    assert words.shape == (3, WORDS)
    torch.testing.assert_close(words.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(words[1:2], model.embed([""]).tensors["clap"])
    assert (words[0] - words[1]).norm() > 1e-3


def test_a_prompt_does_not_depend_on_its_neighbours(model: AudioLDM) -> None:
    together = model.embed(["a dog", "a very long cat"]).tensors["clap"]
    torch.testing.assert_close(together[:1], model.embed(["a dog"]).tensors["clap"], atol=1e-6, rtol=1e-5)


def test_a_string_is_one_prompt(model: AudioLDM) -> None:
    torch.testing.assert_close(model.embed("a dog").tensors, model.embed(["a dog"]).tensors)


def test_a_prompt_that_clap_cannot_take_in_is_refused(model: AudioLDM) -> None:
    model.embed(["a" * 30])
    with pytest.raises(BadRequest, match="too long"):
        model.embed(["a" * 31])


def test_noise_at_a_level_per_item_equals_one_by_one(model: AudioLDM) -> None:
    levels, prompts = torch.tensor([1, 500, 981]), model.embed(["a dog", "", "rain"])
    batch = model.noise(latents(3), levels, prompts)
    assert batch.shape == (3, 8, 8, 16)
    for i in range(3):
        alone = model.noise(latents(3)[i : i + 1], levels[i : i + 1], prompts.rows(torch.tensor([i])))
        torch.testing.assert_close(batch[i : i + 1], alone, atol=1e-5, rtol=1e-4)
    assert (batch - model.noise(latents(3), levels.flip(0), prompts)).abs().max() > 1e-4


def test_noise_is_what_the_network_says_about_these_words(model: AudioLDM, checkpoint: Path) -> None:
    from diffusers import UNet2DConditionModel

    network, words = UNet2DConditionModel.from_pretrained(checkpoint / "unet"), model.embed(["a dog"])
    with torch.no_grad():
        said = network(latents(1), 300, encoder_hidden_states=None, class_labels=words.tensors["clap"]).sample
    torch.testing.assert_close(model.noise(latents(1), torch.tensor([300]), words), said)


def test_a_v_predicting_checkpoint_answers_in_epsilon(model: AudioLDM, checkpoint: Path, tmp_path: Path) -> None:
    folder = copy(checkpoint, tmp_path)
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"prediction_type": "v_prediction"}))
    levels, words = torch.tensor([1, 700]), model.embed(["a dog", ""])
    v = model.noise(latents(2), levels, words)
    kept = model.schedule.alpha_bar(levels).float()[:, None, None, None]
    expected = kept.sqrt() * v + (1 - kept).sqrt() * latents(2)
    torch.testing.assert_close(load(folder).noise(latents(2), levels, words), expected)


def test_the_schedule_is_the_checkpoints(model: AudioLDM, checkpoint: Path, tmp_path: Path) -> None:
    from diffusers import DDIMScheduler

    every = torch.arange(1000)
    alphas = DDIMScheduler.from_pretrained(checkpoint / "scheduler").alphas_cumprod
    torch.testing.assert_close(model.schedule.alpha_bar(every).float(), alphas, rtol=1e-4, atol=1e-7)
    folder = copy(checkpoint, tmp_path)
    other = DDIMScheduler(beta_start=0.0001, beta_end=0.02, beta_schedule="linear")
    other.save_pretrained(folder / "scheduler")
    torch.testing.assert_close(load(folder).schedule.alpha_bar(every).float(), other.alphas_cumprod, rtol=1e-4, atol=0)


def test_guidance_of_one_asks_no_null_branch(model: AudioLDM) -> None:
    levels, prompts, null = torch.tensor([300, 300]), model.embed(["a dog", "rain"]), model.embed(["", ""])
    asked: list[int] = []

    def noise(x: Tensor, at: Tensor, words: Conditioning) -> Tensor:
        asked.append(len(x))
        return model.noise(x, at, words)

    epsilon = guided(noise, latents(2), levels, prompts, null, torch.ones(2))
    assert asked == [2]
    torch.testing.assert_close(epsilon, model.noise(latents(2), levels, prompts))


def test_only_the_network_runs_in_half_precision(model: AudioLDM, checkpoint: Path) -> None:
    half = load(checkpoint, torch.bfloat16)
    levels, words = torch.tensor([300]), half.embed(["a dog"])
    epsilon = half.noise(latents(1), levels, words)
    assert epsilon.dtype == torch.float32
    exact = model.noise(latents(1), levels, words)
    assert 0 < (epsilon - exact).norm() / exact.norm() < 0.05
    torch.testing.assert_close(half.encode(half.analyse(sound(1))), model.encode(model.analyse(sound(1))))
    assert half.run.name != model.run.name


def test_what_it_returns_may_be_fitted_to(model: AudioLDM) -> None:
    target = model.decode(latents(1))
    mask = torch.zeros_like(target, requires_grad=True)
    ((mask * target) - model.magnitude(target)).square().mean().backward()
    assert mask.grad is not None


@pytest.mark.filterwarnings("ignore:.*:FutureWarning")  # the pipeline's class is deprecated
@pytest.mark.parametrize("strength", [1.0, 2.5])
def test_coming_down_is_the_pipelines_own_way(model: AudioLDM, checkpoint: Path, strength: float) -> None:
    from diffusers import AudioLDMPipeline, AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import AutoTokenizer, ClapTextModelWithProjection, SpeechT5HifiGan

    kinds = {
        "vae": AutoencoderKL,
        "text_encoder": ClapTextModelWithProjection,
        "tokenizer": AutoTokenizer,
        "unet": UNet2DConditionModel,
        "scheduler": DDIMScheduler,
        "vocoder": SpeechT5HifiGan,
    }
    pipeline = AudioLDMPipeline(**{name: kind.from_pretrained(checkpoint / name) for name, kind in kinds.items()})
    pipeline.set_progress_bar_config(disable=True)
    top = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(5))
    how = {"num_inference_steps": 5, "guidance_scale": strength, "audio_length_in_s": 0.64, "latents": top}
    heard = torch.tensor(pipeline("a dog", **how).audios)
    trail, null = Trail(top, top.new_empty(1, 0, *top.shape[1:])), model.embed([""])
    ladder, asked, weight = Ladder.build(model.schedule, 5), model.embed(["a dog"]), torch.full((1,), strength)
    found = descend(model.noise, ladder, INVERSIONS["ddim"], trail, asked, null, weight)[0]
    audio = model.render(model.decode(found))[:, 0]
    assert audio.std() > 1e-2
    torch.testing.assert_close(audio[:, : heard.shape[1]], heard, atol=2e-3, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:.*:FutureWarning")  # the pipeline's class is deprecated
def test_musicldm_comes_down_its_own_pipelines_way(tiny: Callable[[str], Path]) -> None:
    """Its words are embedded beside it: under transformers 5 the pipeline cannot do that itself."""
    from diffusers import AutoencoderKL, DDIMScheduler, MusicLDMPipeline, UNet2DConditionModel
    from transformers import AutoTokenizer, ClapModel, SpeechT5HifiGan

    folder = tiny("audioldm, music")
    kinds = {
        "vae": AutoencoderKL,
        "text_encoder": ClapModel,
        "tokenizer": AutoTokenizer,
        "unet": UNet2DConditionModel,
        "scheduler": DDIMScheduler,
        "vocoder": SpeechT5HifiGan,
    }
    parts = {name: kind.from_pretrained(folder / name) for name, kind in kinds.items()}
    pipeline = MusicLDMPipeline(**parts, feature_extractor=None)
    pipeline.set_progress_bar_config(disable=True)
    music = load(folder)
    tokens = pipeline.tokenizer(["a dog", ""], padding=True, return_tensors="pt")
    with torch.no_grad():
        words = pipeline.text_encoder.get_text_features(**tokens).pooler_output
    torch.testing.assert_close(music.embed(["a dog", ""]).tensors["clap"], words)
    top = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(5))
    how = {"num_inference_steps": 5, "guidance_scale": 2.5, "audio_length_in_s": 0.64, "latents": top}
    heard = torch.tensor(pipeline(prompt_embeds=words[:1], negative_prompt_embeds=words[1:], **how).audios)
    trail, null = Trail(top, top.new_empty(1, 0, *top.shape[1:])), music.embed([""])
    ladder, asked, weight = Ladder.build(music.schedule, 5), music.embed(["a dog"]), torch.full((1,), 2.5)
    found = descend(music.noise, ladder, INVERSIONS["ddim"], trail, asked, null, weight)[0]
    audio = music.render(music.decode(found))[:, 0]
    torch.testing.assert_close(audio[:, : heard.shape[1]], heard, atol=2e-3, rtol=1e-3)


def test_loading_asks_no_network(checkpoint: Path, no_network: None) -> None:
    load(checkpoint).embed(["a dog"])


def test_the_bin_files_of_2023_load_and_sound_the_same(model: AudioLDM, checkpoint: Path, tmp_path: Path) -> None:
    folder = copy(checkpoint, tmp_path)
    old_names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for name in ("unet", "vae", "text_encoder", "vocoder"):
        (new,) = (folder / name).glob("*.safetensors")
        tensors = load_file(new)
        new.unlink()
        if name == "vae":
            for modern, former in old_names.items():
                tensors = {key.replace(modern, former): tensor for key, tensor in tensors.items()}
        if name == "text_encoder":  # counting buffers, which some releases saved and others did not
            assert tensors.pop("text_model.embeddings.position_ids").tolist() == [list(range(34))]
            tensors["text_model.embeddings.of_old"] = torch.arange(34)
        stem = "diffusion_pytorch_model" if name in ("unet", "vae") else "pytorch_model"
        torch.save(tensors, folder / name / f"{stem}.bin")
    old = load(folder)
    features, words = model.analyse(sound(1)), model.embed(["a dog"])
    torch.testing.assert_close(old.embed(["a dog"]).tensors, words.tensors)
    torch.testing.assert_close(old.encode(features), model.encode(features))
    torch.testing.assert_close(old.render(features), model.render(features))
    levels = torch.tensor([300])
    torch.testing.assert_close(old.noise(latents(1), levels, words), model.noise(latents(1), levels, words))


def test_a_bin_file_cannot_run_code(checkpoint: Path, tmp_path: Path) -> None:
    folder, fired = copy(checkpoint, tmp_path), tmp_path / "fired"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (fired,)

    (folder / "vocoder" / "model.safetensors").unlink()
    torch.save({"conv_pre.weight": Trap()}, folder / "vocoder" / "pytorch_model.bin")
    with pytest.raises(BadModel, match="cannot be loaded"):
        load(folder)
    assert not fired.exists()


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("scheduler/scheduler_config.json", "prediction_type", "sample"),
        ("scheduler/scheduler_config.json", "beta_schedule", "squaredcos_cap_v2"),
        ("vocoder/config.json", "sampling_rate", 48_000),
        ("unet/config.json", "in_channels", 4),
    ],
)
def test_a_checkpoint_of_another_kind_is_refused(checkpoint: Path, tmp_path: Path, file: str, key: str, value: Any) -> None:
    folder = copy(checkpoint, tmp_path)
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | {key: value}))
    with pytest.raises(BadModel, match="copy"):
        load(folder)


def test_weights_that_are_not_all_there_are_refused_not_made_up(checkpoint: Path, tmp_path: Path) -> None:
    file = copy(checkpoint, tmp_path) / "vocoder" / "model.safetensors"
    save_file({name: tensor for name, tensor in load_file(file).items() if name != "conv_post.bias"}, file, {"format": "pt"})
    with pytest.raises(BadModel, match=r"vocoder has no conv_post\.bias"):
        load(file.parents[1])


def test_loading_says_nothing(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load(checkpoint)
    assert capfd.readouterr() == ("", "")


def test_scaled_features_have_scaled_magnitudes(model: AudioLDM) -> None:
    features, gain = model.analyse(sound(1)), torch.tensor(0.5)
    torch.testing.assert_close(model.magnitude(model.scale(features, gain)), model.magnitude(features) * gain)
    assert model.scale(features, torch.zeros_like(features)).isfinite().all()


def test_importing_it_waits_for_no_library_of_models() -> None:
    code = "import sys, engine.backbones.audioldm; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"diffusers", "transformers.modeling_utils", "transformers.models.clap"} & set(done.stdout.split())
