"""The self-test of a model that is here: whether all of it is read as it was meant, found out by letting it work.

Files and shapes show what is missing or cut off; that a scale, a schedule or a level is wrong shows only in what a network
says. So the model tells noise from sound, goes up and down again at strength 0, makes a few seconds of two sounds, and is asked
which is which. Everything is drawn from fixed seeds: on one machine the report is the same each time, but for the seconds.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.backbones import heads
from engine.backbones.base import Backbone, Conditioning, add_noise
from engine.backbones.heads import demo_window
from engine.inversion import INVERSIONS
from engine.inversion.base import InversionResult, Timesteps, denoise
from engine.separators.base import TrainedSeparator, trained
from host_bridge.types import Progress, quietly

PROMPTS = ("drums", "violin")
"""Two sounds that every model knows and nobody takes for each other."""
SHORT_S = 2.56
"""Seconds that are made and asked about; a model that is told how long its window is hears all of it."""
STEPS, TRIP_STEPS = 25, 10
GUIDANCE = 2.5
HEIGHTS = (0.3, 0.5)
"""Where on the way up noise is to be told from sound."""
PRESENCE_HEIGHTS, PRESENCE_DRAWS = (0.2, 0.3, 0.4, 0.5), 2

MOST_ERROR = 0.6
"""Of the error of the better of two answers that need no network: there is no noise, and all of it is noise."""
MOST_TRIP = 0.01
"""Relative error of a latent that went up by DDPM and came down at strength 0; a sound network has 1e-6 and less."""
LEAST_RMS = 1e-4
"""Of what is made, -80 dBFS."""
FLATTEST = 0.3
"""Of the mean spectrum of what is made: 1 for white noise, 0.37 for pink noise, at most 0.06 for the demo mix and its stems."""
COLOURED, NOISE_STEADINESS = 0.02, (0.5, 0.63)
"""What is flatter than the first and as steady as the second is noise that went through a filter, see `steadiness`."""
LEAST_APART_DB = 3.0
"""Mean distance of the mel spectra of the two sounds."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One question's answer. passed: None where it is only told. said: a line for people. values: the same as numbers."""

    name: str
    passed: bool | None
    said: str
    values: dict[str, Any]


Say = Callable[[float], None]


def separated(separator: TrainedSeparator, progress: Progress = quietly) -> list[Finding]:
    """The one question to a trained separator: does it bring the parts of the demo mix nearer to what they are?"""
    names, gains = ("bass", "drums", "trumpet"), list[float]()

    def heard(name: str) -> Tensor:
        sound = demo_window(separator, separator.window, name=name)
        return separator.magnitude(separator.analyse(sound * level[:, None, None]))

    mix = demo_window(separator, separator.window)
    level = separator.gain(mix)
    features = separator.analyse(mix * level[:, None, None])
    whole = separator.magnitude(features)
    for index, name in enumerate(names):
        progress(index / len(names), "separating the demo mix")
        truth, mask = heard(name), separator.masks(features, separator.embed([name]))
        left, before = ((told - truth).square().sum() for told in (mask * whole, whole))
        gains.append(float(10 * torch.log10(before / left.clamp_min(1e-20))))
    progress(1.0, "tested")
    said = ", ".join(f"{name} {gain:+.1f} dB" for name, gain in zip(names, gains, strict=True))
    values = {"gains_db": dict(zip(names, gains, strict=True))}
    return [Finding("separation", all(math.isfinite(gain) and gain > 0 for gain in gains), said, values)]


@dataclass(frozen=True, slots=True, eq=False)
class Patient:
    """A model under test, and the lengths it is tested with. noise: its own, timed and stopped between two items."""

    backbone: Backbone
    tell: Say

    @property
    def length(self) -> int:
        """Samples that are made."""
        whole = self.backbone.window
        return whole if self.backbone.channels > 1 else min(whole, round(SHORT_S * self.backbone.rate))

    def sound(self) -> tuple[Tensor, Tensor]:
        """Features of the demo mix at the model's level, and its latent."""
        window = demo_window(self.backbone, self.length)
        features = self.backbone.analyse(window * self.backbone.gain(window)[:, None, None])
        return features, self.backbone.encode(features)

    def noise(self, x: Tensor, levels: Tensor, words: Conditioning) -> Tensor:
        """In batches that suit the device, and stopped between two. Raises Cancelled through `tell`."""
        said, size = [], self.backbone.batch
        for first in range(0, len(x), size):
            here = slice(first, first + size)
            rows = Conditioning({name: tensor[here] for name, tensor in words.tensors.items()})
            self.tell(len(x[here]))
            said.append(self.backbone.noise(x[here], levels[here], rows))
        return torch.cat(said)


def examine(backbone: Backbone, progress: Progress = quietly, device: str = "") -> list[Finding]:
    """All questions to a model that is loaded. Raises Cancelled through `progress`, which hears the share of the passes that
    are done, and what is being done."""
    if trained(backbone):
        return separated(backbone, progress)
    passes = {
        "shapes": 1,
        "noise": len(HEIGHTS),
        "round trip": 2 * TRIP_STEPS,
        "sound": 2 * len(PROMPTS) * STEPS,
        "presence": len(PROMPTS) * len(PRESENCE_HEIGHTS) * PRESENCE_DRAWS * (len(PROMPTS) + 1),
        "speed": 3,
    }
    asking = 2 * len(heads.HEIGHTS) * heads.DRAWS if getattr(backbone, "other_heads", None) else 0
    done, total, stage = 0, asking + sum(passes.values()), ""

    def tell(items: float) -> None:
        nonlocal done
        progress(min(done / total, 1.0), stage)
        done += int(items)

    patient, findings = Patient(backbone, tell), list[Finding]()
    choice = heads.chosen(backbone, lambda share, said: progress(share * asking / total, said)) if asking else None
    done = asking
    if choice is not None:
        findings.append(Finding("heads", None, choice.told, {"taken": choice.taken, "nearer": choice.nearer}))
    stage = "looking at shapes"
    findings.append(shapes(patient))
    if findings[-1].passed:
        stage = "telling noise from sound"
        findings.append(telling(patient))
        stage = "going up and down at strength 0"
        findings.append(round_trip(patient))
        stage = "making two sounds"
        made = generated(patient)
        findings.append(sounding(backbone, made))
        stage = "asking which is which"
        findings.append(present(patient, made))
        stage = "timing"
        findings.append(speed(patient, device))
    progress(1.0, "tested")
    return findings


@torch.no_grad()
def shapes(patient: Patient) -> Finding:
    """Everything that comes out has the shape that goes with what went in, and is finite."""
    model = patient.backbone
    features, latent = patient.sound()
    words = model.embed([*PROMPTS, ""])
    said = patient.noise(latent, torch.tensor([float(model.schedule.level(0.5))]), words.rows(torch.tensor([0])))
    back, audio = model.decode(latent), model.render(features)
    wrong = [
        *(["the noise"] if said.shape != latent.shape else []),
        *(["the decoded sound"] if back.shape != features.shape else []),
        *(["the rendered sound"] if audio.shape != (1, model.channels, features.shape[2] * model.grid.hop) else []),
        *(["the prompts"] if any(len(tensor) != len(PROMPTS) + 1 for tensor in words.tensors.values()) else []),
    ]
    told = {"the latent": latent, "the noise": said, "the decoded sound": back, "the rendered sound": audio, **words.tensors}
    endless = [name for name, tensor in told.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    flaws = [*(f"{name} has another shape than it should" for name in wrong), *(f"{name} is not finite" for name in endless)]
    sizes = f"{tuple(features.shape[1:])} features, {tuple(latent.shape[1:])} latent, {audio.shape[-1]} samples"
    values = {"features": [*features.shape], "latent": [*latent.shape], "samples": audio.shape[-1]}
    return Finding("shapes", not flaws, "; ".join(flaws) or sizes, values)


@torch.no_grad()
def telling(patient: Patient) -> Finding:
    """How well noise is told from the demo mix, against answers that need no network. A wrong scale, schedule, prediction type
    or level shows here."""
    model, (_, latent) = patient.backbone, patient.sound()
    drawn = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0)).to(latent)
    words, shares = model.embed([""]), []
    for height in HEIGHTS:
        level = torch.tensor([float(model.schedule.level(height))])
        alpha = model.schedule.alpha_bar(level)
        x = add_noise(latent, alpha, drawn)
        answers = (patient.noise(x, level, words), torch.zeros_like(x), (1 - float(alpha)) ** 0.5 * x)
        told, *simple = (float((answer - drawn).square().mean()) for answer in answers)
        shares.append(told / min(simple))
    worst = max(shares)
    passed = math.isfinite(worst) and worst < MOST_ERROR
    return Finding("noise", passed, f"{worst:.2f} of the error without a network (at most {MOST_ERROR})", {"error": shares})


@torch.no_grad()
def round_trip(patient: Patient) -> Finding:
    """The demo mix up by DDPM under the null prompt and down again at strength 0: the latent that went up."""
    model, (_, latent) = patient.backbone, patient.sound()
    null, words = model.embed([""]), model.embed([PROMPTS[0]])
    timesteps, way = Timesteps.build(model.schedule, TRIP_STEPS), INVERSIONS["ddpm"]
    inverted = way.invert(patient.noise, timesteps, latent, null, [0])
    back = denoise(patient.noise, timesteps, way, inverted, words, null, torch.zeros(1))[0]
    error = float((back - latent).norm() / latent.norm())
    passed = math.isfinite(error) and error < MOST_TRIP
    return Finding("round trip", passed, f"{error:.1e} off at strength 0 (at most {MOST_TRIP})", {"error": error})


@torch.no_grad()
def generated(patient: Patient) -> list[Tensor]:
    """A few seconds under each prompt, (1, channels, N), by DDIM from the same noise."""
    model, (_, latent) = patient.backbone, patient.sound()
    top = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1)).to(latent)
    words, null = model.embed(list(PROMPTS)), model.embed([""] * len(PROMPTS))
    timesteps, inverted = Timesteps.build(model.schedule, STEPS), InversionResult(top, top.new_empty(1, 0, *top.shape[1:]))
    found = denoise(patient.noise, timesteps, INVERSIONS["ddim"], inverted, words, null, torch.full((len(PROMPTS),), GUIDANCE))
    return [model.render(model.decode(each)) for each in found]


def sounding(backbone: Backbone, made: list[Tensor]) -> Finding:
    """What was made is sound, no noise of any colour, and not the same for both prompts."""
    flaws, values = [], dict[str, Any]()
    for prompt, audio in zip(PROMPTS, made, strict=True):
        mono = audio[0].mean(0).cpu()
        rms, flat, steady = float(mono.square().mean().sqrt()), flatness(mono), steadiness(mono)
        values[prompt] = {"rms": rms, "flatness": flat, "steadiness": steady}
        if not math.isfinite(rms) or rms < LEAST_RMS:
            flaws.append(f"{prompt} is silent" if math.isfinite(rms) else f"{prompt} is not finite")
        elif flat > FLATTEST:
            flaws.append(f"{prompt} is noise, as flat as {flat:.2f} (white noise is 1)")
        elif flat > COLOURED and NOISE_STEADINESS[0] < steady < NOISE_STEADINESS[1]:
            flaws.append(f"{prompt} is as steady as filtered noise ({steady:.2f})")
    apart = distance_db(backbone, *made) if not flaws else 0.0
    if not flaws and not apart >= LEAST_APART_DB:
        flaws.append(f"{' and '.join(PROMPTS)} sound alike, {apart:.1f} dB apart")
    each = ", ".join(f"{prompt}: flatness {told['flatness']:.3f}" for prompt, told in values.items())
    return Finding("sound", not flaws, "; ".join(flaws) or f"{each}; {apart:.1f} dB apart", values | {"apart_db": apart})


def _power(audio: Tensor) -> Tensor:
    """(N,) -> power (F, frames) of half-overlapping frames of 1024."""
    hann = torch.hann_window(1024, dtype=torch.float64)
    return torch.stft(audio.double(), 1024, 512, window=hann, center=False, return_complex=True).abs().square()


def flatness(audio: Tensor) -> float:
    """Of the mean spectrum of (N,) samples: geometric over arithmetic mean of its powers, 1 for white noise, 0 for a tone."""
    mean = _power(audio).mean(1)[1:]
    return float(mean.clamp_min(1e-30).log().mean().exp() / mean.mean().clamp_min(1e-30))


def steadiness(audio: Tensor) -> float:
    """Geometric over arithmetic mean of each bin's power over time, weighted by its energy: 0.56 for stationary noise of any
    colour (exp of minus Euler's constant), towards 1 for a held tone, towards 0 for what comes and goes."""
    power = _power(audio)[1:].clamp_min(1e-30)
    each = power.log().mean(1).exp() / power.mean(1)
    return float((each * power.mean(1)).sum() / power.mean(1).sum())


def distance_db(backbone: Backbone, one: Tensor, other: Tensor) -> float:
    """Mean distance in dB of two sounds' magnitudes on the model's bands, both at the model's own level."""
    spectra = []
    for audio in (one, other):
        features = backbone.analyse(audio * backbone.gain(audio)[:, None, None])
        spectra.append(20 * backbone.magnitude(features).mean((0, 1, 2)).clamp_min(1e-6).log10())
    return float((spectra[0] - spectra[1]).abs().mean())


@torch.no_grad()
def present(patient: Patient, made: list[Tensor]) -> Finding:
    """In what was made under each prompt, the noise is told better under it than under the other: it knows its own sounds."""
    model, scores = patient.backbone, list[list[float]]()
    words = model.embed([*PROMPTS, ""])
    for audio in made:
        latent = model.encode(model.analyse(audio * model.gain(audio)[:, None, None]))
        generator, errors = torch.Generator().manual_seed(2), torch.zeros(len(PROMPTS) + 1)
        for height in PRESENCE_HEIGHTS:
            for _ in range(PRESENCE_DRAWS):
                drawn = torch.randn(latent.shape, generator=generator).to(latent)
                level = torch.tensor([float(model.schedule.level(height))])
                x = add_noise(latent, model.schedule.alpha_bar(level), drawn).repeat(len(errors), 1, 1, 1)
                told = patient.noise(x, level.repeat(len(errors)), words)
                errors += (told - drawn).square().mean((1, 2, 3)).cpu()
        scores.append(((errors[-1] - errors[:-1]) / (len(PRESENCE_HEIGHTS) * PRESENCE_DRAWS)).tolist())
    better = [own[index] - max(score for other, score in enumerate(own) if other != index) for index, own in enumerate(scores)]
    said = "; ".join(
        f"{prompt} in its own sound {own[index]:+.4f}, the other {own[1 - index]:+.4f}"
        for index, (prompt, own) in enumerate(zip(PROMPTS, scores, strict=True))
    )
    return Finding("presence", all(each > 0 for each in better), said, {"scores": scores})


@torch.no_grad()
def speed(patient: Patient, device: str) -> Finding:
    """Seconds of one pass over a whole window, the best of two after one that is not counted."""
    model = patient.backbone
    silence = torch.zeros(1, model.channels, model.window, device=model.device)
    latent, words = model.encode(model.analyse(silence)), model.embed([PROMPTS[0]])
    level, seconds = torch.tensor([float(model.schedule.level(0.5))]), list[float]()
    for _ in range(3):
        began = time.perf_counter()
        patient.noise(latent, level, words).cpu()
        seconds.append(time.perf_counter() - began)
    best, window = min(seconds[1:]), model.window / model.rate
    way = f" on {device}" if device else ""
    said = f"{best:.3g} s per step and {window:.3g} s of sound{way}, {model.run.name if model.run else 'in closed form'}"
    return Finding("speed", None, said, {"seconds_per_step": best, "window_s": window})
