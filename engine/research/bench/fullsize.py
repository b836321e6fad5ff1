"""Networks in the published sizes with random weights: how long they take does not depend on what they have learnt.

Only what costs time is full size: the U-Net, the VAE, the vocoder. Text encoders, asked once per prompt, are small.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *LETTERS, "Ġ"]
WORDS = 512
"""Width of CLAP's text embeddings."""
STATES, SPELLED = 768, 1024
"""Widths of GPT-2's and of Flan-T5's vectors."""
HEADS = 8


def audioldm_s(folder: Path) -> None:
    """AudioLDM-S: a U-Net of 185 million parameters."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import ClapTextModelWithProjection

    widths = (128, 256, 384, 640)
    UNet2DConditionModel(
        **_unet(widths),
        cross_attention_dim=widths,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
        up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=WORDS,
        class_embeddings_concat=True,
    ).save_pretrained(folder / "unet")
    ClapTextModelWithProjection(_clap()).save_pretrained(folder / "text_encoder")
    _sound(folder, 0.9392935633659363)
    _named(folder, "AudioLDMPipeline")


def audioldm2(folder: Path) -> None:
    """AudioLDM 2: a U-Net of 347 million parameters."""
    from diffusers.pipelines.audioldm2.modeling_audioldm2 import AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel
    from transformers import (
        ClapTextModelWithProjection,
        GPT2Config,
        GPT2LMHeadModel,
        T5Config,
        T5EncoderModel,
        T5Tokenizer,
    )

    widths = (128, 256, 384, 640)
    AudioLDM2UNet2DConditionModel(
        **_unet(widths),
        cross_attention_dim=((None, STATES, SPELLED),) * 4,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
        up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
    ).save_pretrained(folder / "unet")
    ClapTextModelWithProjection(_clap()).save_pretrained(folder / "text_encoder")
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in ("▁", *LETTERS))]
    T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512).save_pretrained(folder / "tokenizer_2")
    T5EncoderModel(
        T5Config(vocab_size=32, d_model=SPELLED, d_ff=64, d_kv=8, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu")
    ).save_pretrained(folder / "text_encoder_2")
    AudioLDM2ProjectionModel(WORDS, SPELLED, STATES).save_pretrained(folder / "projection_model")
    gpt2 = GPT2Config(n_embd=STATES, n_layer=1, n_head=HEADS, vocab_size=8, n_positions=1024, max_new_tokens=8)
    GPT2LMHeadModel(gpt2).save_pretrained(folder / "language_model")
    _sound(folder, 0.4110932946205139)
    _named(folder, "AudioLDM2Pipeline")


FULL_SIZE: dict[str, Callable[[Path], None]] = {"audioldm": audioldm_s, "audioldm2": audioldm2}
"""By the key of the backbone that loads it: writes a checkpoint into a folder."""


def _unet(widths: tuple[int, ...]) -> dict[str, Any]:
    return {
        "sample_size": (256, 16),
        "in_channels": 8,
        "out_channels": 8,
        "block_out_channels": widths,
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "attention_head_dim": HEADS,
    }


def _clap() -> Any:
    from transformers import ClapTextConfig

    return ClapTextConfig(
        vocab_size=len(TOKENS),
        hidden_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
        projection_dim=WORDS,
    )


def _sound(folder: Path, factor: float) -> None:
    """VAE, vocoder, CLAP's tokenizer and the levels of noise."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from transformers import RobertaTokenizer, SpeechT5HifiGan, SpeechT5HifiGanConfig

    AutoencoderKL(
        in_channels=1,
        out_channels=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(128, 256, 512),
        latent_channels=8,
        layers_per_block=2,
        norm_num_groups=32,
        scaling_factor=factor,
    ).save_pretrained(folder / "vae")
    voice = SpeechT5HifiGanConfig(
        model_in_dim=64,
        sampling_rate=16_000,
        upsample_initial_channel=1024,
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        resblock_kernel_sizes=[3, 7, 11],
        resblock_dilation_sizes=[[1, 3, 5]] * 3,
        normalize_before=False,
    )
    SpeechT5HifiGan(voice).save_pretrained(folder / "vocoder")
    RobertaTokenizer(vocab={token: i for i, token in enumerate(TOKENS)}, merges=[], model_max_length=64).save_pretrained(
        folder / "tokenizer"
    )
    DDIMScheduler(
        beta_start=0.0015,
        beta_end=0.0195,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    ).save_pretrained(folder / "scheduler")


def _named(folder: Path, pipeline: str) -> None:
    (folder / "model_index.json").write_text(json.dumps({"_class_name": pipeline}), encoding="utf-8")
