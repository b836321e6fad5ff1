"""Tango and Tango 2: Stable Diffusion's U-Net on AudioLDM's codec, told what to hear by Flan-T5, answering in v."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from engine.backbones.base import Conditioning
from engine.backbones.checkpoint import fingerprint, opened
from engine.backbones.mel_latent import MelLatent
from engine.backbones.tango_published import arranged
from engine.backbones.words import alone, listed, padded
from engine.execution.plain import network_dtype

T5_WORDS = 512
"""Tokens of a prompt that T5 was trained on."""


class Tango(MelLatent):
    """Backbone: 16 kHz mono, 10.24 s windows, a lossy codec, prompts in free text (Ghosal et al. 2023, arXiv 2304.13731;
    Tango 2: Majumder et al. 2024, arXiv 2404.09956).

    The U-Net alone runs in `precision`: it is most of the work, and it is asked about noise anyway.
    """

    def __init__(self, device: torch.device, folder: Path, precision: torch.dtype | None = None) -> None:
        """Load the checkpoint in `folder`, as it was published or in diffusers' layout.

        `precision` is the U-Net's; left out, the fastest that the device computes in. Raises BadModel for a checkpoint
        that is incomplete or damaged, carries code, or was not made for this front end.
        """
        self.precision = precision or network_dtype(device)
        with opened("tango", folder, device, arranged) as checkpoint:
            from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
            from transformers import T5EncoderModel

            super().__init__(device, checkpoint.found)
            self.fingerprint = fingerprint(checkpoint.found, self.precision)
            self.schedule, self._to_epsilon = checkpoint.schedule()
            self._tokenizer = checkpoint.tokenizer("tokenizer")
            self._t5 = checkpoint.part(T5EncoderModel, "text_encoder")
            self._unet = checkpoint.part(UNet2DConditionModel, "unet", self.precision)
            self.hear(checkpoint)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """T5's vectors (prompts, L, 1024) and which of the L count. A bare string is one prompt.

        Raises BadRequest for a prompt of more than 512 tokens; the public code drops the rest in silence.
        """
        each = [alone(self._tokenizer, self._t5, prompt, T5_WORDS, self.name) for prompt in listed(prompts)]
        words, mask = padded(each)
        return Conditioning({"t5": words, "t5_mask": mask})

    @torch.no_grad()
    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 8, T / 4, 16), each item at its own level."""
        said = self._unet(
            latent.to(self.precision),
            levels.to(self.device),
            encoder_hidden_states=conditioning.tensors["t5"].to(self.precision),
            encoder_attention_mask=conditioning.tensors["t5_mask"],
        ).sample.float()
        return self._to_epsilon(said, latent, self.schedule.alpha_bar(levels))
