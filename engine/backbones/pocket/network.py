"""The denoiser: a small U-Net that is told what to hear by one 64-dimensional vector."""

from typing import Any

from engine.backbones.pocket.codec import CHANNELS
from engine.backbones.schedules import scaled_linear

PROMPT_WIDTH = 64
"""Of the prompt vector. The null prompt is the zero vector; several sources are their sum over the root of their number."""

FRAMES, MELS = 256, 64
"""One window of log-mel: 2.56 s."""

SCHEDULE = scaled_linear(0.0015, 0.0195)
"""AudioLDM's; the network predicts epsilon."""


def unet(channels: tuple[int, ...] = (64, 128, 192)) -> Any:
    """A fresh `UNet2DConditionModel`; called with (B, 32, T / 8, 16), steps (B,) and `class_labels=` prompt vectors (B, 64)."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=(FRAMES // 8, MELS // 4),
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        block_out_channels=channels,
        layers_per_block=1,
        norm_num_groups=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=channels,
        attention_head_dim=tuple(width // 32 for width in channels),
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=PROMPT_WIDTH,
        class_embeddings_concat=True,
    )
