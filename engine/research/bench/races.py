"""The published recipe against the engine: one model, the same weights, levels and noise, side by side."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import soundfile
import soxr
import torch
from torch import Tensor

from engine.backbones import tuning
from engine.backbones.base import Backbone
from engine.execution.plain import REFERENCE
from engine.research.bench import published
from engine.research.bench.tables import table
from presets import DEMO

PROMPTS = ("drums", "bass", "trumpet", "piano", "guitar", "violin", "flute", "organ")
Goals = Mapping[tuple[str, int], float]


@dataclass(frozen=True, slots=True)
class Course:
    """A model to race with. goals: how many times as fast on a processor, by mode and number of prompts."""

    title: str
    make: Callable[[], Backbone]
    goals: Goals = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RaceResult:
    """One race: the engine in the reference format and as it usually is, each times as fast as the recipe."""

    title: str
    mode: str
    prompts: int
    seconds: float
    reference: float
    usual: float
    goal: float | None


def told(
    course: Course,
    steps: int,
    counts: Sequence[int],
    lengths: Sequence[float],
    done: Callable[[str], None],
    kept: list[RaceResult],
) -> Iterator[str]:
    """A page with the engine in float32, and one with it as it usually is. Lengths after the first are run with one prompt."""
    plain, usual = course.make(), course.make()
    tuning.tune(plain, REFERENCE)
    tuning.tune(usual)
    ways = {REFERENCE: plain, _way(usual): usual}
    rows: dict[str, list[tuple[str, ...]]] = {way: [] for way in ways}
    published.races(plain, list(ways.values()), sound(plain, 0.0), PROMPTS[:1], 1, "ddpm")  # kernels are found, rooms entered
    for length, count in [*((lengths[0], count) for count in counts), *((length, 1) for length in lengths[1:])]:
        windows = sound(plain, length)
        for mode in published.CLIMBS:
            runs = published.races(plain, list(ways.values()), windows, PROMPTS[:count], steps, mode)
            goal = course.goals.get((mode, count)) if length == lengths[0] else None
            kept.append(RaceResult(course.title, mode, count, length, runs[0].ratio, runs[-1].ratio, goal))
            for way, run in zip(ways, runs, strict=True):
                aim = f" (goal {goal:g})" if goal and way != REFERENCE else ""
                rows[way].append((f"{mode}, {count}, {length:g} s", *_cells(run, aim)))
            done(f"{course.title}, {mode}, {count} at once, {length:g} s: {runs[-1].ratio:.1f} times as fast")
    heading = ("mode, prompts, sound", "recipe, s", "engine, s", "ratio", "passes", "in and out of the codec", "apart, dB")
    for way, found in rows.items():
        yield (
            f"## The published recipe against the engine: {course.title}, {way}\n\n"
            f"{steps} levels, omega 1, batches of {ways[way].batch}; the recipe in float32. "
            f"Each was run once.\n\n{table(heading, found)}"
        )


def _cells(run: published.Race, aim: str) -> tuple[str, ...]:
    one, other = run.recipe_work, run.engine_work
    codec = f"{one.encodes} + {one.decodes} / {other.encodes} + {other.decodes}"
    return (
        f"{run.recipe_s:.2f}",
        f"{run.engine_s:.2f}",
        f"{run.ratio:.2f}{aim}",
        f"{one.passes} / {other.passes}",
        codec if one.encodes else "",
        f"{20 * math.log10(max(run.difference, 1e-10)):.0f}",
    )


def sound(backbone: Backbone, seconds: float) -> Tensor:
    """As many windows of the demo's mix as so much sound takes, at least one, (B, channels, N) at the model's rate."""
    mix, rate = soundfile.read(DEMO / "mix.flac", always_2d=True, dtype="float32")
    heard = torch.from_numpy(soxr.resample(mix.mean(1), rate, backbone.rate))
    count = max(1, round(seconds * backbone.rate / backbone.window))
    windows = heard.repeat(1 + count * backbone.window // len(heard))[: count * backbone.window].reshape(count, 1, -1)
    return windows.repeat(1, backbone.channels, 1).to(backbone.device)


def _way(backbone: Backbone) -> str:
    return backbone.run.name if backbone.run else "as it is"
