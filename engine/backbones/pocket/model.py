"""Pocket as a backbone: the trained network, its prompt vectors and its codec behind the common protocol."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from engine.backbones import griffin_lim, mel
from engine.backbones.base import Conditioning
from engine.backbones.pocket.codec import CHANNELS, PatchCodec
from engine.backbones.pocket.network import FRAMES, MELS, SCHEDULE, unet
from engine.backbones.pocket.vocabulary import sources
from engine.execution.base import NetworkSpec
from engine.execution.fallback import FallbackRunner
from engine.execution.plain import default_for
from engine.models import fingerprints
from host_bridge.errors import BadModel
from host_bridge.types import Samples

FOLDER = Path(__file__).parent
LEVEL_DB = -25.0
"""RMS of a window as the network likes it: mixtures were trained at -30 to -20 dBFS."""
EXAMPLES = 16
"""Items in an example for whatever runs the network: half of a batch, since few are quick in other ways than many."""


class Pocket:
    """Backbone: 16 kHz mono, 2.56 s windows, a lossless codec, a closed vocabulary (see `vocabulary.NAMES`)."""

    name = "pocket"
    licence = "MIT"
    rate = mel.RATE
    channels = 1
    window = Samples(FRAMES * mel.HOP)
    schedule = SCHEDULE
    grid = mel.GRID
    lossless_codec = True
    frequency_axis = -1
    default_steps = 25
    batch = 32
    presence = (-0.008, -0.002)
    """Single windows of held-out mixes: of the sounds that are there 3 % score below the first and 30 % below the second, of
    those that are not 15 % and 75 %."""

    def __init__(self, device: torch.device, folder: Path = FOLDER) -> None:
        """Load `pocket.safetensors` and `pocket.json` from `folder`. Raises BadModel where they are missing or damaged."""
        self.device = device
        try:
            packed = (folder / "pocket.safetensors").read_bytes()
            told = (folder / "pocket.json").read_bytes()
            self.fingerprint = fingerprints.of_bytes(packed, told)
            tensors = {name: tensor.float().to(device) for name, tensor in load(packed).items()}
            self.sources: list[str] = json.loads(told)["sources"]
            self.vectors = tensors.pop("vectors")
            self.codec = PatchCodec(tensors.pop("codec.mean"), tensors.pop("codec.std"))
            self._tensors = tensors
            way, network_spec = default_for(device), self.network_spec
            self.run = FallbackRunner(way, way.prepare(network_spec), network_spec)
        except Exception as error:  # whatever is wrong with the file, the answer is the same
            raise BadModel(f"The embedded model in {folder} cannot be read ({error}).", "Install ZeroStem again.") from error

    def gain(self, audio: Tensor) -> Tensor:
        """Brings the RMS to `LEVEL_DB`; silence, 100 dB below full scale, stays as it is."""
        rms = audio.square().mean((1, 2)).sqrt()
        return torch.where(rms > 1e-5, 10 ** (LEVEL_DB / 20) / rms.clamp_min(1e-5), torch.ones_like(rms))

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, 1, N) -> log-mel (B, 1, N / 160, 64)."""
        return mel.log_mel(audio[:, 0])[:, None]

    def encode(self, features: Tensor) -> Tensor:
        """Log-mel -> (B, 32, T / 8, 16)."""
        return self.codec.encode(features)

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 32, T / 8, 16) -> log-mel."""
        return self.codec.decode(latent)

    def magnitude(self, features: Tensor) -> Tensor:
        """Log-mel -> mel magnitude; runaway guesses are held."""
        return mel.magnitude(features)

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """A factor on magnitudes is a sum on their logarithm; nothing falls below silence."""
        return mel.scale(features, gain)

    def render(self, features: Tensor) -> Tensor:
        """Log-mel (B, 1, T, 64) -> audio (B, 1, 160 T): pocket has no vocoder, so the phase is Griffin and Lim's."""
        return griffin_lim.render(self.magnitude(features)[:, 0])[:, None]

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """One vector per prompt: the sum of its sources' over the root of their number, as in training."""
        rows = []
        for prompt in prompts:
            known = [self.sources.index(source) for source in sources(prompt)]
            rows.append(self.vectors[known].sum(0) / max(len(known), 1) ** 0.5)
        return Conditioning({"vector": torch.stack(rows)})

    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """Epsilon for (B, 32, T / 8, 16)."""
        vectors = conditioning.tensors["vector"]
        return self.run({"sample": latent, "timestep": levels.to(self.device), "class_labels": vectors})

    @property
    def network_spec(self) -> NetworkSpec:
        """The U-Net, for whatever runs it."""
        count = EXAMPLES
        noise = torch.randn(count, CHANNELS, FRAMES // 8, MELS // 4, generator=torch.Generator().manual_seed(0))
        latent, told = noise.to(self.device), self.vectors[torch.arange(count) % len(self.vectors)]
        example = {"sample": latent, "timestep": latent.new_full((count,), 500.0), "class_labels": told}
        fixed = {"encoder_hidden_states": None}
        return NetworkSpec(self.name, self.fingerprint, self.device, self._network, example, fixed)

    def _network(self, dtype: torch.dtype) -> torch.nn.Module:
        network: torch.nn.Module = unet()
        network.load_state_dict(self._tensors)
        return torch.nn.Module.to(network, self.device, dtype)  # diffusers' own warns of what concerns only its largest models
