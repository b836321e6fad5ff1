"""`zerostem panel` hands its words on, and says what is missing instead of a traceback."""

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host_bridge import cli
from ui import commands


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the window was asked for; a window that needs no screen."""
    asked: list[tuple[Any, ...]] = []
    window = types.ModuleType("ui.app")

    def main(*words: Any, **more: Any) -> int:
        asked.append((*words, *more.values()))
        return 0

    vars(window)["main"] = main
    monkeypatch.setitem(sys.modules, "ui.app", window)
    return asked


def test_its_words_reach_the_window(
    need: Callable[..., None], opened: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need("qt")  # the display is tried before the window
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "NEEDED", ())
    assert cli.main(["panel"]) == 0
    assert cli.main(["panel", "a.wav", "--theme", "dark", "--demo", "--screenshot", "out.png"]) == 0
    assert opened == [([], None, False, "system"), ([tmp_path / "a.wav"], Path("out.png"), True, "dark")]


def test_what_is_missing_is_named_with_the_way_to_get_it(
    opened: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "NEEDED", ("PyQt6", "a_module_that_nobody_has"))
    monkeypatch.setattr(commands, "find_spec", lambda name: None if name.startswith("a_") else name)
    assert cli.main(["panel"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("zerostem: The panel needs a_module_that_nobody_has. Install it: `pip install 'zerostem[panel]'`")
    assert not opened
