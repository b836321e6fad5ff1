"""Which number of attention heads a checkpoint was trained with, where its config may not say it: both are asked, once.

AudioLDM's, AudioLDM 2's and MusicLDM's authors have heads of 32 channels; published configs name no number, and diffusers then
takes 8 on every level. A trained network tells noise from sound better with the heads that it was trained with, so the demo mix
is noised, and the setting with the smaller error is taken and remembered.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from engine.audio import source
from engine.backbones.base import Backbone, add_noise
from engine.backbones.network import NetworkBackbone
from engine.execution.base import is_out_of_memory
from engine.separators.base import TrainedSeparator
from host_bridge.errors import BadModel, ZeroStemError
from host_bridge.files.plain import read_plain, write_atomic
from host_bridge.paths import places
from host_bridge.types import Progress, Samples, quietly
from presets import DEMO

log = logging.getLogger(__name__)

HEIGHTS, DRAWS = (0.2, 0.35, 0.5, 0.65, 0.8), 2
"""Where on the way up the noise is asked about, and how often at each height."""
PROMPTS = ("", "music")
"""Half of the draws are asked about under each."""
SCHEMA = "zerostem-heads/1"


@dataclass(frozen=True, slots=True)
class HeadComparison:
    """What was found: mean square errors of the told noise with the config's heads and with heads of 32 channels, and in how
    many of the draws the latter were nearer."""

    by_config: float
    by_width: float
    nearer: int
    draws: int
    heads: tuple[int, ...]
    """Per level, at 32 channels each."""

    @property
    def taken(self) -> tuple[int, ...] | None:
        """The heads to take; None: the config's."""
        return self.heads if self.by_width < self.by_config else None

    @property
    def told(self) -> str:
        """In a line for people."""
        errors = f"error {self.by_config:.4g} with the config's, {self.by_width:.4g} with {', '.join(map(str, self.heads))}"
        what = "32 channels each" if self.taken else "as the config says"
        return f"{what} ({errors}; the latter nearer in {self.nearer} of {self.draws} draws)"


def settled(backbone: Backbone, progress: Progress = quietly) -> Backbone:
    """The model with the heads that suit it: those that were found before, or now. Raises Cancelled through `progress`."""
    choice = chosen(backbone, progress)
    if choice is None or choice.taken is None:
        return backbone
    return cast("Backbone", _networked(backbone).with_heads(choice.taken))


def chosen(backbone: Backbone, progress: Progress = quietly, *, anew: bool = False) -> HeadComparison | None:
    """What was found about a model's heads; None where there is no doubt about them, or no memory to ask both.

    anew: ask even if it is known. What is found is kept by the model's fingerprint in `heads.json` of our cache.
    """
    if getattr(backbone, "other_heads", None) is None:
        return None
    model = _networked(backbone)
    key = f"{model.name} {model.plain_fingerprint}"
    if not anew and (known := _known(key)) is not None and known.heads == model.other_heads:
        return known
    try:
        found = _asked(model, progress)
    except (BadModel, RuntimeError, MemoryError) as error:
        if not (is_out_of_memory(error) or isinstance(error.__cause__, torch.OutOfMemoryError)):
            raise
        log.warning("%s: no memory to ask about its attention heads; they are as its config says", model.name)
        return None
    log.info("%s: attention heads %s", model.name, found.told)
    _keep(key, found)
    return found


def _asked(model: NetworkBackbone, progress: Progress) -> HeadComparison:
    """Ask both, each about the same noisy sound, in float32: the difference may be smaller than bfloat16's rounding."""
    heads = model.other_heads
    assert heads is not None

    def errors_with(heads: tuple[int, ...] | None, before: float, name: str) -> Tensor:
        def tell(done: float) -> None:
            progress(before + done / 2, f"asking with attention heads {name}")

        return draw_errors(cast("Backbone", model.with_heads(heads, torch.float32)), tell)

    errors = (errors_with(None, 0.0, "as the config says"), errors_with(heads, 0.5, "of 32 channels"))
    nearer = int((errors[1] < errors[0]).sum())
    return HeadComparison(float(errors[0].mean()), float(errors[1].mean()), nearer, len(errors[0]), heads)


def draw_errors(backbone: Backbone, tell: Callable[[float], None]) -> Tensor:
    """Mean square error of the noise that a model tells in the demo mix, one per height, draw and prompt, the same noise
    whatever the model's heads. tell: is told how far it is, and may raise Cancelled."""
    sound = demo_window(backbone, backbone.window)
    latent = backbone.encode(backbone.analyse(sound * backbone.gain(sound)[:, None, None]))
    words, errors = backbone.embed(list(PROMPTS)), []
    generator = torch.Generator().manual_seed(0x5EAD)
    for index in range(count := len(HEIGHTS) * DRAWS):
        tell(index / count)
        drawn = torch.randn(latent.shape, generator=generator).to(latent)
        level = torch.tensor([float(backbone.schedule.level(HEIGHTS[index // DRAWS]))])
        x = add_noise(latent, backbone.schedule.alpha_bar(level), drawn)
        told = backbone.noise(x, level, words.rows(torch.tensor([index % len(PROMPTS)])))
        errors.append(float((told - drawn).square().mean()))
    return torch.tensor(errors)


def demo_window(
    backbone: Backbone | TrainedSeparator, length: Samples | int, start_s: float = 2.0, name: str = "mix"
) -> Tensor:
    """(1, channels, length) of the mix that comes along, or of a stem of it, as the model hears it; zeros beyond its end."""
    heard = source.blocks_for_model(source.open_source(DEMO / f"{name}.flac"), backbone.rate, backbone.channels)
    sound = np.concatenate(list(heard))[round(start_s * backbone.rate) :][:length].T
    whole = np.pad(sound, ((0, 0), (0, length - sound.shape[1])))
    return torch.from_numpy(np.ascontiguousarray(whole, np.float32))[None].to(backbone.device)


def _networked(backbone: Backbone) -> NetworkBackbone:
    """A backbone with `other_heads` is one of these."""
    assert isinstance(backbone, NetworkBackbone)
    return backbone


def _known(key: str) -> HeadComparison | None:
    try:
        row = _all()[key]
        return HeadComparison(**{**row, "heads": tuple(row["heads"])})
    except (KeyError, TypeError):
        return None


def _keep(key: str, choice: HeadComparison) -> None:
    """Where the cache cannot be written it is asked again the next time."""
    told = {"schema": SCHEMA, "models": _all() | {key: asdict(choice)}}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_atomic(_file(), json.dumps(told, indent=2).encode())
    except (ZeroStemError, OSError) as error:
        log.warning("not remembered: %s", error)


def _all() -> dict[str, Any]:
    """Everything in the file, as far as it has the form that we write."""
    try:
        told = json.loads(read_plain(_file()) or b"{}")
        return dict(told["models"]) if told["schema"] == SCHEMA else {}
    except (ZeroStemError, ValueError, KeyError, TypeError):  # asked anew
        return {}


def _file() -> Path:
    return places().cache / "heads.json"
