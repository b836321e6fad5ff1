"""What a stem will sound like at another strength, at once: its mask is read off the stem and the mix, and bent.

The engine's stem is the mix under a mask to the power omega, so what the files say about the mask, |stem| / |mix| on an STFT
like the engine's, to the power wanted / rendered, is nearly what the exact rendering will be.
"""

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from host_bridge.vocabulary import Hertz, Samples
from ui.models.reading import Frames, Sound

HOP_S = 0.016
HOPS = 4
"""In a frame, as in the engine's own spectrogram."""
_EVEN = 32
"""A hop is a multiple of it: the Fourier transform of a frame with a large prime factor takes several times as long."""


class Bent:
    """All stems of one mix at other strengths; each of `sounds` is one of them.

    rendered: omega of the stems as they are, above 0; a stem rendered at 0 is the mix and says nothing of its mask, so it
    stays as it is. wanted: omega to be heard. Each stem has a mask of its own, as in the engine: no stem changes when another
    is brought nearer to the mix.
    """

    def __init__(self, mix: Sound, stems: Sequence[Sound], rendered: Sequence[float], wanted: Sequence[float]) -> None:
        self.mix, self._stems = mix, tuple(stems)
        self._powers = [want / was if was > 0 else 1.0 for was, want in zip(rendered, wanted, strict=True)]
        self._hop = max(1, round(mix.rate * HOP_S / _EVEN)) * _EVEN
        self._window = np.hanning(HOPS * self._hop + 1)[:-1].astype(np.float32)
        self._gain = np.float32(1 / (self._window.reshape(HOPS, -1) ** 2).sum(0).mean())
        self._lock = Lock()
        self._last: tuple[tuple[int, int], NDArray[np.complex64], list[NDArray[np.float32]]] | None = None
        self.sounds = tuple(_Stem(self, index) for index in range(len(self._stems)))

    def read(self, index: int, start: int, count: int) -> Frames:
        """(count, channels) of one stem. Its frames lie at whole hops, wherever reading begins: the same sound comes out
        whatever it is cut into.
        """
        first, last = (start - HOPS * self._hop) // self._hop + 1, -(-(start + count) // self._hop)
        with self._lock:  # the stems are asked for in turn, and share what is known of all of them
            if self._last is None or self._last[0] != (first, last):
                self._last = ((first, last), *self._analysed(first, last))
            _, mix, masks = self._last
        sound = self._sound(mix * masks[index])
        return sound[start - first * self._hop :][:count]

    def _analysed(self, first: int, last: int) -> tuple[NDArray[np.complex64], list[NDArray[np.float32]]]:
        """The mix's spectrum, (channels, frames, bins), from hop `first` up to `last`, and a mask for each stem."""
        hop = self._hop
        span = (last - 1 - first) * hop + HOPS * hop
        mix, *stems = [self._spectrum(sound.read(first * hop, span)) for sound in (self.mix, *self._stems)]
        loudness = np.maximum(np.abs(mix), 1e-12)
        shares = [np.minimum(np.abs(stem) / loudness, 1) for stem in stems]
        bent = zip(shares, self._powers, strict=True)
        return mix, [share if power == 1 else share ** np.float32(power) for share, power in bent]

    def _spectrum(self, sound: Frames) -> NDArray[np.complex64]:
        """(span, channels) -> (channels, frames, bins)."""
        frames = np.lib.stride_tricks.sliding_window_view(sound, HOPS * self._hop, axis=0)[:: self._hop]
        return np.fft.rfft(frames.transpose(1, 0, 2) * self._window, axis=-1).astype(np.complex64, copy=False)

    def _sound(self, spectrum: NDArray[np.complex64]) -> Frames:
        """(channels, frames, bins) -> (span, channels): overlapped and added, at unity gain where all frames are there."""
        hop = self._hop
        frames = np.fft.irfft(spectrum, n=HOPS * hop, axis=-1) * (self._window * self._gain)
        out = np.zeros((len(frames), frames.shape[1] + HOPS - 1, hop), np.float32)
        for part in range(HOPS):
            out[:, part : part + frames.shape[1]] += frames[:, :, part * hop : (part + 1) * hop]
        return np.ascontiguousarray(out.reshape(len(frames), -1).T)


class _Stem:
    """One of the bent stems, as a sound among others."""

    def __init__(self, bent: Bent, index: int) -> None:
        self._bent, self._index = bent, index

    @property
    def rate(self) -> Hertz:
        """The mix's."""
        return self._bent.mix.rate

    @property
    def channels(self) -> int:
        """The mix's."""
        return self._bent.mix.channels

    @property
    def frames(self) -> Samples:
        """The mix's."""
        return self._bent.mix.frames

    def read(self, start: int, count: int) -> Frames:
        """(count, channels) from `start` on."""
        return self._bent.read(self._index, start, count)
