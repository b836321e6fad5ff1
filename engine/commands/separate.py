"""`zerostem separate`: named sounds out of audio files, with a bar while it works and a table when it is done."""

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.commands import separation_options
from engine.commands.progress import bar
from host_bridge.arguments import Parser
from host_bridge.cli import logged
from host_bridge.errors import ZeroStemError
from host_bridge.text import print_json, printable

_WIDEST = 10_000
"""Columns that no table reaches."""

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
    separation_options.add_options(made)
    add("-o", "--out", type=Path, metavar="OUT", help='folder for the results (default: "<name> stems" beside the input)')
    add("-j", "--jobs", type=int, metavar="N", help="work on N inputs at once, in N processes (a folder: one per device)")
    add("--json", action="store_true", help="print the sidecars as one JSON array and nothing else")
    return made


def main(argv: list[str]) -> int:
    """Separate every input; those that fail are told, the others are done. Returns the worst exit code."""
    options = parser().parse_args(argv)
    request, wish_of = separation_options.resolve(options)
    if options.jobs is not None or any(path.is_dir() for path in options.inputs):
        from engine.commands import folders

        return folders.separate(options, request, wish_of)

    from engine.choose_model import model_for
    from engine.files import outputs  # torch and the models cost seconds: only once the request makes sense
    from engine.separation import Separator

    separator = Separator.load(model_for(options.name, request.prompts, request.method), options.device, options.execution)
    separator.check(request)
    outs = [(options.out or outputs.default_folder(path)).absolute() for path in options.inputs]
    names = outputs.names_in(options.inputs, outs)
    sidecars: list[dict[str, Any]] = []
    worst = 0
    try:
        for path, out, name in zip(options.inputs, outs, names, strict=True):
            try:
                with bar(path.name) as progress:
                    sidecars.append(separator.separate(path, request, wish_of.to(out, name), progress))
            except ZeroStemError as error:
                if len(options.inputs) == 1:
                    raise
                print(f"zerostem: {printable(error)}", file=sys.stderr)
                worst = max(worst, error.exit_code)
            except Exception as error:
                if len(options.inputs) == 1:
                    raise
                print(f"zerostem: {printable(logged(error, ['separate', str(path)]))}", file=sys.stderr)
                worst = max(worst, 1)
            else:
                if not options.json:
                    _show(sidecars[-1])
    finally:  # what is done is told also where somebody stops the rest
        if options.json and (sidecars or len(options.inputs) > 1):
            print_json(sidecars)
    return worst


def _show(sidecar: dict[str, Any]) -> None:
    """What came out, as a table and one line of measurements; where the table is too wide, as lines. No name is ever cut."""
    from rich.console import Console
    from rich.table import Table

    title = printable(Path(sidecar["input"]["path"]).name)
    rows = [(stem["prompt"], f"{stem['strength']:g}", f"{stem['peak_dbfs']:.1f}", *_files(stem)) for stem in sidecar["stems"]]
    if sidecar["rest"]:
        overlap = len(sidecar["stems"]) > 1 and any(stem["strength"] < 1 for stem in sidecar["stems"])
        rows.append(("(rest)", "", "", "less the stems' overlap" if overlap else "", printable(Path(sidecar["rest"]).name)))
    table = Table("prompt", "strength", "peak dBFS", "", "file", title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    console = Console(highlight=False, markup=False, emoji=False)
    needed = max(console.measure(table, options=console.options.update(width=_WIDEST)).maximum, len(title))
    if not console.is_terminal:  # a file has no width
        console = Console(highlight=False, markup=False, emoji=False, width=max(needed, console.width))
    if needed <= console.width:
        console.print(table)
    else:
        for line in (title, *("\n".join([" ".join(filter(None, row[:4])), row[4]]) for row in rows)):
            console.print(line, soft_wrap=True)
    lag = "none found" if sidecar["lag_samples"] is None else f"{sidecar['lag_samples']} samples"
    console.print(
        f"null {sidecar['null_dbfs']:.1f} dBFS, lag {lag}, {sidecar['seconds']:.1f} s with {sidecar['model']['name']} "
        f"({sidecar['model']['licence']}) on {sidecar['device']}"
    )
    for warning in sidecar["warnings"]:
        console.print(f"Note: {warning}", soft_wrap=True)
    folder = Path(sidecar["rest"] or sidecar["stems"][0]["path"]).parent
    console.print(f"in {printable(folder)}", soft_wrap=True)


def _files(stem: dict[str, Any]) -> tuple[str, str]:
    """Whether a stem's sound was there, in words where it is in doubt, and the names of its files, one a line."""
    note = "not found" if not stem["found"] else "may not be here" if stem["doubtful"] else ""
    return note, "\n".join(printable(Path(file).name) for file in (stem["path"], stem["highlight"], stem["generative"]) if file)
