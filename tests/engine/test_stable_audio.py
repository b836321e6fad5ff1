"""Stable Audio against diffusers' own pipeline and scheduler, on a tiny random checkpoint in the published layout."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from engine.backbones.base import clean_guess, column
from engine.backbones.stable_audio import StableAudio
from engine.cache import Shelf
from engine.request import Request
from engine.separation import Separator, Wish
from host_bridge.errors import BadModel

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")

not_ours = pytest.mark.filterwarnings("ignore:Should have:UserWarning")
"""torchsde's, about the rounding of the scheduler's own levels."""


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[[str], Path]) -> Path:
    return tiny("stable_audio")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> StableAudio:
    return StableAudio(CPU, checkpoint, torch.float32)


@pytest.fixture(scope="module")
def pipeline(checkpoint: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # about what the library itself still uses
        from diffusers import (
            AutoencoderOobleck,
            CosineDPMSolverMultistepScheduler,
            StableAudioDiTModel,
            StableAudioPipeline,
            StableAudioProjectionModel,
        )
        from transformers import AutoTokenizer, T5EncoderModel

        kinds = {
            "vae": AutoencoderOobleck,
            "text_encoder": T5EncoderModel,
            "projection_model": StableAudioProjectionModel,
            "tokenizer": AutoTokenizer,
            "transformer": StableAudioDiTModel,
            "scheduler": CosineDPMSolverMultistepScheduler,
        }
        made = StableAudioPipeline(**{name: kind.from_pretrained(checkpoint / name) for name, kind in kinds.items()})
    made.set_progress_bar_config(disable=True)
    return made


def test_the_levels_are_the_schedulers(model: StableAudio, pipeline: Any) -> None:
    pipeline.scheduler.set_timesteps(10)
    torch.testing.assert_close(model.schedule.levels(10).flip(0).float(), pipeline.scheduler.timesteps)
    sigmas = pipeline.scheduler.sigmas[:-1].double()
    torch.testing.assert_close(
        model.schedule.alpha_bar(model.schedule.levels(10)).flip(0), 1 / (1 + sigmas**2), rtol=1e-4, atol=0
    )


@not_ours
def test_a_step_to_the_bottom_is_the_pipelines(model: StableAudio, pipeline: Any) -> None:
    """Its last step lands on the clean guess itself, with no noise of its own; of one step that is all."""
    top, sigma = torch.randn(1, 4, 512, generator=torch.Generator().manual_seed(5)), pipeline.scheduler.config.sigma_min
    heard = pipeline("a dog", latents=top, num_inference_steps=1, guidance_scale=1.0, output_type="latent").audios
    level = model.schedule.levels(1)
    alpha = model.schedule.alpha_bar(level)
    torch.testing.assert_close(alpha, torch.tensor([1 / (1 + sigma**2)], dtype=torch.float64))
    x = (top * pipeline.scheduler.init_noise_sigma)[..., None] * column(alpha, top[..., None]).sqrt()
    ours = clean_guess(x, alpha, model.noise(x, level, model.embed(["a dog"])))
    torch.testing.assert_close(ours[..., 0], heard, atol=2e-3, rtol=1e-4)


@not_ours
@pytest.mark.parametrize("strength", [1.0, 4.0])
def test_every_step_of_the_pipeline_asks_and_hears_what_we_do(model: StableAudio, pipeline: Any, strength: float) -> None:
    asked: list[tuple[Any, ...]] = []

    def listen(_: Any, given: tuple[Any, ...], named: dict[str, Any], said: tuple[torch.Tensor]) -> None:
        asked.append((given[0], given[1], named["encoder_hidden_states"], said[0]))

    ear = pipeline.transformer.register_forward_hook(listen, with_kwargs=True)
    pipeline("a dog", num_inference_steps=4, guidance_scale=strength, generator=torch.Generator().manual_seed(1))
    ear.remove()
    assert len(asked) == 4
    prompts = ["a dog"] if strength == 1 else ["", "a dog"]  # the pipeline puts the null branch first
    rows = model.embed(prompts)
    for (x, level, words, said), ours in zip(asked, model.schedule.levels(4).flip(0), strict=True):
        torch.testing.assert_close(level[0].double(), ours, atol=1e-6, rtol=0)
        torch.testing.assert_close(rows.tensors["words"], words, atol=1e-6, rtol=1e-5)
        levels = ours.repeat(len(prompts))
        alpha = column(model.schedule.alpha_bar(levels), x)
        epsilon = alpha.sqrt() * said + (1 - alpha).sqrt() * x
        torch.testing.assert_close(model.noise(x[..., None], levels, rows)[..., 0], epsilon, atol=1e-4, rtol=1e-4)


def test_codec_and_voice_are_the_autoencoders(model: StableAudio, pipeline: Any) -> None:
    sound = 0.1 * torch.randn(1, 2, 8192, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        latent = pipeline.vae.encode(sound).latent_dist.mode()
        decoded = pipeline.vae.decode(latent).sample
    assert decoded.std() > 1e-3
    torch.testing.assert_close(model.encode(model.analyse(sound))[..., 0], latent, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.render(model.decode(latent[..., None])), decoded, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.render(model.analyse(sound)), sound, atol=1e-5, rtol=1e-5)


def test_the_window_is_as_long_as_the_transformer_hears(model: StableAudio) -> None:
    assert (model.rate, model.channels, model.window) == (44_100, 2, 512 * 128)
    with pytest.raises(ValueError, match="multiple"):
        model.analyse(torch.zeros(1, 2, 1500))


def test_the_upper_levels_differ_in_half_precision_too(checkpoint: Path) -> None:
    """In bfloat16 the labels of both would be the same number."""
    half = StableAudio(CPU, checkpoint, torch.bfloat16)
    top, below = torch.tensor([0.9987]), torch.tensor([0.9983])
    assert top.bfloat16() == below.bfloat16()
    x = torch.zeros(1, 4, 32, 1)
    levelled: Any = half.subject.load(torch.bfloat16)
    told = levelled._told[0]
    said = [told(level) for level in (top, below)]
    assert (said[0] - said[1]).abs().max() > 1e-4
    assert half.noise(x, top, half.embed(["a dog"])).isfinite().all()


@pytest.mark.parametrize(("key", "value"), [("prediction_type", "epsilon"), ("sigma_data", 0.5)])
def test_a_scheduler_of_another_kind_is_refused(checkpoint: Path, tmp_path: Path, key: str, value: Any) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "copy"))
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {key: value}))
    with pytest.raises(BadModel, match="another kind"):
        StableAudio(CPU, folder)


def test_nothing_is_said_while_it_loads_and_answers(checkpoint: Path, capfd: pytest.CaptureFixture[str]) -> None:
    model = StableAudio(CPU, checkpoint)
    model.noise(torch.zeros(1, 4, 32, 1), torch.tensor([0.5]), model.embed(["a dog"]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_region_of_any_channels_comes_back_in_its_own_form(model: StableAudio, tmp_path: Path, channels: int) -> None:
    song, rng = tmp_path / "song.wav", np.random.default_rng(0)
    soundfile.write(song, rng.normal(0, 0.1, (50_000, channels)), 48_000, subtype="FLOAT")
    separator = Separator(model, Shelf(tmp_path / "cache"))
    request = Request.of(["a dog"], method="zerosep", steps=2, generative=True)
    told = separator.separate(song, request, Wish())
    mix, stem, rest, voice = (
        soundfile.read(path, always_2d=True)[0]
        for path in (song, told["stems"][0]["path"], told["rest"], told["stems"][0]["generative"])
    )
    assert stem.shape == rest.shape == voice.shape == mix.shape
    assert np.abs(stem + rest - mix).max() < 1e-6
    assert np.std(stem) > 1e-4
    assert np.std(voice) > 1e-4
    if channels == 2:  # each side has a mask and a voice of its own
        shares = (stem**2).sum(0) / (mix**2).sum(0)
        assert abs(shares[0] - shares[1]) > 1e-4
        assert np.abs(voice[:, 0] - voice[:, 1]).max() > 1e-4
