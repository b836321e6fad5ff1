"""Does it learn? Voices of espeak-ng among soundfonts' instruments, a small network, and judges that it never heard."""

from collections.abc import Sequence

import numpy as np
import soxr
import torch
from torch import Tensor

from engine.audio.metrics import si_sdr
from engine.backbones.mel import RATE
from engine.research.diffdmx.network import DiffDMX, Sizes
from engine.research.diffdmx.sampling import sample
from engine.research.diffdmx.training import Sound, pairs
from engine.research.pocket_training import heldout, soundfonts, speech
from engine.research.pocket_training.composer import PARTS

SMALL = Sizes(
    rate=8000,
    channels=1,
    seconds=1.0,
    strides=(8, 4, 2, 2),
    generator=(32, 48, 64, 96),
    conditioner=(48, 64, 96, 128),
    kernel=5,
)
"""A hundredth of the paper's, and a fifth of its rate."""
CORNER_HZ = 1000.0
"""Of the refinement noise: at this rate the paper's 5 kHz are out of reach."""
INSTRUMENTS = ("piano", "acoustic guitar", "bass", "drums", "strings")
TAKES_S = 240.0


def takes(*, held_out: bool) -> tuple[list[Sound], list[Sound]]:
    """Voices and accompaniments (1, N) at the small network's rate: to train on, or others, to judge by.

    Raises ZeroStemError, naming the Debian package, where something is not installed.
    """
    rng = np.random.default_rng([5, held_out])
    font = soundfonts.HELD_OUT if held_out else soundfonts.TRAINING[0]
    people = (heldout.LANGUAGES, heldout.VOICES) if held_out else (speech.LANGUAGES, speech.VOICES)
    player = soundfonts.SoundfontPlayer(font)
    others = [soundfonts.render(player, rng, PARTS[name], TAKES_S / 2) for name in INSTRUMENTS]
    player.close()
    return [_joined(speech.espeak(rng, TAKES_S, *people))], [_joined(each) for each in others]


def _joined(sounds: Sequence[Sound]) -> Sound:
    sound = soxr.resample(np.concatenate(sounds), RATE, SMALL.rate)
    return np.asarray(sound / np.abs(sound).max(), dtype=np.float32)[None]


def judged(model: DiffDMX, vocals: Sequence[Sound], others: Sequence[Sound], count: int, steps: int) -> dict[str, list[float]]:
    """SI-SDR gains over the mixture, in dB, of `count` mixtures: the conditioner's own voice, and samples without and with
    refinement noise."""
    mixtures, voices = pairs(np.random.default_rng(99), vocals, others, model.sizes.samples, count)
    with torch.no_grad():
        told = {"conditioner": model.conditioner(mixtures)[2]}
    told["samples, eta 0"] = sample(model, mixtures, steps=steps, eta=0.0)
    told["samples, eta 0.4"] = sample(model, mixtures, steps=steps, corner_hz=CORNER_HZ)

    def gains(stems: Tensor) -> list[float]:
        each = zip(stems[:, 0].numpy(), voices[:, 0].numpy(), mixtures[:, 0].numpy(), strict=True)
        return [si_sdr(stem, voice) - si_sdr(mixture, voice) for stem, voice, mixture in each]

    return {name: gains(stems) for name, stems in told.items()}
