"""`zerostem separate`: named sounds out of audio files, with a bar while it works and a table when it is done."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.commands import wanted
from engine.commands.arguments import Parser
from host_bridge.errors import ZeroStemError
from host_bridge.vocabulary import Progress

EXAMPLES = """\
examples:
  zerostem separate song.wav -p drums
  zerostem separate song.wav -p drums -p bass -w 1 -w 0.6 -o stems
  zerostem separate interview.flac --preset speech --start 12.5 --length 30
  zerostem separate song.wav -p violin --gain 6        also the mix with the violin 6 dB up
  zerostem separate album/ -p drums -p bass            a whole folder, and a report at the end
"""


def parser() -> Parser:
    """Every option, with what it means to a musician."""
    made = Parser("zerostem separate", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.description = "Take named sounds out of audio files: one stem per prompt, and the rest."
    add = made.add_argument
    add("inputs", nargs="+", type=Path, metavar="IN", help="audio file, video, or a folder of them")
    wanted.add_options(made)
    add("-o", "--out", type=Path, metavar="OUT", help='folder for the results (default: "<name> stems" beside the input)')
    add("-j", "--jobs", type=int, metavar="N", help="work on N inputs at once, in N processes (a folder: one per device)")
    add("--json", action="store_true", help="print the sidecars as one JSON array and nothing else")
    return made


def main(argv: list[str]) -> int:
    """Separate every input; those that fail are told, the others are done. Returns the worst exit code."""
    options = parser().parse_args(argv)
    request, wish_of = wanted.meant(options)
    if options.jobs is not None or any(path.is_dir() for path in options.inputs):
        from engine.commands import folders

        return folders.separate(options, request, wish_of)

    from engine import delivery, weights  # torch and the models cost seconds: only once the request makes sense
    from engine.separation import Separator

    separator = Separator.load(options.name or weights.DEFAULT, options.device, options.execution)
    separator.check(request)
    outs = [(options.out or delivery.folder_beside(path)).absolute() for path in options.inputs]
    names = delivery.names_in(options.inputs, outs)
    sidecars, worst = [], 0
    for path, out, name in zip(options.inputs, outs, names, strict=True):
        try:
            with bar(path.name, shown=sys.stderr.isatty()) as progress:
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


@contextmanager
def bar(title: str, *, shown: bool) -> Iterator[Progress]:
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
    for warning in sidecar["warnings"]:
        console.print(f"Note: {warning}", soft_wrap=True)
    folder = Path(sidecar["rest"] or sidecar["stems"][0]["path"]).parent
    console.print(f"in {folder}", soft_wrap=True)
