"""The models to choose from with what their licences allow, and what can compute here."""

from PyQt6.QtCore import Qt
from PyQt6.QtWidgets import QButtonGroup, QFrame, QRadioButton, QScrollArea, QVBoxLayout, QWidget

from ui import texts
from ui.looks import Tones
from ui.models.devices import devices
from ui.models.models import DEFAULT, Choice, choices, in_bytes
from ui.widgets.base import Card, Room, label


class Machine(Card):
    """Everything on this page is the daemon's word; without one it says so."""

    def __init__(self, room: Room, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(8, 10, 8, 8)
        self.area = area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(6, 0, 6, 0)
        self._column.setSpacing(4)
        area.setWidget(inside)
        outer.addWidget(area)
        self.choices: dict[str, QRadioButton] = {}
        self.studio.machine_changed.connect(self._show)
        self.studio.stands.connect(lambda _standing: self._show())

    def dress(self, tones: Tones) -> None:
        """Wear these colours."""
        super().dress(tones)
        self._show()

    def _show(self) -> None:
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.deleteLater()
        self.choices = {}
        if not self.studio.models:
            words = texts.NO_MODELS if self.studio.standing == "gone" else texts.ASKING
            self._put(label(words, "dim"))
            self._column.addStretch()
            return
        self._put(label(texts.MODELS, "title"))
        group = QButtonGroup(self)
        for choice in choices(self.studio.models):
            self._put(self._model(choice, group))
        self._column.addSpacing(14)
        self._put(label(texts.DEVICES, "title"))
        for device in devices(self.studio.devices):
            made = label(device.line)
            made.setWordWrap(True)
            self._put(made)
        hint = label(texts.DEVICE_HOW, "dim")
        hint.setWordWrap(True)
        self._put(hint)
        self._column.addStretch()

    def _put(self, widget: QWidget) -> None:
        self._column.addWidget(widget)

    def _model(self, choice: Choice, group: QButtonGroup) -> QWidget:
        made = QWidget()
        column = QVBoxLayout(made)
        column.setContentsMargins(0, 4, 0, 6)
        column.setSpacing(2)
        pick = QRadioButton(choice.name)
        pick.setChecked(choice.name == (self.studio.session.model or DEFAULT))
        pick.setEnabled(choice.installed)
        pick.setAccessibleDescription(choice.line)
        pick.clicked.connect(lambda: self.studio.use_model(None if choice.name == DEFAULT else choice.name))
        group.addButton(pick)
        self.choices[choice.name] = pick
        column.addWidget(pick)
        told = [] if choice.size < 0 else [in_bytes(choice.size)]
        told.append(texts.HERE if choice.installed else texts.NOT_HERE)
        licence = (choice.warning, "caution") if choice.warning else (choice.licence, "dim")
        for words, role in ((choice.purpose, "dim"), (", ".join(told), "dim"), licence):
            line = label(words, role)
            line.setWordWrap(True)
            line.setContentsMargins(22, 0, 0, 0)
            column.addWidget(line)
        if not choice.installed:
            line = label(texts.FETCH_HOW.format(name=choice.name), "dim")
            line.setWordWrap(True)
            line.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            line.setContentsMargins(22, 0, 0, 0)
            column.addWidget(line)
        return made
