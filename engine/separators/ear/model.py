"""The ear as a separator: the trained network, its prompt vectors and its bands behind the common protocol."""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from engine.backbones import mel
from engine.backbones.base import Conditioning
from engine.backbones.pocket.codec import BANDS as PATCH_BANDS
from engine.backbones.pocket.codec import CHANNELS, TIME, PatchCodec
from engine.backbones.pocket.network import unet
from engine.execution.base import NetworkSpec
from engine.execution.fallback import FallbackRunner
from engine.execution.plain import default_for
from engine.models import fingerprints, instruments
from engine.separators.ear import bands
from engine.separators.ear.network import OFFSET, STEEP, STEP
from host_bridge.errors import BadModel

FOLDER = Path(__file__).parent
LEVEL_DB = -25.0
"""RMS of a window as the network was trained to hear it."""
EXAMPLES = 16
"""Items in an example for whatever runs the network."""


class Ear:
    """Trained separator: 32 kHz mono, 2.56 s windows, masks to 16 kHz, closed vocabulary (see `engine.models.instruments`)."""

    name = "ear"
    licence = "MIT"
    rate = bands.RATE
    channels = 1
    window = bands.WINDOW
    grid = bands.GRID
    batch = 32
    presence: tuple[float, float] | None = (-45.0, -12.0)
    """Single windows of 96 held-out mixes: of the sounds that are there 3 % lie below the first and 30 % below the second, of
    those that are not 9 % and 72 %."""

    def __init__(self, device: torch.device, folder: Path = FOLDER) -> None:
        """Load `ear.safetensors` and `ear.json` from `folder`. Raises BadModel where they are missing or damaged."""
        self.device = device
        try:
            packed = (folder / "ear.safetensors").read_bytes()
            described = (folder / "ear.json").read_bytes()
            self.fingerprint = fingerprints.of_bytes(described, packed)
            tensors = {name: tensor.float().to(device) for name, tensor in load(packed).items()}
            told = json.loads(described)
            self.sources: list[str] = told["sources"]
            self.heard: int = told.get("bands", bands.BANDS)
            self.vectors = tensors.pop("vectors")
            self.codec = PatchCodec(tensors.pop("mean"), tensors.pop("std"))
            self._tensors = {name.removeprefix("net."): tensor for name, tensor in tensors.items()}
            way, network_spec = default_for(device), self.network_spec
            self.run = FallbackRunner(way, way.prepare(network_spec), network_spec)
        except Exception as error:  # whatever is wrong with the file, the answer is the same
            raise BadModel(
                f"The embedded separator in {folder} cannot be read ({error}).", "Install ZeroStem again."
            ) from error

    def gain(self, audio: Tensor) -> Tensor:
        """Brings the RMS to `LEVEL_DB`; silence, 100 dB below full scale, stays as it is."""
        rms = audio.square().mean((1, 2)).sqrt()
        return torch.where(rms > 1e-5, 10 ** (LEVEL_DB / 20) / rms.clamp_min(1e-5), torch.ones_like(rms))

    def analyse(self, audio: Tensor) -> Tensor:
        """(B, 1, N) -> log-mel (B, 1, N / 320, 80)."""
        return bands.log_mel(bands.spectrum(audio[:, 0]))[:, None]

    def magnitude(self, features: Tensor) -> Tensor:
        """Log-mel -> mel magnitude."""
        return mel.magnitude(features)

    def scale(self, features: Tensor, gain: Tensor) -> Tensor:
        """A factor on magnitudes is a sum on their logarithm; nothing falls below silence."""
        return mel.scale(features, gain)

    def embed(self, prompts: Sequence[str]) -> Conditioning:
        """One vector per prompt: the sum of its sources' over the root of their number; "" is the zero vector."""
        rows = []
        for prompt in prompts:
            known = [self.sources.index(source) for source in instruments.sources(prompt, self.sources)]
            rows.append(self.vectors[known].sum(0) / max(len(known), 1) ** 0.5)
        return Conditioning({"vector": torch.stack(rows)})

    def masks(self, features: Tensor, prompts: Conditioning) -> Tensor:
        """(B, 1, T, 80) and B rows -> masks (B, 1, T, 80). Bands that the network does not hear follow its highest ones."""
        latent = self.codec.encode(features[..., : self.heard])
        steps = torch.full((len(latent),), float(STEP), device=latent.device)
        told = self.run({"sample": latent, "timestep": steps, "class_labels": prompts.tensors["vector"].to(latent.device)})
        masks = torch.sigmoid(PatchCodec.untransform(told) * STEEP + OFFSET)
        deaf = features.shape[-1] - self.heard
        return torch.cat([masks, masks[..., -bands.TOP :].mean(-1, keepdim=True).expand(*masks.shape[:-1], deaf)], -1)

    @cached_property
    def network_spec(self) -> NetworkSpec:
        """The U-Net, for whatever runs it."""
        shape = (EXAMPLES, CHANNELS, bands.FRAMES // TIME, self.heard // PATCH_BANDS)
        latent = torch.randn(*shape, generator=torch.Generator().manual_seed(0)).to(self.device)
        told = self.vectors[torch.arange(EXAMPLES) % len(self.vectors)]
        example = {"sample": latent, "timestep": latent.new_full((EXAMPLES,), float(STEP)), "class_labels": told}
        return NetworkSpec(self.name, self.fingerprint, self.device, self._network, example, {"encoder_hidden_states": None})

    def _network(self, dtype: torch.dtype) -> torch.nn.Module:
        network: torch.nn.Module = unet()
        network.load_state_dict(self._tensors)
        return torch.nn.Module.to(network, self.device, dtype)  # diffusers' own warns of what concerns only its largest models
