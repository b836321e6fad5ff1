"""`zerostem bench --manifest` and its relatives: separators compared on sounds of your own."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from engine.commands.heartbeat import heartbeat
from host_bridge.errors import BadRequest, CannotWrite

if TYPE_CHECKING:
    from engine.research.bench.clap import Clap
    from engine.research.bench.comparison import ComparisonRow, System
    from engine.research.bench.manifest import Question

CLAPS = ("laion/clap-htsat-unfused", "laion/clap-htsat-fused")
"""Taken where they lie in the hub's cache; both are Apache-2.0."""


def add_options(made: argparse.ArgumentParser) -> None:
    """Where the sounds come from, who separates them, and how mixtures are made."""
    which = made.add_argument_group("to compare separators on sounds of your own").add_mutually_exclusive_group()
    which.add_argument(
        "--manifest", type=Path, metavar="FILE", help="CSV or JSON with mixture, prompt and target: docs/datasets.md"
    )
    which.add_argument(
        "--audio", type=Path, metavar="FOLDER", help="pairs out of a folder of clips for each sound (ESC-10's layout)"
    )
    which.add_argument("--data", metavar="NAME=FOLDER", help="ave, music, audiocaps or musdb18-hq, where you have it")
    which.add_argument("--heldout", choices=("soundfont", "recordings"), help="mixes that the embedded model never heard")
    add = made.add_argument_group("how").add_argument
    add(
        "--methods",
        default="",
        metavar="A,B",
        help='methods and presets of the kind "method" (default: the model\'s best, nmf)',
    )
    add(
        "--stems",
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="<id>.wav of another separator (AudioSep, FlowSep...)",
    )
    add("--clap", type=Path, metavar="FOLDER", help="a CLAP for FAD, CLAP-A, CLAP-T and LPAPS (default: LAION's, if fetched)")
    add("--count", type=int, default=20, metavar="N", help="mixtures to make (default 20)")
    add("--seconds", type=float, default=5.0, metavar="S", help="length of mixtures out of clips (default 5)")
    add("--snr", type=float, default=0.0, metavar="DB", help="draw levels from -DB to DB (default 0: both alike)")
    add("--seed", type=int, default=11, metavar="N", help="the same seed draws the same mixtures (default 11)")
    add("--samples", type=int, default=3, metavar="N", help="mixtures whose stems are kept to listen to (default 3)")


def asked(options: argparse.Namespace) -> bool:
    """Whether a comparison is wanted at all."""
    return any((options.manifest, options.audio, options.data, options.heldout))


def run(options: argparse.Namespace) -> int:
    """Compare, print the table, and write it with all figures, a picture and samples into a folder."""
    from engine.research.bench import report
    from engine.research.bench.comparison import compare

    out = options.out or Path("bench-out")
    model = _clap(options.clap)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with heartbeat("making mixtures"):
            questions = _questions(options, out)
        with TemporaryDirectory(dir=out, prefix=".stems-") as keep:
            with heartbeat(f"separating for {len(questions)} questions") as done:
                rows = [*compare(_systems(options), questions, Path(keep), done)]
            crowd: dict[str, float] = {}
            if model is not None:
                with heartbeat("embedding"):
                    rows, crowd = report.embedded(rows, model)
            page = f"# Comparison\n\n{report.summary(rows, crowd)}\n\n{_missing(rows, with_clap=model is not None)}".strip()
            (out / "results.md").write_text(f"{page}\n", encoding="utf-8")
            report.write_csv(out / "results.csv", rows)
            if any("si_sdr_gain" in row.figures for row in rows):
                report.draw_gains(out / "gains.png", rows)
            report.keep_samples(out / "samples", rows, options.samples)
    except OSError as error:
        raise CannotWrite(f"{out} cannot be written: {error.strerror}.", "Choose another folder with -o.") from error
    print(f"{page}\n\nin {out}: results.md, results.csv, gains.png, samples/")
    return 0


def _missing(rows: "list[ComparisonRow]", *, with_clap: bool) -> str:
    """What was not measured, and why."""
    told = []
    if not any("sdr" in row.figures for row in rows):
        told.append("SDR, SIR and SAR need fast-bss-eval: `pip install 'zerostem[bench]'`.")
    if not with_clap:
        told.append(f"FAD, CLAP-A, CLAP-T and LPAPS need a CLAP: `hf download {CLAPS[0]}`, or --clap FOLDER.")
    return "\n".join(told)


def _questions(options: argparse.Namespace, out: Path) -> "list[Question]":
    from engine.research.bench import manifest, mixing, recipes

    if options.manifest:
        return manifest.read(options.manifest)
    rules = mixing.Rules(options.count, options.seconds, snr_db=options.snr, seed=options.seed)
    if options.audio:
        return mixing.pairs(mixing.classes(options.audio), rules, out / "mixes")
    if options.heldout:
        return _heldout(options, out / "mixes")
    name, folder = _named(options.data, "--data ave=/data/AVE")
    if name not in recipes.RECIPES:
        raise BadRequest(f"There is no recipe for {name}.", f"Choose one of {', '.join(recipes.RECIPES)}.")
    return recipes.RECIPES[name](folder, rules, out / "mixes")


def _heldout(options: argparse.Namespace, out: Path) -> "list[Question]":
    from engine.backbones.mel import RATE
    from engine.research.bench import manifest
    from engine.research.bench.manifest import Question
    from engine.research.bench.mixing import absent, written
    from engine.research.pocket_training import heldout

    make = {"soundfont": heldout.soundfont_mixes, "recordings": heldout.recorded_mixes}[options.heldout]
    mixes, questions = make(options.count, options.seed, options.seconds), list[Question]()
    known = sorted({name for mix in mixes for name in mix.names})
    for index, mix in enumerate(mixes):
        questions += written(out, f"{index:04d}", dict(zip(mix.names, mix.parts, strict=True)), RATE)
        if others := [name for name in known if name not in mix.names]:
            elsewhere = others[index % len(others)]
            questions.append(absent(f"{index:04d}", questions[-1].mixture, elsewhere))
    manifest.write(out / "manifest.csv", questions)
    return questions


def _systems(options: argparse.Namespace) -> "list[System]":
    """The floor, then by model its ceiling and its methods, then the others."""
    from engine.models import catalogue
    from engine.research.bench.comparison import Ceiling, MixtureSystem, Ours, Outside, request_for
    from engine.separation import Separator

    systems: list[System] = [MixtureSystem()]
    methods = [each.strip() for each in options.methods.split(",") if each.strip()]
    for method in methods:
        request_for(method, "a sound")  # a misspelt one is told before anything is loaded
    for model in (options.name or catalogue.DEFAULT).split(","):
        separator = Separator.load(model.strip(), options.device)
        systems.append(Ceiling(separator))
        best = "joint" if separator.backbone.lossless_codec else "zerosep"
        systems += [Ours(separator, method) for method in methods or [best, "nmf"]]
    systems += [Outside(*_named(each, "--stems audiosep=stems/audiosep")) for each in options.stems]
    return systems


def _named(text: str, example: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise BadRequest(f'"{text}" is no name with a folder.', f"Write it like {example}.")
    return name, Path(folder)


def _clap(folder: Path | None) -> "Clap | None":
    """The CLAP that was named, or one that is here; None where there is none."""
    from engine.models import catalogue
    from engine.research.bench.clap import Clap

    if folder is not None:
        return Clap.load(folder)
    here = next((found for hub in CLAPS if (found := catalogue.folder_of(hub))), None)
    return Clap.load(here) if here else None
