"""`zerostem demo`: the mix that comes along, or a file of yours, separated, measured and drawn."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from engine.request import Request
from host_bridge.arguments import Parser
from presets import DEMO

if TYPE_CHECKING:
    from rich.console import Console

    from engine.backbones.base import Backbone

CAPTION = (
    "SI-SDR in dB on the written files. mix: of the mixture itself, the floor (a gain of 0); gain: what the stem is above it; "
    "oracle: the gain of the best mask that the model's bands allow, made from the true stem. together: all prompts in one "
    "run, which is told that they name every sound (complete); alone: one prompt a run, which is not."
)


@dataclass(frozen=True, slots=True)
class Run:
    """One separation, ready to be told: its sidecar, and per stem lag and, where the truth is known, (mix, stem) SI-SDR."""

    sidecar: dict[str, Any]
    lags: tuple[int | None, ...]
    scores: tuple[tuple[float, float] | None, ...]


def parser() -> argparse.ArgumentParser:
    """Every option."""
    made = Parser("zerostem demo", description="Separate the mix that comes along, or FILE, and show what came out.")
    made.add_argument("input", nargs="?", type=Path, metavar="FILE", help="a file of yours (default: the mix that comes along)")
    made.add_argument("-p", "--prompt", action="append", default=[], metavar="PROMPT", help="the sound you want; for FILE")
    made.add_argument("-o", "--out", type=Path, default=Path("demo-out"), metavar="OUT", help="folder (default demo-out)")
    return made


def main(argv: list[str]) -> int:
    """Separate, print a table, draw a picture into OUT."""
    options = parser().parse_args(argv)
    truths = {} if options.input else {path.stem: path for path in sorted(DEMO.glob("*.flac")) if path.stem != "mix"}
    request = Request.of(options.prompt or [*truths], complete=bool(truths) and set(options.prompt or truths) == set(truths))
    demonstrate(options.input or DEMO / "mix.flac", truths, request, options.out)
    return 0


def demonstrate(mix: Path, truths: dict[str, Path], request: Request, out: Path) -> None:
    """The demo of any mix; `truths` has the files of the true stems by prompt, as far as they are known."""
    from rich.console import Console

    from engine import delivery
    from engine.bench.spectrograms import refuse_a_stranger
    from engine.separation import Separator

    console, name = Console(highlight=False), delivery.input_names([mix])[0]
    picture = out / f"{name} - picture.png"
    refuse_a_stranger(picture)
    backbone = Separator.load().backbone
    together = _run(backbone, mix, truths, request, out, console)
    oracle = _oracle(backbone, mix, truths, request)
    runs = [together]
    if truths and len(request.prompts) > 1:
        with TemporaryDirectory() as aside:
            alone = [replace(request, prompts=(prompt,), strengths=(1.0,), complete=False) for prompt in request.prompts]
            runs += [_run(backbone, mix, truths, each, Path(aside), console) for each in alone]
    _tell(console, mix, runs, oracle)
    _draw(picture, mix, truths, together)
    console.print(f"Stems, rest and picture are in {out.absolute()}", soft_wrap=True)


def _run(backbone: "Backbone", mix: Path, truths: dict[str, Path], request: Request, out: Path, console: "Console") -> Run:
    """Separate, with nothing remembered of earlier runs so that the seconds are those of a whole job; measure every stem."""
    from engine.audio import open_source
    from engine.cache import Shelf
    from engine.measure import lag_samples
    from engine.separation import Separator, Wish

    asked = " + ".join(request.prompts)
    with console.status("") as line, TemporaryDirectory() as shelf:
        sidecar = Separator(backbone, Shelf(Path(shelf))).separate(
            mix, request, Wish(out), lambda done, stage: line.update(f"{asked}: {stage}, {done:.0%} done")
        )
    source, written = open_source(mix), [Path(stem["path"]) for stem in sidecar["stems"]]
    lags = tuple(lag_samples(source, path) for path in written)
    scores = tuple(_score(mix, path, truths.get(prompt)) for path, prompt in zip(written, request.prompts, strict=True))
    return Run(sidecar, lags, scores)


def _score(mix: Path, stem: Path, truth: Path | None) -> tuple[float, float] | None:
    """SI-SDR of the mixture and of the stem against the truth, over all channels."""
    import soundfile

    from engine.measure import si_sdr

    if truth is None:
        return None
    mixed, told, true = (soundfile.read(path, always_2d=True)[0] for path in (mix, stem, truth))
    return si_sdr(mixed, true), si_sdr(told, true)


def _oracle(backbone: "Backbone", mix: Path, truths: dict[str, Path], request: Request) -> dict[str, float]:
    """The gain of the ideal mask for each prompt whose truth is known."""
    from engine.audio import open_source
    from engine.bench.oracle import write_ideal

    known = [prompt for prompt in request.prompts if prompt in truths]
    if not known:
        return {}
    with TemporaryDirectory() as aside:
        sources = [open_source(truths[prompt]) for prompt in known]
        paths = write_ideal(backbone, open_source(mix), sources, Request.of(known), Path(aside))
        scores = [_score(mix, path, truths[prompt]) for path, prompt in zip(paths, known, strict=True)]
    return {prompt: told - mixed for prompt, (mixed, told) in zip(known, filter(None, scores), strict=True)}


def _tell(console: "Console", mix: Path, runs: Sequence[Run], oracle: dict[str, float]) -> None:
    """A section for the stems that were asked for together and one for those asked alone; null and seconds are a run's."""
    from rich.table import Table

    title = f"{mix.name}, separated by {runs[0].sidecar['model']['name']}"
    table = Table(
        "asked", "stem", title=title, title_justify="left", caption=CAPTION if oracle else None, caption_justify="left"
    )
    for heading in (*(("mix", "gain", "oracle") if oracle else ()), "null dBFS", "lag", "seconds"):
        table.add_column(heading, justify="right")
    for number, run in enumerate(runs):
        stems = run.sidecar["stems"]
        for row, (stem, lag, score) in enumerate(zip(stems, run.lags, run.scores, strict=True)):
            prompt = stem["prompt"]
            note = ": not found" if not stem["found"] else ": may not be here" if stem["doubtful"] else ""
            quality = (f"{score[0]:.1f}", f"{score[1] - score[0]:+.1f}", f"{oracle[prompt]:+.1f}") if score else ("", "", "")
            null, seconds = (f"{run.sidecar[key]:.1f}" if row == 0 else "" for key in ("null_dbfs", "seconds"))
            cells = (*(quality if oracle else ()), null, "none" if lag is None else str(lag), seconds)
            asked = "" if row else "together" if len(stems) > 1 else "alone"
            table.add_row(asked, f"{prompt}{note}", *cells, end_section=number == 0 and row == len(stems) - 1)
    console.print(table)


def _draw(picture: Path, mix: Path, truths: dict[str, Path], run: Run) -> None:
    """Mix and rest; and each stem, beside the true one where truths are known."""
    from engine.bench.spectrograms import HUES, MIX, REST, Panel, draw
    from engine.measure import peak_dbfs

    remains = Path(run.sidecar["rest"])
    whole, rest = Panel("mix", "", mix, MIX), Panel("rest", f"peak {peak_dbfs(remains):.0f} dBFS", remains, REST)
    rows = []
    for index, (stem, score) in enumerate(zip(run.sidecar["stems"], run.scores, strict=True)):
        prompt, hue = stem["prompt"], HUES[index % len(HUES)]
        note = f"SI-SDR {score[1]:.1f} dB, {score[1] - score[0]:+.1f} dB above the mix" if score else ""
        row = [Panel(prompt, note, Path(stem["path"]), hue)]
        rows.append([*row, Panel(f"{prompt}: the true stem", "", truths[prompt], hue)] if score else row)
    draw(picture, [[whole, rest], *rows] if truths else [[whole], *rows, [rest]])
