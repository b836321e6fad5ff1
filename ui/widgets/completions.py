"""What is offered while somebody types a sound: a list below the entry that never takes the keyboard away from it."""

from collections.abc import Callable

from PyQt6.QtCore import QEvent, QModelIndex, QObject, QPoint, QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QKeyEvent, QPainter, QStandardItem, QStandardItemModel
from PyQt6.QtWidgets import QAbstractItemView, QLineEdit, QListView, QStyledItemDelegate, QStyleOptionViewItem

from ui import texts
from ui.models.prompts import PromptSuggestion
from ui.style.theme import Theme, blended

ROW = 30
MOST_SEEN = 8
OFFER = Qt.ItemDataRole.UserRole + 1


class CompletionDelegate(QStyledItemDelegate):
    """The sound at the left, at the right where it comes from or what it is taken for."""

    tones: Theme

    def sizeHint(self, _option: QStyleOptionViewItem, _index: QModelIndex) -> QSize:  # noqa: N802 - Qt's name
        """One line."""
        return QSize(200, ROW)

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one offer."""
        assert painter is not None
        offer: PromptSuggestion = index.data(OFFER)
        rect = option.rect.adjusted(10, 0, -10, 0)
        if index.row() == self.chosen():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(blended(self.tones.accent, self.tones.surface, 0.18))
            painter.drawRoundedRect(option.rect.adjusted(2, 1, -2, -1), 5, 5)
        painter.setFont(option.font)
        painter.setPen(QColor(self.tones.text if offer.known else self.tones.dim))
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, offer.text)
        painter.setPen(QColor(self.tones.dim if offer.known else self.tones.caution))
        painter.drawText(rect, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, origin(offer))

    def chosen(self) -> int:
        """The line that Return would take."""
        view = self.parent()
        assert isinstance(view, QListView)
        return view.currentIndex().row()


def origin(offer: PromptSuggestion) -> str:
    """Where an offer comes from, in words."""
    if not offer.known:
        return texts.UNKNOWN_WORD
    if offer.meaning:
        return texts.TAKEN_FOR.format(meaning=offer.meaning)
    return {"history": texts.USED_BEFORE, "preset": texts.OF_A_PRESET}.get(offer.origin, "")


class Completions(QListView):
    """The list of one entry. offers: what to show for what is typed."""

    taken = pyqtSignal(str)

    def __init__(self, entry: QLineEdit, offers: Callable[[str], list[PromptSuggestion]]) -> None:
        super().__init__(entry.window())
        self._entry, self._offers = entry, offers
        self.setObjectName("completions")
        self.setWindowFlags(Qt.WindowType.ToolTip)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(texts.OFFERS)
        self._lines = CompletionDelegate(self)
        self.setItemDelegate(self._lines)
        self._model = QStandardItemModel(self)
        self.setModel(self._model)
        self.clicked.connect(lambda index: self._take(index.row()))
        entry.textEdited.connect(self.offer)
        entry.installEventFilter(self)

    def dress(self, tones: Theme) -> None:
        """Wear these colours."""
        self._lines.tones = tones

    def offer(self, typed: str) -> None:
        """Show what may be meant by what is typed."""
        offers = self._offers(typed)
        self._model.clear()
        for each in offers:
            item = QStandardItem(each.text)
            item.setData(each, OFFER)
            item.setData(f"{each.text}, {origin(each)}", Qt.ItemDataRole.AccessibleTextRole)
            self._model.appendRow(item)
        if not offers or not self._entry.isVisible():
            self.hide()
            return
        corner = self._entry.mapToGlobal(QPoint(-8, self._entry.height() + 8))
        size = QSize(max(320, min(self._entry.width(), 460)), min(len(offers), MOST_SEEN) * ROW + 12)
        self.setGeometry(QRect(corner, size))
        self.setCurrentIndex(QModelIndex())
        self.show()

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """Up and Down walk through the list, Return takes, Escape closes; the entry keeps the focus."""
        if event is None:
            return False
        if event.type() in (QEvent.Type.FocusOut, QEvent.Type.Hide):
            self.hide()
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return False
        key, row = event.key(), self.currentIndex().row()
        if key in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            if not self.isVisible():
                self.offer(self._entry.text())
            elif count := self._model.rowCount():
                self.setCurrentIndex(self._model.index((row + (1 if key == Qt.Key.Key_Down else -1)) % count, 0))
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.isVisible() and row >= 0:
            self._take(row)
            return True
        if key == Qt.Key.Key_Escape and self.isVisible():
            self.hide()
            return True
        if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.hide()
        return False

    def _take(self, row: int) -> None:
        offer: PromptSuggestion = self._model.index(row, 0).data(OFFER)
        self.hide()
        self._entry.clear()
        self.taken.emit(offer.text)
