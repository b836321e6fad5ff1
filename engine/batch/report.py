"""The report of a batch: one row per input, as CSV for people and as JSON for programs, beside the stems.

A report of ours is replaced by the next; a file of that name that is not ours, or not ours any more, is left where it is,
and the report is called `report (2)`.
"""

import csv
import io
import json
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine import delivery
from engine.batch.task import Outcome
from host_bridge import atomic, forms

SCHEMA = "zerostem-report/1"
"""Within a version keys and columns may come, but none goes away or changes its meaning."""


def row(outcome: Outcome) -> dict[str, Any]:
    """What the report says of one input; null and lag are None and lists are empty where it failed."""
    told = outcome.sidecar or {}
    stems = told.get("stems", [])
    return {
        "input": str(outcome.task.path.absolute()),
        "state": outcome.state,
        "seconds": round(outcome.seconds, 3),
        "device": told.get("device"),
        "null_dbfs": told.get("null_dbfs"),
        "lag_samples": told.get("lag_samples"),
        "found": [stem["prompt"] for stem in stems if stem["found"]],
        "not_found": [stem["prompt"] for stem in stems if not stem["found"]],
        "files": [str(Path(outcome.task.wish.out or ".", name)) for name in told.get("files", {})],
        "error": outcome.error,
        "todo": outcome.todo,
    }


def write(out: Path, outcomes: Sequence[Outcome], seconds: float) -> tuple[Path, Path]:
    """Write both into `out` and return where they are. seconds: of the whole batch. Raises CannotWrite."""
    rows = [row(outcome) for outcome in outcomes]
    text = io.StringIO(newline="")
    sheet = csv.DictWriter(text, list(rows[0]) if rows else ["input"])
    sheet.writeheader()
    sheet.writerows({key: "; ".join(each) if isinstance(each, list) else each for key, each in one.items()} for one in rows)
    table = text.getvalue().encode(errors="backslashreplace")
    counts = {state: sum(one["state"] == state for one in rows) for state in ("done", "skipped", "failed")}
    with delivery.spoken(out):
        out.mkdir(parents=True, exist_ok=True)
        places = _free(out)
        whole = {
            "schema": SCHEMA, **counts, "seconds": round(seconds, 3), "csv_sha256": sha256(table).hexdigest(), "inputs": rows,
        }  # fmt: skip
        atomic.write(places[0], table, None)
        atomic.write(places[1], forms.write_json(whole), None)
    return places


def _free(out: Path) -> tuple[Path, Path]:
    number = 1
    while True:
        name = "report" if number == 1 else f"report ({number})"
        table, whole = out / f"{name}.csv", out / f"{name}.json"
        if _ours(table, whole):
            return table, whole
        number += 1


def _ours(table: Path, whole: Path) -> bool:
    """Whether both names may be taken: nothing lies there, or a report just as we wrote it."""
    if not os.path.lexists(whole):
        return not os.path.lexists(table)
    try:
        told = json.loads(whole.read_bytes()) if whole.is_file() and not whole.is_symlink() else None
    except (ValueError, RecursionError):
        return False
    if not isinstance(told, Mapping) or told.get("schema") != SCHEMA:
        return False
    if not os.path.lexists(table):
        return True
    return table.is_file() and not table.is_symlink() and sha256(table.read_bytes()).hexdigest() == told.get("csv_sha256")
