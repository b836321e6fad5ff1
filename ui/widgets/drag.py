"""A handle to drag files out by: to a DAW, the desktop or a folder. A click, Return or Ctrl+C copies them instead."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QMimeData, QPoint, Qt, QUrl
from PyQt6.QtGui import QColor, QDrag, QFontMetrics, QGuiApplication, QKeyEvent, QKeySequence, QMouseEvent, QPainter, QPixmap
from PyQt6.QtWidgets import QAbstractButton, QApplication, QPushButton, QToolButton, QWidget

from ui import texts
from ui.style.theme import Theme

if TYPE_CHECKING:
    _Button = QAbstractButton
else:  # Qt takes one parent only, which each kind of handle brings along
    _Button = object


def mime_of(files: Sequence[Path]) -> QMimeData:
    """The files as every program understands them: local URLs, and their paths as text."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(file)) for file in files])
    data.setText("\n".join(str(file) for file in files))
    return data


def drag_out(source: QWidget, files: Sequence[Path], tones: Theme) -> Qt.DropAction:
    """Drag the files until they are dropped. They are copied, never moved: the panel goes on using them."""
    drag = QDrag(source)
    drag.setMimeData(mime_of(files))
    drag.setPixmap(card := _card(files, tones))
    drag.setHotSpot(QPoint(-12, card.height() // 3))
    return drag.exec(Qt.DropAction.CopyAction, Qt.DropAction.CopyAction)


def copy_out(files: Sequence[Path]) -> None:
    """Put the files on the clipboard."""
    if clipboard := QGuiApplication.clipboard():
        clipboard.setMimeData(mime_of(files))


class _Handle(_Button):
    """What both kinds of handle do. files: asked for when the drag begins, so that they are the newest."""

    _from: QPoint | None = None
    files: Callable[[], Sequence[Path]]
    copied: Callable[[int], None]
    tones: Theme

    def grip(self, files: Callable[[], Sequence[Path]], copied: Callable[[int], None]) -> None:
        """Hold these files."""
        self.files, self.copied = files, copied

    def offer(self) -> None:
        """Look like a handle, and copy at a click."""
        self.setToolTip(texts.DRAG_HOW)
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self.clicked.connect(self.copy)

    def copy(self) -> None:
        """Put the files on the clipboard."""
        if files := self.files():
            copy_out(files)
            self.copied(len(files))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """A drag may begin."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._from = event.position().toPoint()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Or has begun."""
        if not self._pulled(event):
            super().mouseMoveEvent(event)

    def _pulled(self, event: QMouseEvent | None) -> bool:
        """Drag once the pointer has gone far enough; returns whether it has."""
        if event is None or self._from is None:
            return False
        if (event.position().toPoint() - self._from).manhattanLength() < QApplication.startDragDistance():
            return False
        self._from = None
        self.setDown(False)
        if files := self.files():
            drag_out(self, files, self.tones)
        return True


class Grip(_Handle, QToolButton):
    """The handle of one stem."""

    def __init__(self, name: str) -> None:
        QToolButton.__init__(self)
        self.setProperty("role", "quiet")
        self.setAccessibleName(name)
        self.offer()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Ctrl+C is the same as a click."""
        if event is not None and event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)


class Bundle(_Handle, QPushButton):
    """The handle of all stems together."""

    def __init__(self, text: str) -> None:
        QPushButton.__init__(self, text)
        self.offer()


def _card(files: Sequence[Path], tones: Theme) -> QPixmap:
    """What hangs at the pointer: the names."""
    names = [file.name for file in files[:4]] + ([texts.AND_MORE.format(count=len(files) - 4)] if len(files) > 4 else [])
    font = QApplication.font()
    metrics = QFontMetrics(font)
    wide = max(metrics.horizontalAdvance(name) for name in names) + 24
    screen = QGuiApplication.primaryScreen()
    ratio = screen.devicePixelRatio() if screen is not None else 1.0
    made = QPixmap(round(wide * ratio), round((metrics.height() * len(names) + 14) * ratio))
    made.setDevicePixelRatio(ratio)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(tones.raised))
    painter.setPen(QColor(tones.accent))
    painter.drawRoundedRect(0, 0, wide - 1, metrics.height() * len(names) + 13, 7, 7)
    painter.setPen(QColor(tones.text))
    painter.setFont(font)
    for line, name in enumerate(names):
        painter.drawText(12, 7 + metrics.ascent() + line * metrics.height(), name)
    painter.end()
    return made
