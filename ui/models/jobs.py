"""The list of jobs: what the daemon says of them and what lies in the spool, as rows for people."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from host_bridge.errors import BadRequest, BadSpool
from host_bridge.forms import RequestFile, StateFile
from host_bridge.messages import Accepted, Cancelled, Done, Fail, JobRow, Message, Progress, Retry, Submit
from host_bridge.spool import Spool
from host_bridge.vocabulary import ENDED, STATES, Job, State
from ui import texts
from ui.models.results import Result

DAWS = frozenset({"reaper", "ardour", "audacity"})


@dataclass(frozen=True, slots=True)
class Row:
    """One job, as much as its line in the list shows."""

    job: Job
    title: str = ""
    prompts: tuple[str, ...] = ()
    host: str = ""
    model: str = ""
    method: str = ""
    delivers: bool = False
    """It names a folder that its stems are added to."""
    error: str = ""
    """Of a job that failed: what happened."""
    todo: str = ""
    """Of a job that failed: what to do about it."""

    @property
    def said(self) -> str:
        """What happened and what to do, as one text; empty where it has not failed."""
        return f"{self.error} {self.todo}".strip()

    @property
    def id(self) -> str:
        """The job's."""
        return self.job.id

    @property
    def state(self) -> State:
        """The job's."""
        return self.job.state

    @property
    def permille(self) -> int:
        """How far it is, 0..1000."""
        return self.job.permille

    @property
    def acts(self) -> frozenset[str]:
        """What can be done with it now, in the words of `ACTS`."""
        return frozenset(act for act, allowed in ACTS.items() if allowed(self))

    @property
    def line(self) -> str:
        """How it stands, in a line: "running 43 %, separating, 12 s left, on cuda:0"."""
        job = self.job
        if job.state == "failed":
            return texts.FAILED_WHY.format(why=self.said) if self.error else texts.STATES[job.state]
        if job.state != "running":
            return texts.STATES[job.state]
        device = texts.ON_DEVICE.format(device=job.device) if job.device else ""
        told = [texts.RUNNING.format(percent=job.permille // 10), job.stage, texts.left(job.eta_s), device]
        return ", ".join(filter(None, told))


ACTS: dict[str, Callable[[Row], bool]] = {
    "cancel": lambda row: row.state in {"queued", "running"},
    "retry": lambda row: row.state in {"failed", "cancelled"},
    "deliver": lambda row: row.state == "done" and (row.delivers or row.host in DAWS),
    "rebuild": lambda row: row.state == "done",
    "show": lambda row: row.state == "done",
    "open": lambda row: bool(row.prompts),
}
"""For each thing that a person may do with a job: whether it can be done now."""


class Jobs:
    """All jobs of a spool. What the daemon says is known at once; what is only written is found by `look`."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self._rows: dict[str, Row] = {}
        self._seen: dict[str, int] = {}

    def rows(self) -> list[Row]:
        """The latest first."""
        return [*reversed(self._rows.values())]

    def row(self, id: str) -> Row | None:  # noqa: A002 - a job's id is called that everywhere
        """One job, None where there is none."""
        return self._rows.get(id)

    def result(self, id: str) -> Result | None:  # noqa: A002
        """What came out of a job that is done, None of one that is not. Raises BadSpool."""
        told = self.spool.result(id)
        return Result.of(told) if told else None

    def hear(self, message: Message) -> set[str]:
        """Take in what the daemon says; returns the jobs whose rows it changed. What is about no job changes none."""
        id_ = message.job if isinstance(message, JobRow) else getattr(message, "id", "")
        if type(message) not in HEARD or not (id_ in self._rows or self.spool.has(id_)):
            return set()
        before = self._rows.get(id_) or self._read(id_)
        after = HEARD[type(message)](before, message)
        if self._rows.get(id_) == after:
            return set()
        self._rows[id_] = after
        return {id_}

    def look(self) -> set[str]:
        """Read what lies in the spool; returns the jobs whose rows it changed, those that are gone included.

        A job that has not been written to since the last look costs one question to the disk.
        """
        there = self.spool.ids()
        changed = {*self._rows} - {*there}
        for id_ in there:
            at = self._written_at(id_)
            if id_ in self._rows and self._seen.get(id_) == at:
                continue
            self._seen[id_] = at
            row = self._read(id_)
            if row != self._rows.get(id_):
                self._rows[id_] = row
                changed.add(id_)
        self._rows = {id_: self._rows[id_] for id_ in there}
        self._seen = {id_: self._seen[id_] for id_ in there}
        return changed

    def _written_at(self, id: str) -> int:  # noqa: A002
        try:
            return (self.spool.root / id / "state.json").lstat().st_mtime_ns
        except OSError:
            return 0

    def _read(self, id: str) -> Row:  # noqa: A002
        known = self._rows.get(id)
        try:
            state = self.spool.state(id)
        except BadSpool as error:
            return replace(known or Row(Job(id, "failed"), id), error=error.what, todo=error.todo)
        if known and known.prompts:
            return replace(known, job=state.job, error=state.error, todo=state.todo)
        try:
            return _described(state, self.spool.request(id))
        except (BadRequest, BadSpool) as error:
            if state.error:
                return Row(state.job, id, error=state.error, todo=state.todo)
            return Row(state.job, id, error=error.what, todo=error.todo)


def _stands(row: Row, message: JobRow) -> Row:
    stands = Job(row.id, message.state, message.permille, message.stage, message.eta_s, message.device)  # type: ignore[arg-type]
    if message.state == "failed":
        return replace(row, job=stands)
    return replace(row, job=stands, error="", todo="")


def _goes_on(row: Row, message: Progress) -> Row:
    if row.state in ENDED:  # a datagram that came late
        return row
    told = replace(row.job, state="running", permille=message.permille, stage=message.stage, eta_s=message.eta_s)
    return replace(row, job=told)


def _begins_again(row: Row, message: Accepted) -> Row:
    again = message.what == Retry.address and row.state in ENDED
    return replace(row, job=Job(row.id, "queued"), error="", todo="") if again else row


def _is_done(row: Row, message: Done) -> Row:
    if message.what != Submit.address:
        return row
    return replace(row, job=replace(row.job, state="done", permille=1000, stage="done", eta_s=0), error="", todo="")


def _has_failed(row: Row, message: Fail) -> Row:
    if message.what != Submit.address:
        return row
    return replace(row, job=replace(row.job, state="failed"), error=message.error, todo=message.todo)


HEARD: dict[type[Message], Callable[[Row, Any], Row]] = {
    JobRow: _stands,
    Progress: _goes_on,
    Accepted: _begins_again,
    Done: _is_done,
    Fail: _has_failed,
    Cancelled: lambda row, _message: replace(row, job=Job(row.id, "cancelled")),
}
"""What the daemon says about jobs, and what a row becomes by it."""


def _described(state: StateFile, request: RequestFile) -> Row:
    job = state.job
    return Row(
        job=job,
        title=request.name or (request.source[0].path.stem if request.source else job.id),
        prompts=tuple(stem.prompt for stem in request.stems),
        host=request.host,
        model=request.model or "",
        method=str(request.settings.get("method", "")),
        delivers=request.deliver is not None,
        error=state.error,
        todo=state.todo,
    )


def in_all(rows: Iterable[Row]) -> str:
    """The queue in a line: "2 running, 5 waiting, 1 failed"."""
    states = [row.job.state for row in rows]
    counts = ((states.count(state), texts.STATES[state]) for state in STATES if state not in {"done", "cancelled"})
    return ", ".join(texts.COUNTED.format(count=count, state=word) for count, word in counts if count)
