"""Tango's checkpoints as they were published, turned once into diffusers' layout.

Published are two pickles and three JSON files; the U-Net's shape and the noise schedule are named, not written down (one in the
authors' code, the other in a repository that is gone), so both stand here. The pickles are read as numbers only. The copy lies
beside them, in safetensors: later loads are mapped from disk, and it goes away with the checkpoint.
"""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from engine.backbones.published import Tensors, below, hifi_gan, unpickled
from engine.weights import Found, folder_of
from host_bridge.errors import BadModel, CannotWrite

SCHEDULER = {
    "_class_name": "DDIMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
    "set_alpha_to_one": False,
    "clip_sample": False,
}
"""Stable Diffusion 2.1's, which Tango was trained with."""

UNET: dict[str, Any] = {
    "sample_size": (32, 2),
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 2,
    "attention_head_dim": (5, 10, 20, 20),
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
    "upcast_attention": True,
}
"""The shape that a checkpoint names as `configs/diffusion_model_config.json`."""

VOCODER: dict[str, Any] = {
    "model_in_dim": 64,
    "sampling_rate": 16_000,
    "upsample_initial_channel": 1024,
    "upsample_rates": [5, 4, 2, 2, 2],
    "upsample_kernel_sizes": [16, 16, 8, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "normalize_before": False,
}
"""AudioLDM's HiFi-GAN; its widths are read from its tensors."""

CODEC_NAMES = (
    (r"^(en|de)coder\.mid\.block_1\.", r"\1coder.mid_block.resnets.0."),
    (r"^(en|de)coder\.mid\.block_2\.", r"\1coder.mid_block.resnets.1."),
    (r"^(en|de)coder\.mid\.attn_1\.norm\.", r"\1coder.mid_block.attentions.0.group_norm."),
    (r"^(en|de)coder\.mid\.attn_1\.([qkv])\.", r"\1coder.mid_block.attentions.0.to_\2."),
    (r"^(en|de)coder\.mid\.attn_1\.proj_out\.", r"\1coder.mid_block.attentions.0.to_out.0."),
    (r"^encoder\.down\.(\d+)\.block\.", r"encoder.down_blocks.\1.resnets."),
    (r"^encoder\.down\.(\d+)\.downsample\.", r"encoder.down_blocks.\1.downsamplers.0."),
    (r"^decoder\.up\.(\d+)\.block\.", r"decoder.up_blocks.\1.resnets."),
    (r"^decoder\.up\.(\d+)\.upsample\.", r"decoder.up_blocks.\1.upsamplers.0."),
    (r"^(en|de)coder\.norm_out\.", r"\1coder.conv_norm_out."),
    (r"\.nin_shortcut\.", ".conv_shortcut."),
)
"""The latent diffusion code's names of a VAE's tensors -> diffusers'. It counts the decoder's blocks from the output."""

STALE_S = 3600.0
"""A conversion that was cut off so long ago is nobody's work any more."""

SPARE = 64 << 20
"""Bytes that a conversion leaves free."""


def arranged(found: Found) -> Path:
    """The folder with the checkpoint's parts in diffusers' layout: its own, or that of the copy, made now if there is none.

    Raises BadModel where the text encoder's tokenizer is not on this machine, CannotWrite where there is no room for the copy,
    and whatever torch says of a bad pickle.
    """
    if (found.folder / "model_index.json").is_file():
        return found.folder
    copy = found.folder / f"converted-{found.fingerprint}"
    if copy.is_dir():
        return copy
    for stale in found.folder.glob(".converting-*"):
        if time.time() - stale.stat().st_mtime > STALE_S:
            shutil.rmtree(stale, ignore_errors=True)
    size, free = sum((found.folder / name).stat().st_size for name in found.files), shutil.disk_usage(found.folder).free
    if free < size + SPARE:
        what = f"{found.weights.name} is converted once, which takes {size / 1e9:.1f} GB: {free / 1e9:.1f} GB are free there."
        raise CannotWrite(what, "Free some, or copy the model to a folder on another disk and choose that folder as the model.")
    try:
        aside = Path(tempfile.mkdtemp(prefix=".converting-", dir=found.folder))
    except OSError as error:
        raise CannotWrite(
            f"The model {found.weights.name} has to be converted once, and {found.folder} cannot be written to.",
            "Copy it to a folder of yours, and choose that folder as the model.",
        ) from error
    try:
        _convert(found.folder, aside)
        try:
            aside.rename(copy)  # the commit: a copy that was cut off never counts
        except OSError:
            if not copy.is_dir():  # somebody else was quicker, and theirs is the same
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return copy


def _convert(published: Path, to: Path) -> None:
    """Write the parts of a published checkpoint into `to`."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import AutoTokenizer, SpeechT5HifiGan, SpeechT5HifiGanConfig, T5Config, T5EncoderModel

    told = {name: json.loads((published / f"{name}_config.json").read_bytes()) for name in ("main", "vae")}
    text = _text_encoder(published, told["main"]["text_encoder_name"])
    shape = published / (told["main"]["unet_model_config_path"] or "")
    unet = json.loads(shape.read_bytes()) if shape.is_file() else UNET
    codec = unpickled(published / "pytorch_model_vae.bin")
    voice = below(codec, "vocoder")
    _refuse_others(codec, ("encoder", "decoder", "quant_conv", "post_quant_conv", "vocoder"), "pytorch_model_vae.bin")

    def save(made: Callable[[], Any], tensors: Tensors, name: str) -> None:
        with torch.device("meta"):  # no memory for numbers that the checkpoint replaces
            network = made()
        network.load_state_dict(tensors, assign=True)
        network.save_pretrained(to / name)

    AutoTokenizer.from_pretrained(text, local_files_only=True).save_pretrained(to / "tokenizer")
    main = unpickled(published / "pytorch_model_main.bin")
    words = below(main, "text_encoder")
    _refuse_others(main, ("text_encoder", "unet"), "pytorch_model_main.bin")
    save(lambda: T5EncoderModel(T5Config.from_pretrained(text)), words, "text_encoder")
    save(lambda: UNet2DConditionModel.from_config(unet), below(main, "unet"), "unet")
    save(lambda: AutoencoderKL(**_codec_shape(told["vae"])), _codec(codec, told["vae"]), "vae")
    widths = VOCODER | {"upsample_initial_channel": len(voice["conv_pre.bias"])}
    save(lambda: SpeechT5HifiGan(SpeechT5HifiGanConfig(**widths)), hifi_gan(voice), "vocoder")
    (to / "scheduler").mkdir()
    (to / "scheduler" / "scheduler_config.json").write_text(json.dumps(SCHEDULER), encoding="utf-8")
    (to / "model_index.json").write_text(json.dumps({"_class_name": "TangoPipeline"}), encoding="utf-8")


def _refuse_others(tensors: Tensors, parts: tuple[str, ...], file: str) -> None:
    """Raise ValueError for a pickle with tensors of parts that Tango does not have: it was made for another network."""
    if beyond := sorted(name for name in tensors if name.partition(".")[0] not in parts):
        raise ValueError(f"{file} has tensors of no part of Tango: {', '.join(beyond[:3])}")


def _text_encoder(published: Path, name: str) -> Path:
    """The folder with the text encoder's shape and tokenizer; its tensors are the checkpoint's own."""
    folder = published / name if (published / name).is_dir() else folder_of(name)
    if folder and all((folder / file).is_file() for file in ("config.json", "tokenizer_config.json", "tokenizer.json")):
        return folder
    raise BadModel(
        f"The model in {published} takes its words from {name}, whose tokenizer is not on this machine.",
        f"Fetch it: `hf download {name} config.json tokenizer_config.json tokenizer.json spiece.model`.",
    )


def _codec_shape(told: dict[str, Any]) -> dict[str, Any]:
    """The VAE's shape in diffusers' terms."""
    shape = told["ddconfig"]
    blocks = len(shape["ch_mult"])
    return {
        "in_channels": shape["in_channels"],
        "out_channels": shape["out_ch"],
        "block_out_channels": [shape["ch"] * factor for factor in shape["ch_mult"]],
        "down_block_types": ["DownEncoderBlock2D"] * blocks,
        "up_block_types": ["UpDecoderBlock2D"] * blocks,
        "layers_per_block": shape["num_res_blocks"],
        "latent_channels": shape["z_channels"],
        "scaling_factor": told["scale_factor"],
    }


def _codec(tensors: Tensors, told: dict[str, Any]) -> Tensors:
    """The VAE's tensors under diffusers' names; attention was written as convolutions of one pixel."""
    last = len(told["ddconfig"]["ch_mult"]) - 1
    renamed = {}
    for old, tensor in tensors.items():
        if not old.startswith(("encoder.", "decoder.", "quant_conv.", "post_quant_conv.")):
            continue
        name = re.sub(r"^decoder\.up\.(\d+)", lambda found: f"decoder.up.{last - int(found[1])}", old)
        for pattern, replacement in CODEC_NAMES:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor[:, :, 0, 0] if ".attentions." in name and tensor.dim() == 4 else tensor
    return renamed
