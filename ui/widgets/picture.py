"""The region as a picture: its waveform above, its mel spectrogram below, one time axis, a selection and the playhead."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt6.QtCore import QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QWidget

from ui import texts
from ui.background.timing import timer
from ui.style.theme import Theme

DEAF_DB, LOUD_DB = -85.0, -15.0
"""What the darkest and the brightest colour of the spectrogram stand for."""
LOOK_AGAIN_MS = 60
"""After the view was moved: wait for more of it before everything is drawn anew."""
LEAST_S = 0.02
"""The shortest stretch one can zoom into."""
KEY_STEP = 0.02
"""Of the visible stretch, per arrow key."""


class Axis(pg.AxisItem):  # type: ignore[misc]
    """Minutes and seconds."""

    def tickStrings(self, values: Sequence[float], _scale: float, spacing: float) -> list[str]:  # noqa: N802 - pyqtgraph's name
        """0:03, or 0:03.25 where that is needed."""
        digits = 0 if spacing >= 1 else 1 if spacing >= 0.1 else 2 if spacing >= 0.01 else 3
        return [texts.clock(value, digits) for value in values]


class TimeView(pg.ViewBox):  # type: ignore[misc]
    """Dragging selects, the wheel zooms, Shift or the middle button moves; never beyond the region."""

    dragged = pyqtSignal(float, float)
    pressed = pyqtSignal(float)
    doubled = pyqtSignal()

    def mouseDragEvent(self, event: Any, axis: int | None = None) -> None:  # noqa: ARG002, N802 - pyqtgraph's
        """Select with the left button; everything else as usual, along the time only."""
        plain = event.button() == Qt.MouseButton.LeftButton and event.modifiers() == Qt.KeyboardModifier.NoModifier
        if not plain:
            super().mouseDragEvent(event, axis=0)
            return
        event.accept()
        first, last = (self.mapSceneToView(point).x() for point in (event.buttonDownScenePos(), event.scenePos()))
        self.dragged.emit(first, last)

    def mouseClickEvent(self, event: Any) -> None:  # noqa: N802 - pyqtgraph's name
        """Put the playhead there; twice: mean all of the region again."""
        if event.button() == Qt.MouseButton.LeftButton:
            event.accept()
            if event.double():
                self.doubled.emit()
            else:
                self.pressed.emit(self.mapSceneToView(event.scenePos()).x())

    def wheelEvent(self, event: Any, axis: int | None = None) -> None:  # noqa: ARG002, N802 - pyqtgraph's
        """Zoom along the time."""
        super().wheelEvent(event, axis=0)


class Wave:
    """One channel's waveform: what lies between its least and its greatest samples."""

    def __init__(self, channel: int, channels: int) -> None:
        self.middle, self.reach = _lane(channel, channels), 0.92 / channels
        self.edges = (pg.PlotCurveItem(), pg.PlotCurveItem())
        self.fill = pg.FillBetweenItem(*self.edges)

    def show(self, times_s: NDArray[np.floating], peaks: NDArray[np.float32], full: float) -> None:
        """peaks: (columns, 2), least and greatest; full: the one that fills the lane."""
        for edge, level, least in zip(self.edges, peaks.T, (-0.008, 0.008), strict=True):
            edge.setData(times_s, self.middle + self.reach * np.clip(level / full + least, -1, 1))


def _lane(channel: int, channels: int) -> float:
    """Where a channel's zero lies: the first is the highest."""
    return 1 - (2 * channel + 1) / channels


class Picture(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Draws what it is given. `wanted`: which stretch is to be seen, and how many columns there are for it."""

    wanted = pyqtSignal(float, float, int)
    selected = pyqtSignal(float, float)
    unselected = pyqtSignal()
    pointed = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(texts.PICTURE)
        self.setAccessibleDescription(texts.PICTURE_HOW)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.viewport().setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(self.Shape.NoFrame)
        self.setMinimumHeight(110)
        self.ci.layout.setSpacing(4)
        self.ci.layout.setContentsMargins(0, 0, 0, 0)
        self._length_s = 0.0
        self._views = [TimeView(enableMenu=False), TimeView(enableMenu=False)]
        self._axis = Axis("bottom")
        self._plots = [
            self.addPlot(0, 0, viewBox=self._views[0], axisItems={"bottom": Axis("bottom")}),
            self.addPlot(1, 0, viewBox=self._views[1], axisItems={"bottom": self._axis}),
        ]
        self.ci.layout.setRowStretchFactor(0, 4)
        self.ci.layout.setRowStretchFactor(1, 6)
        for plot, view in zip(self._plots, self._views, strict=True):
            plot.hideButtons()
            plot.hideAxis("left")
            view.setMouseEnabled(x=True, y=False)
            view.setDefaultPadding(0)
            view.dragged.connect(self._drag)
            view.doubled.connect(self.unselected)
            view.pressed.connect(self.pointed)
        self._plots[0].hideAxis("bottom")
        self._views[1].setXLink(self._views[0])
        self._views[0].setYRange(-1, 1)
        self._waves: list[list[Wave]] = [[], []]
        self._full = 1.0
        self._middles: list[pg.InfiniteLine] = []
        self._image = pg.ImageItem(axisOrder="row-major")
        self._plots[1].addItem(self._image)
        self._regions = [pg.LinearRegionItem(swapMode="push"), pg.LinearRegionItem(swapMode="push")]
        self._heads = [pg.InfiniteLine(angle=90), pg.InfiniteLine(angle=90)]
        for plot, region, head in zip(self._plots, self._regions, self._heads, strict=True):
            region.setZValue(20)
            region.hide()
            region.sigRegionChangeFinished.connect(self._settle)
            region.sigRegionChanged.connect(self._mirror)
            head.setZValue(30)
            head.hide()
            plot.addItem(region, ignoreBounds=True)
            plot.addItem(head, ignoreBounds=True)
        self._again = timer(self, LOOK_AGAIN_MS, self._want, once=True)
        self._views[0].sigXRangeChanged.connect(lambda *_: self._again.start())
        self._views[0].sigResized.connect(lambda *_: self._again.start())
        self._quiet = False
        self._tones: Theme | None = None

    def dress(self, tones: Theme) -> None:
        """Wear these colours."""
        self._tones = tones
        self.setBackground(tones.surface)
        stops = np.linspace(0, 1, len(tones.heat))
        self._image.setLookupTable(pg.ColorMap(stops, [QColor(each) for each in tones.heat]).getLookupTable(nPts=256))
        for axis in (self._plots[1].getAxis("bottom"),):
            axis.setPen(pg.mkPen(tones.line))
            axis.setTextPen(pg.mkPen(tones.dim))
            axis.setStyle(tickLength=4, tickTextOffset=2)
            axis.setHeight(20)
        veil = QColor(tones.accent)
        veil.setAlphaF(0.14)
        stronger = QColor(tones.accent)
        stronger.setAlphaF(0.22)
        for region, head in zip(self._regions, self._heads, strict=True):
            region.setBrush(veil)
            region.setHoverBrush(stronger)
            for line in region.lines:
                line.setPen(pg.mkPen(tones.accent, width=1.5))
                line.setHoverPen(pg.mkPen(tones.text, width=3))
            head.setPen(pg.mkPen(tones.text, width=1.2))
        for middle in self._middles:
            middle.setPen(pg.mkPen(tones.line))

    def open(self, length_s: float, channels: int) -> None:
        """Another region: all of it is seen."""
        self._length_s = length_s
        for item in (*self._middles, *(wave.fill for layer in self._waves for wave in layer)):
            self._plots[0].removeItem(item)
        self._middles = [pg.InfiniteLine(pos=_lane(channel, channels), angle=0) for channel in range(channels)]
        self._waves = [[Wave(channel, channels) for channel in range(channels)] for _layer in range(2)]
        for item in (*self._middles, *(wave.fill for layer in self._waves for wave in layer)):
            self._plots[0].addItem(item, ignoreBounds=True)
        self._image.clear()
        for view in self._views:
            view.setLimits(xMin=0, xMax=length_s, minXRange=min(LEAST_S, length_s))
        self._views[0].setXRange(0, length_s, padding=0)
        for head in self._heads:
            head.setVisible(length_s > 0)
        if self._tones:
            self.dress(self._tones)
        self._want()

    @property
    def seen(self) -> tuple[float, float]:
        """The stretch that is to be seen, in seconds."""
        (low, high), _ = self._views[0].viewRange()
        return max(low, 0.0), min(high, self._length_s)

    def show_wave(self, layer: int, start_s: float, end_s: float, peaks: NDArray[np.float32], colour: str) -> None:
        """Layer 0 is the mix, 1 what is chosen of it. peaks: (channels, columns, 2)."""
        for index, wave in enumerate(self._waves[layer]):
            wave.fill.setVisible(True)
            wave.fill.setBrush(pg.mkBrush(colour))
            wave.show(np.linspace(start_s, end_s, peaks.shape[1]), peaks[min(index, len(peaks) - 1)], self._full)

    def hide_wave(self, layer: int) -> None:
        """Nothing is chosen, or not yet known."""
        for wave in self._waves[layer]:
            wave.fill.setVisible(False)

    def fill_with(self, loudest: float) -> None:
        """Let the loudest sample of the mix fill its lane: quiet recordings are to be seen too."""
        self._full = max(loudest * 1.05, 0.02)

    def show_spectrogram(self, start_s: float, end_s: float, picture_db: NDArray[np.float32]) -> None:
        """picture_db: (bands, columns), the lowest band first."""
        self._image.setImage(picture_db, levels=(DEAF_DB, LOUD_DB), autoLevels=False)
        self._image.setRect(QRectF(start_s, 0, end_s - start_s, picture_db.shape[0]))
        self._views[1].setYRange(0, picture_db.shape[0], padding=0)

    def show_selection(self, selection: tuple[float, float] | None) -> None:
        """What of the region is meant; None: all of it."""
        self._quiet = True
        for region in self._regions:
            region.setVisible(selection is not None)
            if selection is not None:
                region.setRegion(selection)
                region.setBounds((0, self._length_s))
        self._quiet = False

    def show_head(self, at_s: float) -> None:
        """Where it is played."""
        for head in self._heads:
            head.setValue(at_s)

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Arrows move the playhead, with Shift they select; + and - zoom; Escape means all of the region."""
        low, high = self.seen
        step = KEY_STEP * (high - low)
        at = float(self._heads[0].value())
        key, shift = event.key(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            there = min(max(at + (step if key == Qt.Key.Key_Right else -step), 0.0), self._length_s)
            if shift:
                self._stretch(at, there)
            self.pointed.emit(there)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal, Qt.Key.Key_Minus):
            self.zoom(0.7 if key != Qt.Key.Key_Minus else 1 / 0.7, at)
        elif key == Qt.Key.Key_Escape:
            self.unselected.emit()
        else:
            QWidget.keyPressEvent(self, event)

    def zoom(self, factor: float, around_s: float) -> None:
        """See `factor` times as much of the time."""
        low, high = self.seen
        around_s = min(max(around_s, low), high)
        self._views[0].setXRange(around_s - (around_s - low) * factor, around_s + (high - around_s) * factor, padding=0)

    def _stretch(self, at: float, there: float) -> None:
        first, last = self._regions[0].getRegion() if self._regions[0].isVisible() else (at, at)
        fixed = last if abs(at - first) < abs(at - last) else first
        self.selected.emit(min(fixed, there), max(fixed, there))

    def _drag(self, first: float, last: float) -> None:
        low, high = sorted((min(max(first, 0), self._length_s), min(max(last, 0), self._length_s)))
        if high > low:
            self.selected.emit(low, high)

    def _mirror(self, moved: Any) -> None:
        if not self._quiet:
            self._quiet = True
            for region in self._regions:
                if region is not moved:
                    region.setRegion(moved.getRegion())
            self._quiet = False

    def _settle(self, moved: Any) -> None:
        if not self._quiet:
            self.selected.emit(*moved.getRegion())

    def _want(self) -> None:
        low, high = self.seen
        if self._length_s > 0 and high > low:
            self.wanted.emit(low, high, max(64, int(self._views[0].width())))
