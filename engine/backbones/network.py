"""The network of a published checkpoint: read when something is to run it, in the format that this wants, and asked by it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from engine.backbones.base import Conditioning, Schedule
from engine.backbones.checkpoint import Checkpoint, opened
from engine.execution import plain
from engine.execution.base import Subject
from engine.execution.steady import Steady
from engine.weights import Found


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

    def bring(
        self,
        family: str,
        folder: Path,
        precision: torch.dtype | None,
        kind: Any,
        part: str = "unet",
        arranged: Callable[[Found], Path] | None = None,
        dressed: Callable[[Checkpoint, Any, torch.dtype], nn.Module] | None = None,
    ) -> None:
        """Read the network, once everything else is there, and let torch run it in `precision`; None: in what most such
        devices are fastest in. kind, part: its class, and where it lies. dressed: what is made of it before it runs.

        Raises BadModel as `opened` does.
        """

        def load(dtype: torch.dtype) -> nn.Module:
            with opened(family, folder, self.device, arranged) as checkpoint:
                if dressed is None:
                    network: nn.Module = checkpoint.part(kind, part, dtype)
                else:
                    network = dressed(checkpoint, checkpoint.part(kind, part), dtype)
            return network

        self._load = load
        way, subject = plain.of(precision) if precision else plain.usual(self.device), self.subject
        self.run = Steady(way, way.prepare(subject), subject)

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
