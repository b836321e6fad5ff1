"""Tango on a tiny random checkpoint as the real ones were published, against diffusers' own parts."""

import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.backbones import tango_convert
from engine.backbones.tango import Tango
from engine.inversion import INVERSIONS
from engine.inversion.base import InversionResult, Timesteps, denoise
from engine.models import catalogue
from host_bridge.errors import BadModel, CannotWrite

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(tiny: Callable[[str], Path]) -> Path:
    return tiny("tango")


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> Tango:
    return Tango(CPU, checkpoint, torch.float32)


@pytest.fixture
def copy(checkpoint: Path, tmp_path: Path) -> Path:
    """The published files alone."""
    return Path(shutil.copytree(checkpoint, tmp_path / "copy", ignore=shutil.ignore_patterns("converted-*")))


def converted(folder: Path) -> list[Path]:
    return list(folder.glob("converted-*"))


def test_a_published_folder_is_known_for_what_it_is(checkpoint: Path) -> None:
    found = catalogue.at(checkpoint)
    assert found.weights.backbone == "tango"
    assert found.files == ("main_config.json", "pytorch_model_main.bin", "vae_config.json", "pytorch_model_vae.bin")


def test_its_codec_is_the_published_one(model: Tango, checkpoint: Path) -> None:
    """diffusers knows the published names too, from Stable Diffusion's checkpoints."""
    from diffusers import AutoencoderKL
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    published = torch.load(checkpoint / "pytorch_model_vae.bin", weights_only=True)
    codec = AutoencoderKL.from_config(dict(model._vae.config))
    codec.load_state_dict(convert_ldm_vae_checkpoint(published, dict(codec.config)))
    latent = torch.randn(1, 8, 8, 16, generator=torch.Generator().manual_seed(1))
    sound = 0.1 * torch.randn(1, 1, 5120, generator=torch.Generator().manual_seed(2))
    factor, features = 0.9227914214134216, model.analyse(sound)
    with torch.no_grad():
        torch.testing.assert_close(model.decode(latent * factor), codec.decode(latent).sample)
        torch.testing.assert_close(model.encode(features), codec.encode(features).latent_dist.mean * factor)


def test_its_voice_is_the_published_one(model: Tango, checkpoint: Path) -> None:
    published = torch.load(checkpoint / "pytorch_model_vae.bin", weights_only=True)
    held = dict(model._vocoder.named_parameters())
    for name in ("conv_pre.weight", "ups.3.weight", "resblocks.14.convs2.2.bias", "conv_post.bias"):
        torch.testing.assert_close(held[name.replace("ups", "upsampler")], published[f"vocoder.{name}"])


def test_coming_down_is_what_the_scheduler_of_stable_diffusion_2_does(model: Tango, checkpoint: Path) -> None:
    from diffusers import DDIMScheduler

    scheduler = DDIMScheduler.from_config(tango_convert.SCHEDULER)
    scheduler.set_timesteps(5)
    top = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(5))
    asked, x = model.embed(["a dog"]), top
    with torch.no_grad():
        tokens = model._tokenizer(["a dog"], return_tensors="pt")
        words, unet = model._t5(**tokens).last_hidden_state, model.network_spec.load(torch.float32)
        for level in scheduler.timesteps:
            x = scheduler.step(unet(x, level, encoder_hidden_states=words).sample, level, x).prev_sample
    inverted = InversionResult(top, top.new_empty(1, 0, *top.shape[1:]))
    timesteps = Timesteps.build(model.schedule, 5)
    found = denoise(model.noise, timesteps, INVERSIONS["ddim"], inverted, asked, model.embed([""]), torch.ones(1))[0]
    torch.testing.assert_close(found, x, atol=1e-4, rtol=1e-4)


def test_the_shapes_that_are_written_down_fill_the_published_files() -> None:
    """To within what a file needs besides: 4 829 066 707 bytes and 442 713 669 bytes on the hub."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig, T5Config, T5EncoderModel

    codec = {"z_channels": 8, "in_channels": 1, "out_ch": 1, "ch": 128, "ch_mult": [1, 2, 4], "num_res_blocks": 2}
    flan = T5Config(
        vocab_size=32128, d_model=1024, d_kv=64, d_ff=2816, num_layers=24, num_heads=16, feed_forward_proj="gated-gelu"
    )

    def size(*networks: Any) -> int:
        return sum(4 * parameter.numel() for network in networks for parameter in network.parameters())

    with torch.device("meta"):
        main = size(UNet2DConditionModel.from_config(tango_convert.UNET), T5EncoderModel(flan))
        vae = AutoencoderKL(**tango_convert._codec_shape({"ddconfig": codec, "scale_factor": 0.9227914214134216}))
        sound = size(vae, SpeechT5HifiGan(SpeechT5HifiGanConfig(**tango_convert.VOCODER)))
    assert 0 < 4_829_066_707 - main < 1_000_000
    assert 0 < 442_713_669 - sound < 1_000_000


def test_it_is_converted_once(copy: Path) -> None:
    first = Tango(CPU, copy, torch.float32)
    (made,) = converted(copy)
    stamp = (made / "unet" / "config.json").stat().st_mtime_ns
    again = Tango(CPU, copy, torch.float32)
    assert converted(copy) == [made]
    assert (made / "unet" / "config.json").stat().st_mtime_ns == stamp
    torch.testing.assert_close(again.embed(["a dog"]).tensors, first.embed(["a dog"]).tensors)
    assert not list(copy.glob(".converting-*"))


def test_other_weights_are_converted_anew_and_the_same_ones_of_another_date_are_not(copy: Path) -> None:
    Tango(CPU, copy, torch.float32)
    file = copy / "pytorch_model_main.bin"
    os.utime(file, (1, 1))
    Tango(CPU, copy, torch.float32)
    assert len(converted(copy)) == 1
    tensors = torch.load(file, weights_only=True)
    changed = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    torch.save({**tensors, changed: tensors[changed] + 1}, file)
    Tango(CPU, copy, torch.float32)
    assert len(converted(copy)) == 2


def test_what_a_conversion_that_was_killed_left_is_taken_away(copy: Path) -> None:
    stale, young = copy / ".converting-old", copy / ".converting-new"
    for folder in (stale, young):
        folder.mkdir()
    os.utime(stale, (time.time() - 7200,) * 2)
    Tango(CPU, copy, torch.float32)
    assert (stale.exists(), young.exists()) == (False, True)


def test_a_folder_in_diffusers_layout_is_taken_as_it_is(model: Tango, checkpoint: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(converted(checkpoint)[0], tmp_path / "mine"))
    other = Tango(CPU, folder, torch.float32)
    assert not converted(folder)
    torch.testing.assert_close(other.embed(["a dog"]).tensors, model.embed(["a dog"]).tensors)


@pytest.mark.parametrize("file", ["pytorch_model_main.bin", "pytorch_model_vae.bin"])
def test_a_pickle_that_carries_code_is_refused_and_runs_none(copy: Path, tmp_path: Path, file: str) -> None:
    fired = tmp_path / "fired"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (fired,)

    torch.save(torch.load(copy / file, weights_only=True) | {"unet.trap": Trap()}, copy / file)
    with pytest.raises(BadModel, match="might run code") as caught:
        Tango(CPU, copy)
    assert "\n" not in caught.value.what
    assert not fired.exists()
    assert not [*converted(copy), *copy.glob(".converting-*")]


@pytest.mark.parametrize("file", ["pytorch_model_main.bin", "pytorch_model_vae.bin", "main_config.json"])
def test_a_file_cut_short_or_missing_is_named(copy: Path, file: str) -> None:
    whole = (copy / file).read_bytes()
    (copy / file).write_bytes(whole[:-20])
    with pytest.raises(BadModel, match=f"{file} is damaged"):
        Tango(CPU, copy)
    (copy / file).unlink()
    with pytest.raises(BadModel, match=r"has no "):
        Tango(CPU, copy)


def test_weights_that_are_not_all_there_are_refused_not_made_up(copy: Path) -> None:
    file = copy / "pytorch_model_vae.bin"
    tensors = torch.load(file, weights_only=True)
    torch.save({name: tensor for name, tensor in tensors.items() if name != "vocoder.conv_post.bias"}, file)
    with pytest.raises(BadModel, match=r"conv_post\.bias"):
        Tango(CPU, copy)


def test_a_tokenizer_that_is_not_here_comes_with_the_command_that_fetches_it(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    def refuse(*_: Any) -> None:
        raise AssertionError("something went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "empty"))
    shutil.rmtree(copy / "google")
    with pytest.raises(BadModel, match="takes its words from google/flan-t5-large") as caught:
        Tango(CPU, copy)
    assert "hf download google/flan-t5-large" in caught.value.todo


def test_a_folder_that_cannot_be_written_to_is_said(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(CannotWrite, match="cannot be written to"):
        Tango(CPU, copy)


def test_a_disk_that_is_too_small_is_said_before_anything_is_written(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(copy)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(CannotWrite, match="is converted once, which takes"):
        Tango(CPU, copy)
    assert not [*converted(copy), *copy.glob(".converting-*")]


def test_two_who_convert_at_once_end_with_one_copy(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quicker = tango_convert._convert

    def slower(published: Path, to: Path) -> None:
        quicker(published, to)
        shutil.copytree(to, published / f"converted-{catalogue.at(published).fingerprint}")

    monkeypatch.setattr(tango_convert, "_convert", slower)
    Tango(CPU, copy).embed(["a dog"])
    assert len(converted(copy)) == 1
    assert not list(copy.glob(".converting-*"))


def test_a_codec_of_another_kind_is_refused(copy: Path) -> None:
    told = json.loads((copy / "vae_config.json").read_text())
    told["ddconfig"]["ch"] = 64
    (copy / "vae_config.json").write_text(json.dumps(told))
    with pytest.raises(BadModel, match="cannot be loaded"):
        Tango(CPU, copy)
