"""How good one stem is: figures of a separated file against the true one, on the samples as they lie on the disk."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import soxr  # type: ignore[import-untyped, unused-ignore]
import torch
from numpy.typing import NDArray

from engine.audio.metrics import FLOOR_DB, si_sdr
from host_bridge.errors import BadAudio

CG_STEPS = 10
"""Of the solver behind BSS Eval: equal to the direct one within 1e-4 dB."""

Sound = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A mixture (N, channels) at `rate`, and the sound that is asked for; None: it is not there.

    All that is not the target counts as one interfering sound, so no permutation is ever tried.
    """

    mix: Sound
    target: Sound | None
    rate: int
    floor: dict[str, float] = field(default_factory=dict)
    """The mixture's own ratings: what every separator must beat."""


def truth(mixture: Path, target: Path | None) -> Truth:
    """Read both. Raises BadAudio where the target is not of the mixture's rate, channels and length."""
    mix, rate = _read(mixture)
    if target is None:
        return Truth(mix, None, rate)
    wanted, other = _read(target)
    if (other, wanted.shape) != (rate, mix.shape):
        what = f"{target.name} has another rate, length or number of channels than {mixture.name}."
        raise BadAudio(what, "Export both alike: a target must lie under its mixture sample for sample.")
    made = Truth(mix, wanted, rate)
    return Truth(mix, wanted, rate, _ratios(mix, made))


def rate(stem: Path, against: Truth) -> dict[str, float]:
    """Figures of a stem, in dB; which ones there are depends on whether the sound is in the mixture.

    si_sdr: Le Roux et al. 2019, one scale for all channels. sdr, sir, sar: BSS Eval, version 3 (Vincent et al. 2006): filters
    of 512 samples, of the channels' mean, against the target and all that is not the target. `..._gain`: above the mixture.
    silenced: 1 where the stem is silence though the sound is there (its SI-SDR is -200 then).
    energy: of the stem of a sound that is not there, against the mixture's (silence: -200).

    A stem of another rate is resampled, one of another length cut or filled with silence, and where only the channels
    differ both are folded to their mean: outside separators work at rates of their own.
    """
    sound = fitted(stem, against)
    if against.target is None:
        share = float(np.square(sound).mean()) / max(float(np.square(against.mix).mean()), 1e-20)
        return {"energy": max(FLOOR_DB, 10 * float(np.log10(share))) if share else FLOOR_DB}
    told = _ratios(sound, against)
    gains = {f"{name}_gain": told[name] - against.floor[name] for name in told if name != "sar" and name in against.floor}
    return told | gains | {"silenced": float(not np.any(sound))}


def fitted(stem: Path, against: Truth) -> Sound:
    """A stem (N, channels) at the mixture's rate and length."""
    sound, found = _read(stem)
    if found != against.rate:
        sound = soxr.resample(sound, found, against.rate, quality="VHQ")
    short = len(against.mix) - len(sound)
    return np.pad(sound, ((0, max(short, 0)), (0, 0)))[: len(against.mix)]


def _ratios(sound: Sound, against: Truth) -> dict[str, float]:
    target, mix = against.target, against.mix
    assert target is not None
    if sound.shape[1] != target.shape[1]:
        sound, target, mix = (each.mean(1, keepdims=True) for each in (sound, target, mix))
    told = {"si_sdr": si_sdr(sound, target)}
    return told | _bss_eval(sound.mean(1), target.mean(1), mix.mean(1))


def _bss_eval(sound: Sound, target: Sound, mix: Sound) -> dict[str, float]:
    """SDR, SIR and SAR of (N,) arrays; nothing where the package is missing, or a sound is silent and they mean nothing."""
    try:
        from fast_bss_eval import bss_eval_sources
    except ImportError:
        return {}
    if not all(np.any(each) for each in (sound, target, mix - target)):
        return {}
    true, told = (torch.from_numpy(np.stack(pair)) for pair in ((target, mix - target), (sound, mix - sound)))
    if not torch.any(told[1]):  # the mixture itself: its remainder is silence, for which there is no ratio
        told = torch.stack([told[0], told[0]])
    ratios = bss_eval_sources(true, told, compute_permutation=False, use_cg_iter=CG_STEPS)
    return {name: float(ratio[0]) for name, ratio in zip(("sdr", "sir", "sar"), ratios, strict=True)}


def _read(path: Path) -> tuple[Sound, int]:
    try:
        sound, found = soundfile.read(path, always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise BadAudio(f"{path.name} cannot be read.", "Give WAV or FLAC files.") from error
    return np.asarray(sound, np.float64), int(found)
