"""The network of a published checkpoint: read when something is to run it, in the format that this wants, and asked by it."""

from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from engine.backbones.base import Conditioning, Schedule
from engine.backbones.checkpoint import Checkpoint, opened
from engine.execution import plain
from engine.execution.base import Subject
from engine.execution.steady import Steady
from engine.weights import Found

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


class Networked:
    """The half of a backbone that is asked about noise. `run` runs the network; a planner may put another way there.

    Subclasses say what goes into the network (`asked`), what one window's latent looks like (`shape`, without the batch),
    which arguments are the same in every call (`fixed`), and which inputs have sizes that change (`varying`, see `Subject`).
    """

    name: str
    device: torch.device
    fingerprint: str
    schedule: Schedule
    batch: int
    run: Steady
    fixed: ClassVar[Mapping[str, Any]] = {}
    varying: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    plain_fingerprint: str
    """That of the files alone, whatever the heads."""
    heads: tuple[int, ...] | None
    """Attention heads per level of the U-Net, where they are not what its config says."""
    other_heads: tuple[int, ...] | None = None
    """What its authors' code may have instead, see `heads_by_width`; None where there is no doubt."""

    def bring(
        self,
        family: str,
        folder: Path,
        precision: torch.dtype | None,
        kind: Any,
        part: str = "unet",
        arranged: Callable[[Found], Path] | None = None,
        dressed: Callable[[Checkpoint, Any, torch.dtype], nn.Module] | None = None,
        heads: tuple[int, ...] | None = None,
    ) -> None:
        """Read the network, once everything else is there, and let torch run it in `precision`; None: in what most such
        devices are fastest in. kind, part: its class, and where it lies. dressed: what is made of it before it runs.
        heads: attention heads per level of a U-Net, where they are not to be what its config says.

        Raises BadModel as `opened` does.
        """
        config: dict[str, Any] = {} if heads is None else {"attention_head_dim": heads}  # diffusers' name for their number

        def load(dtype: torch.dtype) -> nn.Module:
            with opened(family, folder, self.device, arranged) as checkpoint:
                if dressed is None:
                    network: nn.Module = checkpoint.part(kind, part, dtype, **config)
                else:
                    network = dressed(checkpoint, checkpoint.part(kind, part, **config), dtype)
            return network

        def again(other: Self, heads: tuple[int, ...] | None, precision: torch.dtype | None) -> None:
            other.bring(family, folder, precision, kind, part, arranged, dressed, heads)

        self._load, self._again, self.heads = load, again, heads
        self.plain_fingerprint = getattr(self, "plain_fingerprint", self.fingerprint)
        self.fingerprint = "-".join([self.plain_fingerprint, *map(str, heads or ())])
        vars(self).pop("subject", None)
        way, subject = plain.of(precision) if precision else plain.usual(self.device), self.subject
        self.run = Steady(way, way.prepare(subject), subject)

    def with_heads(self, heads: tuple[int, ...] | None, precision: torch.dtype | None = None) -> Self:
        """The same model with its network read anew, with so many attention heads per level; None: as its config says. All else
        is shared; the fingerprint differs, because the answers do. Raises BadModel as `bring`."""
        other = copy(self)
        self._again(other, heads, precision)
        return other

    @cached_property
    def subject(self) -> Subject:
        """The network, for whatever is to run it: a batch, half-way up, under the null prompt."""
        latent = torch.randn(self.batch, *self.shape, generator=torch.Generator().manual_seed(0)).to(self.device)
        level = torch.full((self.batch,), float(self.schedule.level(0.5)))
        example = self.asked(latent, level, self.embed([""] * self.batch))
        return Subject(self.name, self.fingerprint, self.device, self._load, example, self.fixed, self.varying)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one window's latent."""
        raise NotImplementedError

    def embed(self, prompts: list[str]) -> Conditioning:
        """As `Backbone.embed`."""
        raise NotImplementedError

    def asked(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> dict[str, Tensor]:
        """What `Backbone.noise` was given, by the names that the network has for it."""
        raise NotImplementedError
