"""`zerostem presets`: which presets there are and when to reach for each; with --json, for the dialogs of host scripts."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import presets
from host_bridge.arguments import Parser
from host_bridge.settings import places
from host_bridge.text import print_json
from presets import PresetError


def main(argv: list[str]) -> int:
    """Run `zerostem presets` with these arguments; 0, even where one of the user's own is damaged: its row says so."""
    made = Parser("zerostem presets", description="The presets for `--preset` and for a request's `preset`, your own included.")
    made.add_argument("name", nargs="?", metavar="NAME", help="all about one of them")
    made.add_argument("--json", action="store_true", help="for programs")
    options = made.parse_args(argv)
    own = places().config / "presets"
    names = dict.fromkeys(presets.names(), presets.LIBRARY) | dict.fromkeys(presets.names(own), own)
    if options.name:
        names = {options.name: names.get(options.name, presets.LIBRARY)}
        presets.load(options.name, names[options.name])
    rows = [_row(name, folder) for name, folder in names.items()]
    rows.sort(key=lambda row: (not row["own"], presets.KINDS.index(row["kind"]), row["title"].casefold()))
    if options.json:
        print_json(rows)
    else:
        print(_page(rows[0]) if options.name else _table(rows))
    return 0


def _row(name: str, folder: Path) -> dict[str, Any]:
    """All of a preset, its comment as `about`, whether it is the user's own, and what is wrong with its file."""
    own, trouble = folder != presets.LIBRARY, ""
    try:
        preset = presets.load(name, folder)
    except PresetError as error:
        preset, trouble = presets.Preset(name, name, presets.KINDS[0], ()), str(error)
    return {**asdict(preset), "about": presets.about(name, folder), "own": own, "trouble": trouble}


def _table(rows: list[dict[str, Any]]) -> str:
    """Aligned columns; the user's own are marked."""
    cells = [("PRESET", "KIND", "WHAT", "BEST WITH")]
    for row in rows:
        name, best = f"{row['name']} (yours)" if row["own"] else row["name"], next(iter(row["models"]), "")
        cells.append((name, row["kind"], row["trouble"] or row["title"], best))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([*lines, "", "`zerostem presets NAME` says when to reach for it."])


def _page(row: dict[str, Any]) -> str:
    told = {key: value for key, value in row.items() if key not in {"name", "title", "about", "own", "trouble"}}
    shown = {key: ", ".join(value) if isinstance(value, tuple) else value for key, value in told.items()}
    lines = [
        f"{key.replace('_', ' ')}: {value}" for key, value in shown.items() if value not in (None, "") and value is not False
    ]
    return "\n".join([f"{row['name']}: {row['title']}", *row["about"].splitlines(), "", *lines])
