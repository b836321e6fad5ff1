"""A blind comparison: two views, equally loud, under the names X and Y; which is which is told after the votes."""

import secrets

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QPushButton, QWidget

from ui import texts
from ui.models.blind import Letter, Trial, Vote
from ui.style.theme import Theme
from ui.widgets.base import WidgetContext, button, label


class Blind(QFrame):
    """One row below the transport. `closed`: it has been ended."""

    closed = pyqtSignal()

    def __init__(self, room: WidgetContext, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.controller, self.playback = room.controller, room.playback
        self.trial: Trial | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        self.sides = (self._side(texts.SIDE_A), self._side(texts.SIDE_B))
        self.begin = button(texts.BLIND_BEGIN)
        self.begin.clicked.connect(self._begin)
        self.hear_x, self.hear_y = self._listen("x"), self._listen("y")
        self.votes = [
            self._vote(texts.VOTE.format(name="X"), "x"),
            self._vote(texts.VOTE_SAME, "same"),
            self._vote(texts.VOTE.format(name="Y"), "y"),
        ]
        self.reveal = button(texts.REVEAL, "quiet")
        self.reveal.clicked.connect(self._reveal)
        self.words = label("", "dim")
        compare, joint = label(texts.COMPARE, "dim"), label(texts.WITH, "dim")
        self._before: list[QWidget] = [compare, self.sides[0], joint, self.sides[1], self.begin]
        self._during: list[QWidget] = [self.hear_x, self.hear_y, *self.votes, self.reveal]
        for each in (*self._before, *self._during):
            row.addWidget(each)
        row.addWidget(self.words, 1)
        self._phase(running=False)

    def dress(self, _tones: Theme) -> None:
        """It has no colours of its own."""

    def show_or_hide(self, on: bool) -> None:
        """Open or close it."""
        self.setVisible(on)
        self._end()
        if on:
            self._offer()

    def _side(self, name: str) -> QComboBox:
        made = QComboBox()
        made.setAccessibleName(name)
        made.setMinimumWidth(150)
        return made

    def _listen(self, letter: Letter) -> QPushButton:
        made = button(texts.HEAR.format(name=letter.upper()))
        made.setCheckable(True)
        made.clicked.connect(lambda: self._hear(letter))
        return made

    def _vote(self, words: str, side: Vote) -> QPushButton:
        made = button(words, "quiet")
        made.clicked.connect(lambda: self._voted(side))
        return made

    def _offer(self) -> None:
        choices = [(texts.VIEWS["mix"][0], ("mix", "")), (texts.VIEWS["rest"][0], ("rest", ""))]
        for ask in self.controller.session.asks:
            choices.append((ask.prompt, ("stem", ask.prompt)))
            choices.append((texts.TURNED_UP.format(name=ask.prompt), ("highlight", ask.prompt)))
        for side, first in zip(self.sides, (2, 0), strict=True):
            side.clear()
            for words, view in choices:
                side.addItem(words, view)
            side.setCurrentIndex(min(first, len(choices) - 1))

    def _begin(self) -> None:
        (a, b) = (self.playback.scene(*side.currentData()) for side in self.sides)
        if a is None or b is None or self.sides[0].currentData() == self.sides[1].currentData():
            self.words.setText(texts.CHOOSE_TWO)
            return
        first, last = (round(edge * a.mix.rate) for edge in self.controller.session.stretch_s)
        self.words.setText(texts.MATCHING)
        self.controller.aside(lambda: Trial(a, b, (first, last), secrets.randbits(31)), self._ready, key="trial")

    def _ready(self, trial: Trial) -> None:
        self.trial = trial
        self.words.setText("")
        self._phase(running=True)
        self._hear("x")

    def _hear(self, letter: Letter) -> None:
        for each, name in ((self.hear_x, "x"), (self.hear_y, "y")):
            each.setChecked(name == letter)
        if self.trial is not None:
            self.playback.instead(self.trial.scene(letter))
            if not self.playback.playing:
                self.playback.play()

    def _voted(self, side: Vote) -> None:
        if self.trial is not None:
            self.words.setText(texts.VOTES.format(count=self.trial.vote(side)))
            self._hear("x")

    def _reveal(self) -> None:
        if self.trial is None:
            return
        first, second = (side.currentText() for side in self.sides)
        told = self.trial.reveal()
        self._end()
        self.words.setText(texts.REVEALED.format(a=first, b=second, first=told.a, second=told.b, same=told.same))
        self.words.setToolTip(texts.BY_CHANCE.format(percent=f"{100 * told.chance:.0f}"))

    def _end(self) -> None:
        self.trial = None
        self.words.setText("")
        self.playback.instead(None)
        self._phase(running=False)

    def _phase(self, *, running: bool) -> None:
        for each in self._before:
            each.setVisible(not running)
        for each in self._during:
            each.setVisible(running)
