"""`zerostem models`: which models there are, and fetching, checking, finding and removing them."""

import argparse
import sys
from dataclasses import asdict
from typing import Any

from engine.commands.progress import bar
from engine.models import catalogue, download
from host_bridge.arguments import Parser
from host_bridge.errors import BadModel, Cancelled
from host_bridge.text import print_json
from host_bridge.types import Progress


def main(argv: list[str]) -> int:
    """Run `zerostem models` with these arguments and return the exit code."""
    parser = Parser("zerostem models", description="The models that ZeroStem can separate with.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    made = {name: commands.add_parser(name, help=purpose) for name, (_, purpose) in COMMANDS.items()}
    for name in ("list", "verify"):
        made[name].add_argument("--json", action="store_true", help="for programs")
    for name in ("fetch", "verify", "remove", "where"):
        made[name].add_argument("model", metavar="MODEL", help="a name of `zerostem models list`, or org/name on the hub")
    made["fetch"].add_argument("--dry-run", action="store_true", help="only say what would be fetched")
    made["verify"].add_argument("--files", action="store_true", help="only compare the files, do not load the model")
    made["verify"].add_argument("--device", default="auto", metavar="NAME", help="auto (default), cpu, cuda, cuda:N or mps")
    made["remove"].add_argument("-y", "--yes", action="store_true", help="do not ask")
    options = parser.parse_args(argv)
    return COMMANDS[options.command][0](options)


def _list(options: argparse.Namespace) -> int:
    rows = [_row(model) for model in catalogue.CATALOGUE.values()]
    if options.json:
        print_json(rows)
    else:
        print(_table(rows))
    return 0


def _fetch(options: argparse.Namespace) -> int:
    """Say what it is and what it allows before the first byte comes."""
    with bar(options.model) as progress:
        wanted = download.plan(options.model, progress)
    if wanted is None:
        print(f"{options.model} comes with ZeroStem: nothing to fetch.")
        return 0
    model = wanted.weights
    print(f"{model.name} from https://huggingface.co/{model.hub}; licence: {model.licence}.")
    if not wanted.missing:
        print(f"It is here and whole, in {catalogue.place(model)}.")
        return 0
    files = f"{len(wanted.missing)} of {len(wanted.pieces)} files"
    print(f"{files} to fetch, {download.megabytes(wanted.size)}. What has arrived whole stays, whatever happens.", flush=True)
    if options.dry_run:
        return 0
    try:
        with bar(model.name) as progress:
            found = download.fetch(wanted, progress)
    except (KeyboardInterrupt, Cancelled):
        print("The files that arrived whole stay; the one that was cut off begins anew next time.", file=sys.stderr)
        raise
    print(f"It is here and whole, in {found.folder}.")
    return 0


def _verify(options: argparse.Namespace) -> int:
    """Exit code 1 where a file is not what it was when it was fetched, or the model fails its self-test."""
    with bar(options.model) as progress:
        found = catalogue.find(options.model)
        files = download.verify(found, progress)
        bad = [name for name, whole in files.items() if whole is False]
        report: dict[str, Any] = {"folder": str(found.folder), "files": files}
        if not bad and not options.files:
            report |= _examined(options.model, found, options.device, progress)
    if options.json:
        print_json(report)
    else:
        print("\n".join([*_files_told(report), *_report_told(report)]))
    passed = not bad and report.get("passed", True)
    if bad and not options.json:
        raise BadModel(f"{', '.join(bad)} of {options.model} is damaged.", f"Fetch it again: `{found.weights.fetch}`.")
    if not passed and not options.json:
        failed = ", ".join(check["name"] for check in report["checks"] if check["passed"] is False)
        again = f"Fetch it again (`{found.weights.fetch}`)" if found.weights.fetch else "Copy the whole checkpoint there again"
        todo = f"{again}; if that does not help, choose another model, and report the lines above."
        raise BadModel(f"{options.model} did not pass its self-test ({failed}).", todo)
    return 0 if passed else 1


def _examined(model: str, found: catalogue.InstalledModel, on: str, progress: Progress) -> dict[str, Any]:
    """The model's self-test, as far as it can be loaded, and what it was done with."""
    import platform
    import time
    from importlib.metadata import version

    import torch

    from engine import selftest
    from engine.execution import device
    from engine.separation import Separator

    began, chosen = time.monotonic(), device.choose(on)
    about = {
        "model": found.weights.name,
        "backbone": found.weights.backbone,
        "fingerprint": found.fingerprint,
        "zerostem": version("zerostem"),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "device": device.describe(chosen),
    }
    try:
        progress(0.0, "loading")
        backbone = Separator.load(model, on, progress=progress).backbone
        checks = selftest.examine(backbone, progress, str(chosen))
    except BadModel as error:
        checks = [selftest.Finding("load", passed=False, said=error.what, values={"todo": error.todo})]
    passed = not any(check.passed is False for check in checks)
    seconds = round(time.monotonic() - began, 1)
    return {**about, "checks": [asdict(check) for check in checks], "passed": passed, "seconds": seconds}


def _files_told(report: dict[str, Any]) -> list[str]:
    words = {True: "whole", False: "DAMAGED", None: "whole as far as can be seen: nothing here says what its bytes must be"}
    return [f"{report['folder']}:", *(f"  {name}: {words[state]}" for name, state in report["files"].items())]


def _report_told(report: dict[str, Any]) -> list[str]:
    """The self-test's lines, in a form to be pasted into a report; none where it was not done."""
    if "checks" not in report:
        return []
    what = f"Self-test of {report['model']} ({report['backbone']}, {report['fingerprint']})"
    lines = [f"{what} by ZeroStem {report['zerostem']}, torch {report['torch']}, {report['system']}, {report['device']}:"]
    words = {True: "passed", False: "FAILED", None: ""}
    lines += [f"  {check['name']:<11}{words[check['passed']]:<8}{check['said']}" for check in report["checks"]]
    return [*lines, f"It {'passed' if report['passed'] else 'FAILED'}, in {report['seconds']} s."]


def _remove(options: argparse.Namespace) -> int:
    hub = catalogue.hub_of(options.model)
    if not options.yes:
        question = f"Remove {hub} from the Hugging Face cache, which other programs may use too? [y/N] "
        if not sys.stdin.isatty() or input(question).strip().lower() not in {"y", "yes"}:
            print("Nothing was removed; --yes removes it without a question.", file=sys.stderr)
            return 1
    print(f"{hub} is removed, {download.megabytes(download.remove(options.model))} are free again.")
    return 0


def _where(options: argparse.Namespace) -> int:
    print(catalogue.find(options.model).folder)
    return 0


COMMANDS = {
    "list": (_list, "which models there are, and which of them are on this machine"),
    "fetch": (_fetch, "fetch a model into the Hugging Face cache, or what of it is missing or damaged"),
    "verify": (_verify, "test a model: its files against their digests, then the model itself; without any network"),
    "remove": (_remove, "take a model out of the cache"),
    "where": (_where, "the folder that a model is loaded from"),
}
"""Each with what it is for."""


def _row(model: catalogue.Weights) -> dict[str, Any]:
    """A model of the catalogue and its state here: "here", "missing", or "damaged" where files lack or are cut."""
    folder, state = catalogue.place(model), "missing"
    if folder is not None:
        try:
            catalogue.at(folder)
            state = "here"
        except BadModel:
            state = "damaged"
    return {
        **asdict(model),
        "trained_to_separate": model.trained_to_separate,
        "fetch": model.fetch,
        "default": model.name == catalogue.DEFAULT,
        "state": state,
        "folder": folder and str(folder),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    """Aligned columns, and below them how to fetch what is not here."""
    here = {"here": "yes", "missing": "no", "damaged": "damaged"}
    cells = [("MODEL", "SIZE", "LICENCE", "COMMERCIAL USE", "HERE", "GOOD FOR")]
    for row in rows:
        name = f"{row['name']} (default)" if row["default"] else row["name"]
        use = "allowed" if row["commercial"] else "no, or on terms"
        cells.append((name, download.megabytes(row["size"]), row["licence"], use, here[row["state"]], row["good_for"]))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    wanted = [f"  {row['fetch']}" for row in rows if row["state"] != "here" and row["fetch"]]
    return "\n".join([*lines, *(["", "To fetch one:", *wanted] if wanted else [])])
