"""`zerostem bench`: quality, presence, nulls and speed on this machine, as markdown, printed and kept in a file.

`zerostem bench speed` (`bench_speed`) measures only how fast it is, and more of it.
With sounds of your own (`comparing`) it compares separators on them instead.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from engine.commands import comparing
from engine.commands.ticking import ticking
from host_bridge.arguments import Parser
from host_bridge.errors import CannotWrite, ZeroStemError

if TYPE_CHECKING:
    from engine.bench.presence import Told
    from engine.bench.quality import Scores
    from engine.bench.windows import Asker, Worlds
    from engine.separation import Separator

PROMPTS = ["drums", "bass", "trumpet"]
"""Those of the demo's mix, on which nulls and speed are measured."""
REGION_WINDOWS = 4
"""Windows' lengths of sound in a region that is asked about as a whole."""

Done = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: mixes per world, longer regions per world, mixes through files, formats, seconds, runs."""

    mixes: int
    regions: int
    files: int
    forms: int
    seconds: float
    times: int
    seed: int = 11


FULL = Size(32, 12, 4, 8, 8.0, 2)
QUICK = Size(3, 2, 1, 3, 3.0, 1)


def parser() -> argparse.ArgumentParser:
    """Every option."""
    made = Parser("zerostem bench", description="Measure quality and speed on this machine.")
    made.add_argument("--quick", action="store_true", help="few mixes and short runs: two minutes, rough figures")
    made.add_argument("-n", "--name", metavar="MODEL", help="model: see `zerostem models list` (default: the embedded one)")
    made.add_argument("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    made.add_argument(
        "-o", "--out", type=Path, metavar="OUT", help="default bench/RESULTS.md; of a comparison a folder, default bench-out"
    )
    comparing.add_options(made)
    return made


def main(argv: list[str]) -> int:
    """Measure, print, and write the same text into a file. What cannot be measured here says why."""
    if argv[:1] == ["speed"]:
        from engine.commands import bench_speed

        return bench_speed.main(argv[1:])
    options = parser().parse_args(argv)
    if comparing.asked(options):
        return comparing.run(options)
    from engine import weights
    from engine.cache import Shelf
    from engine.separation import Separator

    model, pages, out = options.name or weights.DEFAULT, [], options.out or Path("bench/RESULTS.md")
    with TemporaryDirectory() as folder:  # a shelf of its own: nothing is remembered, and the user's cache stays as it is
        separator = Separator(Separator.load(model, options.device).backbone, Shelf(Path(folder)))
        sections = measured(separator, QUICK if options.quick else FULL)
        for page in chain([_machine(separator, quick=options.quick)], sections, _loading(model, options.device)):
            print(f"{page}\n", flush=True)
            pages.append(page)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("\n\n".join(pages) + "\n", encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"{out} cannot be written: {error.strerror}.", "Choose another file with -o.") from error
    return 0


def _loading(model: str, device: str) -> Iterator[str]:
    """The last section: what the first job of a process waits for."""
    from engine.bench import speed

    yield f"## Loading\n\n{speed.loading(model, device)}"


def measured(separator: "Separator", size: Size) -> Iterator[str]:
    """Section after section, each as soon as it is there."""
    from engine.bench import goals, nulls, speed
    from engine.bench.windows import Asker

    with ticking("rendering mixes"):
        worlds, regions = _worlds(size, 1), _worlds(size, REGION_WINDOWS)
    for name, why in worlds.missing.items():
        yield f"## {name.capitalize()}\n\nNot measured. {why}"
    scores: dict[str, Scores] = {}
    asked: dict[str, Told] = {}
    yield from _quality(separator, worlds, size, scores)
    yield from _presence(Asker(separator.backbone), worlds, regions, scores, asked)
    with ticking("nulls") as done:
        formats = nulls.measure(separator, nulls.FORMS[: size.forms], PROMPTS[:2], done)
    yield f"## Nulls\n\n{nulls.told(formats)}"
    with ticking("speed") as done:
        rates = speed.measure(separator, size.seconds, size.times, PROMPTS, done)
        strength = speed.new_strength(separator, size.seconds, size.times, PROMPTS, done)
    best = f"{size.seconds:g} s of the demo's mix, from file to files; the best of {size.times}"
    yield f"## Speed\n\nSeconds per second of audio and prompt: {best}.\n\n{speed.told(rates)}\n\n{strength}"
    yield f"## What it must reach\n\n{goals.told(scores, asked, formats, rates[goals.METHOD])}"


def _quality(separator: "Separator", worlds: "Worlds", size: Size, scores: "dict[str, Scores]") -> Iterator[str]:
    """A section per world; fills `scores`."""
    from engine.bench import quality
    from engine.bench.windows import Asker

    for name, mixes in worlds.mixes.items():
        with ticking(f"quality on {name}") as done:
            scores[name] = quality.measure(Asker(separator.backbone), mixes, worlds.prompts, done)
        with ticking("through files"):
            files = quality.through_files(separator, mixes[: size.files], scores[name])
        told = f"## Quality: {len(mixes)} mixes of two, {name}\n\n{quality.told(scores[name])}"
        yield f"{told}\n\nThe same through whole jobs, as a user gets it\n\n{files}"


def _presence(
    asker: "Asker", worlds: "Worlds", regions: "Worlds", scores: "dict[str, Scores]", asked: "dict[str, Told]"
) -> Iterator[str]:
    """Two sections for all worlds: single windows and `regions`, and suggestions; fills `asked`."""
    from engine.bench import presence, suggestions

    for name, mixes in worlds.mixes.items():
        with ticking(f"presence in {name}") as done:
            asked[name] = presence.measure(asker, mixes, worlds.prompts, done)
            asked[f"{name}, {REGION_WINDOWS} windows"] = presence.measure(asker, regions.mixes[name], worlds.prompts, done)
    told = {}
    for name, mixes in worlds.mixes.items():
        with ticking(f"suggestions for {name}") as done:
            told[name] = suggestions.measure(asker, mixes, worlds.prompts, done)
    if asked:
        summary = presence.summary(asked, asker.backbone.presence)
        yield f"## Presence\n\n{summary}\n\n{presence.energies(scores, asked)}\n\n{presence.calibration(asked)}"
        yield f"## Suggestions\n\n{suggestions.told(told, asked)}"


def _worlds(size: Size, windows: int) -> "Worlds":
    """The held-out mixes, as far as this machine has what they are made of."""
    from engine.backbones.pocket.training import heldout
    from engine.bench.windows import RECORDED, SOUNDFONT, Worlds

    worlds, count = Worlds({}, {}), size.mixes if windows == 1 else size.regions
    made = {SOUNDFONT: heldout.soundfont_mixes, RECORDED: heldout.recorded_mixes}
    for name, make in made.items():
        try:
            worlds.mixes[name] = make(count, size.seed, windows * heldout.WINDOW_S)
        except ZeroStemError as error:
            worlds.missing[name] = str(error)
    return worlds


def _machine(separator: "Separator", *, quick: bool) -> str:
    """What it was measured on."""
    from engine.bench.machine import described

    return "\n".join(
        (
            f"# Bench: {separator.backbone.name} {separator.backbone.fingerprint} on {separator.backbone.device}",
            "",
            described(),
            *(["", "**Quick: few mixes and short runs, figures are rough.**"] if quick else []),
        )
    )
