"""Back to the host: masks meant for a 16 kHz model, applied to the user's own sound at its own rate, channels and length.

The spectrogram is the region's own, so the phase is the mixture's and a mask of one gives back the mixture. Blocks are
independent of each other: every block carries the context that its frames need.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backbones.base import Grid
from engine.spectra import overlap_add
from engine.windows import Tape
from host_bridge.vocabulary import Hertz, Samples

FRAME_S = 0.064
"""Length of a spectrogram frame, as long as those that the mel bands were measured on."""
HOPS_PER_FRAME = 4
CONTEXT_HOPS = HOPS_PER_FRAME - 1
"""Hops of sound needed on either side of a block, so that all frames touching it are whole."""
BLOCK_S = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """From a backbone's grid at its rate to spectrogram frames at the region's rate."""

    grid: Grid
    model_rate: Hertz
    rate: Hertz

    @property
    def hop(self) -> int:
        """Samples between frames, at the region's rate."""
        return max(1, round(self.rate * FRAME_S / HOPS_PER_FRAME))

    @property
    def block(self) -> Samples:
        """Samples that are masked at once, whole hops."""
        return Samples(self.hop * max(1, round(self.rate * BLOCK_S / self.hop)))

    @property
    def context(self) -> Samples:
        """Samples needed on either side of a block."""
        return Samples(CONTEXT_HOPS * self.hop)

    def frames(self, length: Samples) -> int:
        """Frames of the model's grid that cover `length` samples of the region."""
        return max(1, int(np.ceil(length * self.model_rate / self.rate / self.grid.hop)))

    def masks(self, tape: Tape, position: Samples, count: int) -> Tensor:
        """The tape at `count` frames of this fit, the first one hop before `position` -> (slots, C, count, M)."""
        centres_s = (position + self.hop * np.arange(-1, count - 1)) / self.rate
        at = (centres_s * self.model_rate - self.grid.first) / self.grid.hop
        first = int(np.floor(at[0]))
        between = torch.tensor(at - first, dtype=torch.float32)
        values = torch.tensor(tape.read(first, int(np.floor(at[-1])) + 1))
        left = between.floor().long()
        share = (between - left)[:, None]
        return values[:, :, left] * (1 - share) + values[:, :, left + 1] * share

    def apply(self, block: NDArray[np.float64], masks: Tensor) -> NDArray[np.float64]:
        """(n + 2 context, channels) of the region and its `masks` (slots, C or 1, n / hop + 3, M) -> (slots, n, channels).

        n is a whole number of hops.
        """
        return self.sound(self.spectrum(block), self.bins(masks))

    def spectrum(self, block: NDArray[np.float64]) -> Tensor:
        """(n + 2 context, channels) -> (channels, F, n / hop + 3), complex."""
        sound = torch.from_numpy(np.ascontiguousarray(block.T))
        return torch.stft(sound, self._size, self.hop, self._size, self._window, center=False, return_complex=True)

    @property
    def spread(self) -> Tensor:
        """(F, M): the share of each of the model's bands in each bin, rows summing to 1."""
        return self.grid.spread(self.frequencies)

    @property
    def frequencies(self) -> Tensor:
        """(F,): of each bin, in hertz."""
        centres: Tensor = torch.fft.rfftfreq(self._size, 1 / self.rate, dtype=torch.float64)
        return centres

    def bins(self, masks: Tensor) -> Tensor:
        """Masks of bands (slots, C, frames, M) -> of bins (slots, C, F, frames), by interpolation."""
        return (masks.double() @ self.spread.T).transpose(2, 3)

    def sound(self, spectrum: Tensor, bins: Tensor) -> NDArray[np.float64]:
        """A spectrum under masks of its bins (slots, C or 1, F, frames) -> (slots, n, channels)."""
        frames = (torch.fft.irfft(spectrum * each, n=self._size, dim=1) for each in bins.double())
        stems = torch.stack([overlap_add(each, self._window, self.hop) for each in frames])
        return stems[:, :, self.context : stems.shape[2] - self.context].transpose(1, 2).numpy()

    @property
    def _size(self) -> int:
        return HOPS_PER_FRAME * self.hop

    @property
    def _window(self) -> Tensor:
        return torch.hann_window(self._size, dtype=torch.float64)
