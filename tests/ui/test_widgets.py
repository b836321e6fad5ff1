"""The widgets one by one: words, colours, keys and names for those who do not see them; nothing here needs a daemon."""

import ast
import re
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ui.looks import Tones
    from ui.panel import Panel

pytestmark = pytest.mark.usefixtures("qt")

UI = Path(__file__).parents[2] / "ui"
SHOWN = {"setText", "setToolTip", "setAccessibleName", "setAccessibleDescription", "setPlaceholderText", "setWindowTitle"}
MAKES = {"label", "button", "tool", "QLabel", "QPushButton", "QAction", "addAction", "addMenu", "addTab", "say", "Notice"}


FILES = sorted([*UI.glob("*.py"), *(UI / "widgets").glob("*.py")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(UI)))
def test_every_word_that_is_shown_stands_in_the_catalogue(file: Path) -> None:
    if file.name == "texts.py":
        return
    loose = []
    for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        first = call.args[0]
        words = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
        if name in SHOWN | MAKES and re.search(r"[A-Za-z]{2}", words):
            loose.append(words)
    assert not loose


def test_another_language_takes_the_place_of_this_one_and_must_have_the_same_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    from ui import texts

    for name in ("SEPARATE", "ARRIVED"):
        monkeypatch.setattr(texts, name, getattr(texts, name))
    texts.speak({"SEPARATE": "Trennen", "ARRIVED": "{title} kam von {host}."})
    assert texts.SEPARATE == "Trennen"
    with pytest.raises(KeyError):
        texts.speak({"SEPERATE": "Trennen"})
    with pytest.raises(ValueError, match="ARRIVED"):
        texts.speak({"ARRIVED": "Etwas kam."})


@pytest.mark.parametrize(
    ("seconds", "digits", "told"), [(0, 0, "0:00"), (59.96, 1, "1:00.0"), (3723.4, 0, "1:02:03"), (1.255, 2, "0:01.25")]
)
def test_times_are_told_as_people_say_them(seconds: float, digits: int, told: str) -> None:
    from ui import texts

    assert texts.clock(seconds, digits) in (told, told.replace(".25", ".26"))


def hands(module: Any) -> Any:
    """QTest, whose functions the stubs take for methods."""
    return module.QTest


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    high, low = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["DARK", "LIGHT"])
def test_words_can_be_read_on_every_ground(name: str) -> None:
    from ui import looks

    tones: Tones = getattr(looks, name)
    for ground in (tones.ground, tones.surface, tones.raised):
        for words in ("text", "dim", "trouble", "caution", "well"):
            assert _contrast(getattr(tones, words), ground) >= 4.5, (words, ground)
    assert _contrast(tones.on_accent, tones.accent) >= 4.5
    assert all(_contrast(colour, tones.surface) >= 3 for colour in tones.stems)  # what is no word: WCAG 1.4.11
    assert {field.name for field in fields(tones)} >= {"heat", "stems"}


def test_everything_that_takes_the_keyboard_has_a_name(panels: Callable[..., "Panel"], song: Path, until: Any) -> None:
    from PyQt6.QtCore import Qt
    from PyQt6.QtWidgets import QAbstractButton, QLabel, QWidget

    panel = panels()
    panel.open(song)
    until(lambda: panel.playback.player is not None)
    panel.studio.ask_for("drums")
    named = []
    for widget in panel.findChildren(QWidget):
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and not widget.objectName().startswith("qt_"):
            told = widget.accessibleName() or (widget.text() if isinstance(widget, QAbstractButton | QLabel) else "")
            named.append((f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}", told))
    assert len(named) > 15
    nameless = [kind for kind, told in named if not told and not kind.startswith(("QTabBar", "QTabWidget", "QSplitter"))]
    assert not nameless


def test_tab_goes_from_the_sounds_to_the_button_to_the_faders(panels: Callable[..., "Panel"], song: Path, until: Any) -> None:
    from PyQt6.QtWidgets import QApplication

    from ui.widgets.prompts import Prompts
    from ui.widgets.stems import Stems

    panel = panels()
    panel.open(song)
    until(lambda: panel.playback.player is not None)
    panel.studio.ask_for("drums")
    panel.activateWindow()
    wanted = [panel.card(Prompts).wanted.entry, panel.card(Prompts).separate, panel.card(Stems).rows["drums"].fader]
    wanted[0].setFocus()
    passed = []
    for _ in range(40):
        panel.focusNextChild()
        passed.append(QApplication.focusWidget())
    places = [passed.index(widget) for widget in wanted[1:]]
    assert places == sorted(places)


def test_the_fader_is_moved_by_keys_and_rests_once(application: object, until: Any) -> None:
    from PyQt6 import QtTest
    from PyQt6.QtCore import Qt

    from ui.looks import DARK
    from ui.widgets.fader import Fader

    fader = Fader()
    fader.dress(DARK, DARK.stem(0))
    fader.put(1.0, 1.0)
    moved: list[float] = []
    rested: list[float] = []
    fader.moving.connect(moved.append)
    fader.rested.connect(rested.append)
    fader.show()
    for _ in range(3):
        hands(QtTest).keyClick(fader, Qt.Key.Key_Left)
    hands(QtTest).keyClick(fader, Qt.Key.Key_PageDown)
    assert moved == pytest.approx([0.99, 0.98, 0.97, 0.87])
    assert not rested
    until(lambda: rested, 5)
    assert rested == pytest.approx([0.87])
    hands(QtTest).keyClick(fader, Qt.Key.Key_Home)
    assert fader.strength == 0
    fader.close()


def test_chips_are_made_by_commas_and_taken_away_by_backspace(panels: Callable[..., "Panel"], song: Path, until: Any) -> None:
    from PyQt6 import QtTest
    from PyQt6.QtCore import Qt

    from ui.widgets.prompts import Prompts

    panel = panels()
    entry = panel.card(Prompts).wanted.entry
    hands(QtTest).keyClicks(entry, "drums, lead vocal,")
    assert [ask.prompt for ask in panel.studio.session.asks] == ["drums", "lead vocal"]
    entry.clear()
    hands(QtTest).keyClicks(entry, "rain")
    hands(QtTest).keyClick(entry, Qt.Key.Key_Return)
    assert [ask.prompt for ask in panel.studio.session.asks] == ["drums", "lead vocal", "rain"]
    hands(QtTest).keyClick(entry, Qt.Key.Key_Backspace)
    assert [ask.prompt for ask in panel.studio.session.asks] == ["drums", "lead vocal"]
    hands(QtTest).keyClicks(panel.card(Prompts).unlike.entry, "hum,hiss,")
    assert panel.studio.session.unlike == "hum, hiss"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_is_cut_off_in_the_smallest_window(
    theme: str, panels: Callable[..., "Panel"], song: Path, tmp_path: Path, until: Any
) -> None:
    from PyQt6.QtWidgets import QPushButton, QWidget

    from ui.widgets.prompts import Prompts
    from ui.widgets.stems import Stems

    panel = panels(theme=theme)
    panel.resize(panel.minimumSize())
    panel.open(song)
    until(lambda: panel.playback.player is not None)
    for prompt in ("drums", "bass", "lead vocal", "a very long description of a sound that nobody would ever type"):
        panel.studio.ask_for(prompt)
    end = time.monotonic() + 0.6
    until(lambda: time.monotonic() > end)
    path = tmp_path / f"{theme}.png"
    assert panel.grab().save(str(path))
    print(f"what is to be seen: {path}")  # noqa: T201 - shown when it fails, and with -s
    cards = [*panel.cards.values()]
    for card in cards:
        if card.isVisible():
            assert card.height() >= card.minimumSizeHint().height(), type(card).__name__
    entry = panel.card(Prompts).wanted.entry
    assert panel.card(Prompts).wanted.rect().contains(entry.geometry())
    assert [*panel.card(Stems).rows][-1] == ""
    for each in panel.findChildren(QPushButton):
        if each.isVisible():
            assert each.width() >= each.minimumSizeHint().width(), each.text()
            parent = each.parentWidget()
            assert isinstance(parent, QWidget)
            assert parent.rect().contains(each.geometry()), each.text()
