"""What is open: dropped in or sent by a DAW, as a picture in which one selects what is meant."""

from pathlib import Path

import numpy as np
from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QDoubleSpinBox, QFileDialog, QHBoxLayout, QLabel, QStackedLayout, QVBoxLayout, QWidget

from host_bridge.errors import Cancelled
from ui import texts
from ui.icons import picture as drawn
from ui.looks import Tones, blended
from ui.models.mixing import Scene
from ui.models.overview import Overview, Peaks
from ui.models.region import Region
from ui.models.spectrogram import picture
from ui.timing import timer
from ui.widgets.base import Card, Room, button, label
from ui.widgets.picture import Picture

BANDS, EMBLEM = 96, 56
MOST_COLUMNS = 1600
READING_MS = 250
"""While a long file is still being read, its waveform is drawn anew this often."""
ENDINGS = "*.wav *.flac *.aif *.aiff *.caf *.ogg *.opus *.mp3 *.m4a *.w64 *.rf64 *.mp4 *.mov *.mkv *.webm"
"""Of files that are offered at first; any other can be opened as well."""


class Source(Card):
    """Files are dropped here, or anywhere else in the window."""

    def __init__(self, room: Room, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        self._overviews: dict[Region | Path, Overview | None] = {}
        self._view: tuple[float, float, int] | None = None
        self._closing = False
        self._stack = QStackedLayout()
        self._stack.addWidget(self._empty())
        self._stack.addWidget(self._full())
        outer = QVBoxLayout(self)
        outer.setContentsMargins(14, 10, 14, 10)
        outer.addLayout(self._stack)
        self._reading = timer(self, READING_MS, self._draw)
        self.studio.region_changed.connect(self._open)
        self.studio.session_changed.connect(self._show_selection)
        self.studio.take_changed.connect(self._renew)
        self.studio.choice_changed.connect(self._draw)
        self.playback.moved.connect(self.picture.show_head)
        self.playback.view_changed.connect(self._draw)
        self.setMinimumHeight(202)

    def dress(self, tones: Tones) -> None:
        """Wear these colours."""
        super().dress(tones)
        self.picture.dress(tones)
        self.emblem.setPixmap(drawn("wave", tones.accent, EMBLEM))
        self._draw()

    def close_files(self) -> None:
        """Stop reading; for the end of the window."""
        self._closing = True

    def ask_for_file(self) -> None:
        """Let somebody choose a file."""
        filters = f"{texts.SOUND_FILES} ({ENDINGS});;{texts.ALL_FILES} (*)"
        path, _ = QFileDialog.getOpenFileName(self, texts.OPEN, "", filters)
        if path:
            self.studio.open_file(Path(path))

    def _empty(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setSpacing(10)
        column.addStretch(3)
        self.emblem = label()
        self.emblem.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self.emblem)
        headline = label(texts.DROP_HERE, "headline")
        headline.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = label(texts.DROP_HOW, "dim")
        words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words.setWordWrap(True)
        column.addWidget(headline)
        column.addWidget(words)
        column.addSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch()
        self.open_button = button(texts.OPEN, "first")
        self.open_button.clicked.connect(self.ask_for_file)
        self.demo_button = button(texts.TRY_DEMO)
        self.demo_button.clicked.connect(self.studio.open_demo)
        row.addWidget(self.open_button)
        row.addWidget(self.demo_button)
        row.addStretch()
        column.addLayout(row)
        column.addStretch(4)
        return page

    def _full(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setSpacing(8)
        self.title = label("", "title")
        self.about = label("", "dim")
        self.shown = QLabel("")
        head.addWidget(self.title)
        head.addWidget(self.about)
        head.addStretch()
        self.part = label(texts.WHOLE, "dim")
        head.addWidget(self.part)
        self.first, self.last = self._clock(texts.FROM), self._clock(texts.TO)
        self.dash = label("–", "dim")
        self.all = button(texts.SELECT_ALL, "quiet", texts.SELECT_ALL_HOW)
        self.all.clicked.connect(self.studio.unselect)
        for each in (self.first, self.dash, self.last, self.all):
            head.addWidget(each)
        other = button(texts.OPEN_OTHER, "quiet", texts.OPEN_OTHER_HOW)
        other.clicked.connect(self.ask_for_file)
        self.pictured(other, "open", "dim")
        head.addWidget(other)
        self.picture = Picture()
        self.picture.wanted.connect(self._look)
        self.picture.selected.connect(self.studio.select)
        self.picture.unselected.connect(self.studio.unselect)
        self.picture.pointed.connect(self.playback.seek)
        column.addLayout(head)
        column.addWidget(self.picture, 1)
        return page

    def _clock(self, name: str) -> QDoubleSpinBox:
        made = QDoubleSpinBox()
        made.setDecimals(2)
        made.setSuffix(texts.SECONDS)
        made.setSingleStep(0.1)
        made.setKeyboardTracking(False)
        made.setAccessibleName(name)
        made.setToolTip(name)
        made.setAlignment(Qt.AlignmentFlag.AlignRight)
        made.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        made.setFixedWidth(92)
        made.valueChanged.connect(self._typed)
        return made

    # The region.

    def _open(self) -> None:
        region = self.studio.session.region
        self._stack.setCurrentIndex(0 if region is None else 1)
        if region is None:
            return
        self._overviews.clear()
        self.title.setText(region.title)
        kind = {1: texts.MONO, 2: texts.STEREO}.get(region.channels, texts.CHANNELS.format(count=region.channels))
        told = [texts.clock(region.length_s, 1), texts.KILOHERTZ.format(rate=f"{region.rate / 1000:g}"), kind]
        if region.host:
            told.insert(0, texts.FROM_HOST.format(host=region.host.capitalize()))
        self.about.setText("  ·  ".join(told))
        for clock in (self.first, self.last):
            clock.blockSignals(True)
            clock.setRange(0, region.length_s)
            clock.blockSignals(False)
        self.picture.open(region.length_s, region.channels)
        self._show_selection()

    def _show_selection(self) -> None:
        selection = self.studio.session.selection
        self.picture.show_selection(selection)
        self.part.setText(texts.SELECTION if selection else texts.WHOLE)
        for each in (self.first, self.last, self.dash, self.all):
            each.setVisible(selection is not None)
        if selection is not None:
            for clock, value in zip((self.first, self.last), selection, strict=True):
                clock.blockSignals(True)
                clock.setValue(value)
                clock.blockSignals(False)

    def _typed(self) -> None:
        self.studio.select(self.first.value(), self.last.value())

    # Drawing it: what is seen is computed in other threads, the newest view first.

    def _look(self, start_s: float, end_s: float, columns: int) -> None:
        self._view = (start_s, end_s, min(columns, MOST_COLUMNS))
        self._draw()

    def _renew(self) -> None:
        """Other stems: those that were read are no longer what is on the disk."""
        self._overviews = {key: each for key, each in self._overviews.items() if isinstance(key, Region)}
        self._draw()

    def _draw(self) -> None:
        region = self.studio.session.region
        if region is None or self._view is None:
            return
        start_s, end_s, columns = self._view
        drawn = self.playback.drawn
        self._wave(0, region, start_s, end_s, columns, 0.0)
        if drawn is None:
            self.picture.hide_wave(1)
        else:
            self._wave(1, drawn[0], start_s, end_s, columns, drawn[1] / region.rate)
        scene = self.playback.scene()
        if scene is not None:
            self.studio.aside(
                lambda: picture(Heard(scene), start_s, end_s, columns, BANDS),
                lambda image: self.picture.show_spectrogram(start_s, end_s, image),
                key="spectrum",
            )

    def _wave(self, layer: int, of: Region | Path, start_s: float, end_s: float, columns: int, offset_s: float) -> None:
        """Draw what is known of a file's waveform, and begin to read it where nothing is. offset_s: where it begins."""
        overview = self._overviews.get(of, None)
        if of not in self._overviews:
            self._overviews[of] = None
            self.studio.aside(lambda: Overview(of), lambda made: self._scan(of, made))
        if overview is None:
            return
        colour = self._colour(layer)

        def read() -> tuple[Peaks, float]:
            whole = overview.peaks(0, overview.frames / overview.rate, 256) if layer == 0 else np.zeros(1)
            return overview.peaks(start_s - offset_s, end_s - offset_s, columns), float(np.abs(whole).max())

        def show(told: tuple[Peaks, float]) -> None:
            if layer == 0:
                self.picture.fill_with(told[1])
            self.picture.show_wave(layer, start_s, end_s, told[0], colour)

        self.studio.aside(read, show, key=f"wave {layer}")

    def _scan(self, of: Region | Path, made: Overview) -> None:
        if of in self._overviews:
            self._overviews[of] = made
            self._reading.start()
            self.studio.scans(lambda: made.scan(self._still_wanted), lambda _none: self._read_whole())

    def _colour(self, layer: int) -> str:
        tones, prompts = self.tones, [ask.prompt for ask in self.studio.session.asks]
        if layer == 0:
            return blended(tones.wave, tones.surface, 0.4).name() if self.playback.drawn else tones.wave
        if self.playback.view == "rest" or self.studio.chosen not in prompts:
            return tones.wave
        return tones.stem(prompts.index(self.studio.chosen))

    def _still_wanted(self, _done: float, _stage: str) -> None:
        if self._closing:
            raise Cancelled

    def _read_whole(self) -> None:
        if all(each is None or each.whole for each in self._overviews.values()):
            self._reading.stop()
        self._draw()


class Heard:
    """A scene as a sound, for its spectrogram."""

    def __init__(self, scene: Scene) -> None:
        self.rate, self.channels, self.frames = scene.mix.rate, scene.mix.channels, scene.mix.frames
        self.read = scene.at
