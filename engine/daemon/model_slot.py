"""Holds the one loaded model: loaded on first use, kept while there is work, unloaded when idle."""

import gc
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.models.catalogue import CATALOGUE, DEFAULT, lighter
from host_bridge.errors import BadModel

if TYPE_CHECKING:
    from engine.separation import Separator

log = logging.getLogger(__name__)

Load = Callable[[str], "Separator"]
"""Finds and loads a model by its name."""
A_FEW = 8
"""Items per call when a model's speed is measured: the windows of 20 s of sound through pocket."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Measured cost of a model on this device: seconds per network pass, and bytes of one window's latent."""

    pass_s: float
    latent_bytes: int


class ModelSlot:
    """The model on the device, if any. Only the device's thread loads, measures and unloads it."""

    def __init__(self, load: Load, default: str = DEFAULT) -> None:
        self._load, self.default = load, default
        self._held: tuple[str, Separator] | None = None
        self._pace: Pace | None = None

    def get(self, model: str | None) -> "Separator":
        """The model of that name (None: the default), loaded if necessary. Raises BadRequest or BadModel."""
        name = model or self.default
        if self._held is None or self._held[0] != name:
            self.unload()
            began = time.monotonic()
            try:
                separator = self._load(name)
            except (RuntimeError, MemoryError) as error:
                from engine.execution.base import is_out_of_memory  # torch costs seconds, and has been loaded by now

                if not is_out_of_memory(error):
                    raise
                what = f"The model {name} does not fit in the memory of the device."
                known = CATALOGUE.get(name)
                raise BadModel(what, lighter(known.size if known else 1 << 62)) from error
            self._held = (name, separator)
            where = str(separator.backbone.device)
            log.info("model loaded", extra={"model": name, "device": where, "seconds": round(time.monotonic() - began, 2)})
        return self._held[1]

    def holds(self, model: str | None) -> bool:
        """Whether this model is loaded."""
        return self._held is not None and self._held[0] == (model or self.default)

    def pace(self, model: str | None) -> "tuple[Separator, Pace] | None":
        """The model and its measured cost, if it is loaded and measured."""
        held, pace = self._held, self._pace
        return (held[1], pace) if held and pace and held[0] == (model or self.default) else None

    def measure(self, model: str | None) -> None:
        """Load the model if necessary and measure it. Raises as `get`."""
        separator = self.get(model)
        if self._pace is None:
            self._pace = _measured(separator)

    @property
    def empty(self) -> bool:
        """Whether no model is loaded."""
        return self._held is None

    def unload(self) -> None:
        """Unload the model."""
        if self._held is None:
            return
        import torch

        log.info("model let go", extra={"model": self._held[0]})
        self._held = self._pace = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _measured(separator: "Separator") -> Pace:
    """Time the second network pass of a few windows; the first also compiles or selects kernels."""
    import torch

    from engine.separators.base import trained

    model = separator.backbone
    with torch.no_grad():
        if trained(model):
            features = model.analyse(torch.zeros(1, model.channels, model.window, device=model.device))
            few = min(model.batch, A_FEW)
            blank = model.embed([""] * few)
            model.masks(features.repeat(few, 1, 1, 1), blank).cpu()
            began = time.monotonic()
            model.masks(features.repeat(few, 1, 1, 1), blank).cpu()
            return Pace((time.monotonic() - began) / few, features.numel() * features.element_size())
        latent = model.encode(model.analyse(torch.zeros(1, model.channels, model.window, device=model.device)))
        few = min(model.batch, A_FEW)
        level, blank = torch.tensor([model.schedule.level(0.5)] * few), model.embed([""] * few)
        began = 0.0
        for _ in range(2):
            began = time.monotonic()
            model.noise(latent.repeat(few, 1, 1, 1), level, blank).cpu()
    return Pace((time.monotonic() - began) / few, latent.numel() * latent.element_size())
