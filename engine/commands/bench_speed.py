"""`zerostem bench speed`: how fast this machine is, each figure beside what it is held against, in one run."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from engine.commands.ticking import ticking
from host_bridge.arguments import Parser
from host_bridge.errors import BadRequest, CannotWrite

if TYPE_CHECKING:
    import torch

    from engine.backbones.base import Backbone
    from engine.bench.races import Course, Goals

GOALS = {("ddim", 1): 3.0, ("ddpm", 1): 2.5, ("ddim", 4): 5.0, ("ddpm", 4): 4.0}
"""How many times as fast as the published recipe, AudioLDM-S on a processor, by mode and number of prompts."""
MOST_PROMPTS = 8

Part = Callable[["torch.device", argparse.Namespace], Iterator[str]]


def parser() -> Parser:
    """Every option."""
    made = Parser("zerostem bench speed", description="Measure how fast this machine is, against the published recipe.")
    add = made.add_argument
    add("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    add("--only", action="append", choices=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}; may be given again")
    add("--steps", type=int, default=25, metavar="N", help="levels of an inversion in the races (default 25)")
    add("--seconds", type=float, nargs="+", metavar="S", help="of sound in the races (default 10, and 60 for pocket)")
    add("--prompts", type=int, nargs="+", metavar="K", help="how many at once in the races (default: fewer for large models)")
    add("--minutes", type=int, default=60, metavar="N", help="of the long file (default 60)")
    add("-o", "--out", type=Path, default=Path("bench/SPEED.md"), metavar="FILE", help="default bench/SPEED.md")
    return made


def main(argv: list[str]) -> int:
    """Measure, print, and write the same text into a file."""
    options = parser().parse_args(argv)
    if not all(1 <= count <= MOST_PROMPTS for count in options.prompts or ()):
        raise BadRequest(f"The races are for 1 to {MOST_PROMPTS} prompts.", "Give --prompts such numbers.")
    from engine import device

    options.results = []
    where, pages = device.choose(options.device), []
    for name, part in PARTS.items():
        if name not in (options.only or PARTS):
            continue
        for page in part(where, options):
            print(f"{page}\n", flush=True)
            pages.append(page)
    try:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        if options.results:
            from engine.bench import plots

            picture = options.out.with_suffix(".png")
            plots.draw(picture, options.results)
            pages.insert(1, f"![Times as fast as the published recipe]({picture.name})")
        options.out.write_text("\n\n".join(pages) + "\n", encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"{options.out} cannot be written: {error.strerror}.", "Choose another file with -o.") from error
    return 0


def _machine(where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench.machine import described

    yield f"# Speed on {where}\n\n{described()}"


def _race(course: "Course", counts: tuple[int, ...], lengths: tuple[float, ...], options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import races

    with ticking(f"racing with {course.title}") as done:

        def said(what: str) -> None:
            done()
            print(what, file=sys.stderr)

        counts, lengths = options.prompts or counts, options.seconds or lengths
        yield from races.told(course, options.steps, counts, lengths, said, options.results)


def _pocket(where: "torch.device", options: argparse.Namespace) -> Iterator[str]:
    """Pocket has no VAE and no vocoder to save on: what is left are batches, branches and the number format."""
    from engine.backbones.pocket.model import Pocket
    from engine.bench.races import Course

    yield from _race(Course("pocket", lambda: Pocket(where)), (1, 2, 4, 8), (10.0, 60.0), options)


def _full(
    key: str, counts: tuple[int, ...], goals: "Goals", where: "torch.device", options: argparse.Namespace
) -> Iterator[str]:
    from engine.backbones import load
    from engine.bench import executions
    from engine.bench.fullsize import FULL_SIZE
    from engine.bench.races import Course
    from engine.execution.table import EXECUTIONS

    with TemporaryDirectory() as folder:

        def make() -> "Backbone":
            with redirect_stderr(StringIO()):  # a bar for every file
                return load(key, where, Path(folder))

        FULL_SIZE[key](Path(folder))
        at_once = [way for way in EXECUTIONS.values() if way.quick]  # an export of so much takes minutes
        subject, title = make().subject, f"{key}, full size, random weights"
        assert subject is not None  # there is a network
        yield f"## Ways to run the network of {title}\n\n{executions.told(subject, at_once)}"
        yield from _race(Course(title, make, goals=goals), counts, (10.0,), options)


def _strength(where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import speed
    from engine.bench.races import PROMPTS
    from engine.separation import Separator

    separator = Separator.load(on=str(where))
    with ticking("new strengths") as done:
        for seconds in (8.0, 60.0):
            told = speed.new_strength(separator, seconds, 2, list(PROMPTS[:1]), done)
            yield f"## Another strength on a region that was separated: pocket, {seconds:g} s\n\n{told}"


def _executions(where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.backbones.pocket.model import Pocket
    from engine.bench import executions

    yield f"## Ways to run pocket's network\n\n{executions.told(Pocket(where).subject)}"


def _neighbour(_where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import neighbour

    yield f"## A DAW beside it\n\n{neighbour.told('pocket')}"


def _busy(_where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import busy

    with ticking("a job beside a busy process") as done:
        yield f"## A busy machine: pocket\n\n{busy.told('pocket', done)}"


def _starting(_where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import starting

    yield f"## Starting\n\n{starting.told(3)}"


def _long(where: "torch.device", options: argparse.Namespace) -> Iterator[str]:
    from engine.bench import hour

    yield f"## A long file: pocket\n\n{hour.told('pocket', str(where), (1, options.minutes))}"


def _panel(_where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    """The panel is measured by its own bench, which the engine does not know."""
    try:
        told = subprocess.run([sys.executable, "-m", "ui.bench"], capture_output=True, text=True, check=True).stdout
        said = "\n".join(f"- {line}" for line in told.splitlines())
    except subprocess.CalledProcessError:
        said = "Not measured: the panel does not start here (`pip install 'zerostem[panel]'`)."
    yield f"## The panel\n\n{said}"


def _gpu(where: "torch.device", _options: argparse.Namespace) -> Iterator[str]:
    """What was not measured is said, not estimated."""
    if where.type != "cuda":
        yield (
            "## A GPU\n\nNot measured: this ran on a processor. On a machine with a GPU, `zerostem bench speed --device cuda` "
            "measures all of this there (CUDA graphs are the row `compiled`)."
        )


PARTS: dict[str, Part] = {
    "machine": _machine,
    "starting": _starting,
    "panel": _panel,
    "neighbour": _neighbour,
    "busy": _busy,
    "executions": _executions,
    "strength": _strength,
    "pocket": _pocket,
    "audioldm": partial(_full, "audioldm", (1, 4), GOALS),
    "audioldm2": partial(_full, "audioldm2", (1,), {}),
    "long": _long,
    "gpu": _gpu,
}
"""What can be measured by itself, in the order in which it is."""
