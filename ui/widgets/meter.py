"""How loud what is played is: one bar per channel, its peak held for a moment, red once it went over."""

import time
from collections.abc import Sequence

from PyQt6.QtCore import QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt6.QtWidgets import QSizePolicy, QWidget

from ui import texts
from ui.models.player import Level
from ui.style.theme import Theme

FLOOR_DB = -60.0
HOLD_S = 1.2
CAUTION_DB = -6.0


class Meter(QWidget):
    """Levels of each channel; a click puts the red mark out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(60)
        self.setAccessibleName(texts.METER)
        self.setToolTip(texts.METER_HOW)
        self._tones: Theme | None = None
        self._levels: list[tuple[float, float]] = [(FLOOR_DB, FLOOR_DB)] * 2
        self._held: list[tuple[float, float]] = [(FLOOR_DB, 0.0)] * 2
        self._over = False

    def dress(self, tones: Theme) -> None:
        """Wear these colours."""
        self._tones = tones
        self.update()

    def show_levels(self, levels: Sequence[Level]) -> None:
        """One for each channel; none: nothing plays."""
        now = time.monotonic()
        channels = [(level.peak_db, level.rms_db) for level in levels] or [(FLOOR_DB, FLOOR_DB)] * 2
        self._over |= any(level.over for level in levels)
        held = (self._held + [(FLOOR_DB, 0.0)] * len(channels))[: len(channels)]
        self._held = [
            (peak, now) if peak >= kept or now - since > HOLD_S else (kept, since)
            for (peak, _), (kept, since) in zip(channels, held, strict=True)
        ]
        if channels != self._levels:
            loudest = max(peak for peak, _ in channels)
            self.setAccessibleDescription(texts.METER_SAYS.format(db=f"{loudest:.0f}"))
        self._levels = channels
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Two bars."""
        return QSize(140, 20)

    def mousePressEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Put the red mark out."""
        self._over = False
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802 - Qt's name
        """One bar per channel."""
        if self._tones is None:
            return
        tones, wide = self._tones, self.width() - 10.0
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        high = (self.height() - 2.0 * (len(self._levels) - 1)) / max(len(self._levels), 1)
        high = min(high, 7.0)
        top = (self.height() - len(self._levels) * high - 2.0 * (len(self._levels) - 1)) / 2
        for channel, ((peak, rms), (held, _)) in enumerate(zip(self._levels, self._held, strict=True)):
            y = top + channel * (high + 2)
            painter.setBrush(QColor(tones.raised))
            painter.drawRoundedRect(QRectF(0, y, wide, high), 2, 2)
            for level, share in ((peak, 0.45), (rms, 1.0)):
                colour = QColor(tones.caution if peak > CAUTION_DB else tones.well)
                colour.setAlphaF(share)
                painter.setBrush(colour)
                if level > FLOOR_DB:
                    painter.drawRoundedRect(QRectF(0, y, wide * _share(level), high), 2, 2)
            if held > FLOOR_DB:
                painter.setPen(QPen(QColor(tones.trouble if held >= 0 else tones.text), 1.5))
                painter.drawLine(QPointF(wide * _share(held), y), QPointF(wide * _share(held), y + high))
                painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(tones.trouble if self._over else tones.raised))
        painter.drawRoundedRect(QRectF(wide + 4, top, 6, self.height() - 2 * top), 2, 2)
        painter.end()


def _share(level_db: float) -> float:
    return min(max(1 - level_db / FLOOR_DB, 0.0), 1.0)
