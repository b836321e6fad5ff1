"""What AudioLDM, AudioLDM 2 and Tango share, a VAE on AudioLDM's log-mel; and with Auffusion too, a HiFi-GAN for a voice."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from engine.backbones import mel
from engine.backbones.checkpoint import Checkpoint
from engine.backbones.peak import peak_gain
from engine.models.catalogue import InstalledModel
from host_bridge.errors import BadModel
from host_bridge.types import Samples


class VocoderMixin:
    """Of a backbone what its codec does not change: 16 kHz mono, 10.24 s windows of log-mel, a vocoder."""

    rate = mel.RATE
    channels = 1
    window = Samples(1024 * mel.HOP)
    lossless_codec = False
    default_steps = 50
    presence: tuple[float, float] | None = None

    PEAK: ClassVar[float]
    """Training windows had their mean removed and their peak brought to this."""

    _vocoder: Any

    def gain(self, audio: Tensor) -> Tensor:
        """Brings the peak to `PEAK`, as in training, where the mean does not count; silence stays as it is."""
        return peak_gain(audio, self.PEAK)

    def magnitude(self, features: Tensor) -> Tensor:
        """Log-mel -> mel magnitude; runaway guesses are held."""
        return mel.magnitude(features)

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """A factor on magnitudes is a sum on their logarithm; nothing falls below silence."""
        return mel.scale(features, gain)

    @torch.no_grad()
    def render(self, features: Tensor) -> Tensor:
        """Log-mel (B, 1, T, M) -> audio (B, 1, 160 T): the vocoder's, without samples that it adds at the end."""
        audio: Tensor = self._vocoder(features[:, 0])
        return audio[:, None, : features.shape[2] * mel.HOP]


class MelLatent(VocoderMixin):
    """The half of a backbone that knows sound, through a lossy codec. Subclasses add the half that knows words.

    Codec and vocoder stay in float32: the rounding of eight bits would be heard.
    """

    grid = mel.GRID
    frequency_axis = -1

    PEAK = 0.5

    STRIDE: ClassVar = Samples(mel.HOP * 32)
    """Windows are multiples of this: the VAE divides the frames by 4, the U-Net by 8."""

    def __init__(self, device: torch.device, found: InstalledModel) -> None:
        self.device = device
        self.batch = 1 if device.type == "cpu" else 16  # on a CPU more at once gains less than a tenth
        self.name, self.licence = found.weights.name, found.weights.licence

    def hear(self, checkpoint: Checkpoint) -> None:
        """Take VAE and vocoder from a checkpoint. Raises BadModel for one that was not made for this front end."""
        from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
        from transformers import SpeechT5HifiGan

        self._vae = checkpoint.part(AutoencoderKL, "vae")
        self._vocoder = checkpoint.part(SpeechT5HifiGan, "vocoder")
        self._factor = float(self._vae.config.scaling_factor)
        rate, bands = self._vocoder.config.sampling_rate, self._vocoder.config.model_in_dim
        if (rate, bands) != (mel.RATE, mel.MELS):
            raise BadModel(
                f"The model {self.name} is made for {rate} Hz and {bands} mel bands, not AudioLDM's 16000 Hz and 64.",
                "Choose another: `zerostem models list`.",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one window's latent: (8, T / 4, 16)."""
        halved = 2 ** (len(self._vae.config.block_out_channels) - 1)
        return (int(self._vae.config.latent_channels), self.window // mel.HOP // halved, mel.MELS // halved)

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, 1, N) -> log-mel (B, 1, N / 160, 64). Raises ValueError unless N is a multiple of `STRIDE`."""
        if audio.shape[-1] % self.STRIDE:
            raise ValueError(f"{audio.shape[-1]} samples are not a multiple of {self.STRIDE}")
        return mel.log_mel(audio[:, 0].to(self.device))[:, None]

    @torch.no_grad()  # not inference_mode: what comes out may be fitted to, as DGMO does
    def encode(self, features: Tensor) -> Tensor:
        """Log-mel (B, 1, T, 64) -> (B, 8, T / 4, 16): the mode of the posterior, scaled to the size of the noise."""
        modes: Tensor = self._vae.encode(features).latent_dist.mode()
        return modes * self._factor

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """(B, 8, T / 4, 16) -> log-mel (B, 1, T, 64)."""
        features: Tensor = self._vae.decode(latent / self._factor).sample
        return features
