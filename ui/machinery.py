"""What there is to compute with, as the daemon tells it: models, devices, words, what is being fetched, how long it would take.

Whatever takes minutes is asked without waiting for its end: what comes of it is heard, and where nothing is heard for a while
it is asked again, which means the same.
"""

from math import ceil

from PyQt6.QtCore import QObject, pyqtSignal

from host_bridge.messages import (
    Asked,
    Cancelled,
    DeviceRow,
    Done,
    Fail,
    Fetch,
    Message,
    ModelRow,
    Plan,
    PlanRow,
    StopFetch,
    VocabularyRow,
)
from host_bridge.vocabulary import new_id
from ui import texts
from ui.link import Link
from ui.models.fetching import Fetching
from ui.models.prompts import Vocabulary
from ui.models.session import Session
from ui.timing import timer

AGAIN_MS = 3000
"""After so long without a word about what was asked, it is asked again."""


class Machinery(QObject):
    """It is told by `stand` and `hear` what comes over the link. Whoever wants something calls a method."""

    changed = pyqtSignal()
    """Other models, devices or words."""
    fetched = pyqtSignal(str)
    """The fetch of this model goes on, or has ended."""
    arrived = pyqtSignal(str)
    """This model is here now."""
    planned = pyqtSignal()
    said = pyqtSignal(str, str, str)
    """What, what to do, how bad: a line for people."""

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link, self._there = link, False
        self.models: list[ModelRow] = []
        self.devices: list[DeviceRow] = []
        self.vocabulary = Vocabulary("", {})
        self.fetches: dict[str, Fetching] = {}
        """By model. One that came to its end is kept where it failed, to be tried again."""
        self.plans: tuple[PlanRow, ...] = ()
        self.no_plan = ""
        """Why there is none, in the daemon's words."""
        self._plan: Plan | None = None
        self._open: dict[str, Asked] = {}
        """By id: what was asked, and has no end yet."""
        self._heard: set[str] = set()
        self._again = timer(self, AGAIN_MS, self._ask_again)

    def close(self) -> None:
        """Ask nothing more. The daemon goes on with what it fetches."""
        self._again.stop()

    def stand(self, standing: str, model: str) -> None:
        """How the daemon stands; of a new one all is asked. model: whose words are wanted."""
        self._there = standing == "there"
        if self._there:
            self._list_models()
            self._link.ask(lambda client: client.devices(), self._have_devices)
            self.learn(model)
            self._heard.clear()
            self._ask_again()

    def hear(self, message: Message) -> None:
        """Take in what the daemon says about what was asked here."""
        id_ = getattr(message, "id", "")
        if id_ not in self._open:
            return
        self._heard.add(id_)
        asked = self._open[id_]
        if isinstance(message, Done | Fail | Cancelled):
            del self._open[id_]
        if isinstance(asked, Plan):
            self._hear_plan(message)
        else:
            self._hear_fetch(next(each for each in self.fetches.values() if each.id == id_), message)

    # Models, devices, words.

    def _list_models(self) -> None:
        self._link.ask(lambda client: client.models(), self._have_models)

    def _have_models(self, rows: list[ModelRow]) -> None:
        self.models = rows
        self.changed.emit()

    def _have_devices(self, rows: list[DeviceRow]) -> None:
        self.devices = rows
        self.changed.emit()

    def learn(self, model: str) -> None:
        """Ask for the words that a model knows; empty: the default model."""

        def have(rows: list[VocabularyRow]) -> None:
            self.vocabulary = Vocabulary.of(model, rows)
            self.changed.emit()

        self._link.ask(lambda client: client.vocabulary(model), have)

    def is_here(self, model: str) -> bool:
        """Whether it need not be fetched; empty: the default model, which comes along."""
        return not model or any(row.name == model and row.installed for row in self.models)

    # Models on their way.

    def fetch(self, model: str) -> None:
        """Have a model fetched, unless that goes on already."""
        before = self.fetches.get(model)
        if before is None or not before.under_way:
            self._put(Fetching(model, new_id()))
            self._ask(Fetch("", self.fetches[model].id, model))

    def stop(self, model: str) -> None:
        """Stop fetching it; the files that arrived whole stay."""
        before = self.fetches.get(model)
        if before is None or not before.under_way:
            return
        self._put(before.stopped())
        if self._there:
            self._ask(StopFetch("", before.id))
        else:  # nobody fetches it, and nobody is to begin again
            self._open.pop(before.id, None)
            self._hear_fetch(self.fetches[model], Cancelled(before.id))

    def _hear_fetch(self, before: Fetching, message: Message) -> None:
        now = before.after(message)
        if now == before:
            return
        if now.under_way or now.state == "failed":
            self._put(now)
        else:
            del self.fetches[now.model]
            self.fetched.emit(now.model)
        if now.state == "failed":
            self.said.emit(now.what, now.todo, "trouble")
        elif now.state == "stopped":
            self.said.emit(texts.FETCH_STOPPED.format(name=now.model), texts.FETCH_STOPPED_TODO, "info")
        elif now.state == "here":
            self._list_models()
            self.arrived.emit(now.model)

    def _put(self, fetching: Fetching) -> None:
        self.fetches[fetching.model] = fetching
        self.fetched.emit(fetching.model)

    # How long it would take.

    def reckon(self, session: Session) -> None:
        """Ask how the session's job would be computed, unless that was the last question. It wants a region and a sound."""
        start_s, end_s = session.stretch_s
        able = session.region is not None and session.asks and self.is_here(session.model or "")
        wanted = (session.model or "", max(1, ceil(end_s - start_s)), len(session.asks)) if able else None
        before = (self._plan.model, self._plan.seconds, self._plan.stems) if self._plan else None
        if wanted == before:
            return
        if self._plan is not None:
            self._open.pop(self._plan.id, None)
        self._plan, self.plans, self.no_plan = Plan("", new_id(), *wanted) if wanted else None, (), ""
        if self._plan is not None:
            self._ask(self._plan)
        self.planned.emit()

    @property
    def reckoning(self) -> bool:
        """Whether the answer is not there yet."""
        return self._plan is not None and self._plan.id in self._open

    def _hear_plan(self, message: Message) -> None:
        if isinstance(message, PlanRow):
            self.plans = (*(row for row in self.plans if row.index != message.index), message)
        elif isinstance(message, Fail):
            self.no_plan = message.said
        self.planned.emit()

    # How it is asked.

    def _ask(self, asked: Asked) -> None:
        self._open[asked.id] = asked
        self._link.ask(lambda client: client.say(asked))
        self._again.start()

    def _ask_again(self) -> None:
        """What nothing was heard of since the last time; a daemon that is gone is not started for it."""
        if not self._open:
            self._again.stop()
        elif self._there:
            for asked in [each for id_, each in self._open.items() if id_ not in self._heard]:
                self._ask(asked)
            self._heard.clear()
