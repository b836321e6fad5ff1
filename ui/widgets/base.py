"""What every widget of the panel is: a card on the ground that knows the studio and can change its clothes."""

from dataclasses import dataclass

from PyQt6.QtCore import QSize
from PyQt6.QtWidgets import QFrame, QLabel, QPushButton, QToolButton, QWidget

from ui.state.controller import Controller
from ui.state.playback import Playback
from ui.style.icons import icon
from ui.style.theme import Theme


@dataclass(frozen=True, slots=True)
class WidgetContext:
    """What a widget lives in."""

    controller: Controller
    playback: Playback


class Card(QFrame):
    """A widget of the panel. The panel calls `dress` once at the start, and whenever the system goes dark or light."""

    def __init__(self, room: WidgetContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.room, self.controller, self.playback = room, room.controller, room.playback
        self.tones: Theme
        self._pictures: list[tuple[QPushButton | QToolButton, str, str]] = []

    def dress(self, tones: Theme) -> None:
        """Wear these colours; a subclass whose own drawing has colours goes on from here."""
        self.tones = tones
        for button, name, tone in self._pictures:
            button.setIcon(icon(name, getattr(tones, tone)))
            button.setIconSize(QSize(16, 16))

    def pictured(self, button: QPushButton | QToolButton, name: str, tone: str = "text") -> None:
        """Let a button bear a picture in one of the tones, from the next `dress` on."""
        self._pictures = [each for each in self._pictures if each[0] is not button]
        self._pictures.append((button, name, tone))
        if hasattr(self, "tones"):
            button.setIcon(icon(name, getattr(self.tones, tone)))


def label(text: str = "", role: str = "") -> QLabel:
    """Words, in one of the roles of the style sheet."""
    made = QLabel(text)
    made.setProperty("role", role)
    return made


def button(text: str, role: str = "", tip: str = "") -> QPushButton:
    """Something to press."""
    made = QPushButton(text)
    made.setProperty("role", role)
    made.setToolTip(tip)
    return made


def tool(name: str, tip: str, role: str = "quiet") -> QToolButton:
    """Something to press that is only a picture; its name is for those who do not see it."""
    made = QToolButton()
    made.setProperty("role", role)
    made.setAccessibleName(name)
    made.setToolTip(tip)
    return made


def put_role(widget: QWidget, role: str) -> None:
    """Give a widget another role of the style sheet."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        style = widget.style()
        assert style is not None
        style.unpolish(widget)
        style.polish(widget)
