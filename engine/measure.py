"""What was really written: measured on the files read back from the disk, block by block."""

import hashlib
import math
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.audio import Source
from host_bridge.vocabulary import Samples

FLOOR_DB = -200.0
"""What exact zero is written as: JSON has no minus infinity."""

_BLOCK = 1 << 16
_STRETCH_S = 10
_STEP_S = 0.5
_FARTHEST_S = 0.25


def sha256(path: Path) -> str:
    """The hash of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def peak_dbfs(path: Path) -> float:
    """The largest magnitude in a file, in dBFS; inf where it holds NaN."""
    with soundfile.SoundFile(os.fsencode(path)) as file:
        return _dbfs(max((_peak(block) for block in file.blocks(_BLOCK, always_2d=True)), default=0.0))


def null_dbfs(source: Source, paths: Sequence[Path]) -> float:
    """The largest magnitude of the region minus the sum of the files, in dBFS; inf where a file holds NaN.

    A file that ends early counts as silent from there on, and what lies beyond the region's end counts as well. Raises
    ValueError for a file of other channels or another rate than the source.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(soundfile.SoundFile(os.fsencode(path))) for path in paths]
        for file in files:
            if (file.channels, file.samplerate) != (source.channels, source.rate):
                raise ValueError(f"{file.name} has {file.channels} channels at {file.samplerate} Hz, unlike its source")
        peak = 0.0
        for _, mix in source.blocks(_BLOCK):
            peak = max(peak, _peak(mix - sum(_read(file, len(mix)) for file in files)))
        while any(file.tell() < file.frames for file in files):
            peak = max(peak, _peak(sum(_read(file, _BLOCK) for file in files)))
    return _dbfs(peak)


def lag_samples(source: Source, path: Path) -> int | None:
    """How many samples a stem lies behind the mix (ahead: negative), sought within 0.25 s either way.

    The lag at which the cross-correlation, summed over the channels, is largest, on the loudest 10 s of the stem; of
    equals (a steady tone has one in each period) the nearest to 0. None when the stem is silent or unlike the mix.
    """
    with soundfile.SoundFile(os.fsencode(path)) as file:
        step = max(1, round(_STEP_S * file.samplerate))
        energies = [float(np.square(block).sum()) for block in file.blocks(step, always_2d=True)]
        if sum(energies) == 0:
            return None
        steps = round(_STRETCH_S / _STEP_S)
        sums = np.convolve(energies, np.ones(steps))[steps - 1 :]  # of `steps` blocks from each on, fewer at the end
        first = step * int(np.argmax(sums))
        file.seek(first)
        stem = file.read(step * steps, always_2d=True)
    farthest = round(_FARTHEST_S * source.rate)
    mix = _stretch(source, first - farthest, len(stem) + 2 * farthest)
    size = 1 << (len(mix) + len(stem)).bit_length()
    likeness = np.zeros(size)
    for channel in range(source.channels):  # one at a time: spectra are large
        spectrum = np.fft.rfft(mix[:, channel], size) * np.fft.rfft(stem[:, channel], size).conj()
        likeness += np.fft.irfft(spectrum, size)
    likeness = likeness[: 2 * farthest + 1]  # at k: the mix from k - farthest on looks like the stem
    best = likeness.max()
    if best <= 0:
        return None
    lags = farthest - np.flatnonzero(likeness >= best * (1 - 1e-9))
    return int(lags[np.argmin(np.abs(lags))])


def si_sdr(estimate: NDArray[np.floating], target: NDArray[np.floating]) -> float:
    """Scale-invariant signal-to-distortion ratio in dB of (N,) or (N, channels) arrays, between -200 and 200.

    Means are removed per channel; one scale serves all channels, so that a sound on the wrong side counts as wrong.
    Silence for silence is 200, silence for sound or sound for silence -200. Raises ValueError for unequal shapes.
    Source: Le Roux et al. 2019, "SDR - half-baked or well done?".
    """
    if estimate.shape != target.shape:
        raise ValueError(f"an estimate of shape {estimate.shape} for a target of shape {target.shape}")
    heard = np.asarray(estimate, np.float64) - np.mean(estimate, axis=0, dtype=np.float64)
    wanted = np.asarray(target, np.float64) - np.mean(target, axis=0, dtype=np.float64)
    energy = float(np.square(wanted).sum())
    kept = wanted * (float((heard * wanted).sum()) / energy if energy else 0.0)
    signal, distortion = float(np.square(kept).sum()), float(np.square(heard - kept).sum())
    if signal == 0:
        return -200.0 if distortion or energy else 200.0
    if distortion == 0:
        return 200.0
    return min(200.0, max(-200.0, 10 * (math.log10(signal) - math.log10(distortion))))


def _stretch(source: Source, first: int, length: int) -> NDArray[np.float64]:
    """(length, channels) of the region from `first` on, zeros where the region does not reach."""
    low, high = max(0, first), min(source.length, first + length)
    if low >= high:
        return np.zeros((length, source.channels))
    part = replace(source, start=Samples(source.start + low), length=Samples(high - low))
    found = np.concatenate([block for _, block in part.blocks(_BLOCK)])
    return np.pad(found, ((low - first, first + length - high), (0, 0)))


def _read(file: soundfile.SoundFile, n: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = file.read(n, fill_value=0.0, always_2d=True)
    return found


def _peak(block: NDArray[np.float64] | int) -> float:
    peak = float(np.abs(block).max(initial=0))
    return math.inf if math.isnan(peak) else peak


def _dbfs(peak: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(peak)) if peak else FLOOR_DB
