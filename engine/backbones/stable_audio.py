"""Stable Audio Open: a transformer on the latents of a stereo waveform at 44.1 kHz, told what to hear by T5."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.backbones import mdct
from engine.backbones.base import Conditioning, epsilon_from_v
from engine.backbones.checkpoint import Checkpoint, open_checkpoint
from engine.backbones.network import NetworkBackbone
from engine.backbones.peak import peak_gain
from engine.backbones.prompts import as_list, refuse_long
from engine.backbones.schedules import Continuous
from host_bridge.types import Hertz, Samples

PEAK = 0.9
"""Trained on music and field recordings as they were published: near full scale."""


class StableAudio(NetworkBackbone):
    """Backbone: 44.1 kHz stereo, 47 s windows, a lossy codec, prompts in free text (Evans et al. 2024, arXiv 2407.14358).

    It has no mel: features are a lapped transform of the waveform, so that they can be masked, decoded and rendered without
    loss. Latents (B, 64, L, 1) have a frame per 2048 samples. The transformer alone runs in `precision`.
    """

    channels = 2
    lossless_codec = False
    frequency_axis = None
    default_steps = 100
    presence: tuple[float, float] | None = None

    def __init__(self, device: torch.device, folder: Path, precision: torch.dtype | None = None) -> None:
        """Load the checkpoint in `folder`, in diffusers' layout.

        `precision` is the transformer's; left out, the fastest that the device computes in. Raises BadModel for a checkpoint
        that is incomplete or damaged, or of another family.
        """
        self.device = device
        self.batch = 1 if device.type == "cpu" else 8
        with open_checkpoint("stable_audio", folder, device) as checkpoint:
            from diffusers.models.autoencoders.autoencoder_oobleck import AutoencoderOobleck
            from diffusers.models.transformers.stable_audio_transformer import StableAudioDiTModel
            from diffusers.pipelines.stable_audio.modeling_stable_audio import StableAudioProjectionModel
            from transformers import T5EncoderModel

            weights = checkpoint.found.weights
            self.name, self.licence = weights.name, weights.licence
            self.fingerprint = checkpoint.found.fingerprint
            told = checkpoint.settings("scheduler/scheduler_config.json")
            if (told["prediction_type"], told["sigma_data"]) != ("v_prediction", 1.0):
                raise ValueError("its scheduler is of another kind")
            self.schedule = Continuous(told["sigma_min"], told["sigma_max"])
            self._tokenizer = checkpoint.tokenizer("tokenizer")
            self._t5 = checkpoint.part(T5EncoderModel, "text_encoder")
            self._projection = checkpoint.part(StableAudioProjectionModel, "projection_model")
            self._vae = checkpoint.part(AutoencoderOobleck, "vae")
            if self._vae.config.audio_channels != self.channels:
                raise ValueError(f"it hears {self._vae.config.audio_channels} channels, not 2")
            told = checkpoint.settings("transformer/config.json")
            self._frames, self._latents = int(told["sample_size"]), int(told["in_channels"])
        self.rate = Hertz(int(self._vae.config.sampling_rate))
        self.hop = int(self._vae.hop_length)
        self.window = Samples(self._frames * self.hop)
        self.grid = mdct.grid(self.rate)
        self.attach_network("stable_audio", folder, precision, StableAudioDiTModel, "transformer", wrap=_Levelled)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one window's latent: (64, L, 1)."""
        return (self._latents, self._frames, 1)

    def gain(self, audio: Tensor) -> Tensor:
        """Brings the peak of both channels together to `PEAK`; silence stays as it is."""
        return peak_gain(audio, PEAK)

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, 2, N) -> (B, 2, N / 1024, 1024) signed coefficients. Raises ValueError unless the codec takes N samples."""
        if audio.shape[-1] % self.hop or audio.shape[-1] % mdct.SIZE:
            raise ValueError(f"{audio.shape[-1]} samples are not a multiple of {self.hop} and {mdct.SIZE}")
        return mdct.analyse(audio.to(self.device))

    @torch.no_grad()
    def encode(self, features: Tensor) -> Tensor:
        """Coefficients -> (B, 64, L, 1): the mode of the posterior. It has the size of the noise as it is."""
        modes: Tensor = self._vae.encode(mdct.synthesise(features)).latent_dist.mode()
        return modes[..., None]

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """(B, 64, L, 1) -> coefficients of the decoded waveform."""
        return mdct.analyse(self._vae.decode(latent[..., 0]).sample)

    def magnitude(self, features: Tensor) -> Tensor:
        """The coefficients' pseudo-spectrum."""
        return mdct.magnitude(features)

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """A factor on coefficients. Magnitudes follow exactly where it is the same for neighbouring bands."""
        return features * gain

    def render(self, features: Tensor) -> Tensor:
        """Coefficients -> audio (B, 2, 1024 T), without a vocoder and without loss."""
        return mdct.synthesise(features)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """Word vectors with the window's start and end behind them (prompts, 130, 768), and both (prompts, 1, 1536).

        The null prompt has zeros for words, as in the public code. A bare string is one prompt. Raises BadRequest for a
        prompt of more than 128 tokens.
        """
        most = self._tokenizer.model_max_length
        ends = [torch.tensor([seconds], device=self.device) for seconds in (0.0, self.window / self.rate)]
        times = self._projection(start_seconds=ends[0], end_seconds=ends[1])
        start, end = times.seconds_start_hidden_states, times.seconds_end_hidden_states
        rows = []
        for prompt in as_list(prompts):
            refuse_long(prompt, len(self._tokenizer(prompt, verbose=False)["input_ids"]), most, self.name)
            tokens = self._tokenizer([prompt], padding="max_length", max_length=most, return_tensors="pt").to(self.device)
            mask = tokens["attention_mask"]
            vectors = self._projection(text_hidden_states=self._t5(tokens["input_ids"], mask)[0]).text_hidden_states
            row = torch.cat([vectors * mask[..., None], start, end], 1)
            rows.append(row if prompt else torch.zeros_like(row))
        return Conditioning({"words": torch.cat(rows), "times": torch.cat([start, end], 2).repeat(len(rows), 1, 1)})

    @torch.no_grad()
    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 64, L, 1), each item at its own t."""
        said = self.run(self.network_inputs(latent, levels, conditioning))
        return epsilon_from_v(said[..., None], latent, self.schedule.alpha_bar(levels))

    def network_inputs(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> dict[str, Tensor]:
        """The transformer attends to the words, and is told the times with the level."""
        told = conditioning.tensors
        words = {"encoder_hidden_states": told["words"], "global_hidden_states": told["times"]}
        return {"hidden_states": latent[..., 0], "timestep": levels.float(), **words}


class _Levelled(nn.Module):
    """The transformer, told its level in float32 and the places of its frames.

    bfloat16's numbers below 1 are 1/256 apart, so that it cannot tell the upper levels from each other.
    """

    def __init__(self, checkpoint: Checkpoint, transformer: Any, dtype: torch.dtype) -> None:
        from diffusers.models.embeddings import get_1d_rotary_pos_embed

        super().__init__()
        self._told, self._turn = [checkpoint.keep(transformer.time_proj)], get_1d_rotary_pos_embed
        # in a list no cast reaches it, and it goes to the device by itself
        transformer.time_proj = nn.Identity()
        self.transformer = nn.Module.to(transformer, dtype)
        self._width = transformer.config.attention_head_dim // 2

    def forward(self, hidden_states: Tensor, timestep: Tensor, **words: Any) -> Any:
        """As the transformer's own."""
        turn = self._turn(self._width, hidden_states.shape[2] + 1, use_real=True, repeat_interleave_real=False)
        places = tuple(each.to(hidden_states.device) for each in turn)
        return self.transformer(hidden_states, self._told[0](timestep), rotary_embedding=places, **words)
