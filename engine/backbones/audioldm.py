"""AudioLDM, in any of its sizes, and MusicLDM: a U-Net on the VAE latents of log-mel, told what to hear by CLAP's embedding."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.backbones.base import Conditioning
from engine.backbones.checkpoint import opened
from engine.backbones.mel_latent import MelLatent
from engine.backbones.network import Networked, heads_by_width
from engine.backbones.words import listed, refuse_long


class AudioLDM(MelLatent, Networked):
    """Backbone: 16 kHz mono, 10.24 s windows, a lossy codec, prompts in free text (Liu et al. 2023, arXiv 2301.12503).

    MusicLDM (Chen et al. 2023, arXiv 2308.01546) is the same network, with the whole of CLAP in its checkpoint. The U-Net alone
    runs in `precision`: it is most of the work, and it is asked about noise anyway.
    """

    def __init__(self, device: torch.device, folder: Path, precision: torch.dtype | None = None) -> None:
        """Load the checkpoint in `folder`, in diffusers' layout with `.safetensors` or with the `.bin` files of 2023.

        `precision` is the U-Net's; left out, the fastest that the device computes in. Raises BadModel for a checkpoint
        that is incomplete or damaged, or was not made for this front end.
        """
        with opened("audioldm", folder, device) as checkpoint:
            from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
            from transformers import ClapTextModelWithProjection

            super().__init__(device, checkpoint.found)
            self.fingerprint = checkpoint.found.fingerprint
            self.schedule, self._to_epsilon = checkpoint.schedule()
            self._tokenizer = checkpoint.tokenizer("tokenizer")
            self._text = checkpoint.part(ClapTextModelWithProjection, "text_encoder")
            self.other_heads = heads_by_width(checkpoint.settings("unet/config.json"))
            self.hear(checkpoint)
        self.bring("audioldm", folder, precision, UNet2DConditionModel)

    fixed: ClassVar = {"encoder_hidden_states": None}

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """CLAP's text embeddings (prompts, 512), of length 1 as in training. A bare string is one prompt.

        Raises BadRequest for a prompt with more words than CLAP can take in; the public code drops the rest in silence.
        """
        prompts = listed(prompts)
        tokens = self._tokenizer(prompts, padding=True, return_tensors="pt")
        most = self._text.config.max_position_embeddings - self._text.config.pad_token_id - 1
        for prompt, used in zip(prompts, tokens["attention_mask"].sum(1), strict=True):
            refuse_long(prompt, int(used), most, self.name)
        embedded: Tensor = self._text(**tokens.to(self.device)).text_embeds
        return Conditioning({"clap": normalize(embedded, dim=-1)})

    @torch.no_grad()
    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 8, T / 4, 16), each item at its own level."""
        said = self.run(self.asked(latent, levels, conditioning))
        return self._to_epsilon(said, latent, self.schedule.alpha_bar(levels))

    def asked(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> dict[str, Tensor]:
        """The U-Net takes CLAP's embedding for a class."""
        return {"sample": latent, "timestep": levels.float(), "class_labels": conditioning.tensors["clap"]}
