"""Models and methods side by side on the same mixtures: what each gains with one prompt, with all named, and with a wrong one.

Mixtures have any rate and any number of parts; every answer is applied to the mixture's own spectrogram, as a job would.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soxr  # type: ignore[import-untyped, unused-ignore]
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.audio.chunks import ChunkLayout, OverlapAddFile, cut_chunks
from engine.audio.metrics import si_sdr
from engine.backbones.batching import BatchedModel
from engine.methods.base import Method
from engine.methods.onepass import OnePass
from engine.pipeline.inference import WindowRunner
from engine.pipeline.masking import MaskProjector
from engine.request import Request
from engine.research.bench.tables import mean, median, table
from host_bridge.types import Hertz, Samples

Sound = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class MixtureOfParts:
    """What is in it, the parts (sources, N) whose sum it is, at a rate, and which of them are asked for."""

    names: tuple[str, ...]
    parts: Sound
    rate: int
    asked: tuple[int, ...] = (0,)


Answer = Callable[[Sound, int, Sequence[str], bool], Tensor]
"""A mixture (N,), its rate, prompts, whether they are all sounds -> masks (K, F, frames) in `MaskProjector`'s bins at it."""


@torch.no_grad()
def masks(model: Any, method: Method, whole: Sound, rate: int, prompts: Sequence[str], complete: bool) -> Tensor:
    """What a method says with a model, as masks of the bins of a mixture at any rate and of any length."""
    heard = whole if rate == model.rate else soxr.resample(whole, rate, model.rate)
    hop = model.grid.hop
    layout = ChunkLayout(-(-len(heard) // hop), model.window // hop)
    windows = np.stack([*cut_chunks([heard.astype(np.float32)[:, None]], layout, hop)])
    request = Request.of(prompts, method=method.name, complete=complete and len(prompts) > 1)
    listener = WindowRunner(model, method, request, None, BatchedModel(model), model.embed(request.words))
    told = listener.answer(torch.from_numpy(windows), 0).masks
    fit, hops = MaskProjector(model.grid, model.rate, Hertz(rate)), _hops(whole, rate)
    with TemporaryDirectory() as folder:
        tape = OverlapAddFile(Path(folder) / "masks", layout, len(prompts), model.channels, model.grid.bands)
        for index in range(told.shape[1]):
            tape.append(told[:, index].numpy())
        return fit.bins(fit.masks(tape, Samples(0), hops + 3))[:, 0].clamp(0, 1)


def answering(model: Any, method: Method) -> Answer:
    """A model and a method as one who answers."""
    return lambda whole, rate, prompts, complete: masks(model, method, whole, rate, prompts, complete)


def remembering(answer: Answer, most: int = 8) -> Answer:
    """The same, whose latest answers are kept: who is asked alone and as half of a mean is asked once."""
    kept: dict[tuple[bytes, int, tuple[str, ...], bool], Tensor] = {}

    def told(whole: Sound, rate: int, prompts: Sequence[str], complete: bool) -> Tensor:
        key = (whole.tobytes(), rate, tuple(prompts), complete)
        if key not in kept:
            while len(kept) >= most:
                kept.pop(next(iter(kept)))
            kept[key] = answer(whole, rate, prompts, complete)
        return kept[key]

    return told


def mean_of(answers: Sequence[Answer]) -> Answer:
    """The mean of several answers' masks."""
    return lambda whole, rate, prompts, complete: torch.stack([each(whole, rate, prompts, complete) for each in answers]).mean(
        0
    )


def _hops(whole: Sound, rate: int) -> int:
    return -(-len(whole) // _fit(rate).hop)


def _fit(rate: int) -> MaskProjector:
    from engine.separators.ear import bands

    return MaskProjector(bands.GRID, bands.RATE, Hertz(rate))


def stems(whole: Sound, rate: int, shares: Tensor) -> NDArray[np.float64]:
    """A mixture (N,) under masks (K, F, frames) -> (K, N)."""
    fit = _fit(rate)
    around = np.pad(whole.astype(np.float64), (fit.context, fit.context + _hops(whole, rate) * fit.hop - len(whole)))
    return fit.sound(fit.spectrum(around[:, None]), shares[:, None])[:, : len(whole), 0]


@dataclass(slots=True)
class Figures:
    """Of one who answers: gains in dB by case, by source with one prompt, and the level of a wrong prompt's stem."""

    gains: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    sources: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong_db: list[float] = field(default_factory=list)


def measure(
    answers: Mapping[str, Answer],
    mixtures: Sequence[MixtureOfParts],
    known: Mapping[str, Sequence[str]],
    done: Callable[[], None],
) -> dict[str, Figures]:
    """Everyone on every mixture. known: the words of each; nobody is asked for what it does not know."""
    figures = {name: Figures() for name in answers}
    rng = np.random.default_rng(0)
    everything = sorted(set.intersection(*(set(words) for words in known.values())))
    for mixture in mixtures:
        whole = mixture.parts.sum(0)
        absent = str(rng.choice([word for word in everything if word not in mixture.names]))
        for name, answer in answers.items():
            mine = [word for word in mixture.names if word in known[name]]
            found = figures[name]
            for index in mixture.asked:
                source, truth = mixture.names[index], mixture.parts[index]
                if source not in mine:
                    continue
                floor = si_sdr(whole, truth)
                gain = si_sdr(stems(whole, mixture.rate, answer(whole, mixture.rate, [source], False))[0], truth) - floor
                found.gains["one prompt"].append(gain)
                found.sources[source].append(gain)
            if len(mine) == len(mixture.names):
                every = stems(whole, mixture.rate, answer(whole, mixture.rate, mine, True))
                for index in mixture.asked:
                    truth = mixture.parts[index]
                    found.gains["all named"].append(si_sdr(every[index], truth) - si_sdr(whole, truth))
            other = stems(whole, mixture.rate, answer(whole, mixture.rate, [absent], False))[0]
            truth = mixture.parts[mixture.asked[0]]
            found.gains["a wrong prompt"].append(si_sdr(other, truth) - si_sdr(whole, truth))
            found.wrong_db.append(float(10 * np.log10((other**2).sum() / (whole**2).sum() + 1e-12)))
        done()
    return figures


@torch.no_grad()
def levels(model: Any, mixtures: Sequence[MixtureOfParts], apart: Callable[[str], set[str]]) -> tuple[list[float], list[float]]:
    """`onepass.presence` of a trained separator, in dB: of every sound that is there, and of every one that is not.

    apart: a sound's relatives, itself among them, which count for nothing where it is there.
    """
    there, absent = list[float](), list[float]()
    method = OnePass(model.name)
    for mixture in mixtures:
        whole, hop = mixture.parts.sum(0), model.grid.hop
        heard = whole if mixture.rate == model.rate else soxr.resample(whole, mixture.rate, model.rate)
        layout = ChunkLayout(-(-len(heard) // hop), model.window // hop)
        windows = np.stack([*cut_chunks([heard.astype(np.float32)[:, None]], layout, hop)])
        request = Request.of(list(model.sources))
        listener = WindowRunner(model, method, request, None, BatchedModel(model), model.embed(request.words))
        told = listener.answer(torch.from_numpy(windows), 0).presence
        near = set[str]().union(*(apart(name) for name in mixture.names))
        for source, level in zip(model.sources, told.amax(1).tolist() if told is not None else (), strict=True):
            if source in mixture.names:
                there.append(level)
            elif source not in near:
                absent.append(level)
    return there, absent


def area(there: Sequence[float], absent: Sequence[float]) -> float:
    """How often something that is there scores above something that is not (the area under the curve)."""
    above = [(one > other) + 0.5 * (one == other) for one in there for other in absent]
    return float(np.mean(above)) if above else float("nan")


def spread(values: Sequence[float]) -> str:
    """The standard error of the mean, in tenths."""
    return f"{np.std(values, ddof=1) / np.sqrt(len(values)):.1f}" if len(values) > 1 else ""


def told(figures: Mapping[str, Figures]) -> str:
    """Two tables: the cases, and one prompt by source."""
    rows = [
        (f"{name}, {case}", mean(gains), median(gains), spread(gains), str(len(gains)))
        for name, found in figures.items()
        for case, gains in found.gains.items()
    ]
    sources = sorted({source for found in figures.values() for source in found.sources})
    by_source = [
        (
            source,
            str(max(len(f.sources[source]) for f in figures.values())),
            *(mean(f.sources[source]) for f in figures.values()),
        )
        for source in sources
    ]
    wrong = [(name, median(found.wrong_db)) for name, found in figures.items()]
    return "\n\n".join(
        (
            "SI-SDR gain over the mixture, dB",
            table(("who, asked with", "mean", "median", "standard error", "stems"), rows),
            "By source, one prompt: mean gain, dB",
            table(("source", "stems", *figures), by_source),
            "Level of a wrong prompt's stem against the mixture, median dB",
            table(("who", "dB"), wrong),
        )
    )
