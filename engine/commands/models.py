"""`zerostem models list`: which models there are, what each is good for, and which of them are here."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from engine import weights
from host_bridge.errors import BadModel


def main(argv: list[str]) -> int:
    """Run `zerostem models` with these arguments and return the exit code."""
    parser = argparse.ArgumentParser("zerostem models", description="The models that ZeroStem can separate with.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="which models there are, and which of them are on this machine")
    listing.add_argument("--json", action="store_true", help="for programs")
    arguments = parser.parse_args(argv)
    rows = [_row(model) for model in weights.CATALOGUE.values()]
    print(json.dumps(rows, indent=2) if arguments.json else _table(rows))
    return 0


def _row(model: weights.Weights) -> dict[str, Any]:
    """A model of the catalogue and its state here: "here", "missing", or "damaged" where files lack or are cut."""
    folder, state = weights.folder_of(model.hub), "missing"
    if folder is not None:
        try:
            weights.at(folder)
            state = "here"
        except BadModel:
            state = "damaged"
    return {
        **asdict(model),
        "fetch": model.fetch,
        "default": model.name == weights.DEFAULT,
        "state": state,
        "folder": folder and str(folder),
    }


def _table(rows: list[dict[str, Any]]) -> str:
    """Aligned columns, and below them how to fetch what is not here."""
    here = {"here": "yes", "missing": "no", "damaged": "damaged"}
    cells = [("MODEL", "SIZE", "LICENCE", "HERE", "GOOD FOR")]
    for row in rows:
        name = f"{row['name']} (default)" if row["default"] else row["name"]
        size = f"{row['size'] / 1e9:.1f} GB" if row["size"] >= 1e9 else f"{row['size'] / 1e6:.0f} MB"
        cells.append((name, size, row["licence"], here[row["state"]], row["good_for"]))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    wanted = [f"  {row['fetch']}" for row in rows if row["state"] != "here" and row["fetch"]]
    return "\n".join([*lines, *(["", "To fetch one:", *wanted] if wanted else [])])
