"""Listening: play and loop, which view is heard, how far a stem is turned up, how loud it is, and the blind comparison."""

from typing import get_args

from PyQt6.QtWidgets import QButtonGroup, QDoubleSpinBox, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ui import texts
from ui.models.mixing import View
from ui.style.theme import Theme
from ui.widgets.base import Card, WidgetContext, button, label, tool
from ui.widgets.blind import Blind
from ui.widgets.meter import Meter

GAINS_DB = (-12.0, 18.0)
"""How far a stem can be turned up, or down, within its mix."""


class Listen(Card):
    """The transport."""

    def __init__(self, room: WidgetContext, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(12, 8, 12, 8)
        outer.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        self.play = tool(texts.PLAY, texts.PLAY_HOW, "")
        self.play.setFixedSize(40, 32)
        self.play.clicked.connect(self.playback.play)
        self.pictured(self.play, "play")
        self.loop = tool(texts.LOOP, texts.LOOP_HOW, "")
        self.loop.setCheckable(True)
        self.loop.setFixedSize(34, 32)
        self.loop.toggled.connect(lambda on: self.playback.loop(on=on))
        self.pictured(self.loop, "loop", "dim")
        self.clock = label(texts.clock(0, 1), "clock")
        self.clock.setMinimumWidth(100)
        row.addWidget(self.play)
        row.addWidget(self.loop)
        row.addWidget(self.clock)
        row.addSpacing(4)
        row.addLayout(self._views())
        self.gain = QDoubleSpinBox()
        self.gain.setRange(*GAINS_DB)
        self.gain.setDecimals(1)
        self.gain.setSingleStep(0.5)
        self.gain.setPrefix("+" if self.playback.gain_db > 0 else "")
        self.gain.setSuffix(texts.DECIBELS)
        self.gain.setValue(self.playback.gain_db)
        self.gain.setFixedWidth(78)
        self.gain.setAccessibleName(texts.GAIN)
        self.gain.setToolTip(texts.GAIN_HOW)
        self.gain.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.gain.valueChanged.connect(self._turn_up)
        row.addWidget(self.gain)
        self.meter = Meter()
        row.addWidget(self.meter, 1)
        self.compare = button(texts.BLIND, "quiet", texts.BLIND_HOW)
        self.compare.setCheckable(True)
        row.addWidget(self.compare)
        outer.addLayout(row)
        self.blind = Blind(room)
        self.blind.hide()
        self.compare.toggled.connect(self.blind.show_or_hide)
        self.blind.closed.connect(lambda: self.compare.setChecked(False))
        outer.addWidget(self.blind)
        self.playback.moved.connect(self._tick)
        self.playback.levels.connect(self.meter.show_levels)
        self.playback.played.connect(self._played)
        self.playback.view_changed.connect(self._show)
        self.controller.region_changed.connect(self._show)
        self._show()

    def _views(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        self.group = QButtonGroup(self)
        self.views: dict[View, QPushButton] = {}
        for index, view in enumerate(get_args(View)):
            words, how = texts.VIEWS[view]
            made = button(words, "segment", how)
            made.setCheckable(True)
            made.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            made.setProperty("place", {0: "first", len(texts.VIEWS) - 1: "last"}.get(index, ""))
            made.clicked.connect(lambda _checked, view=view: self.playback.look_at(view))
            self.group.addButton(made)
            self.views[view] = made
            row.addWidget(made)
        return row

    def dress(self, tones: Theme) -> None:
        """Wear these colours."""
        super().dress(tones)
        self.meter.dress(tones)
        self.blind.dress(tones)

    def _turn_up(self, gain_db: float) -> None:
        self.gain.setPrefix("+" if gain_db > 0 else "")
        self.playback.turn_up(gain_db)

    def _show(self) -> None:
        region = self.controller.session.region
        ready = self.playback.ready
        for view, segment in self.views.items():
            segment.setEnabled(view == "mix" or ready)
            segment.setChecked(view == self.playback.view)
        for each in (self.play, self.loop):
            each.setEnabled(region is not None)
        self.gain.setEnabled(ready)
        self.compare.setEnabled(ready)
        if not ready and self.compare.isChecked():
            self.compare.setChecked(False)
        self._tick(self.playback.position_s)

    def _tick(self, at_s: float) -> None:
        region = self.controller.session.region
        self.clock.setText(f"{texts.clock(at_s, 1)} / {texts.clock(region.length_s if region else 0, 1)}")

    def _played(self, playing: bool) -> None:
        self.pictured(self.play, "pause" if playing else "play")
        self.play.setAccessibleName(texts.STOP if playing else texts.PLAY)
