"""Whatever a person may read stands in the one catalogue: outside of it `ui.models` has names, patterns and units."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ui import texts
from ui.models.jobs import JobEntry
from ui.models.session import Session

UI = Path(__file__).parents[3] / "ui"
FILES = sorted(
    [
        *(UI / "models").glob("*.py"),
        *(
            UI / room
            for room in ("background/sound_card.py", "state/engine_state.py", "state/job_list.py", "state/controller.py")
        ),
    ]
)
READ = {" - rest", "the ", "a "}
"""Not written for people but looked for in what they wrote, or in the names of files."""


def said(tree: ast.AST) -> Iterator[str]:
    """Text with a blank in it, and what stands between the values of one that is put together; docstrings and patterns not."""
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            silent.add(node.value)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re."):
            silent |= {*node.args}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {*node.values}
            words = "\0".join(part.value if isinstance(part, ast.Constant) else "" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in silent:
            words = node.value
        else:
            continue
        if " " in words and re.search(r"[^\W\d_]", words) and words not in READ:
            yield words


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_sentence_stands_outside_of_the_catalogue(file: Path) -> None:
    assert not [*said(ast.parse(file.read_text(encoding="utf-8")))]


@pytest.mark.parametrize(
    "code",
    [
        'raise BadRequest("That is no sound.", todo)',
        'line = f"{count} waiting"',
        'what = "none found"',
        'said = f"on {device}"',
    ],
)
def test_a_sentence_is_found_where_it_stands(code: str) -> None:
    assert [*said(ast.parse(f'"""A docstring of its own."""\nbegin = 1\n{code}'))]


def test_another_catalogue_reaches_what_the_models_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from host_bridge.types import Job

    for name in ("STATES", "NO_REGION", "RUNNING"):
        monkeypatch.setattr(texts, name, getattr(texts, name))
    texts.speak(
        {"STATES": {**texts.STATES, "queued": "wartet"}, "NO_REGION": "Erst eine Datei.", "RUNNING": "läuft {percent} %"}
    )
    assert JobEntry(Job("a", "queued")).line == "wartet"
    assert JobEntry(Job("a", "running", 500)).line == "läuft 50 %"
    assert Session().trouble == "Erst eine Datei."
