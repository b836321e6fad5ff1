"""One model of the page: what it is, whether it is here, and the whole way of fetching it, without a window of its own."""

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QRadioButton, QVBoxLayout, QWidget

from ui import texts
from ui.models.download import ModelDownload
from ui.models.models import ModelChoice
from ui.widgets.base import button, label, put_role

INDENT = 22
"""Pixels: what belongs to a model stands below its name, not below the circle before it."""


class ModelLines(QWidget):
    """A model that can be chosen. Where it is not here, choosing it or `offer` asks once whether to fetch it."""

    chosen = pyqtSignal()
    asking = pyqtSignal(bool)
    """Whether it is asked about now."""
    fetch = pyqtSignal()
    stop = pyqtSignal()

    def __init__(self, choice: ModelChoice, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.choice = choice
        name = {"name": choice.name}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 6)
        column.setSpacing(2)
        self.pick = QRadioButton(choice.name)
        self.pick.clicked.connect(self._choose)
        column.addWidget(self.pick)
        self.purpose, self.standing, self.licence = (_lines(column) for _ in range(3))
        self.question, self.used = _lines(column, ""), _lines(column)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(texts.FETCHING.format(**name))
        held = QHBoxLayout()
        held.setContentsMargins(INDENT, 4, 0, 2)
        held.addWidget(self.bar)
        column.addLayout(held)
        self.far, self.trouble, self.todo = _lines(column), _lines(column, "trouble"), _lines(column)
        self.offer = _button(texts.FETCH, texts.FETCH_MODEL.format(**name), texts.FETCH_HOW, self.ask)
        self.agree = _button(texts.FETCH, texts.FETCH_MODEL.format(**name), texts.FETCH_HOW, self.fetch.emit)
        self.refuse = _button(texts.NOT_NOW, texts.NOT_NOW, "", lambda: self.asking.emit(False))
        self.cross = _button(texts.CANCEL, texts.STOP_FETCHING.format(**name), "", self.stop.emit)
        self.again = _button(texts.FETCH_AGAIN, texts.FETCH_AGAIN_MODEL.format(**name), "", self.fetch.emit)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(INDENT, 2, 0, 0)
        buttons.setSpacing(6)
        for each in (self.offer, self.agree, self.refuse, self.cross, self.again):
            buttons.addWidget(each)
        buttons.addStretch()
        column.addLayout(buttons)

    def put(self, choice: ModelChoice, fetching: ModelDownload | None, *, on: bool, asked: bool, there: bool) -> None:
        """Show how it stands. on: it is the chosen one; asked: it is asked whether to fetch it; there: a daemon is."""
        self.choice = choice
        if on:  # of a group, in which one always is
            self.pick.setChecked(True)
        self.pick.setAccessibleDescription(choice.line)
        self.purpose.setText(choice.purpose)
        self.standing.setText(choice.standing)
        self.licence.setText(choice.warning or choice.licence)
        put_role(self.licence, "caution" if choice.warning else "dim")
        coming = fetching is not None and fetching.under_way
        failed = fetching is not None and fetching.state == "failed"
        told = {
            self.question: choice.question if asked else "",
            self.used: texts.FETCH_USED if asked else "",
            self.far: (fetching.line if there else texts.FETCH_WAITS) if fetching and coming else "",
            self.trouble: fetching.what if fetching and failed else "",
            self.todo: fetching.todo if fetching and failed else "",
        }
        for line, words in told.items():
            line.setText(words)
            line.setVisible(bool(words))
        if fetching is not None:
            self.bar.setRange(0, 1000 if fetching.permille or not there else 0)
            self.bar.setValue(fetching.permille)
        shown = {
            self.bar: coming,
            self.offer: not (choice.installed or coming or failed or asked),
            self.agree: asked,
            self.refuse: asked,
            self.cross: coming,
            self.again: failed,
        }
        self.cross.setEnabled(fetching is None or fetching.state != "stopping")
        for widget in sorted(shown, key=lambda each: not shown[each]):  # what appears takes the keys from what vanishes
            widget.setVisible(shown[widget])

    def ask(self) -> None:
        """Ask whether to fetch it, and let the keys go on from there."""
        self.asking.emit(True)
        self.agree.setFocus()

    def _choose(self) -> None:
        if self.choice.installed:
            self.chosen.emit()
        else:
            self.asking.emit(True)


def _lines(column: QVBoxLayout, role: str = "dim") -> QLabel:
    """Words below a model's name, in as many lines as they need, which can be selected and copied."""
    made = label("", role)
    made.setWordWrap(True)
    made.setContentsMargins(INDENT, 0, 0, 0)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    column.addWidget(made)
    return made


def _button(words: str, name: str, tip: str, act: Callable[[], None]) -> QPushButton:
    made = button(words, tip=tip)
    made.setAccessibleName(name)
    made.clicked.connect(lambda _checked: act())
    return made
