"""One row for each stem, and one for the rest: how strongly it is taken out, solo and mute, and a handle to drag it out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PyQt6.QtCore import QEvent, QObject, QSize, Qt, QUrl, pyqtSignal
from PyQt6.QtGui import QDesktopServices, QMouseEvent
from PyQt6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QToolButton, QVBoxLayout, QWidget

from ui import texts
from ui.models.mixing import Strip
from ui.models.results import StemFile
from ui.state.controller import Controller
from ui.state.playback import REST, Playback
from ui.style.icons import icon
from ui.style.theme import Theme, blended
from ui.widgets.base import Card, WidgetContext, button, label, put_role, tool
from ui.widgets.drag import Bundle, Grip
from ui.widgets.fader import Fader

ROW, LEAST_ROWS, MOST_ROWS = 46, 2, 5
NAME_WIDE = 168
FADER_LEFT, FADER_RIGHT = 282, 98
"""From the row's edges to the fader's, as the columns beside it come to."""


class StemRow(QFrame):
    """The row of one sound, or of the rest, which has no fader."""

    pressed = pyqtSignal()

    def __init__(self, name: str, controller: Controller, playback: Playback) -> None:
        super().__init__()
        self.name, self.controller, self.playback = name, controller, playback
        self._worn: tuple[Theme, str, bool] | None = None
        title = name or texts.REST
        self.setFixedHeight(ROW)
        self.setAccessibleName(title)
        grid = QGridLayout(self)
        grid.setContentsMargins(12, 2, 8, 2)
        grid.setHorizontalSpacing(8)
        grid.setColumnStretch(4, 1)
        self.bar = QFrame()
        self.bar.setFixedSize(4, 26)
        self.title, self.note = label(title, "title"), label("", "dim")
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addStretch()
        words.addWidget(self.title)
        words.addWidget(self.note)
        words.addStretch()
        named = QWidget()
        named.setLayout(words)
        words.setContentsMargins(0, 0, 0, 0)
        named.setFixedWidth(NAME_WIDE)
        self.mute = self._switch(texts.MUTE_LETTER, texts.MUTE.format(name=title))
        self.solo = self._switch(texts.SOLO_LETTER, texts.SOLO.format(name=title))
        self.fader = Fader()
        self.fader.setAccessibleName(texts.STRENGTH_OF.format(name=title))
        self.value = label("", "dim")
        self.value.setFixedWidth(38)
        self.value.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.grip = Grip(texts.DRAG_ONE.format(name=title))
        for column, widget in enumerate((self.bar, named, self.mute, self.solo, self.fader, self.value, self.grip)):
            grid.addWidget(widget, 0, column)
        if name:
            self.fader.moving.connect(self._move)
            self.fader.rested.connect(lambda strength: controller.rest(name, strength))
            self.fader.installEventFilter(self)
        else:
            self.fader.hide()
            self.value.hide()
            self.rest_words = label(texts.REST_HOW, "dim")
            grid.addWidget(self.rest_words, 0, 4, 1, 2)

    def _switch(self, letter: str, name: str) -> QToolButton:
        made = tool(name, name, "")
        made.setText(letter)
        made.setCheckable(True)
        made.setFixedSize(28, 26)
        made.setStyleSheet("padding: 0;")
        made.clicked.connect(self._mix)
        return made

    def dress(self, tones: Theme, colour: str, *, chosen: bool) -> None:
        """Wear these colours."""
        if (worn := (tones, colour, chosen)) == self._worn:
            return
        self._worn = worn
        self.bar.setStyleSheet(f"background: {colour}; border-radius: 2px;")
        back = blended(colour, tones.surface, 0.10).name() if chosen else "transparent"
        self.setStyleSheet(f"Stem {{ background: {back}; border-radius: 8px; }}")
        self.fader.dress(tones, colour)
        self.grip.tones = tones
        self.grip.setIcon(icon("grip", tones.dim))

    def show_strength(self, strength: float, rendered: float | None) -> None:
        """Where the fader stands, and how strongly the sound on the disk was taken out."""
        self.fader.put(strength, rendered)
        self.value.setText(f"{self.fader.strength:.2f}")

    def show_file(self, stem: StemFile | None, *, there: bool) -> None:
        """What came out. there: there is a result at all."""
        self.note.setText("" if stem is None else stem.note.partition(":")[0])
        self.note.setToolTip("" if stem is None else stem.note)
        put_role(self.note, "caution" if stem is not None and stem.note else "dim")
        self.note.setVisible(bool(self.note.text()))
        for each in (self.mute, self.solo, self.grip):
            each.setEnabled(there)

    def show_strip(self, strip: Strip) -> None:
        """Whether it is muted or solo."""
        self.mute.setChecked(strip.muted)
        self.solo.setChecked(strip.solo)

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Choose it."""
        self.pressed.emit()
        super().mousePressEvent(event)

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802 - Qt's name
        """Whose fader is touched is chosen."""
        if event is not None and event.type() == QEvent.Type.FocusIn:
            self.pressed.emit()
        return False

    def _move(self, strength: float) -> None:
        self.value.setText(f"{strength:.2f}")
        self.controller.move(self.name, strength)

    def _mix(self) -> None:
        strip = replace(self.playback.strip(self.name), muted=self.mute.isChecked(), solo=self.solo.isChecked())
        self.playback.put_strip(self.name, strip)


class StemRows(QScrollArea):
    """As high as its rows, up to `MOST_ROWS`; where there is no room for them, at least `LEAST_ROWS`."""

    def __init__(self, inside: QWidget) -> None:
        super().__init__()
        self._high = 0
        self.setWidgetResizable(True)
        self.setWidget(inside)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)

    def hold(self, rows: int) -> None:
        """Be high enough for so many."""
        self._high = min(rows, MOST_ROWS) * (ROW + 2)
        self.setMinimumHeight(min(self._high, LEAST_ROWS * (ROW + 2)))
        self.setMaximumHeight(self._high)
        self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """All rows."""
        return QSize(400, self._high)


class Stems(Card):
    """All rows, and what can be done with all stems together."""

    def __init__(self, room: WidgetContext, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        self.rows: dict[str, StemRow] = {}
        outer = QVBoxLayout(self)
        outer.setContentsMargins(6, 8, 6, 8)
        outer.setSpacing(2)
        outer.addLayout(self._head())
        self.hint = label(texts.NO_STEMS, "dim")
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setMinimumHeight(ROW)
        outer.addWidget(self.hint)
        self._list = QVBoxLayout()
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(2)
        inside = QWidget()
        inside.setLayout(self._list)
        self.area = StemRows(inside)
        self.ends = self._captions()
        outer.insertWidget(1, self.ends)
        outer.addWidget(self.area)
        self.controller.session_changed.connect(self._show)
        self.controller.take_changed.connect(self._show)
        self.controller.choice_changed.connect(self._show)
        self.playback.strips_changed.connect(self._show)
        self.playback.view_changed.connect(self._show)

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 8, 2)
        row.setSpacing(8)
        self.folder = button(texts.SHOW_FOLDER, "quiet", texts.SHOW_FOLDER_HOW)
        self.folder.clicked.connect(self._show_folder)
        self.pictured(self.folder, "folder", "dim")
        self.bundle = Bundle(texts.DRAG_ALL)
        self.bundle.grip(self.files, self._copied)
        self.pictured(self.bundle, "grip", "dim")
        row.addWidget(label(texts.STEMS, "title"))
        row.addStretch()
        row.addWidget(self.folder)
        row.addWidget(self.bundle)
        return row

    def _captions(self) -> QWidget:
        """What the two ends of every fader mean, above them."""
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(FADER_LEFT, 0, FADER_RIGHT, 0)
        for words, how in ((texts.RECONSTRUCT, texts.RECONSTRUCT_HOW), (texts.ISOLATE, texts.ISOLATE_HOW)):
            each = label(words, "small")
            each.setToolTip(how)
            row.addWidget(each)
        row.insertStretch(1)
        return made

    def dress(self, tones: Theme) -> None:
        """Wear these colours."""
        super().dress(tones)
        self.bundle.tones = tones
        self._show()

    def files(self) -> Sequence[Path]:
        """All that came out."""
        take = self.controller.take
        return take.result.files if take and take.result else ()

    def _show(self) -> None:
        take, session = self.controller.take, self.controller.session
        result = take.result if take else None
        wanted = [ask.prompt for ask in session.asks]
        names = [*wanted, *([REST] if wanted else [])]
        if names != [*self.rows]:
            self._renew(names)
        found = {stem.prompt: stem for stem in result.stems} if result else {}
        for index, ask in enumerate(session.asks):
            row, stem = self.rows[ask.prompt], found.get(ask.prompt)
            row.dress(self.tones, self.tones.stem(index), chosen=ask.prompt == self.controller.chosen)
            row.show_strength(ask.strength, stem.strength if stem else None)
            row.show_file(stem, there=stem is not None and self.playback.ready)
        if REST in self.rows:
            rest = self.rows[REST]
            rest.dress(self.tones, self.tones.wave, chosen=False)
            rest.show_file(None, there=result is not None and self.playback.ready)
        for name, row in self.rows.items():
            row.show_strip(self.playback.strip(name))
        self.hint.setVisible(not wanted)
        for each in (self.area, self.ends):
            each.setVisible(bool(wanted))
        for each in (self.bundle, self.folder):
            each.setVisible(bool(wanted))
            each.setEnabled(result is not None)

    def _renew(self, names: list[str]) -> None:
        focused = next((name for name, row in self.rows.items() if row.fader.hasFocus()), None)
        for name in [name for name in self.rows if name not in names]:
            gone = self.rows.pop(name)
            self._list.removeWidget(gone)
            gone.deleteLater()
        kept, self.rows = self.rows, {}
        for name in names:
            row = kept.get(name) or self._row(name)
            self.rows[name] = row
            self._list.removeWidget(row)
            self._list.addWidget(row)
        self.area.hold(len(names))
        if focused in self.rows:
            self.rows[focused].fader.setFocus()

    def _row(self, name: str) -> StemRow:
        row = StemRow(name, self.controller, self.playback)
        row.grip.grip(lambda: self._file(name), self._copied)
        if name:
            row.pressed.connect(lambda: self.controller.choose(name))
        else:
            row.pressed.connect(lambda: self.playback.look_at("rest"))
        return row

    def _file(self, name: str) -> Sequence[Path]:
        result = self.controller.take.result if self.controller.take else None
        if result is None:
            return ()
        if name == REST:
            return (result.rest,) if result.rest else ()
        return tuple(stem.path for stem in result.stems if stem.prompt == name and stem.path)

    def _copied(self, count: int) -> None:
        self.controller.say(texts.COPIED.format(count=count), texts.COPIED_TODO)

    def _show_folder(self) -> None:
        result = self.controller.take.result if self.controller.take else None
        if result and result.folder:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(result.folder)))
