"""The line at the bottom: what happened and what to do about it; never a window that has to be closed."""

from datetime import datetime

from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QWidget

from ui import texts
from ui.background.timing import timer
from ui.state.controller import Notice
from ui.style.theme import Theme
from ui.widgets.base import Card, WidgetContext, button, label, put_role, tool

FADE_MS = 12_000
"""Good news goes away by itself; trouble stays until it is closed or something newer comes."""
KEPT = 50


class NoticeLine(Card):
    """The newest notice. What has been said before can be copied with it."""

    def __init__(self, room: WidgetContext, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        self.setProperty("role", "bar")
        self.said: list[str] = []
        self._notice: Notice | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 0, 8, 0)
        row.setSpacing(8)
        self.dot = QFrame()
        self.dot.setFixedSize(8, 8)
        self.words = QLabel("")
        self.words.setTextInteractionFlags(self.words.textInteractionFlags())
        self.words.setMinimumWidth(1)
        self.todo = label("", "dim")
        self.todo.setMinimumWidth(1)
        self.deed = button("")
        self.copy = tool(texts.COPY_DETAILS, texts.COPY_DETAILS)
        self.copy.clicked.connect(self._copy)
        self.pictured(self.copy, "copy", "dim")
        self.cross = tool(texts.CLOSE, texts.CLOSE)
        self.cross.clicked.connect(self.clear)
        self.pictured(self.cross, "close", "dim")
        for shown in (self.dot, self.words, self.todo):
            row.addWidget(shown)
        row.addStretch(1)
        for each in (self.deed, self.copy, self.cross):
            row.addWidget(each)
        self.setFixedHeight(36)
        self._fade = timer(self, FADE_MS, self.clear, once=True)
        self.controller.noticed.connect(self.tell)
        self.deed.clicked.connect(self._act)
        self.clear()

    def dress(self, tones: Theme) -> None:
        """Wear these colours."""
        super().dress(tones)
        self._colour()

    def tell(self, notice: Notice) -> None:
        """Say something."""
        self._notice = notice
        self.said = [*self.said, f"{datetime.now().astimezone():%H:%M:%S} {notice.what} {notice.todo}".rstrip()][-KEPT:]
        self.words.setText(notice.what)
        self.todo.setText(notice.todo)
        self.setAccessibleName(f"{notice.what} {notice.todo}")
        self.setToolTip(f"{notice.what} {notice.todo}".strip())
        put_role(self.words, {"trouble": "trouble", "well": "well"}.get(notice.level, ""))
        self.deed.setText(notice.act)
        self.deed.setVisible(bool(notice.act))
        self.copy.setVisible(notice.level == "trouble")
        self.cross.show()
        self.dot.show()
        self._colour()
        self._fade.stop()
        if notice.level != "trouble" and not notice.act:
            self._fade.start()

    def clear(self) -> None:
        """Say nothing."""
        self._notice = None
        self.words.setText("")
        self.todo.setText("")
        for shown in (self.deed, self.copy, self.cross, self.dot):
            shown.hide()

    def _act(self) -> None:
        notice = self._notice
        self.clear()
        if notice is not None and notice.on_act is not None:
            notice.on_act()

    def _colour(self) -> None:
        if self._notice is not None and hasattr(self, "tones"):
            tone = {"trouble": self.tones.trouble, "well": self.tones.well}.get(self._notice.level, self.tones.accent)
            self.dot.setStyleSheet(f"background: {tone}; border-radius: 4px;")

    def _copy(self) -> None:
        if clipboard := QGuiApplication.clipboard():
            clipboard.setText("\n".join(self.said))
