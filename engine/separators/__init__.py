"""Trained separators behind one protocol: to add one, write one file and name it here."""

from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from engine.separators.base import TrainedSeparator

SEPARATORS = {"ear": "engine.separators.ear.model:Ear"}
"""Key -> class, called with a device and, where weights are not embedded, their folder."""


def load(key: str, device: torch.device, folder: Path | None = None) -> TrainedSeparator:
    """A separator ready to work. Raises BadModel where its weights are missing, incomplete or damaged."""
    module, name = SEPARATORS[key].split(":")
    made: Any = getattr(import_module(module), name)
    separator: TrainedSeparator = made(device, folder) if folder else made(device)
    return separator
