"""AudioLDM, in any of its sizes: a U-Net on the VAE latents of log-mel, told what to hear by CLAP's text embedding."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from engine.backbones import mel
from engine.backbones.base import Conditioning, epsilon_from_v
from engine.backbones.schedules import TRAINING_STEPS, Discrete, scaled_linear
from engine.execution.plain import network_dtype
from engine.weights import Found, at
from host_bridge.errors import BadModel, BadRequest
from host_bridge.vocabulary import Samples

PEAK = 0.5
"""Training windows had their mean removed and their peak brought to this."""

SILENCE = 1e-5
"""A window with no larger sample lies below the floor of its own log-mel: silence, not to be blown up."""

STRIDE = Samples(mel.HOP * 32)
"""Windows are multiples of this: the VAE divides the frames by 4, the U-Net by 8."""


def linear(first: float, last: float) -> Discrete:
    """Betas that rise evenly from `first` to `last`."""
    return Discrete((1 - torch.linspace(first, last, TRAINING_STEPS, dtype=torch.float64)).cumprod(0))


SCHEDULES: dict[str, Callable[[float, float], Discrete]] = {"scaled_linear": scaled_linear, "linear": linear}
"""A scheduler's `beta_schedule` -> the schedule between its `beta_start` and `beta_end`."""

TO_EPSILON: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "epsilon": lambda said, _latent, _alpha_bar: said,
    "v_prediction": epsilon_from_v,
}
"""A scheduler's `prediction_type` -> epsilon, from what the network said, the latent and alpha-bar."""


class AudioLDM:
    """Backbone: 16 kHz mono, 10.24 s windows, a lossy codec, prompts in free text (Liu et al. 2023, arXiv 2301.12503).

    The U-Net alone runs in `precision`: it is most of the work, and it is asked about noise anyway. The codec and the
    vocoder stay in float32: the rounding of eight bits would be heard.
    """

    rate = mel.RATE
    channels = 1
    window = Samples(1024 * mel.HOP)
    grid = mel.GRID
    exact_codec = False
    default_steps = 50
    presence: tuple[float, float] | None = None

    def __init__(self, device: torch.device, folder: Path, precision: torch.dtype | None = None) -> None:
        """Load the checkpoint in `folder`, in diffusers' layout with `.safetensors` or with the `.bin` files of 2023.

        `precision` is the U-Net's; left out, the fastest that the device computes in. Raises BadModel for a checkpoint
        that is incomplete or damaged, or was not made for this front end.
        """
        found = at(folder)
        self.device = device
        self.batch = 1 if device.type == "cpu" else 16  # on a CPU more at once gains less than a tenth
        self.precision = precision or network_dtype(device)
        self.name, self.licence = found.weights.name, found.weights.licence
        self.fingerprint = f"{found.fingerprint}-{str(self.precision).removeprefix('torch.')}"
        try:
            scheduler = json.loads((found.folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
            self.schedule = SCHEDULES[scheduler["beta_schedule"]](scheduler["beta_start"], scheduler["beta_end"])
            self._to_epsilon = TO_EPSILON[scheduler.get("prediction_type", "epsilon")]  # not written down before 2023
            parts = _load(found, self.precision)
        except Exception as error:  # whatever is wrong inside, the answer is the same
            raise BadModel(
                f"The model {self.name} in {folder} cannot be loaded ({type(error).__name__}: {error}).",
                "Fetch or copy the whole checkpoint again.",
            ) from error
        self._tokenizer, self._text, self._vae, self._unet, self._vocoder = parts
        rate, bands = self._vocoder.config.sampling_rate, self._vocoder.config.model_in_dim
        if (rate, bands) != (mel.RATE, mel.MELS):
            raise BadModel(
                f"The model {self.name} is made for {rate} Hz and {bands} mel bands, not AudioLDM's 16000 Hz and 64.",
                "Choose another: `zerostem models list`.",
            )
        self._factor = float(self._vae.config.scaling_factor)
        for network in (self._text, self._vae, self._unet, self._vocoder):
            network.eval().requires_grad_(requires_grad=False).to(device)

    def gain(self, audio: Tensor) -> Tensor:
        """Brings the peak to `PEAK`, as in training, where the mean does not count; silence stays as it is."""
        peak = (audio - audio.mean(-1, keepdim=True)).abs().amax((1, 2))
        return torch.where(peak > SILENCE, PEAK / peak.clamp_min(SILENCE), torch.ones_like(peak))

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, 1, N) -> log-mel (B, 1, N / 160, 64). Raises ValueError unless N is a multiple of `STRIDE`."""
        if audio.shape[-1] % STRIDE:
            raise ValueError(f"{audio.shape[-1]} samples are not a multiple of {STRIDE}")
        return mel.log_mel(audio[:, 0].to(self.device))[:, None]

    @torch.no_grad()  # not inference_mode: what comes out may be fitted to, as DGMO does
    def encode(self, features: Tensor) -> Tensor:
        """Log-mel (B, 1, T, 64) -> (B, 8, T / 4, 16): the mode of the posterior, scaled to the size of the noise."""
        modes = [self._vae.encode(some).latent_dist.mode() for some in features.split(self.batch)]
        return torch.cat(modes) * self._factor

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """(B, 8, T / 4, 16) -> log-mel (B, 1, T, 64)."""
        return torch.cat([self._vae.decode(some).sample for some in (latent / self._factor).split(self.batch)])

    def magnitude(self, features: Tensor) -> Tensor:
        """Log-mel -> mel magnitude; runaway guesses are held."""
        return mel.magnitude(features)

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """A factor on magnitudes is a sum on their logarithm; nothing falls below silence."""
        return mel.scale(features, gain)

    @torch.no_grad()
    def render(self, features: Tensor) -> Tensor:
        """Log-mel (B, 1, T, 64) -> audio (B, 1, 160 T): the vocoder's, without the 32 samples it adds at the end."""
        audio = torch.cat([self._vocoder(some[:, 0]) for some in features.split(self.batch)])
        return audio[:, None, : features.shape[2] * mel.HOP]

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """CLAP's text embeddings (prompts, 512), of length 1 as in training. A bare string is one prompt.

        Raises BadRequest for a prompt with more words than CLAP can take in; the public code drops the rest in silence.
        """
        prompts = [prompts] if isinstance(prompts, str) else list(prompts)
        tokens = self._tokenizer(prompts, padding=True, return_tensors="pt")
        most = self._text.config.max_position_embeddings - self._text.config.pad_token_id - 1
        for prompt, used in zip(prompts, tokens["attention_mask"].sum(1), strict=True):
            if used > most:
                raise BadRequest(f'The prompt "{prompt[:40]}..." is too long for {self.name}.', "Say it in a sentence.")
        embedded: Tensor = self._text(**tokens.to(self.device)).text_embeds
        return Conditioning({"clap": normalize(embedded, dim=-1)})

    @torch.no_grad()
    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 8, T / 4, 16), each item at its own level."""
        x, words = latent.to(self.precision), conditioning.tensors["clap"].to(self.precision)
        said = self._unet(x, levels.to(self.device), encoder_hidden_states=None, class_labels=words).sample.float()
        return self._to_epsilon(said, latent, self.schedule.alpha_bar(levels))


def _load(found: Found, precision: torch.dtype) -> tuple[Any, ...]:
    """Tokenizer, text encoder, VAE, U-Net and vocoder, on the CPU; the U-Net in `precision`, the others in float32.

    Both kinds of file are mapped from disk, and cast tensor by tensor. The libraries unpickle `.bin` files with
    weights_only, so a checkpoint cannot run code.
    """
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import AutoTokenizer, ClapTextModelWithProjection, SpeechT5HifiGan

    def part(kind: Any, name: str, dtype: torch.dtype = torch.float32) -> Any:
        safe = any(Path(file).parent.name == name and file.endswith(".safetensors") for file in found.files)
        how = {"local_files_only": True, "use_safetensors": safe, "torch_dtype": dtype, "output_loading_info": True}
        made, report = kind.from_pretrained(found.folder / name, **how)
        made_up = sorted({key for key, _ in made.named_parameters()} & set(report["missing_keys"]))
        if made_up:  # the libraries filled these with random numbers; buffers they can work out
            raise ValueError(f"{name} has no {', '.join(made_up[:3])}")
        return made

    with _hushed():
        return (
            AutoTokenizer.from_pretrained(found.folder / "tokenizer", local_files_only=True),
            part(ClapTextModelWithProjection, "text_encoder"),
            part(AutoencoderKL, "vae"),
            part(UNet2DConditionModel, "unet", precision),
            part(SpeechT5HifiGan, "vocoder"),
        )


@contextmanager
def _hushed() -> Iterator[None]:
    """transformers, without its bars and tables: what matters of them is raised."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
