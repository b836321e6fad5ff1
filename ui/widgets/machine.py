"""The models to choose from and to fetch with what their licences allow, what can compute here, and how long it would take."""

from functools import partial

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QShowEvent
from PyQt6.QtWidgets import QButtonGroup, QFrame, QLabel, QScrollArea, QVBoxLayout, QWidget

from ui import texts
from ui.models.devices import devices, forecast, meant
from ui.models.models import DEFAULT, ModelChoice, choices
from ui.widgets.base import Card, WidgetContext, label
from ui.widgets.model import ModelLines

GAP = 14


class Machine(Card):
    """Everything on this page is the daemon's word; without one it says so. How long is asked only while it is looked at."""

    def __init__(self, room: WidgetContext, parent: QWidget | None = None) -> None:
        super().__init__(room, parent)
        self.engine_state = self.controller.engine_state
        self._asked = ""
        """The model that it is asked about whether to fetch it."""
        outer = QVBoxLayout(self)
        outer.setContentsMargins(8, 10, 8, 8)
        self.area = area = QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setAccessibleName(texts.MACHINE)
        inside = QWidget()
        page = QVBoxLayout(inside)
        page.setContentsMargins(6, 0, 6, 0)
        area.setWidget(inside)
        outer.addWidget(area)
        self.empty, self.found = _words("dim"), QWidget()
        page.addWidget(self.empty)
        page.addWidget(self.found)
        page.addStretch()
        column = QVBoxLayout(self.found)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(label(texts.PLAN, "title"))
        self.plan = _words("dim")
        column.addWidget(self.plan)
        column.addSpacing(GAP)
        column.addWidget(label(texts.MODELS, "title"))
        self._models = QVBoxLayout()
        self._models.setSpacing(4)
        column.addLayout(self._models)
        column.addSpacing(GAP)
        column.addWidget(label(texts.DEVICES, "title"))
        self.devices, hint = _words(), _words("dim")
        hint.setText(texts.DEVICE_HOW)
        column.addWidget(self.devices)
        column.addWidget(hint)
        self.lines: dict[str, ModelLines] = {}
        self._group = QButtonGroup(self)
        for signal in (self.engine_state.changed, self.controller.session_changed):
            signal.connect(self._show)
        self.controller.stands.connect(lambda _standing: self._show())
        self.engine_state.fetched.connect(self._show_fetch)
        self.engine_state.planned.connect(self._show_plan)
        self._show()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """It is looked at."""
        super().showEvent(event)
        self._show()

    # The models.

    def _show(self) -> None:
        found = choices(self.engine_state.models)
        self.empty.setText(texts.NO_MODELS if self.controller.standing == "gone" else texts.ASKING)
        self.empty.setVisible(not found)
        self.found.setVisible(bool(found))
        if [*self.lines] != [choice.name for choice in found]:
            self._lay_out(found)
        for choice in found:
            self._show_model(choice)
        self.devices.setText("\n".join(device.line for device in devices(self.engine_state.devices)))
        if self.isVisible():
            self.engine_state.reckon(self.controller.session)
        self._show_plan()

    def _lay_out(self, found: list[ModelChoice]) -> None:
        """All lines anew, in their order, which is the order of the Tab key too."""
        for lines in self.lines.values():
            self._group.removeButton(lines.pick)
            lines.hide()
            lines.deleteLater()
        self.lines = {}
        for choice in found:
            self.lines[choice.name] = lines = ModelLines(choice)
            lines.chosen.connect(partial(self._use, choice.name))
            lines.asking.connect(partial(self._ask, choice.name))
            lines.fetch.connect(partial(self._fetch, choice.name))
            lines.stop.connect(partial(self.engine_state.stop, choice.name))
            self._group.addButton(lines.pick)
            self._models.addWidget(lines)

    def _show_model(self, choice: ModelChoice) -> None:
        name, there = choice.name, self.controller.standing == "there"
        on = name == (self._asked or self.controller.session.model or DEFAULT)
        self.lines[name].put(choice, self.engine_state.fetches.get(name), on=on, asked=name == self._asked, there=there)

    def _show_fetch(self, name: str) -> None:
        for choice in choices(self.engine_state.models):
            if choice.name == name:
                self._show_model(choice)

    def _use(self, name: str) -> None:
        self._asked = ""
        self.controller.use_model(None if name == DEFAULT else name)
        self._show()

    def _ask(self, name: str, wanted: bool) -> None:
        """Ask whether to fetch a model, or no more; one that is on its way or has failed says itself what can be done."""
        self._asked = name if wanted and name not in self.engine_state.fetches else ""
        self._show()

    def _fetch(self, name: str) -> None:
        self._asked = ""
        self.controller.fetch_model(name)
        self._show()

    # How long it would take.

    def _show_plan(self) -> None:
        session = self.controller.session
        if not (session.region and session.asks):
            told = [texts.PLAN_NEEDS]
        elif self.engine_state.plans:
            told = [meant(session), *map(forecast, self.engine_state.plans)]
        elif self.engine_state.no_plan:
            told = [self.engine_state.no_plan]
        else:
            told = [texts.PLAN_ASKING if self.engine_state.reckoning else texts.PLAN_NO_MODEL]
        self.plan.setText("\n".join(told))


def _words(role: str = "") -> QLabel:
    """Words in as many lines as they need."""
    made = label("", role)
    made.setWordWrap(True)
    return made
