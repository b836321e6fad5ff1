"""Pretrained models behind one protocol: to add one, write one file and name it here."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch

from engine.backbones.base import Backbone

BACKBONES = {
    "pocket": "engine.backbones.pocket.model:Pocket",
    "audioldm": "engine.backbones.audioldm:AudioLDM",
    "audioldm2": "engine.backbones.audioldm2:AudioLDM2",
    "tango": "engine.backbones.tango:Tango",
    "auffusion": "engine.backbones.auffusion:Auffusion",
    "stable_audio": "engine.backbones.stable_audio:StableAudio",
    "gaussian": "engine.backbones.gaussian:Gaussian",
}
"""Key -> class, called with a device and, where weights are not embedded, their folder."""


def backbone_class(key: str) -> Callable[..., Backbone]:
    """The class behind a key, imported when asked for: a network library costs seconds."""
    module, name = BACKBONES[key].split(":")
    made: Callable[..., Backbone] = getattr(import_module(module), name)
    return made


def load(key: str, device: torch.device, folder: Path | None = None) -> Backbone:
    """A backbone ready to separate. Raises BadModel where its weights are missing, incomplete or damaged."""
    return backbone_class(key)(device, folder) if folder else backbone_class(key)(device)
