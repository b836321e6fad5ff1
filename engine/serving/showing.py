"""How far a job is, for everybody who looks: permille, stage and time to go, in its folder and in messages."""

import logging
import time
from collections.abc import Callable

from engine.serving.jobs import Jobs
from host_bridge.errors import BridgeError, Cancelled
from host_bridge.forms import StateFile
from host_bridge.messages import Progress, one_line
from host_bridge.vocabulary import Job

log = logging.getLogger(__name__)

SURE = 0.05
"""Below this share of a job its time to go is anybody's guess."""
LONGEST_STAGE = 200


class Remark(logging.Handler):
    """The last warning of the device's thread, such as a lack of memory: whoever watches the job is told."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it, if it is about what the device does."""
        if record.threadName == "device":
            self.said = record.getMessage()


class Showing:
    """A job's `Progress`: it raises Cancelled once the job no longer runs. between: called before each look."""

    def __init__(self, jobs: Jobs, job: str, remark: Remark, between: Callable[[], None]) -> None:
        self._jobs, self._id, self._remark, self._between = jobs, job, remark, between
        self._attempt, self._began, self._permille = jobs.spool.state(job).attempt, 0.0, 0
        self.device, self._told, self._unseen = "", remark.said, False

    def __call__(self, done: float, stage: str) -> None:
        """Show it, unless it was shown a moment ago; where it cannot be shown, the job goes on. Raises Cancelled."""
        self._check()
        at = time.monotonic()
        if not done:  # loading a model says nothing about how long it will work
            self._began = at
        self._between()
        self._began += time.monotonic() - at
        self._permille = max(self._permille, min(round(1000 * done), 999))
        passed_s = time.monotonic() - self._began
        eta_s = round(passed_s * (1 - done) / done) if done > SURE else -1
        said = one_line(f"{stage} ({self._remark.said})" if self._remark.said else stage, LONGEST_STAGE)
        now = Job(self._id, "running", self._permille, said, eta_s, self.device)
        with self._jobs.books:
            self._check()
            shown = self._shown(StateFile(now, self._attempt))
        if shown or self._remark.said != self._told:  # a remark does not wait for its fifth of a second
            self._told = self._remark.said
            self._jobs.tell(Progress(self._id, self._permille, said, eta_s))

    def _shown(self, state: StateFile) -> bool:
        """Whether it was time to show it."""
        try:
            shown = self._jobs.spool.show(state)
        except BridgeError as error:  # somebody reads the file just now, or the disk is full: the next one may be shown
            if not self._unseen:
                log.warning("progress not shown", extra={"job": self._id, "why": str(error)})
            self._unseen = True
            return True
        if shown:
            self._unseen = False
        return shown

    def _check(self) -> None:
        if self._jobs.exchange.state(self._id) != "running":
            raise Cancelled
