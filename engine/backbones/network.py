"""The network of a published checkpoint, loaded lazily in the number format that its execution needs."""

from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from engine.backbones.base import Conditioning, Schedule
from engine.backbones.checkpoint import Checkpoint, open_checkpoint
from engine.execution import plain
from engine.execution.base import NetworkSpec
from engine.execution.fallback import FallbackRunner
from engine.models.catalogue import InstalledModel

HEAD_WIDTH = 32
"""Channels of an attention head in AudioLDM, AudioLDM 2 and MusicLDM as their authors configure them."""


def heads_by_width(config: Mapping[str, Any]) -> tuple[int, ...] | None:
    """A U-Net's attention heads per level if each has `HEAD_WIDTH` channels; None where its config says just that, or where its
    channels cannot be divided so.

    The scripts that turned the authors' checkpoints into diffusers' layout write no `attention_head_dim`, and diffusers then
    takes 8 heads on every level. On the same tensors the two are different networks, and no shape shows which is meant.
    """
    widths, kinds = config.get("block_out_channels") or (), config.get("down_block_types") or ()
    said = config.get("attention_head_dim", 8)
    given = [said] * len(widths) if isinstance(said, int) else list(said or ())
    attending = [level for level, kind in enumerate(kinds) if "Attn" in kind]
    if not attending or not len(widths) == len(kinds) == len(given) or any(widths[level] % HEAD_WIDTH for level in attending):
        return None
    heads = [widths[level] // HEAD_WIDTH if level in attending else given[level] for level in range(len(widths))]
    return None if heads == given else tuple(heads)


class NetworkBackbone:
    """The noise-predicting half of a backbone. `run` runs the network; `tuning.tune` may replace it.

    Subclasses say what goes into the network (`asked`), what one window's latent looks like (`shape`, without the batch),
    which arguments are the same in every call (`fixed`), and which inputs change in size (`varying`, see `NetworkSpec`).
    """

    name: str
    device: torch.device
    fingerprint: str
    schedule: Schedule
    batch: int
    run: FallbackRunner
    fixed: ClassVar[Mapping[str, Any]] = {}
    varying: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    plain_fingerprint: str
    """That of the files alone, whatever the heads."""
    heads: tuple[int, ...] | None
    """Attention heads per level of the U-Net, where they are not what its config says."""
    other_heads: tuple[int, ...] | None = None
    """What its authors' code may have instead, see `heads_by_width`; None where there is no doubt."""

    def attach_network(
        self,
        family: str,
        folder: Path,
        precision: torch.dtype | None,
        kind: Any,
        part: str = "unet",
        prepare_folder: Callable[[InstalledModel], Path] | None = None,
        wrap: Callable[[Checkpoint, Any, torch.dtype], nn.Module] | None = None,
        heads: tuple[int, ...] | None = None,
    ) -> None:
        """Load the network and run it with torch in `precision`; None: the format that is fastest on most such devices. kind,
        part: its class and subfolder. wrap: applied to the network before it runs. heads: attention heads per level of a U-Net,
        where they are not to be what its config says.

        Raises BadModel as `opened` does.
        """
        config: dict[str, Any] = {} if heads is None else {"attention_head_dim": heads}  # diffusers' name for their number

        def load(dtype: torch.dtype) -> nn.Module:
            with open_checkpoint(family, folder, self.device, prepare_folder) as checkpoint:
                if wrap is None:
                    network: nn.Module = checkpoint.part(kind, part, dtype, **config)
                else:
                    network = wrap(checkpoint, checkpoint.part(kind, part, **config), dtype)
            return network

        def again(other: Self, heads: tuple[int, ...] | None, precision: torch.dtype | None) -> None:
            other.attach_network(family, folder, precision, kind, part, prepare_folder, wrap, heads)

        self._load, self._again, self.heads = load, again, heads
        self.plain_fingerprint = getattr(self, "plain_fingerprint", self.fingerprint)
        self.fingerprint = "-".join([self.plain_fingerprint, *map(str, heads or ())])
        vars(self).pop("network_spec", None)
        way, network_spec = plain.for_dtype(precision) if precision else plain.default_for(self.device), self.network_spec
        self.run = FallbackRunner(way, way.prepare(network_spec), network_spec)

    def with_heads(self, heads: tuple[int, ...] | None, precision: torch.dtype | None = None) -> Self:
        """The same model with its network read anew, with so many attention heads per level; None: as its config says. All else
        is shared; the fingerprint differs, because the answers do. Raises BadModel as `bring`."""
        other = copy(self)
        self._again(other, heads, precision)
        return other

    @cached_property
    def network_spec(self) -> NetworkSpec:
        """The network with example inputs: a batch at half the noise schedule under the null prompt."""
        latent = torch.randn(self.batch, *self.shape, generator=torch.Generator().manual_seed(0)).to(self.device)
        level = torch.full((self.batch,), float(self.schedule.level(0.5)))
        example = self.network_inputs(latent, level, self.embed([""] * self.batch))
        return NetworkSpec(self.name, self.fingerprint, self.device, self._load, example, self.fixed, self.varying)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one window's latent, without the batch."""
        raise NotImplementedError

    def embed(self, prompts: list[str]) -> Conditioning:
        """As `Backbone.embed`."""
        raise NotImplementedError

    def network_inputs(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> dict[str, Tensor]:
        """The inputs of `Backbone.noise` as keyword arguments of the network."""
        raise NotImplementedError
