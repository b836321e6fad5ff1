"""A stem's fader: from "reconstruct" (the mix as it is) to "isolate" (the stem alone)."""

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSlider, QWidget

from ui import texts
from ui.background.timing import timer
from ui.style.theme import Theme, blended

STEPS = 1000
SETTLE_MS = 450
"""After the last key of a row of them the fader has come to rest."""
RADIUS, GROOVE = 8.0, 5.0


class Fader(QSlider):
    """Strength 0..1. `moving` while it is moved, `rested` once when it is let go."""

    moving = pyqtSignal(float)
    rested = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setRange(0, STEPS)
        self.setSingleStep(STEPS // 100)
        self.setPageStep(STEPS // 10)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMinimumWidth(150)
        self.setAccessibleDescription(texts.FADER_HOW)
        self.setToolTip(texts.FADER_HOW)
        self._tones: Theme | None = None
        self._colour = "#888888"
        self.rendered: float | None = None
        """The strength of the sound as it is on the disk; marked where it is another one."""
        self._rest = timer(self, SETTLE_MS, self._settle, once=True)
        self._told = 1.0
        self.valueChanged.connect(self._moved)
        self.sliderReleased.connect(self._settle)

    @property
    def strength(self) -> float:
        """Where it stands, 0..1."""
        return self.value() / STEPS

    def put(self, strength: float, rendered: float | None) -> None:
        """Stand elsewhere, and say nothing of it; not under a hand that holds it."""
        self.rendered = rendered
        if not (self.isSliderDown() or self._rest.isActive()):
            self.blockSignals(True)
            self.setValue(round(strength * STEPS))
            self.blockSignals(False)
            self._told = self.strength
        self.update()

    def dress(self, tones: Theme, colour: str) -> None:
        """Wear a stem's colour."""
        self._tones, self._colour = tones, colour
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Wide enough for a hundred steps."""
        return QSize(260, 34)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Jump to where it is pressed: nobody wants to page a fader."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._follow(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Follow the hand."""
        if event is not None and self.isSliderDown():
            self._follow(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Come to rest."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def mouseDoubleClickEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Isolate, which is where it began."""
        self.setValue(STEPS)
        self._settle()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """Groove, marks, the way so far in the stem's colour, the knob, and a ring where the sound on the disk is."""
        if self._tones is None:
            return
        tones, middle = self._tones, self.height() / 2
        left, right = RADIUS + 2, self.width() - RADIUS - 2
        at = left + (right - left) * self.strength
        colour = QColor(self._colour) if self.isEnabled() else blended(tones.dim, tones.surface, 0.5)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tones.raised))
        painter.drawRoundedRect(QRectF(left, middle - GROOVE / 2, right - left, GROOVE), GROOVE / 2, GROOVE / 2)
        shade = QLinearGradient(QPointF(left, 0), QPointF(right, 0))
        shade.setColorAt(0, blended(colour.name(), tones.surface, 0.25))
        shade.setColorAt(1, colour)
        painter.setBrush(shade)
        painter.drawRoundedRect(QRectF(left, middle - GROOVE / 2, at - left, GROOVE), GROOVE / 2, GROOVE / 2)
        painter.setPen(QPen(QColor(tones.line), 1))
        for quarter in range(5):
            x = round(left + (right - left) * quarter / 4) + 0.5
            painter.drawLine(QPointF(x, middle + 8), QPointF(x, middle + (13 if quarter in (0, 2, 4) else 11)))
        if self.rendered is not None and abs(self.rendered - self.strength) > 0.5 / STEPS:
            ghost = left + (right - left) * min(self.rendered, 1.0)
            painter.setPen(QPen(blended(colour.name(), tones.surface, 0.7), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(QPointF(ghost, middle), RADIUS - 2, RADIUS - 2)
        painter.setPen(QPen(QColor(tones.text if self.hasFocus() else tones.surface), 2))
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(at, middle), RADIUS, RADIUS)
        painter.end()

    def _follow(self, event: QMouseEvent) -> None:
        left, right = RADIUS + 2, self.width() - RADIUS - 2
        self.setValue(round(STEPS * (event.position().x() - left) / max(right - left, 1)))

    def _moved(self) -> None:
        self.moving.emit(self.strength)
        if not self.isSliderDown():
            self._rest.start()

    def _settle(self) -> None:
        self._rest.stop()
        if self.strength != self._told:
            self._told = self.strength
            self.rested.emit(self.strength)
