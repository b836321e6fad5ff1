"""Pretrained models behind one protocol, by name. To add one: one file, and one line here."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import cast

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


VOCABULARIES = {
    "pocket": "engine.backbones.pocket.vocabulary:NAMES",
    "ear": "engine.separators.ear.words:NAMES",
}
"""Of backbones and trained separators that know a closed list of words: every word -> the word that they take it for. The
others follow any text."""


def vocabulary(key: str) -> Mapping[str, str]:
    """The words that a backbone or a trained separator knows; none where it follows any text."""
    if key not in VOCABULARIES:
        return {}
    module, name = VOCABULARIES[key].split(":")
    words: Mapping[str, str] = getattr(import_module(module), name)
    return words


def backbone_class(key: str) -> Callable[..., Backbone]:
    """The class behind a key, imported when asked for: a network library costs seconds."""
    module, name = BACKBONES[key].split(":")
    made: Callable[..., Backbone] = getattr(import_module(module), name)
    return made


def load(key: str, device: torch.device, folder: Path | None = None) -> Backbone:
    """A backbone, or a trained separator, ready to separate.

    Raises BadModel where its weights are missing, incomplete or damaged.
    """
    from engine import separators

    if key in separators.SEPARATORS:
        return cast("Backbone", separators.load(key, device, folder))  # what only makers of sound have is not asked of it
    return backbone_class(key)(device, folder) if folder else backbone_class(key)(device)
