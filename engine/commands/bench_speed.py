"""`zerostem bench speed`: how fast this machine is, each figure beside what it is held against, in one run."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from engine.commands.arguments import Parser
from host_bridge.errors import BadRequest, CannotWrite

if TYPE_CHECKING:
    import torch

    from engine.backbones.base import Backbone

PROMPTS = ("drums", "bass", "trumpet", "piano", "guitar", "violin", "flute", "organ")
GOALS = {("ddim", 1): 3.0, ("ddpm", 1): 2.5, ("ddim", 4): 5.0, ("ddpm", 4): 4.0}
"""How many times as fast as the published recipe, AudioLDM-S on a processor, by mode and number of prompts."""

Part = Callable[["torch.device", argparse.Namespace], Iterator[str]]


def parser() -> Parser:
    """Every option."""
    made = Parser("zerostem bench speed", description="Measure how fast this machine is, against the published recipe.")
    add = made.add_argument
    add("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    add("--only", action="append", choices=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}; may be given again")
    add("--steps", type=int, default=10, metavar="N", help="levels of an inversion in the races (default 10)")
    add("--prompts", type=int, nargs="+", default=[1, 4], metavar="K", help="how many at once in the races (default 1 4)")
    add("--minutes", type=int, default=60, metavar="N", help="of the long file (default 60)")
    add("-o", "--out", type=Path, default=Path("bench/SPEED.md"), metavar="FILE", help="default bench/SPEED.md")
    return made


def main(argv: list[str]) -> int:
    """Measure, print, and write the same text into a file."""
    options = parser().parse_args(argv)
    if not all(1 <= count <= len(PROMPTS) for count in options.prompts):
        raise BadRequest(f"The races are for 1 to {len(PROMPTS)} prompts.", "Give --prompts such numbers.")
    from engine import device

    where, pages = device.choose(options.device), []
    for name, part in PARTS.items():
        if name not in (options.only or PARTS):
            continue
        for page in part(where, options):
            print(f"{page}\n", flush=True)
            pages.append(page)
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text("\n\n".join(pages) + "\n", encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"{options.out} cannot be written: {error.strerror}.", "Choose another file with -o.") from error
    return 0


def _machine(where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench.machine import described

    yield f"# Speed on {where}\n\n{described()}"


def _pocket(where: "torch.device", options: argparse.Namespace) -> Iterator[str]:
    """Pocket has no VAE and no vocoder to save on: what is left are batches, branches and the number format."""
    from engine.backbones.pocket.model import Pocket

    yield from _races("pocket", lambda: Pocket(where), options)


def _full(key: str, where: "torch.device", options: argparse.Namespace) -> Iterator[str]:
    from engine.backbones import load
    from engine.bench.fullsize import FULL_SIZE

    with TemporaryDirectory() as folder, redirect_stderr(StringIO()):  # a bar for every file
        FULL_SIZE[key](Path(folder))
        yield from _races(f"{key}, full size, random weights", lambda: load(key, where, Path(folder)), options)


def _races(title: str, make: "Callable[[], Backbone]", options: argparse.Namespace) -> Iterator[str]:
    """The published recipe against the engine, both in float32, then the engine as it is."""
    from engine import planner
    from engine.bench import published
    from engine.bench.tables import table
    from engine.execution.plain import REFERENCE

    plain, usual = make(), make()
    planner.settle(plain, REFERENCE)
    planner.settle(usual)
    heading = ("mode, prompts", "recipe, s", "engine, s", "ratio", "passes", "apart")
    sound, ways = _sound(plain), {REFERENCE: plain, _way(usual): usual}
    rows: dict[str, list[tuple[str, ...]]] = {way: [] for way in ways}
    published.races(plain, list(ways.values()), sound, PROMPTS[:1], 1, "ddpm")  # kernels are found, and rooms entered
    for count in options.prompts:
        for mode in published.CLIMBS:
            runs = published.races(plain, list(ways.values()), sound, PROMPTS[:count], options.steps, mode)
            for way, run in zip(ways, runs, strict=True):
                goal = GOALS.get((mode, count)) if title.startswith("audioldm,") and way != REFERENCE else None
                ratio = f"{run.ratio:.2f}" + (f" (goal {goal:g})" if goal else "")
                times = (f"{run.recipe_s:.2f}", f"{run.engine_s:.2f}", ratio)
                passes = f"{run.recipe_passes} / {run.engine_passes}"
                rows[way].append((f"{mode}, {count}", *times, passes, f"{run.difference:.1e}"))
    for way, found in rows.items():
        yield (
            f"## The published recipe against the engine: {title}, {way}\n\n"
            f"One window, {options.steps} levels, omega 1; the recipe in float32.\n\n{table(heading, found)}"
        )


def _way(backbone: "Backbone") -> str:
    return str(getattr(getattr(backbone, "run", None), "name", "as it is"))


def _sound(backbone: "Backbone") -> Any:
    """One window of the demo's mix at the model's rate, as often as its channels want it."""
    import soundfile
    import soxr
    import torch

    from presets import DEMO

    sound, rate = soundfile.read(DEMO / "mix.flac", always_2d=True, dtype="float32")
    heard = soxr.resample(sound.mean(1), rate, backbone.rate)
    window = torch.from_numpy(heard).repeat(1 + backbone.window // len(heard))[: backbone.window]
    return window.repeat(1, backbone.channels, 1).to(backbone.device)


def _strength(where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import speed
    from engine.separation import Separator

    told = speed.new_strength(Separator.load(on=str(where)), 8.0, 2, list(PROMPTS[:3]), lambda: None)
    yield f"## Another strength on a region that was separated: pocket, 8 s\n\n{told}"


def _executions(where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.backbones.pocket.model import Pocket
    from engine.bench import executions

    yield f"## Ways to run pocket's network\n\n{executions.told(Pocket(where).subject)}"


def _neighbour(_where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import neighbour

    yield f"## A DAW beside it\n\n{neighbour.told('pocket')}"


def _starting(_where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import starting

    yield f"## Starting\n\n{starting.told(3)}"


def _long(where: "torch.device", options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import hour

    yield f"## A long file: pocket\n\n{hour.told('pocket', str(where), (1, options.minutes))}"


PARTS: dict[str, Part] = {
    "machine": _machine,
    "starting": _starting,
    "neighbour": _neighbour,
    "executions": _executions,
    "strength": _strength,
    "pocket": _pocket,
    "audioldm": partial(_full, "audioldm"),
    "audioldm2": partial(_full, "audioldm2"),
    "long": _long,
}
"""What can be measured by itself, in the order in which it is."""
