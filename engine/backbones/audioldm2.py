"""AudioLDM 2, in any of its sizes: AudioLDM's codec, and a U-Net that is told what to hear by GPT-2 and by T5."""

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
from engine.backbones.words import alone, listed, padded, refuse_long

STATES = 8
"""What GPT-2 says about a prompt: so many vectors, unless the checkpoint names another number."""

T5_WORDS = 512
"""Tokens of a prompt that T5 was trained on."""


class AudioLDM2(MelLatent, Networked):
    """Backbone: 16 kHz mono, 10.24 s windows, a lossy codec, prompts in free text (Liu et al. 2023, arXiv 2308.05734).

    A prompt goes through CLAP and Flan-T5; both, projected to one width, are the beginning that GPT-2 continues by eight
    vectors of its own. The U-Net attends to these and to T5's. It alone runs in `precision`.
    """

    def __init__(self, device: torch.device, folder: Path, precision: torch.dtype | None = None) -> None:
        """Load the checkpoint in `folder`, in diffusers' layout; its language model may be saved with a head or without.

        `precision` is the U-Net's; left out, the fastest that the device computes in. Raises BadModel for a checkpoint
        that is incomplete or damaged, or was not made for this front end (those made for speech are not).
        """
        with opened("audioldm2", folder, device) as checkpoint:
            from diffusers.pipelines.audioldm2.modeling_audioldm2 import AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel
            from transformers import ClapTextModelWithProjection, GPT2Model, T5EncoderModel

            super().__init__(device, checkpoint.found)
            self.fingerprint = checkpoint.found.fingerprint
            self.schedule, self._to_epsilon = checkpoint.schedule()
            self._states = int(checkpoint.settings("language_model/config.json").get("max_new_tokens") or STATES)
            self._clap_tokenizer, self._t5_tokenizer = checkpoint.tokenizer("tokenizer"), checkpoint.tokenizer("tokenizer_2")
            self._clap = checkpoint.part(ClapTextModelWithProjection, "text_encoder")
            self._t5 = checkpoint.part(T5EncoderModel, "text_encoder_2")
            self._projection = checkpoint.part(AudioLDM2ProjectionModel, "projection_model")
            self._gpt2 = checkpoint.part(GPT2Model, "language_model")
            self.other_heads = heads_by_width(checkpoint.settings("unet/config.json"))
            self.hear(checkpoint)
        self.bring("audioldm2", folder, precision, AudioLDM2UNet2DConditionModel)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """GPT-2's vectors (prompts, 8, 768), T5's (prompts, L, 1024) and which of the L count. A bare string is one prompt.

        Each prompt by itself: GPT-2's vectors change with the padding that a longer neighbour brings (by more than their own
        length on a random network). Raises BadRequest for a prompt that is too long for CLAP or T5.
        """
        states, words = zip(*(self._embedded(prompt) for prompt in listed(prompts)), strict=True)
        vectors, mask = padded(list(words))
        return Conditioning({"gpt2": torch.cat(states), "t5": vectors, "t5_mask": mask})

    def _embedded(self, prompt: str) -> tuple[Tensor, Tensor]:
        """GPT-2's vectors (1, 8, 768) and T5's (1, L, 1024) of one prompt."""
        tokens = self._clap_tokenizer([prompt], return_tensors="pt")
        most = self._clap.config.max_position_embeddings - self._clap.config.pad_token_id - 1
        refuse_long(prompt, tokens["input_ids"].shape[1], most, self.name)
        clap = normalize(self._clap(**tokens.to(self.device)).text_embeds, dim=-1)[:, None]
        words = alone(self._t5_tokenizer, self._t5, prompt, T5_WORDS, self.name)
        said = self._projection(hidden_states=clap, hidden_states_1=words).hidden_states
        for _ in range(self._states):  # each pass anew, without a cache: it is 8 passes over a sentence
            said = torch.cat([said, self._gpt2(inputs_embeds=said, use_cache=False).last_hidden_state[:, -1:]], 1)
        return said[:, -self._states :], words

    @torch.no_grad()
    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 8, T / 4, 16), each item at its own level."""
        said = self.run(self.asked(latent, levels, conditioning))
        return self._to_epsilon(said, latent, self.schedule.alpha_bar(levels))

    varying: ClassVar = {"encoder_hidden_states_1": (1,), "encoder_attention_mask_1": (1,)}

    def asked(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> dict[str, Tensor]:
        """The U-Net attends to both, in turns."""
        told = conditioning.tensors
        return {
            "sample": latent,
            "timestep": levels.float(),
            "encoder_hidden_states": told["gpt2"],
            "encoder_hidden_states_1": told["t5"],
            "encoder_attention_mask_1": told["t5_mask"],
        }
