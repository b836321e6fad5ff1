"""The queue: every job of the spool in one list, and what can be done with the one that is chosen."""

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPoint, QRect, QRectF, QSize, Qt, QUrl
from PyQt6.QtGui import QColor, QDesktopServices, QFont, QFontMetrics, QPainter
from PyQt6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from ui import texts
from ui.looks import Tones, blended
from ui.models.jobs import Row, in_all
from ui.models.results import Result
from ui.widgets.base import Card, Room, label, tool
from ui.widgets.drag import mime_of

ROW_HIGH = 62
ROW = Qt.ItemDataRole.UserRole + 1


class Rows(QAbstractListModel):
    """The rows as Qt wants them: only what changed is said to have changed, so that 500 cost no more than five."""

    def __init__(self, files: Callable[[str], list[Path]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._files = files

    def put(self, rows: list[Row]) -> None:
        """Show these."""
        before, self_ids = self.rows, [row.id for row in rows]
        if [row.id for row in before] == self_ids:
            self.rows = rows
            for place, (old, new) in enumerate(zip(before, rows, strict=True)):
                if old != new:
                    index = self.index(place, 0)
                    self.dataChanged.emit(index, index)
        else:
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """How many."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """A row, in words where words are asked for."""
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == ROW:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{row.title}, {', '.join(row.prompts)}, {row.line}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.line
        return None

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """What is done can be dragged out."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        done = index.isValid() and self.rows[index.row()].state == "done"
        return flags | Qt.ItemFlag.ItemIsDragEnabled if done else flags

    def mimeData(self, indexes: object) -> QMimeData:  # noqa: N802 - Qt's name
        """The stems of the jobs."""
        return mime_of([file for index in indexes for file in self._files(self.rows[index.row()].id)])  # type: ignore[attr-defined]

    def supportedDragActions(self) -> Qt.DropAction:  # noqa: N802 - Qt's name
        """Copied, never moved."""
        return Qt.DropAction.CopyAction


class Lines(QStyledItemDelegate):
    """Title and state, the prompts, and how far it is."""

    tones: Tones

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:  # noqa: N802 - Qt's name
        """The same for all, so that Qt need not ask 500 times."""
        return QSize(220, ROW_HIGH)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one row."""
        assert painter is not None
        row: Row = index.data(ROW)
        tones, rect = self.tones, QRect(option.rect).adjusted(2, 2, -2, -2)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.setBrush(blended(tones.accent, tones.surface, 0.16))
            painter.drawRoundedRect(rect, 8, 8)
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(QColor(tones.raised))
            painter.drawRoundedRect(rect, 8, 8)
        if option.state & QStyle.StateFlag.State_HasFocus and option.state & QStyle.StateFlag.State_Selected:
            painter.setPen(QColor(tones.accent))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        inner = rect.adjusted(10, 7, -10, -7)
        bold = QFont(option.font)
        bold.setWeight(QFont.Weight.DemiBold)
        small = QFontMetrics(option.font)
        state, tone = state_of(row, tones)
        wide = small.horizontalAdvance(state) + 16
        painter.setFont(bold)
        painter.setPen(QColor(tones.text))
        title = QFontMetrics(bold).elidedText(row.title, Qt.TextElideMode.ElideMiddle, inner.width() - wide)
        painter.drawText(inner.topLeft() + QPoint(0, small.ascent()), title)
        painter.setFont(option.font)
        painter.setPen(QColor(tone))
        painter.drawText(QPoint(inner.right() - small.horizontalAdvance(state), inner.top() + small.ascent()), state)
        painter.setPen(QColor(tones.dim))
        line = row.error if row.state == "failed" and row.error else ", ".join(row.prompts)
        if row.state == "running":
            line = ", ".join(filter(None, (row.job.stage, texts.left(row.job.eta_s), row.job.device)))
        below = inner.top() + small.height() + 5 + small.ascent()
        words = small.elidedText(line, Qt.TextElideMode.ElideRight, inner.width())
        painter.drawText(QPoint(inner.left(), below), words)
        if row.state == "running":
            groove = QRectF(inner.left(), rect.bottom() - 6, inner.width(), 3)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(tones.line))
            painter.drawRoundedRect(groove, 1.5, 1.5)
            painter.setBrush(QColor(tones.accent))
            groove.setWidth(groove.width() * row.permille / 1000)
            painter.drawRoundedRect(groove, 1.5, 1.5)
        painter.restore()


def state_of(row: Row, tones: Tones) -> tuple[str, str]:
    """A state in a word, and its colour."""
    word = texts.STATES[row.state]
    if row.state == "running":
        word = texts.PERCENT.format(percent=row.permille // 10)
    colours = {"done": tones.well, "failed": tones.trouble, "running": tones.accent}
    return word, colours.get(row.state, tones.dim)


class JobList(Card):
    """The list, a line about the one that is chosen, and a row of buttons for it."""

    def __init__(self, room: Room, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        self._results: dict[str, Result] = {}
        self._mine = ""
        outer = QVBoxLayout(self)
        outer.setContentsMargins(8, 10, 8, 8)
        outer.setSpacing(6)
        self.sum = label(texts.NO_JOBS, "dim")
        self.sum.setContentsMargins(6, 0, 6, 0)
        self.sum.setWordWrap(True)
        outer.addWidget(self.sum)
        self.list = QListView()
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setDragEnabled(True)
        self.list.setDragDropMode(QAbstractItemView.DragDropMode.DragOnly)
        self.list.setDefaultDropAction(Qt.DropAction.CopyAction)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.setAccessibleName(texts.JOBS)
        self.rows = Rows(self._files, self)
        self.list.setModel(self.rows)
        self._lines = Lines(self.list)
        self.list.setItemDelegate(self._lines)
        self.list.activated.connect(lambda index: self.act("open", index.data(ROW)))
        self.list.customContextMenuRequested.connect(self._menu)
        chosen = self.list.selectionModel()
        assert chosen is not None
        chosen.selectionChanged.connect(lambda *_: self._choose())
        outer.addWidget(self.list, 1)
        self.facts = label("", "dim")
        self.facts.setWordWrap(True)
        self.facts.setContentsMargins(6, 0, 6, 0)
        self.facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        outer.addWidget(self.facts)
        buttons = QHBoxLayout()
        buttons.setSpacing(2)
        self.buttons = {}
        for name, picture in PICTURES.items():
            words, how = texts.ACTS[name]
            self.buttons[name] = made = tool(words, how)
            made.clicked.connect(lambda _checked, name=name: self.act(name, self.chosen))
            self.pictured(made, picture)
            buttons.addWidget(made)
        buttons.addStretch()
        outer.addLayout(buttons)
        self.studio.queue.changed.connect(self._show)
        self._show_acts()

    def dress(self, tones: Tones) -> None:
        """Wear these colours."""
        super().dress(tones)
        self._lines.tones = tones

    @property
    def chosen(self) -> Row | None:
        """The row that is selected."""
        return self.list.currentIndex().data(ROW)  # type: ignore[no-any-return]

    def act(self, name: str, row: Row | None) -> None:
        """Do something with a job, if it can be done now."""
        if row is None or name not in row.acts:
            return
        if name == "show":
            self._show_folder(row.id)
        else:
            does = {
                "open": self.studio.open_job,
                "cancel": self.studio.queue.cancel,
                "retry": self.studio.queue.retry,
                "deliver": self.studio.queue.deliver,
                "rebuild": self.studio.queue.rebuild,
            }
            does[name](row.id)

    def _show(self, rows: list[Row]) -> None:
        chosen = self.chosen
        self.rows.put(rows)
        mine = self.studio.take.job if self.studio.take else ""
        keep = mine if mine and mine != self._mine else chosen.id if chosen else ""
        if keep and (self.chosen is None or self.chosen.id != keep):
            place = next((place for place, row in enumerate(rows) if row.id == keep), None)
            self._mine = mine if place is not None else self._mine
            if place is not None:
                self.list.setCurrentIndex(self.rows.index(place, 0))
        self.sum.setText((in_all(rows) or texts.ALL_DONE) if rows else texts.NO_JOBS)
        if self.chosen != chosen:
            self._choose()

    def _choose(self) -> None:
        row = self.chosen
        self._show_acts()
        self.facts.setText("")
        if row is None:
            return
        if row.state == "failed":
            self.facts.setText(row.said)
        elif row.state == "done":
            self.studio.queue.result_of(row.id, lambda result: self._tell(row.id, result))

    def _tell(self, job: str, result: Result | None) -> None:
        if result is not None:
            self._results[job] = result
            if self.chosen is not None and self.chosen.id == job:
                self.facts.setText(result.facts)

    def _show_acts(self) -> None:
        acts = self.chosen.acts if self.chosen else frozenset()
        for name, each in self.buttons.items():
            each.setEnabled(name in acts)

    def _menu(self, at: QPoint) -> None:
        row = self.chosen
        view = self.list.viewport()
        if row is None or view is None:
            return
        menu = QMenu(self)
        for name in PICTURES:
            if name in row.acts:
                made = menu.addAction(texts.ACTS[name][0])
                assert made is not None
                made.triggered.connect(lambda _checked, name=name: self.act(name, row))
        menu.popup(view.mapToGlobal(at))

    def _files(self, job: str) -> list[Path]:
        result = self._results.get(job)
        return [*result.files] if result else []

    def _show_folder(self, job: str) -> None:
        result = self._results.get(job)
        if result and result.folder:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(result.folder)))


PICTURES = {"open": "wave", "cancel": "close", "retry": "again", "show": "folder", "deliver": "send", "rebuild": "hammer"}
"""What can be done with a job, in the order of the buttons."""
