"""The window: a head, the widgets of `WIDGETS` in their places, the keys that work everywhere, and files dropped anywhere."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar, get_args

from PyQt6.QtCore import QByteArray, Qt
from PyQt6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QShortcut,
)
from PyQt6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from ui import texts
from ui.models import window
from ui.models.mixing import View
from ui.state.controller import Controller
from ui.state.playback import Playback
from ui.style import theme as looks
from ui.style.theme import Theme
from ui.widgets import WIDGETS
from ui.widgets.base import Card, WidgetContext, button, label
from ui.widgets.jobs import JobList
from ui.widgets.listen import Listen
from ui.widgets.machine import Machine
from ui.widgets.prompts import Prompts
from ui.widgets.source import SourceCard

Kind = TypeVar("Kind", bound=Card)
SIZE = (1180, 800)
LEAST = (1100, 720)
GAP = 10


class Panel(QMainWindow):
    """Everything that is seen. theme: colours that stay, whatever the system does; None: the system's."""

    def __init__(self, controller: Controller, theme: Theme | None = None) -> None:
        super().__init__()
        self.controller, self.playback = controller, Playback(controller)
        self._theme = theme
        self._remembered = window.load()
        self.cards: dict[str, Card] = {}
        self.setWindowTitle(texts.TITLE)
        self.setAcceptDrops(True)
        self.setMinimumSize(*LEAST)
        self.resize(*SIZE)
        self.setCentralWidget(self._ground())
        self.veil = QLabel(texts.DROP_NOW, self)
        self.veil.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.veil.hide()
        self._keys()
        hints = QGuiApplication.styleHints()
        assert hints is not None
        hints.colorSchemeChanged.connect(lambda _scheme: self.dress())
        controller.stands.connect(self._stand)
        controller.engine_state.changed.connect(lambda: self._stand(controller.standing))
        controller.region_changed.connect(self._name)
        self._met = self._lost = False
        self.dress()
        self._stand(controller.standing)
        if self._remembered.geometry:
            self.restoreGeometry(QByteArray(self._remembered.geometry))
        if state := self._remembered.splitters.get("sides"):
            self.sides.restoreState(QByteArray(state))

    # What it is made of.

    def _ground(self) -> QWidget:
        ground = QWidget()
        ground.setObjectName("ground")
        outer = QVBoxLayout(ground)
        outer.setContentsMargins(GAP + 2, 8, GAP + 2, 4)
        outer.setSpacing(6)
        outer.addWidget(self._head())
        room = WidgetContext(self.controller, self.playback)
        work, self.pages = QVBoxLayout(), QTabWidget()
        work.setContentsMargins(0, 0, 0, 0)
        work.setSpacing(GAP)
        self.pages.setDocumentMode(True)
        for name, place in WIDGETS.items():
            self.cards[name] = card = place.widget(room)
            if place.area == "work":
                work.addWidget(card, int(place.grows))
            elif place.area == "side":
                self.pages.addTab(card, getattr(texts, place.title))
        left = QWidget()
        left.setLayout(work)
        self.sides = QSplitter()
        self.sides.setHandleWidth(GAP)
        self.sides.setChildrenCollapsible(False)
        self.pages.setMinimumWidth(250)
        self.sides.addWidget(left)
        self.sides.addWidget(self.pages)
        self.sides.setStretchFactor(0, 1)
        self.sides.setSizes([SIZE[0] - 310, 290])
        outer.addWidget(self.sides, 1)
        for name, place in WIDGETS.items():
            if place.area == "foot":
                outer.addWidget(self.cards[name])
        return ground

    def _head(self) -> QWidget:
        head = QWidget()
        head.setFixedHeight(34)
        row = QHBoxLayout(head)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(8)
        self.mark = label(texts.TITLE, "brand")
        self.light = QFrame()
        self.light.setFixedSize(8, 8)
        self.standing = label("", "dim")
        self.wake = button(texts.START_DAEMON, "quiet")
        self.wake.clicked.connect(self.controller.link.wake)
        row.addWidget(self.mark)
        row.addStretch()
        row.addWidget(self.light)
        row.addWidget(self.standing)
        row.addWidget(self.wake)
        return head

    def _keys(self) -> None:
        """Keys that work wherever the focus is; those without Ctrl leave alone who is being typed into."""
        prompts, source, listen = self.card(Prompts), self.card(SourceCard), self.card(Listen)
        for keys, act in {
            "Ctrl+O": source.ask_for_file,
            "Ctrl+Return": prompts.separate.click,
            "Ctrl+E": prompts.quick.click,
            "Ctrl+P": prompts.preset.click,
            "Ctrl+K": prompts.wanted.entry.setFocus,
            "Ctrl+L": listen.loop.toggle,
            "Ctrl+B": listen.compare.toggle,
            "Ctrl+J": lambda: self._turn_to(self.card(JobList), self.card(JobList).list),
            "Ctrl+M": lambda: self._turn_to(self.card(Machine), self.card(Machine).area),
            "Ctrl+Q": self.close,
        }.items():
            QShortcut(QKeySequence(keys), self).activated.connect(act)

    def card(self, kind: type[Kind]) -> Kind:
        """The widget of that kind."""
        return next(card for card in self.cards.values() if isinstance(card, kind))

    def _turn_to(self, page: Card, first: QWidget) -> None:
        self.pages.setCurrentWidget(page)
        first.setFocus()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Space plays, digits choose what is heard; whoever is being typed into has had the key already."""
        if event is None or event.modifiers() != Qt.KeyboardModifier.NoModifier:
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Space:
            self.playback.play()
        elif Qt.Key.Key_1 <= event.key() <= Qt.Key.Key_5:
            self.playback.look_at(get_args(View)[event.key() - Qt.Key.Key_1])
        else:
            super().keyPressEvent(event)

    # How it looks.

    def dress(self) -> None:
        """Wear the system's colours, or those that were asked for."""
        tones = self._theme or looks.theme_for()
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        application.setPalette(looks.palette(tones))
        application.setStyleSheet(looks.style_sheet(tones))
        self.tones = tones
        for card in self.cards.values():
            card.dress(tones)
        self._stand(self.controller.standing)
        self.veil.setStyleSheet(
            f"background: {looks.blended(tones.accent, tones.ground, 0.22).name()}; color: {tones.text};"
            f"border: 2px dashed {tones.accent}; border-radius: 12px; font-size: 18px; font-weight: 600;"
        )

    def _stand(self, standing: str) -> None:
        tones = self.tones
        words = texts.STANDS[standing]
        if standing == "there" and self.controller.engine_state.devices:
            words = texts.READY_ON.format(device=self.controller.engine_state.devices[0].name)
        self.standing.setText(words)
        self.wake.setVisible(standing == "gone")
        colour = {"there": tones.well, "gone": tones.trouble}.get(standing, tones.caution)
        self.light.setStyleSheet(f"background: {colour}; border-radius: 4px;")
        if standing == "gone" and self._met and not self._lost:
            self._lost = True
            self.controller.say(texts.GONE, texts.GONE_TODO, "trouble")
        elif standing == "there":
            if self._lost:
                self.controller.say(texts.BACK, level="well")
            self._met, self._lost = True, False

    def _name(self) -> None:
        region = self.controller.session.region
        self.setWindowTitle(f"{region.title} – {texts.TITLE}" if region else texts.TITLE)
        if not self.controller.session.asks:
            self.card(Prompts).wanted.entry.setFocus()

    # Files dropped anywhere.

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802 - Qt's name
        """Show that it can be dropped."""
        if event is not None and dropped(event):
            event.acceptProposedAction()
            self.veil.setGeometry(self.rect().adjusted(GAP, GAP, -GAP, -GAP))
            self.veil.raise_()
            self.veil.show()

    def dragLeaveEvent(self, _event: QDragLeaveEvent | None) -> None:  # noqa: N802 - Qt's name
        """It went elsewhere."""
        self.veil.hide()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802 - Qt's name
        """Open it."""
        self.veil.hide()
        if event is not None and (file := dropped(event)):
            event.acceptProposedAction()
            self.open(file)

    def open(self, file: Path) -> None:
        """Open a sound file, and remember it."""
        self._remembered = self._remembered.opened(file)
        self.controller.open_file(file)

    # The end.

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802 - Qt's name
        """Remember how it was, and end every thread. The daemon goes on."""
        splitters = {**self._remembered.splitters, "sides": self.sides.saveState().data()}
        replace(self._remembered, geometry=self.saveGeometry().data(), splitters=splitters).save()
        self.hide()
        self.card(SourceCard).close_files()
        self.playback.close()
        self.controller.close()
        super().closeEvent(event)


def dropped(event: QDragEnterEvent | QDropEvent) -> Path | None:
    """The first file of what is dragged over us; None where there is none, or it comes from us."""
    data = event.mimeData()
    if data is None or event.source() is not None:
        return None
    return next((Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()), None)
