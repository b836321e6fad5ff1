"""What the panel's widgets share: what is open, what is asked of it, what came out, and one signal for each that may change."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from host_bridge.errors import ZeroStemError
from host_bridge.messages import Done, Fail, Heartbeat, Message, Strength
from host_bridge.vocabulary import new_id
from presets import DEMO, Preset
from ui import texts
from ui.aside import Aside
from ui.link import Link
from ui.machinery import Machinery
from ui.models.jobs import Row
from ui.models.prompts import History
from ui.models.region import Region, of_file, of_job
from ui.models.results import Result
from ui.models.session import Ask, Session
from ui.models.shelf import Row as ShelfRow
from ui.models.shelf import Shelf
from ui.queue import Queue


@dataclass(frozen=True, slots=True)
class Notice:
    """One line for people: what happened and what to do. level: "info", "trouble" or "well". act: a button beside it."""

    what: str
    todo: str = ""
    level: str = "info"
    act: str = ""
    on_act: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """What was made of the open region. offset: its first sample within the region; rough: it is only an estimate."""

    job: str
    offset: int = 0
    result: Result | None = None
    rough: bool = False

    @property
    def strengths(self) -> dict[str, float]:
        """The strength each stem was rendered with."""
        return {stem.prompt: stem.strength for stem in self.result.stems} if self.result else {}


class Studio(QObject):
    """The panel without its windows. Whoever wants something changed calls a method; whoever shows it hears a signal."""

    region_changed = pyqtSignal()
    session_changed = pyqtSignal()
    take_changed = pyqtSignal()
    """Other stems, or the same at other strengths."""
    choice_changed = pyqtSignal()
    """Another stem is the one that is looked at and listened to."""
    shelf_changed = pyqtSignal()
    stands = pyqtSignal(str)
    noticed = pyqtSignal(object)
    stem_moving = pyqtSignal(str, float)

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.link = link
        self.session = Session()
        self.take: Take | None = None
        self.chosen = ""
        self.standing = "looking"
        self.shelf, self.history = Shelf(), History.load()
        self.presets: list[ShelfRow] = []
        self.queue, self.machinery = Queue(link, self), Machinery(link, self)
        self.aside, self.scans = Aside(2, self), Aside(1, self)
        """For what is looked at now; for reading whole files."""
        self._wanted: dict[str, str | None] = {}
        """Of each model that is being fetched: which one was used when it was asked for."""
        link.heard.connect(self._hear)
        link.stands.connect(self._stand)
        for part in (self.queue, self.machinery):
            part.said.connect(self.say)
        self.queue.came.connect(self._greet)
        self.queue.turned.connect(self._turn)
        self.machinery.arrived.connect(self._welcome)
        for source in (link.complained, *(each.complained for each in self._asides)):
            source.connect(self.complain)

    def start(self) -> None:
        """Begin to talk with the daemon and to look through the spool."""
        self.link.start()
        self.shelve(lambda: None)
        self.queue.start()

    def close(self) -> None:
        """End every thread."""
        for each in (self.machinery, self.queue, self.scans, self.aside):
            each.close()
        self.link.close()

    @property
    def idle(self) -> bool:
        """Whether all that is to be seen has been computed."""
        return all(each.idle for each in self._asides)

    @property
    def _asides(self) -> tuple[Aside, ...]:
        return self.queue.aside, self.scans, self.aside

    # What is said to people.

    def say(self, what: str, todo: str = "", level: str = "info") -> None:
        """Put a line where it is read."""
        self.noticed.emit(Notice(what, todo, level))

    def complain(self, error: ZeroStemError) -> None:
        """Say what went wrong and what to do."""
        self.noticed.emit(Notice(error.what, error.todo, "trouble"))

    def tried(self, change: Callable[[], Session]) -> bool:
        """Change the session, or say why it cannot be; returns whether it was."""
        try:
            self._put(change())
        except ZeroStemError as error:
            self.complain(error)
            return False
        return True

    # The region.

    def open_file(self, path: Path) -> None:
        """Open a sound file."""
        self.aside(lambda: of_file(path), self._open, key="open")

    def open_demo(self) -> None:
        """Open the mix that comes along."""
        self.aside(lambda: replace(of_file(DEMO / "mix.flac"), title=texts.DEMO), self._open, key="open")

    def open_job(self, job: str) -> None:
        """Open a job's region, with what was asked of it and what came out."""

        def read() -> tuple[Region | None, tuple[Ask, ...], str]:
            request = self.queue.spool.request(job)
            wanted = self.queue.spool.strengths(job)
            asks = tuple(Ask(stem.prompt, min(wanted[stem.prompt] / 1000, 1.0)) for stem in request.stems)
            return of_job(self.queue.spool, job), asks, str(request.settings.get("unlike", ""))

        def show(told: tuple[Region | None, tuple[Ask, ...], str]) -> None:
            region, asks, unlike = told
            if region is None:
                self.say(texts.REGION_NOT_YET, texts.REGION_NOT_YET_TODO)
                return
            self.session = Session(region=region, asks=asks, unlike=unlike, model=self.session.model)
            self.take = Take(job)
            self._choose_some()
            self.region_changed.emit()
            self.session_changed.emit()
            self.take_changed.emit()
            self._fetch_result()

        self.aside(read, show, key="open")

    def select(self, start_s: float, end_s: float) -> None:
        """Mean only a part of the region."""
        self._put(self.session.selected(start_s, end_s))

    def unselect(self) -> None:
        """Mean all of the region."""
        self._put(self.session.unselected())

    def _open(self, region: Region) -> None:
        self.session = self.session.opened(region)
        self.take = None
        self.region_changed.emit()
        self.session_changed.emit()
        self.take_changed.emit()
        for note in region.file.notes if region.file else ():
            self.say(note, level="trouble")

    # What is asked of it.

    def ask_for(self, prompt: str) -> bool:
        """One more sound; returns whether it could be."""
        if not self.tried(lambda: self.session.asking(prompt)):
            return False
        self.choose(self.session.asks[-1].prompt)
        return True

    def drop(self, prompt: str) -> None:
        """One sound less."""
        self._put(self.session.without(prompt))

    def under(self, preset: Preset) -> None:
        """Set the dials as a preset has them."""
        self._put(self.session.under(preset))

    def shelve(self, change: Callable[[], object]) -> None:
        """Change the shelf of presets, and read it again."""

        def act() -> list[ShelfRow]:
            change()
            return self.shelf.rows()

        self.queue.aside(act, self._put_presets)

    def _put_presets(self, rows: list[ShelfRow]) -> None:
        self.presets = rows
        self.shelf_changed.emit()

    def choose(self, prompt: str) -> None:
        """Look at and listen to this stem."""
        if prompt != self.chosen:
            self.chosen = prompt
            self.choice_changed.emit()

    def _put(self, session: Session) -> None:
        if session != self.session:
            self.session = session
            self._choose_some()
            self.session_changed.emit()

    def _choose_some(self) -> None:
        prompts = [ask.prompt for ask in self.session.asks]
        if self.chosen not in prompts:
            self.choose(prompts[0] if prompts else "")

    # The daemon's work.

    def separate(self) -> None:
        """Have the daemon do what is asked."""
        try:
            request = self.session.request()
        except ZeroStemError as error:
            self.complain(error)
            return
        self.queue.aside(partial(self._remembered, [ask.prompt for ask in self.session.asks]), self._remember)
        region, job = self.session.region, new_id()
        assert region is not None
        self.take = Take(job, round(self.session.stretch_s[0] * region.rate))
        self.take_changed.emit()
        self.queue.submit(request, job)
        self.say(texts.SENT)

    def estimate(self, at_s: float) -> None:
        """Have the daemon make a rough guess of ten seconds, to be heard in a moment."""
        try:
            request = self.session.quick(at_s)
        except ZeroStemError as error:
            self.complain(error)
            return
        region, job = self.session.region, new_id()
        assert region is not None
        self.take = Take(job, request.source[0].start - region.start, rough=True)
        self.take_changed.emit()
        self.queue.submit(request, job)
        self.say(texts.ESTIMATING)

    def _remembered(self, prompts: list[str]) -> History:
        history = self.history
        for prompt in prompts:
            history = history.used(prompt)
        return history

    def _remember(self, history: History) -> None:
        self.history = history

    def move(self, prompt: str, strength: float) -> None:
        """A fader is being moved: what is heard follows at once, the files when it rests."""
        self.session = self.session.strengthened(prompt, strength)
        self.stem_moving.emit(prompt, strength)

    def rest(self, prompt: str, strength: float) -> None:
        """A fader rests: the stem is rendered exactly."""
        self._put(self.session.strengthened(prompt, strength))
        if self.take and self.take.result:
            job, permille = self.take.job, round(1000 * strength)
            self.link.ask(lambda client: client.strength(job, prompt, permille))
            self.session_changed.emit()

    # What comes from the daemon.

    def _stand(self, standing: str) -> None:
        self.standing = standing
        if standing == "there":
            self.link.ask(lambda client: client.spool.root, self.queue.live_in)
        self.machinery.stand(standing, self.session.model or "")
        self.stands.emit(standing)

    def use_model(self, name: str | None) -> None:
        """Have the next jobs done by another model."""
        self._put(self.session.using(name))
        self.machinery.learn(name or "")

    def fetch_model(self, name: str) -> None:
        """Have a model fetched; it is used for the next jobs once it is here, unless another is chosen meanwhile."""
        self._wanted[name] = self.session.model
        self.machinery.fetch(name)

    def _welcome(self, name: str) -> None:
        """A model has arrived."""
        use = name in self._wanted and self._wanted.pop(name) == self.session.model
        if use:
            self.use_model(name)
        self.say(texts.FETCHED.format(name=name), texts.FETCHED_TODO if use else "", "well")

    def _hear(self, message: Message) -> None:
        if isinstance(message, Heartbeat):
            return
        self.machinery.hear(message)
        self.queue.hear(message)
        if self.take and getattr(message, "id", "") == self.take.job:
            if isinstance(message, Done):
                self._fetch_result()
            elif isinstance(message, Fail) and message.what == Strength.address:
                self.say(message.error, message.todo, "trouble")

    def _greet(self, new: list[Row]) -> None:
        """Regions that came from a DAW: the first is opened where nothing is, the others are named."""
        for row in new:
            if row.host in ("", "panel", "cli") or (self.take and row.id == self.take.job):
                continue
            if self.session.region is None:
                self.open_job(row.id)
            else:
                words = texts.ARRIVED.format(host=row.host.capitalize(), title=row.title)
                self.noticed.emit(Notice(words, act=texts.SHOW, on_act=partial(self.open_job, row.id)))
            return

    def _turn(self, row: Row) -> None:
        """A job's state is another than before."""
        if self.take is None or row.id != self.take.job:
            return
        if row.state == "failed":
            self.say(row.error, row.todo, "trouble")
        elif row.state == "cancelled":
            self.say(texts.CANCELLED)
        elif row.state == "done":
            self._fetch_result()

    def _fetch_result(self) -> None:
        take = self.take
        if take is None:
            return

        def show(result: Result | None) -> None:
            if result is None or self.take is None or self.take.job != take.job or result == self.take.result:
                return
            first = self.take.result is None
            self.take = replace(self.take, result=result)
            self.take_changed.emit()
            if first:
                self._sum_up(result, rough=take.rough)

        self.queue.result_of(take.job, show, key="result")

    def _sum_up(self, result: Result, *, rough: bool) -> None:
        missing = [stem.prompt for stem in result.stems if not stem.found]
        doubtful = [stem.prompt for stem in result.stems if stem.found and stem.doubtful]
        if rough:
            self.say(texts.ESTIMATED, texts.ESTIMATED_TODO)
        elif missing:
            self.say(texts.NOT_FOUND.format(prompts=", ".join(missing)), texts.NOT_FOUND_TODO)
        elif doubtful:
            self.say(texts.DOUBTFUL.format(prompts=", ".join(doubtful)), texts.DOUBTFUL_TODO)
        else:
            self.say(texts.DONE, result.facts, "well")
