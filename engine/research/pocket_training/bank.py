"""Takes from all worlds, cropped, moved elsewhere and mixed: what one training step sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backbones.mel import log_mel
from engine.research.pocket_training.rooms import LONGEST, WINDOW, Elsewhere, Sound, noise

CLUTTER = ""
"""The name under which takes outside the vocabulary are kept: they have no label."""
QUIET_RMS = 2e-3
"""A crop below this is a pause."""


@dataclass(frozen=True, slots=True)
class Takes:
    """One source in one world: (N,) int16 samples at 16 kHz, and how often this world is drawn beside the others."""

    sound: NDArray[np.int16]
    weight: float


class Bank:
    """Draws labelled windows. Every draw depends on the generator that is handed in and on nothing else."""

    def __init__(self, takes: Mapping[str, Sequence[Takes]], sources: Sequence[str], elsewhere: Elsewhere) -> None:
        """`takes` by source, CLUTTER among them; `sources` in the order of the labels."""
        self.takes, self.sources, self.elsewhere = takes, list(sources), elsewhere
        self.odds = {name: np.cumsum([each.weight for each in worlds]) for name, worlds in takes.items()}

    def crop(self, rng: np.random.Generator, source: str) -> Sound:
        """(WINDOW,) at unit RMS; tries a few times not to hit a pause."""
        odds, sound, rms = self.odds[source], np.zeros(WINDOW, np.float32), 0.0
        for _ in range(6):
            take = self.takes[source][int(np.searchsorted(odds, rng.random() * odds[-1]))].sound
            at = int(rng.integers(0, len(take) - LONGEST))
            sound = self.elsewhere(rng, take[at : at + LONGEST].astype(np.float32) / np.float32(32768))
            rms = float(np.sqrt((sound**2).mean()))
            if rms > QUIET_RMS:
                break
        return sound / np.float32(max(rms, 1e-4))

    def mixture(self, rng: np.random.Generator, names: Sequence[str]) -> Sound:
        """(WINDOW,): these sources within 5 dB of a common level between -30 and -20 dBFS RMS."""
        level_db = rng.uniform(-30, -20)
        parts = [self.crop(rng, name) * 10 ** ((level_db + rng.uniform(-5, 5)) / 20) for name in names]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float32)

    def window(self, rng: np.random.Generator) -> tuple[Sound, tuple[str, ...]]:
        """A window and the sources that it is labelled with, none where it is to be heard under the null prompt.

        60 % solos, a tenth of them unlabelled; 40 % mixtures of two to four, a third of them labelled with all they hold.
        Clutter joins windows without a label only. A third has noise behind it, 10 to 45 dB down.
        """
        if rng.random() < 0.6:
            label: tuple[str, ...] = (str(rng.choice(self.sources)),)
            names, labelled = label, rng.random() > 0.1
        else:
            count = int(rng.choice([2, 3, 4], p=[0.6, 0.25, 0.15]))
            label = tuple(str(name) for name in rng.choice(self.sources, count, replace=False))
            names, labelled = label, rng.random() < 0.35
        if not labelled and CLUTTER in self.takes and rng.random() < 0.3:
            names = (*names[1:], CLUTTER)
        sound = self.mixture(rng, names) if len(names) > 1 else self.crop(rng, names[0]) * 10 ** (rng.uniform(-32, -18) / 20)
        if rng.random() < self.elsewhere.odds.noise:
            below = np.sqrt((sound**2).mean()) * 10 ** (-rng.uniform(10, 45) / 20)
            sound = sound + below * noise(rng, WINDOW)
        return np.clip(sound, -1, 1).astype(np.float32), label if labelled else ()

    def batch(self, rng: np.random.Generator, size: int) -> tuple[Tensor, Tensor]:
        """Log-mel (size, 1, 256, 64) and labels (size, sources), 1 for each source that a window is labelled with."""
        drawn = [self.window(rng) for _ in range(size)]
        labels = torch.tensor([[float(source in label) for source in self.sources] for _, label in drawn])
        return log_mel(torch.from_numpy(np.stack([sound for sound, _ in drawn])))[:, None], labels
