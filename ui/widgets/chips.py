"""A field of short texts: each becomes a chip when it is entered, and goes away by its cross or with Backspace."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from ui import texts
from ui.style.icons import icon
from ui.style.theme import Theme
from ui.widgets.flow import Flow


class Entry(QLineEdit):
    """Where one types. `left`: Backspace where nothing is left to delete."""

    left = pyqtSignal()
    focused = pyqtSignal(bool)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Backspace in front of everything takes the last chip."""
        if event is not None and event.key() == Qt.Key.Key_Backspace and not self.text():
            self.left.emit()
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802 - Qt's name
        """Tell the field, which draws the frame."""
        super().focusInEvent(event)
        self.focused.emit(True)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802 - Qt's name
        """Tell the field, which draws the frame."""
        super().focusOutEvent(event)
        self.focused.emit(False)


@dataclass(frozen=True, slots=True)
class Shown:
    """One text, its colour if it has one, and what is to be known about it."""

    text: str
    colour: str | None = None
    note: str = ""
    doubtful: bool = False


class Chip(QFrame):
    """One text, with its colour and a cross."""

    def __init__(self, shown: "Shown", tones: Theme, take_away: Callable[[], None]) -> None:
        super().__init__()
        text, colour = shown.text, shown.colour
        self.setProperty("role", "chip")
        self.setProperty("doubtful", shown.doubtful)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 2, 4, 2)
        row.setSpacing(6)
        if colour:
            dot = QLabel()
            dot.setFixedSize(8, 8)
            dot.setStyleSheet(f"background: {colour}; border-radius: 4px;")
            row.addWidget(dot)
        row.addWidget(QLabel(text))
        cross = QToolButton()
        cross.setIcon(icon("close", tones.dim, 14))
        cross.setIconSize(QSize(12, 12))
        cross.setAccessibleName(texts.REMOVE.format(name=text))
        cross.setToolTip(texts.REMOVE.format(name=text))
        cross.clicked.connect(take_away)
        row.addWidget(cross)
        self.setToolTip(shown.note)


class Chips(QFrame):
    """Chips and an entry behind them. `entered`: a text to become one; `removed`: one to go."""

    entered = pyqtSignal(str)
    removed = pyqtSignal(str)

    def __init__(self, name: str, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "field")
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self._flow = Flow(self, gap=5, margin=5)
        self._hint = hint
        self.entry = Entry()
        self.entry.setProperty("role", "bare")
        self.entry.setAccessibleName(name)
        self.entry.setPlaceholderText(hint)
        self.entry.setMinimumWidth(110)
        self.entry.returnPressed.connect(self.take_entry)
        self.entry.textEdited.connect(self._split)
        self.entry.left.connect(self._take_last)
        self.entry.focused.connect(self._frame)
        self.entry.installEventFilter(self)
        self._texts: list[str] = []
        self._shown: list[Chip] = []
        self._flow.addWidget(self.entry)

    def show_texts(self, told: list[Shown], tones: Theme) -> None:
        """Show these."""
        for chip in self._shown:
            self._flow.removeWidget(chip)
            chip.hide()
            chip.deleteLater()
        self._flow.removeWidget(self.entry)
        self._texts = [each.text for each in told]
        self._shown = []
        for each in told:
            chip = Chip(each, tones, partial(self._take, each.text))
            self._shown.append(chip)
            self._flow.addWidget(chip)
            chip.show()
        self._flow.addWidget(self.entry)
        self.entry.setPlaceholderText("" if told else self._hint)
        before: QWidget = self
        for chip in self._shown:
            self.setTabOrder(before, chip)
            before = chip
        self.setTabOrder(before, self.entry)
        self.updateGeometry()

    def take_entry(self) -> None:
        """Make a chip of what is typed."""
        if text := self.entry.text().strip():
            self.entry.clear()
            self.entered.emit(text)

    def mousePressEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """All of the field is for typing."""
        self.entry.setFocus()

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """A sound half typed counts when the field is left by Tab."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Tab:
            self.take_entry()
        return False

    def _split(self, text: str) -> None:
        if "," in text or ";" in text:
            *whole, rest = text.replace(";", ",").split(",")
            self.entry.setText(rest.lstrip())
            for each in filter(None, (part.strip() for part in whole)):
                self.entered.emit(each)

    def _take(self, text: str, _checked: bool = False) -> None:
        self.removed.emit(text)

    def _take_last(self) -> None:
        if self._texts:
            self.removed.emit(self._texts[-1])

    def _frame(self, inside: bool) -> None:
        self.setProperty("inside", inside)
        style = self.style()
        assert style is not None
        style.unpolish(self)
        style.polish(self)
