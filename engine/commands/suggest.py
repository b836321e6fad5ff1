"""`zerostem suggest`: which prompts to ask a mix for, the likeliest first."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from engine.commands.progress import bar
from host_bridge.arguments import Parser
from host_bridge.errors import BadRequest
from host_bridge.text import print_json, printable

if TYPE_CHECKING:
    import argparse

    from engine.audio.source import AudioSource
    from engine.suggest import Suggestion
    from host_bridge.types import Progress


def parser() -> Parser:
    """Every option."""
    made = Parser("zerostem suggest", description="Suggest prompts for a mix: which sounds are likely in it.")
    add = made.add_argument
    add("input", type=Path, metavar="IN", help="audio file or video")
    add("-p", "--prompt", action="append", default=[], metavar="PROMPT", help="choose among these, at least three")
    add("-n", "--name", metavar="MODEL", help="model that is asked (default: the embedded one; its whole vocabulary)")
    add("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    add(
        "--tagger",
        type=Path,
        metavar="FOLDER",
        help="an audio tagger (AST) to ask instead; one that is fetched is taken by itself",
    )
    add("--start", type=float, metavar="SECONDS", help="where the region starts (default 0)")
    add("--length", type=float, metavar="SECONDS", help="how long the region is (default: to the end)")
    add("--all", action="store_true", help="also those that are unlikely")
    add("--json", action="store_true", help="for programs: all of them")
    return made


def main(argv: list[str]) -> int:
    """Print a table, or JSON."""
    options = parser().parse_args(argv)
    from engine.audio.source import open_source

    with bar(options.input.name) as progress:
        source = open_source(options.input, options.start, options.length, progress)
        whom, told = _asked(options, source, progress)
    if options.json:
        print_json({"asked": whom, "suggestions": [asdict(each) for each in told]})
        return 0
    shown = [each for each in told if options.all or each.verdict != "unlikely"]
    width = max((len(each.prompt) for each in shown), default=0)
    print("\n".join(f"{each.prompt:{width}}  {each.score:5.2f}  {each.verdict}" for each in shown) or "Nothing stands out.")
    print(
        f"\n{whom} was asked; it can be wrong. Take one out with: zerostem separate {printable(options.input.name)} -p PROMPT"
    )
    return 0


def _asked(options: "argparse.Namespace", source: "AudioSource", progress: "Progress") -> "tuple[str, list[Suggestion]]":
    """Who was asked, and what it said. A tagger that is here goes first, unless a model or prompts were named."""
    from engine import suggest
    from engine.models import catalogue

    tagger = options.tagger
    if tagger is None and not (options.name or options.prompt):
        tagger = catalogue.folder_of(suggest.TAGGER)
    if tagger is not None:
        return f"The tagger in {tagger}", suggest.by_tagger(tagger, source, progress)
    from engine.separation import Separator

    model = options.name or catalogue.DEFAULT
    prompts = options.prompt or _vocabulary(model)
    return model, suggest.by_model(Separator.load(model, options.device).backbone, prompts, source, progress)


def _vocabulary(model: str) -> list[str]:
    """What a model knows by name. Raises BadRequest for one that follows any text."""
    from engine import backbones
    from engine.models import catalogue

    words = backbones.vocabulary(catalogue.find(model).weights.backbone)
    if not words:
        raise BadRequest(f"{model} follows any text, so it has no list to choose from.", "Name the sounds in question with -p.")
    return list(dict.fromkeys(words.values()))
