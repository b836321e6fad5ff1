"""A manifest: which mixtures, which sound of each is asked for, and what it truly sounds like. CSV or JSON, paths as text.

A row is one question: `mixture` and `prompt`, and as `target` the true stem, empty where the sound is not in the mixture.
`id` names it (and an outside separator's answer, `<id>.wav`); left out, rows are numbered. Paths count from the manifest's
own folder. A target has its mixture's rate, channels and length, or it is refused: nothing is guessed about alignment.
"""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.errors import BadRequest, CannotWrite

COLUMNS = ("id", "mixture", "prompt", "target")
_ID = re.compile(r"[\w][\w .+-]{0,99}")


@dataclass(frozen=True, slots=True)
class Question:
    """One row. target: None where the sound is absent."""

    id: str
    mixture: Path
    prompt: str
    target: Path | None


def read(path: Path) -> list[Question]:
    """Every row of a manifest. Raises BadRequest, naming the row, for what cannot be meant."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"The manifest {path} cannot be read: {error}.", "Give a CSV or JSON file.") from error
    rows = _json_rows(path, text) if path.suffix.lower() == ".json" else _csv_rows(path, text)
    questions = [_question(path, number, row) for number, row in enumerate(rows, 1)]
    if not questions:
        raise BadRequest(f"The manifest {path} has no rows.", f"Give it one per question: {', '.join(COLUMNS)}.")
    ids = [question.id for question in questions]
    if twice := sorted({each for each in ids if ids.count(each) > 1}):
        raise BadRequest(f"The manifest {path} has the id {twice[0]} twice.", "Give each row an id of its own.")
    return questions


def write(path: Path, questions: Iterable[Question]) -> None:
    """A manifest as CSV, its paths relative to its folder where they lie in it. Raises CannotWrite."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for each in questions:
        paths = [_relative(file, path.parent) if file else "" for file in (each.mixture, each.target)]
        table.writerow((each.id, paths[0], each.prompt, paths[1]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise CannotWrite(f"{path} cannot be written: {error.strerror}.", "Choose another place.") from error


def _relative(file: Path, folder: Path) -> str:
    absolute, base = file.absolute(), folder.absolute()
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(absolute)


def _csv_rows(path: Path, text: str) -> list[dict[str, Any]]:
    table = csv.DictReader(io.StringIO(text), strict=True)
    try:
        rows: list[dict[str, Any]] = [dict(row) for row in table]
    except csv.Error as error:
        raise BadRequest(f"The manifest {path} is no CSV: {error}.", "Save it as CSV with commas.") from error
    return rows


def _json_rows(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"The manifest {path} is no JSON: {error}.", "Mend it there.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest(f"The manifest {path} is no list of objects.", f"Give one object per row: {', '.join(COLUMNS)}.")
    return rows


def _question(path: Path, number: int, row: dict[str, Any]) -> Question:
    """A row that was read. Raises BadRequest."""
    where = f"Row {number} of {path}"
    if unknown := [str(key) for key in row if key not in COLUMNS]:
        raise BadRequest(f"{where} has the column {unknown[0]}, which means nothing.", f"There are {', '.join(COLUMNS)}.")
    values = {key: row.get(key) or "" for key in COLUMNS}
    if not all(isinstance(value, str) for value in values.values()):
        raise BadRequest(f"{where} holds something that is no text.", "Write every value as text.")
    told = {key: value.strip() for key, value in values.items()}
    if not told["mixture"] or not told["prompt"]:
        raise BadRequest(f"{where} lacks a mixture or a prompt.", "Both must be there; only the target may be empty.")
    name = told["id"] or f"{number:04d}"
    if not _ID.fullmatch(name):
        raise BadRequest(f"{where} has the id {name}.", "Use letters, digits, blanks and . + - _ for it, at most 100.")
    mixture, target = (path.parent / told[key] if told[key] else None for key in ("mixture", "target"))
    assert mixture
    for file in (mixture, target):
        if file is not None and not file.is_file():
            raise BadRequest(f"{where} names {file}, which is not there.", "Paths count from the manifest's own folder.")
    return Question(name, mixture, told["prompt"], target)
