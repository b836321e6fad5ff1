"""Tango and Tango 2: Stable Diffusion's U-Net on AudioLDM's codec, told what to hear by Flan-T5, answering in v."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from engine.backbones.base import Conditioning
from engine.backbones.checkpoint import open_checkpoint
from engine.backbones.mel_latent import MelLatent
from engine.backbones.network import NetworkBackbone
from engine.backbones.prompts import as_list, encode_alone, pad_rows
from engine.backbones.tango_convert import prepare_folder

T5_WORDS = 512
"""Tokens of a prompt that T5 was trained on."""


class Tango(MelLatent, NetworkBackbone):
    """Backbone: 16 kHz mono, 10.24 s windows, a lossy codec, prompts in free text (Ghosal et al. 2023, arXiv 2304.13731;
    Tango 2: Majumder et al. 2024, arXiv 2404.09956).

    The U-Net alone runs in `precision`: it is most of the work, and it is asked about noise anyway.
    """

    def __init__(self, device: torch.device, folder: Path, precision: torch.dtype | None = None) -> None:
        """Load the checkpoint in `folder`, as it was published or in diffusers' layout.

        `precision` is the U-Net's; left out, the fastest that the device computes in. Raises BadModel for a checkpoint
        that is incomplete or damaged, carries code, or was not made for this front end.
        """
        with open_checkpoint("tango", folder, device, prepare_folder) as checkpoint:
            from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
            from transformers import T5EncoderModel

            super().__init__(device, checkpoint.found)
            self.fingerprint = checkpoint.found.fingerprint
            self.schedule, self._to_epsilon = checkpoint.schedule()
            self._tokenizer = checkpoint.tokenizer("tokenizer")
            self._t5 = checkpoint.part(T5EncoderModel, "text_encoder")
            self.hear(checkpoint)
        self.attach_network("tango", folder, precision, UNet2DConditionModel, prepare_folder=prepare_folder)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """T5's vectors (prompts, L, 1024) and which of the L count. A bare string is one prompt.

        Raises BadRequest for a prompt of more than 512 tokens; the public code drops the rest in silence.
        """
        each = [encode_alone(self._tokenizer, self._t5, prompt, T5_WORDS, self.name) for prompt in as_list(prompts)]
        words, mask = pad_rows(each)
        return Conditioning({"t5": words, "t5_mask": mask})

    @torch.no_grad()
    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 8, T / 4, 16), each item at its own level."""
        said = self.run(self.network_inputs(latent, levels, conditioning))
        return self._to_epsilon(said, latent, self.schedule.alpha_bar(levels))

    varying: ClassVar = {"encoder_hidden_states": (1,), "encoder_attention_mask": (1,)}

    def network_inputs(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> dict[str, Tensor]:
        """The U-Net attends to the words that count."""
        told = conditioning.tensors
        words = {"encoder_hidden_states": told["t5"], "encoder_attention_mask": told["t5_mask"]}
        return {"sample": latent, "timestep": levels.float(), **words}
