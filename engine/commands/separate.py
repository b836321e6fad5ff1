"""`zerostem separate`: named sounds out of audio files, with a bar while it works and a table when it is done."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import presets
from engine.commands.arguments import Parser
from engine.request import Request
from host_bridge.errors import BadRequest, ZeroStemError
from host_bridge.settings import places
from host_bridge.vocabulary import Progress

if TYPE_CHECKING:
    from engine.separation import Wish

EXAMPLES = """\
examples:
  zerostem separate song.wav -p drums
  zerostem separate song.wav -p drums -p bass -w 1 -w 0.6 -o stems
  zerostem separate interview.flac --preset speech --start 12.5 --length 30
  zerostem separate song.wav -p violin --gain 6        also the mix with the violin 6 dB up
"""


def parser() -> Parser:
    """Every option, with what it means to a musician."""
    made = Parser("zerostem separate", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.description = "Take named sounds out of audio files: one stem per prompt, and the rest."
    add = made.add_argument
    add("inputs", nargs="+", type=Path, metavar="IN", help="audio file: WAV, FLAC, AIFF, OGG, MP3")
    add(
        "-p",
        "--prompt",
        action="append",
        default=[],
        metavar="PROMPT",
        help="the sound you want; give several for several stems",
    )
    add(
        "-w",
        "--strength",
        action="append",
        type=float,
        default=[],
        metavar="0..1",
        help="0 gives the mix back, 1 isolates; once for all prompts or once per prompt (default 1)",
    )
    add(
        "-o",
        "--out",
        type=Path,
        metavar="OUT",
        help='folder for the results (default: "<name> stems" beside the input)',
    )
    add("-n", "--name", metavar="MODEL", help="model: see `zerostem models list` (default: the embedded one)")
    add("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    add("--not", dest="unlike", metavar="PROMPT", help="what the stems are not: the prompt of the inversion")
    add("--depth", type=float, default=1.0, metavar="0..1", help="how far up the noise the inversion climbs (default 1)")
    add("--preset", metavar="NAME", help=f"settings by name: {', '.join(presets.names())}, or one of your own")
    add("--gain", type=float, metavar="DB", help="also write the highlight: the mix with the stem raised by DB")
    add("--method", metavar="METHOD", help="joint, zerosep, contrast, nmf or mixture (default: the model's best)")
    add("--mode", default="ddpm", metavar="ddpm|ddim", help="inversion (default ddpm)")
    add("--steps", type=int, metavar="N", help="noise levels of the inversion (default: the model's)")
    add("--seed", type=int, default=42, metavar="N", help="the same seed gives the same stems (default 42)")
    add("--start", type=float, metavar="SECONDS", help="where the region starts (default 0)")
    add("--length", type=float, metavar="SECONDS", help="how long the region is (default: to the end)")
    add("--rest", action=argparse.BooleanOptionalAction, default=None, help="write what no stem took (default yes)")
    add("--complete", action="store_true", help="the prompts name every sound in the region: no rest competes with them")
    add("--generative", action="store_true", help="also write each stem in the model's own voice, which never nulls")
    add("--beyond", action="store_true", help="allow a strength above 1, where the model invents new sound")
    add("--json", action="store_true", help="print the sidecars as one JSON array and nothing else")
    return made  # fmt: skip


def main(argv: list[str]) -> int:
    """Separate every input; those that fail are told, the others are done. Returns the worst exit code."""
    options = parser().parse_args(argv)
    request, wish_of = _meant(options)

    from engine import delivery, weights  # torch and the models cost seconds: only once the request makes sense
    from engine.separation import Separator

    separator = Separator.load(options.name or weights.DEFAULT, options.device)
    separator.check(request)
    outs = [(options.out or delivery.folder_beside(path)).absolute() for path in options.inputs]
    names = _names(options.inputs, outs)
    sidecars, worst = [], 0
    for path, out, name in zip(options.inputs, outs, names, strict=True):
        try:
            with _bar(path.name, shown=sys.stderr.isatty()) as progress:
                sidecars.append(separator.separate(path, request, wish_of.to(out, name), progress))
        except ZeroStemError as error:
            if len(options.inputs) == 1:
                raise
            print(f"zerostem: {error}", file=sys.stderr)
            worst = max(worst, error.exit_code)
        else:
            if not options.json:
                _show(sidecars[-1])
    if options.json:
        print(json.dumps(sidecars, ensure_ascii=False, indent=2))
    return worst


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What is wanted of every input alike."""

    start_s: float | None
    length_s: float | None
    stems: bool
    rest: bool
    gain_db: float | None

    def to(self, out: Path, name: str) -> "Wish":
        """The wish for one input."""
        from engine.separation import Wish

        return Wish(out, name, self.start_s, self.length_s, self.stems, self.rest, self.gain_db)


def _meant(options: argparse.Namespace) -> tuple[Request, _Wishes]:
    """The request that the options and the preset make together; an option that is given wins."""
    preset = _preset(options.preset) if options.preset else presets.Preset("", "", "stems", ())
    if preset.everything_but and options.rest is False:
        raise BadRequest(f"Preset '{preset.name}' is all about the rest.", "Leave out --no-rest, or choose another preset.")
    request = Request.of(
        options.prompt or preset.prompts,
        options.strength or preset.strength,
        unlike=_given(options.unlike, preset.unlike),
        method=_given(options.method, preset.method),
        mode=options.mode,
        steps=_given(options.steps, preset.steps),
        depth=options.depth,
        seed=options.seed,
        complete=options.complete or preset.complete,
        beyond=options.beyond,
        generative=options.generative,
    )
    gain_db = _given(options.gain, preset.gain_db)
    return request, _Wishes(options.start, options.length, not preset.everything_but, options.rest is not False, gain_db)


def _given(option: Any, preset: Any) -> Any:
    """An option that was given, else what the preset says."""
    return preset if option is None else option


def _preset(name: str) -> presets.Preset:
    """One of the user's own, else one of the library's."""
    own = places().config / "presets"
    return presets.load(name, own) if name in presets.names(own) else presets.load(name)


def _names(inputs: Sequence[Path], outs: Sequence[Path]) -> list[str]:
    """What each input's files are called; only inputs that share a folder can collide."""
    from engine import delivery

    names = [""] * len(inputs)
    for out in set(outs):
        together = [index for index, each in enumerate(outs) if each == out]
        for index, name in zip(together, delivery.input_names([inputs[index] for index in together]), strict=True):
            names[index] = name
    return names


@contextmanager
def _bar(title: str, *, shown: bool) -> Iterator[Progress]:
    """A progress bar with the time to go, on stderr."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn(f"{escape(title)}: {{task.description}}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not shown) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda done, stage: bar.update(task, completed=done, description=stage)


def _show(sidecar: dict[str, Any]) -> None:
    """What came out, as a table and one line of measurements."""
    from rich.console import Console
    from rich.table import Table

    table = Table(
        "prompt", "strength", "peak dBFS", "", "file", title=Path(sidecar["input"]["path"]).name, title_justify="left"
    )
    for stem in sidecar["stems"]:
        note = "not found" if not stem["found"] else "may not be here" if stem["doubtful"] else ""
        files = [stem["path"], stem["highlight"], stem["generative"]]
        shown = "\n".join(Path(file).name for file in files if file)
        table.add_row(stem["prompt"], f"{stem['strength']:g}", f"{stem['peak_dbfs']:.1f}", note, shown)
    if sidecar["rest"]:
        table.add_row("(rest)", "", "", "", Path(sidecar["rest"]).name)
    console = Console(highlight=False, markup=False)
    console.print(table)
    lag = "none found" if sidecar["lag_samples"] is None else f"{sidecar['lag_samples']} samples"
    console.print(
        f"null {sidecar['null_dbfs']:.1f} dBFS, lag {lag}, {sidecar['seconds']:.1f} s with {sidecar['model']['name']} "
        f"({sidecar['model']['licence']}) on {sidecar['device']}"
    )
    folder = Path(sidecar["rest"] or sidecar["stems"][0]["path"]).parent
    console.print(f"in {folder}", soft_wrap=True)
