"""Auffusion: Stable Diffusion on log-mel as a picture, told what to hear by CLIP, with a HiFi-GAN of its own."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, linear, pad

from engine.backbones import mel
from engine.backbones.base import Conditioning, Grid
from engine.backbones.checkpoint import Checkpoint, opened, refuse_unexpected
from engine.backbones.mel_latent import Voiced
from engine.backbones.network import Networked
from engine.backbones.published import Tensors, hifi_gan, unpickled
from engine.backbones.words import listed, refuse_long
from host_bridge.errors import BadModel
from host_bridge.vocabulary import Samples

BANDS, TRANSFORM = 256, 2048
"""Mel bands, and the size of the Fourier transform below them (the window is as long as AudioLDM's)."""

LOUDEST = float(np.log(200.0))
"""Log-mel of white; black is silence."""

WORDS = 77
"""Word vectors of a prompt, always as many."""

STRIDE = Samples(mel.HOP * 64)
"""Windows are multiples of this: VAE and U-Net divide the frames by 8 each."""

ADAPTER = "condition_adapter_0"


class Auffusion(Voiced, Networked):
    """Backbone: 16 kHz mono, 10.24 s windows, a lossy codec, prompts in free text (Xue et al. 2024, arXiv 2401.01044).

    Latents are (B, 4, 32, T / 8): the picture's height is frequency, its width is time. The U-Net alone runs in `precision`.
    """

    grid = Grid(hop=mel.HOP, first=mel.HOP / 2, bands=BANDS, spread=partial(mel.spread, bands=BANDS))
    rising = None

    PEAK = 0.95

    def __init__(self, device: torch.device, folder: Path, precision: torch.dtype | None = None) -> None:
        """Load the checkpoint in `folder`, as it was published: with an adapter behind CLIP, or without.

        `precision` is the U-Net's; left out, the fastest that the device computes in. Raises BadModel for a checkpoint
        that is incomplete or damaged, carries code, or was not made for this front end.
        """
        self.device = device
        self.batch = 1 if device.type == "cpu" else 8
        with opened("auffusion", folder, device) as checkpoint:
            from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
            from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
            from transformers import CLIPTextModel

            weights = checkpoint.found.weights
            self.name, self.licence = weights.name, weights.licence
            self.fingerprint = checkpoint.found.fingerprint
            self.schedule, self._to_epsilon = checkpoint.schedule()
            self._adapter = _adapter(checkpoint, device)
            words = ("text_encoder", "tokenizer") if self._adapter is None else ("text_encoder_0", "text_encoder_0")
            self._clip, self._tokenizer = checkpoint.part(CLIPTextModel, words[0]), checkpoint.tokenizer(words[1])
            self._vae = checkpoint.part(AutoencoderKL, "vae")
            self._vocoder = _vocoder(checkpoint)
            self._factor = float(self._vae.config.scaling_factor)
        rate, bands = self._vocoder.config.sampling_rate, self._vocoder.config.model_in_dim
        if (rate, bands, self._vae.config.in_channels) != (mel.RATE, BANDS, 3):
            raise BadModel(
                f"The model {self.name} is made for {rate} Hz and {bands} mel bands, not Auffusion's 16000 Hz and 256.",
                "Choose another: `zerostem models list`.",
            )
        self.bring("auffusion", folder, precision, UNet2DConditionModel)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one window's latent: (4, 32, T / 8)."""
        return (int(self._vae.config.latent_channels), BANDS // 8, self.window // mel.HOP // 8)

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, 1, N) -> log-mel (B, 1, N / 160, 256). Raises ValueError unless N is a multiple of `STRIDE`."""
        if audio.shape[-1] % STRIDE:
            raise ValueError(f"{audio.shape[-1]} samples are not a multiple of {STRIDE}")
        return mel.log_mel(audio[:, 0].to(self.device), TRANSFORM, BANDS)[:, None]

    @torch.no_grad()
    def encode(self, features: Tensor) -> Tensor:
        """Log-mel (B, 1, T, 256) -> (B, 4, 32, T / 8): a grey picture, low frequencies at its foot, -1 for silence."""
        grey = (features.clamp(mel.SILENCE, LOUDEST) - mel.SILENCE) / (LOUDEST - mel.SILENCE)
        picture = (2 * grey - 1).transpose(2, 3).flip(2).expand(-1, 3, -1, -1)
        modes: Tensor = self._vae.encode(picture).latent_dist.mode()
        return modes * self._factor

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """(B, 4, 32, T / 8) -> log-mel (B, 1, T, 256), from the picture's first colour as the public code does."""
        picture: Tensor = self._vae.decode(latent / self._factor).sample[:, :1]
        grey = (picture / 2 + 0.5).clamp(0, 1)
        return grey.flip(2).transpose(2, 3) * (LOUDEST - mel.SILENCE) + mel.SILENCE

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """CLIP's word vectors (prompts, 77, 768). A bare string is one prompt.

        With an adapter: the words' own vectors, zeros behind them, through the adapter; the null prompt is all zeros. Without
        one, as in Stable Diffusion. Raises BadRequest for a prompt of more than 77 tokens.
        """
        return Conditioning({"clip": torch.cat([self._embedded(prompt) for prompt in listed(prompts)])})

    def _embedded(self, prompt: str) -> Tensor:
        """The vectors (1, 77, 768) of one prompt."""
        tokens = self._tokenizer([prompt], return_tensors="pt", verbose=False)
        refuse_long(prompt, tokens["input_ids"].shape[1], WORDS, self.name)
        if self._adapter is None:
            filled = self._tokenizer([prompt], padding="max_length", max_length=WORDS, return_tensors="pt")
            plain: Tensor = self._clip(filled["input_ids"].to(self.device)).last_hidden_state
            return plain
        vectors: Tensor = self._clip(tokens["input_ids"].to(self.device)).last_hidden_state
        adapted = linear(
            pad(vectors, (0, 0, 0, WORDS - vectors.shape[1])), self._adapter["proj.weight"], self._adapter["proj.bias"]
        )
        width = adapted.shape[-1:]
        told = layer_norm(adapted, width, self._adapter["norm.weight"], self._adapter["norm.bias"])
        return told if prompt else torch.zeros_like(told)

    @torch.no_grad()
    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 4, 32, T / 8), each item at its own level."""
        said = self.run(self.asked(latent, levels, conditioning))
        return self._to_epsilon(said, latent, self.schedule.alpha_bar(levels))

    def asked(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> dict[str, Tensor]:
        """The U-Net attends to the words."""
        return {"sample": latent, "timestep": levels.float(), "encoder_hidden_states": conditioning.tensors["clip"]}


def _adapter(checkpoint: Checkpoint, device: torch.device) -> Tensors | None:
    """A linear layer and a normalisation between CLIP and the U-Net, where the checkpoint has one."""
    file = checkpoint.folder / ADAPTER / "condition_adapter.pt"
    if not file.is_file():
        return None
    tensors: Tensors = unpickled(file)
    names = ("proj.weight", "proj.bias", "norm.weight", "norm.bias")
    if lost := [name for name in names if name not in tensors]:
        raise ValueError(f"{ADAPTER} has no {', '.join(lost)}")
    refuse_unexpected(ADAPTER, tensors.keys() - set(names))
    return {name: tensor.float().to(device) for name, tensor in tensors.items()}


def _vocoder(checkpoint: Checkpoint) -> Any:
    """The HiFi-GAN: as the authors saved it, or as transformers does."""
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    file = checkpoint.folder / "vocoder" / "vocoder.pt"
    if not file.is_file():
        return checkpoint.part(SpeechT5HifiGan, "vocoder")
    told = checkpoint.settings("vocoder/config.json")
    if str(told["resblock"]) != "1":
        raise ValueError("vocoder has blocks of another kind")
    names = ("upsample_initial_channel", "upsample_rates", "upsample_kernel_sizes", "resblock_kernel_sizes")
    shape = {name: told[name] for name in (*names, "resblock_dilation_sizes", "sampling_rate")}
    config = SpeechT5HifiGanConfig(model_in_dim=told["num_mels"], normalize_before=False, **shape)
    made = SpeechT5HifiGan(config)
    made.load_state_dict(hifi_gan(unpickled(file)["generator"]))
    for layer, stride, size in zip(made.upsampler, config.upsample_rates, config.upsample_kernel_sizes, strict=True):
        if (size - stride) % 2:  # the authors cut one sample more in front, so that no stage adds any
            layer.padding, layer.output_padding = ((size - stride) // 2 + 1,), (1,)
    return checkpoint.keep(made)
