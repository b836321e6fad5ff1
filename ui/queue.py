"""The queue: all jobs of the spool as rows, what came out of them, and what can be asked of the daemon about one."""

from collections.abc import Callable
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from host_bridge.client import Client
from host_bridge.errors import ZeroStemError
from host_bridge.forms import RequestFile
from host_bridge.messages import Message
from host_bridge.settings import places
from host_bridge.spool import Spool
from ui import texts
from ui.aside import Aside
from ui.link import Link
from ui.models import results
from ui.models.jobs import Jobs, Row
from ui.models.results import Result
from ui.timing import timer

LOOK_MS = 2000
"""Between two looks into the spool: for what came there without a bell, or while no daemon runs."""


class Queue(QObject):
    """What the daemon says is heard at once; what is only written is found by a look. The spool is read in another thread."""

    changed = pyqtSignal(object)
    """All rows, newest first."""
    came = pyqtSignal(object)
    """The rows of jobs that were not there before; none of those that the first look finds."""
    turned = pyqtSignal(object)
    """The row of a job whose state is another than before."""
    said = pyqtSignal(str, str, str)
    """What, what to do, how bad: a line for people."""

    def __init__(self, link: Link, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._link = link
        self.spool = Spool(places().spool)
        self.rows: list[Row] = []
        self.aside = Aside(1, self)
        """One thing after another: also for the panel's own files."""
        self._jobs = Jobs(self.spool)
        self._known: set[str] | None = None
        self._rebuilding: dict[str, str] = {}
        self._look = timer(self, LOOK_MS, self.look)

    def start(self) -> None:
        """Begin to look through the spool."""
        self.look()
        self._look.start()

    def close(self) -> None:
        """Look no more."""
        self._look.stop()
        self.aside.close()

    # What is known.

    def live_in(self, root: Path) -> None:
        """Take this for the daemon's spool."""
        if root != self.spool.root:  # the daemon was started with a spool of its own
            self.spool = Spool(root)
            self._jobs, self._known = Jobs(self.spool), None
        self.look()

    def look(self) -> None:
        """Read what lies in the spool."""
        self.aside(lambda: self._after(self._jobs.look), self.show, key="look")

    def hear(self, message: Message) -> None:
        """Take in what the daemon says."""
        self.aside(lambda: self._after(lambda: self._jobs.hear(message)), self.show)

    def result_of(self, job: str, then: Callable[[Result | None], None], key: str = "") -> None:
        """What came out of a job. key: of those asked for under the same one only the newest counts."""
        self.aside(lambda: self._jobs.result(job), then, key=key)

    def show(self, rows: list[Row] | None) -> None:
        """Tell everybody; None: nothing has changed."""
        if rows is None:
            self._known = self._known or set()  # whatever comes from now on is new
            return
        before, self.rows = {row.id: row.state for row in self.rows}, rows
        self.changed.emit(rows)
        known, self._known = self._known, {row.id for row in rows}
        if known is not None:
            self.came.emit([row for row in rows if row.id not in known])
        for row in rows:
            if row.state != before.get(row.id, row.state):
                self.turned.emit(row)
            if row.id in self._rebuilding and row.state == "done":
                self._compare(self._rebuilding.pop(row.id), row.id)

    def _after(self, act: Callable[[], set[str]]) -> list[Row] | None:
        return self._jobs.rows() if act() else None

    # What is asked of the daemon.

    def submit(self, request: RequestFile, job: str) -> None:
        """Have a job done, under an id of ours."""
        self._order(lambda client: client.submit(request, id=job))

    def cancel(self, job: str) -> None:
        """Stop a job; nothing of it is kept."""
        self._order(lambda client: client.cancel(job))

    def retry(self, job: str) -> None:
        """Try a job again."""
        self._order(lambda client: client.retry(job))

    def deliver(self, job: str) -> None:
        """Bring a job's stems to its host once more."""
        self._order(lambda client: client.deliver(job), lambda _none: self.said.emit(texts.DELIVERED, "", "well"))

    def rebuild(self, job: str) -> None:
        """Make a job's stems again from its sidecar, as a job of its own, and say whether they are the same."""

        def asked(client: Client) -> str:
            result = self.spool.result(job)
            if result is None:
                raise ZeroStemError(texts.NOTHING_TO_REBUILD, texts.NOTHING_TO_REBUILD_TODO)
            return client.submit(results.rebuild(result))

        def sent(new: str) -> None:
            self._rebuilding[new] = job
            self.said.emit(texts.REBUILDING, "", "info")

        self._order(asked, sent)

    def _order(self, question: Callable[[Client], object], then: Callable[..., None] = lambda _answer: None) -> None:
        def done(answer: object) -> None:
            then(answer)
            self.look()

        self._link.ask(question, done)

    def _compare(self, old: str, new: str) -> None:
        def read() -> tuple[dict[str, bool], str]:
            before, after = self.spool.result(old) or {}, self.spool.result(new) or {}
            return results.rebuilt(before, after), results.reason(before, after)

        def tell(found: tuple[dict[str, bool], str]) -> None:
            same, why = found
            other = [name for name, equal in same.items() if not equal]
            if other:
                self.said.emit(texts.REBUILT_OTHER.format(names=", ".join(other)), why, "trouble")
            else:
                self.said.emit(texts.REBUILT_SAME, "", "well")

        self.aside(read, tell)
