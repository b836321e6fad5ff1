"""What is asked: the sounds to take out, what they are not, a preset for all of it, and the button that starts."""

from dataclasses import replace
from functools import partial

from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QInputDialog,
    QMenu,
    QProgressBar,
    QSizePolicy,
    QWidget,
)

from presets import Preset
from ui import texts
from ui.models.jobs import JobEntry
from ui.models.preset_store import name_for
from ui.models.prompts import PromptSuggestion, complete
from ui.style.theme import Theme
from ui.widgets.base import Card, WidgetContext, button, label
from ui.widgets.chips import Chips, Shown
from ui.widgets.completions import Completions


class Prompts(Card):
    """Two fields of chips, the preset picker, the options, and how far the job is."""

    def __init__(self, room: WidgetContext, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(14, 12, 14, 12)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        self.wanted = Chips(texts.TAKE_OUT, texts.TAKE_OUT_HINT)
        self.unlike = Chips(texts.NOT_THIS, texts.NOT_THIS_HINT)
        self.preset = button(texts.PRESET, tip=texts.PRESET_HOW)
        self.options = button(texts.OPTIONS, tip=texts.OPTIONS_HOW)
        self.separate = button(texts.SEPARATE, "first", texts.SEPARATE_HOW)
        for row, (words, field) in enumerate(((texts.TAKE_OUT, self.wanted), (texts.NOT_THIS, self.unlike))):
            name = label(words, "dim")
            name.setBuddy(field.entry)
            grid.addWidget(name, row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(self.preset, 0, 2)
        grid.addWidget(self.options, 1, 2)
        self.quick = button(texts.QUICK, tip=texts.QUICK_HOW)
        grid.addWidget(self.separate, 0, 3)
        grid.addWidget(self.quick, 1, 3)
        self.separate.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Expanding)
        self.separate.setMinimumWidth(120)
        grid.addWidget(self._strip(), 2, 0, 1, 4)
        self.pictured(self.preset, "star", "dim")
        self.pictured(self.options, "down", "dim")
        self.offers = [
            Completions(self.wanted.entry, self._offers),
            Completions(self.unlike.entry, self._offers),
        ]
        self.offers[0].taken.connect(self.controller.ask_for)
        self.offers[1].taken.connect(self._add_unlike)
        self.wanted.entered.connect(self.controller.ask_for)
        self.wanted.removed.connect(self.controller.drop)
        self.unlike.entered.connect(self._add_unlike)
        self.unlike.removed.connect(self._drop_unlike)
        self.separate.clicked.connect(self._go)
        self.quick.clicked.connect(self._estimate)
        self.preset.clicked.connect(lambda: self._pop(self.presets(), self.preset))
        self.options.clicked.connect(lambda: self._pop(self.choices(), self.options))
        self.controller.session_changed.connect(self._show)
        self.controller.shelf_changed.connect(self._show)
        self.controller.engine_state.changed.connect(self._show)
        self.controller.queue.changed.connect(self._show_job)
        self.controller.take_changed.connect(lambda: self._show_job(self.controller.queue.rows))

    def dress(self, tones: Theme) -> None:
        """Wear these colours."""
        super().dress(tones)
        for each in self.offers:
            each.dress(tones)
        self._show()

    def _strip(self) -> QWidget:
        """How far the job is, while there is one."""
        self.strip = QWidget()
        row = QHBoxLayout(self.strip)
        row.setContentsMargins(0, 2, 0, 0)
        row.setSpacing(10)
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(texts.PROGRESS)
        self.far = label("", "dim")
        self.cancel = button(texts.CANCEL, "quiet")
        self.cancel.clicked.connect(self._stop)
        row.addWidget(self.bar, 1)
        row.addWidget(self.far)
        row.addWidget(self.cancel)
        self.strip.hide()
        return self.strip

    def _stop(self) -> None:
        if self.controller.take is not None:
            self.controller.queue.cancel(self.controller.take.job)

    def _go(self) -> None:
        self.wanted.take_entry()
        self.unlike.take_entry()
        if self.controller.session.region is not None and not self.controller.session.asks:
            self.wanted.entry.setFocus()
        self.controller.separate()

    def _estimate(self) -> None:
        self.wanted.take_entry()
        self.unlike.take_entry()
        self.controller.estimate(self.playback.position_s)

    # What is shown.

    def _show(self) -> None:
        session = self.controller.session
        self.wanted.show_texts(
            [self._chip(ask.prompt, self.tones.stem(index)) for index, ask in enumerate(session.asks)], self.tones
        )
        self.unlike.show_texts([self._chip(text, None) for text in self._unlike_words()], self.tones)
        for each in (self.separate, self.quick):
            each.setEnabled(session.region is not None)
        self.preset.setText(self._preset_title() or texts.PRESET)

    def _chip(self, text: str, colour: str | None) -> Shown:
        known, meaning = (
            self.controller.engine_state.vocabulary.knows(text),
            self.controller.engine_state.vocabulary.meaning(text),
        )
        told = texts.TAKEN_FOR.format(meaning=meaning) if meaning and meaning != text else ""
        return Shown(text, colour, told if known else texts.UNKNOWN_WORD, not known)

    def _preset_title(self) -> str:
        rows = {row.preset.name: row.preset for row in self.controller.presets if not row.trouble}
        preset = rows.get(self.controller.session.preset)
        return preset.title if preset and tuple(ask.prompt for ask in self.controller.session.asks) == preset.prompts else ""

    def _show_job(self, rows: list[JobEntry]) -> None:
        take = self.controller.take
        row = next((row for row in rows if take and row.id == take.job), None)
        busy = row is not None and row.state in ("queued", "running")
        self.strip.setVisible(busy)
        if row is not None and busy:
            self.bar.setRange(0, 1000 if row.state == "running" and row.permille else 0)
            self.bar.setValue(row.permille)
            self.far.setText(row.line)

    def _offers(self, typed: str) -> list[PromptSuggestion]:
        presets = [row.preset for row in self.controller.presets if not row.trouble]
        return complete(typed, self.controller.engine_state.vocabulary, self.controller.history, presets)

    # Not this.

    def _unlike_words(self) -> list[str]:
        return [word for part in self.controller.session.unlike.split(",") if (word := part.strip())]

    def _add_unlike(self, text: str) -> None:
        words = self._unlike_words()
        if text.casefold() not in {word.casefold() for word in words}:
            self.controller.tried(lambda: self.controller.session.but_not(", ".join([*words, text])))

    def _drop_unlike(self, text: str) -> None:
        words = [word for word in self._unlike_words() if word != text]
        self.controller.tried(lambda: self.controller.session.but_not(", ".join(words)))

    # Presets and options.

    def presets(self) -> QMenu:
        """All presets, and what can be done with the user's own."""
        menu = QMenu(self)
        rows = self.controller.presets
        for own in (True, False):
            preset_store = [row for row in rows if row.own == own]
            if preset_store:
                menu.addSection(texts.OWN_PRESETS if own else texts.LIBRARY_PRESETS)
            for row in preset_store:
                act = menu.addAction(row.preset.title)
                assert act is not None
                act.setEnabled(not row.trouble)
                act.setToolTip(row.trouble)
                act.triggered.connect(lambda _checked, preset=row.preset: self.controller.under(preset))
        menu.addSeparator()
        save = menu.addAction(texts.SAVE_PRESET)
        assert save is not None
        save.setEnabled(bool(self.controller.session.asks))
        save.triggered.connect(self._save)
        mine = [row.preset for row in rows if row.own]
        for words, change in ((texts.RENAME_PRESET, self._rename), (texts.DELETE_PRESET, self._delete)):
            below = menu.addMenu(words)
            assert below is not None
            below.setEnabled(bool(mine))
            for preset in mine:
                item = below.addAction(preset.title)
                assert item is not None
                item.triggered.connect(partial(change, preset))
        return menu

    def _save(self) -> None:
        suggested = ", ".join(ask.prompt for ask in self.controller.session.asks)
        title, sure = QInputDialog.getText(self, texts.SAVE_PRESET, texts.PRESET_NAME, text=suggested)
        if sure and title.strip():
            dials = self.controller.session
            self.controller.save_preset(
                lambda: self.controller.preset_store.save(dials.as_preset(name_for(title), title.strip()))
            )

    def _rename(self, preset: Preset, *_: object) -> None:
        title, sure = QInputDialog.getText(self, texts.RENAME_PRESET, texts.PRESET_NAME, text=preset.title)
        if sure and title.strip():
            self.controller.save_preset(lambda: self.controller.preset_store.rename(preset.name, title.strip()))

    def _delete(self, preset: Preset, *_: object) -> None:
        self.controller.save_preset(lambda: self.controller.preset_store.delete(preset.name))

    def choices(self) -> QMenu:
        """What else can be asked for."""
        menu, session = QMenu(self), self.controller.session
        gain = self.playback.gain_db
        rows = (
            (texts.COMPLETE, session.complete, lambda on: replace(self.controller.session, complete=on)),
            (
                texts.WRITE_HIGHLIGHT.format(gain=f"{gain:+.1f}"),
                session.gain_db is not None,
                lambda on: replace(self.controller.session, gain_db=gain if on else None),
            ),
            (texts.EVERYTHING_BUT, session.everything_but, lambda on: replace(self.controller.session, everything_but=on)),
        )
        for words, on, change in rows:
            act = QAction(words, menu)
            act.setCheckable(True)
            act.setChecked(on)
            act.toggled.connect(lambda state, change=change: self.controller.tried(lambda: change(state)))
            menu.addAction(act)
        return menu

    def _pop(self, menu: QMenu, below: QWidget) -> None:
        menu.popup(below.mapToGlobal(below.rect().bottomLeft()))
