"""The one thread that owns the device: it takes turns, separates, and renders again what somebody wants otherwise."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engine.serving import neighbour, stems
from engine.serving.asked import asked_of, wish_of
from engine.serving.bells import Bells
from engine.serving.jobs import Jobs
from engine.serving.showing import Remark, Showing
from engine.serving.turns import IN_ORDER, NOW, Turn, Turns
from engine.serving.warm import Warm
from host_bridge.errors import BridgeError, Cancelled, ZeroStemError
from host_bridge.files import refusal
from host_bridge.forms import RequestFile
from host_bridge.handover import deliver
from host_bridge.messages import Deliver, Done, Fail, Progress, Strength, Submit
from host_bridge.spool import ASIDE, PROGRESS_S

log = logging.getLogger(__name__)

IDLE_S = 600.0
"""A model that nobody has needed for so long gives its memory back."""
RENDERING = "rendering again"
"""The stage of a job that is done and gets another strength."""
CUTTING = 0.02
"""Share of a job's bar for cutting its region out of the sources."""


class Work:
    """The device's thread. Everything that reaches it has waited in `turns`. left_free: cores, see `neighbour.threads`."""

    def __init__(
        self, jobs: Jobs, turns: Turns, warm: Warm, bells: Bells, idle_s: float = IDLE_S, left_free: int | None = None
    ) -> None:
        self.jobs, self.turns, self.warm, self.bells = jobs, turns, warm, bells
        self._idle_s, self._left_free = idle_s, left_free
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._remark = Remark()
        self._busy = False
        self._awaited: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Begin to take turns."""
        self._thread.start()

    def close(self, patience_s: float = 10.0) -> None:
        """Take no more turns, and wait for the pass in flight."""
        self.turns.close()
        self._thread.join(patience_s)

    def await_warmth(self) -> None:
        """Let the usual model be loaded before anybody waits for it."""
        self.turns.put(self._warm_up)

    def _warm_up(self) -> None:
        try:
            self.warm.separator(None)
        except ZeroStemError as error:  # the first job that needs it hears why
            log.warning("model not loaded", extra={"why": str(error)})

    def await_whole(self, job: str) -> None:
        """Let a job wait for its turn."""
        self.turns.put(lambda: self.whole(job))

    def await_stem(self, job: str) -> None:
        """Let a job whose strengths were changed go before all whole jobs."""
        self._await_once(self.again, job)

    def await_delivery(self, job: str) -> None:
        """Let a finished job be brought to its host once more, before all whole jobs."""
        self._await_once(self.hand_over, job)

    def await_overdue(self, job: str) -> None:
        """Let a finished job be delivered, if the daemon was ended before it was."""
        self._await_once(self._delivered, job)

    def _await_once(self, act: Callable[[str], None], job: str) -> None:
        """However often it is asked for: what has not begun yet will do for all of them."""
        key = (act.__name__, job)
        if key in self._awaited:
            return
        self._awaited.add(key)

        def turn() -> None:
            self._awaited.discard(key)
            act(job)

        self.turns.put(turn, NOW)

    def _serve(self) -> None:
        logging.getLogger("engine").addHandler(self._remark)
        neighbour.step_back()
        while not self.turns.closed:
            if turn := self.turns.take(None if self.warm.empty else self._idle_s):
                self._pass(turn)
            elif not self.turns.closed:
                self.warm.let_go()
        logging.getLogger("engine").removeHandler(self._remark)

    def _pass(self, turn: Turn) -> None:
        try:
            turn()
        except Exception:  # the daemon's loop: one turn's fault is logged, and the next one gets its own
            log.exception("a turn went wrong")

    def between(self) -> None:
        """Between two passes of a whole job: let those pass who listen to a stem."""
        while not self.turns.closed and (turn := self.turns.take(0.0, NOW)):
            self._pass(turn)

    # A whole job.

    def whole(self, job: str) -> None:
        """Separate a job that waits, from its request to its result."""
        jobs = self.jobs
        with jobs.books:
            if jobs.exchange.state(job) != "queued":  # cancelled meanwhile, or done by an earlier turn
                return
            written = jobs.happened(job, "start", jobs.exchange.step(job, "start"))
        written.result()
        self._busy = True
        try:
            count = self._separated(job)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job ends with a sentence
            self._ended(job, error)
            return
        finally:
            self._busy = False
        self._delivered(job)
        jobs.happened(job, "finish", "done", Done(job, Submit.address, count)).result()
        self._ring(job)
        if jobs.spool.unsettled(job):
            self.await_stem(job)

    def _model(self, file: RequestFile) -> str:
        """The model that a job is for: the one that its request names, else what suits its words."""
        from engine.choosing import suited  # torch costs seconds, and only this thread needs it

        method = file.settings.get("method")
        return suited(file.model, [stem.prompt for stem in file.stems], method, self.warm.default)

    def _separated(self, job: str) -> int:
        """The job's stems in its folder and its result beside them; how many there are."""
        from engine.serving.region import region_of  # torch costs seconds, and only this thread needs it

        jobs, folder = self.jobs, self.jobs.spool.folder(job)
        jobs.spool.clear(job)  # what an attempt before this one has left
        file = jobs.spool.request(job)
        request = asked_of(file, jobs.spool.strengths(job))
        self._remark.said = ""
        show = Showing(jobs, job, self._remark, self.between)
        show(0.0, "loading")
        neighbour.leave_cores(file.host, self._left_free)
        separator = self.warm.separator(self._model(file))
        show.device = str(separator.backbone.device)
        separator.check(request)
        region, notes = region_of(folder, file, lambda done, stage: show(CUTTING * done, stage))
        told = stems.made(separator, region, request, wish_of(file, folder / ASIDE), show)
        told["warnings"] = [*notes, *told["warnings"]]
        with jobs.books:
            if jobs.exchange.state(job) != "running":
                raise Cancelled
            jobs.spool.commit(job, stems.settled(folder, told))
            jobs.exchange.step(job, "finish")
        return len(told["stems"])

    def _ended(self, job: str, error: Exception) -> None:
        """Nothing of the job is kept; unless it was stopped, it has failed."""
        jobs = self.jobs
        why = self._sentences(job, error)
        with jobs.books:
            if (state := jobs.exchange.state(job)) == "done":
                return
            try:
                jobs.spool.clear(job)
            except BridgeError as trouble:
                log.warning("not cleared", extra={"job": job, "why": str(trouble)})
            if state == "running":
                jobs.fail(job, why)

    def _sentences(self, job: str, error: Exception) -> ZeroStemError:
        if isinstance(error, ZeroStemError):
            return error
        if isinstance(error, OSError):
            return refusal(Path(error.filename or self.jobs.spool.root), error)
        if not isinstance(error, Cancelled):
            log.error("a fault in the engine", extra={"job": job}, exc_info=error)
        what = f"Something went wrong inside the engine ({type(error).__name__}: {error})."
        return ZeroStemError(what.replace("\n", " "), "Run `zerostem doctor` and report it with the daemon's log.")

    # What is done is done again.

    def again(self, job: str) -> None:
        """Render a finished job's stems at the strengths that are wanted now."""
        spool, tell = self.jobs.spool, self.jobs.tell
        if self.jobs.exchange.state(job) != "done":
            return
        try:
            file = spool.request(job)
            if self._busy and not self.warm.holds(self._model(file)):  # it would throw out the model that is at work
                self.turns.put(lambda: self.again(job), IN_ORDER)
                return
            if (wanted := spool.unsettled(job)) or spool.is_half_rendered(job):
                tell(Progress(job, 0, RENDERING, -1))
                self._rendered(job)
                log.info("rendered again", extra={"job": job, "stems": wanted})
            tell(Done(job, Strength.address, 1))
            if spool.unsettled(job):  # turned on while it was rendered
                self.await_stem(job)
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001 - the job stays as it was, and whoever asked hears why
            tell(Fail.of(self._sentences(job, error), job, Strength.address))

    def _rendered(self, job: str) -> None:
        """Stems and rest in the place of the old ones: from the cached inversion, the result's commit last."""
        spool, folder = self.jobs.spool, self.jobs.spool.folder(job)
        file, before = spool.request(job), spool.result(job) or {}
        request, wish = asked_of(file, spool.strengths(job)), wish_of(file, folder / ASIDE)

        shown = time.monotonic()

        def go_on(done: float, _stage: str) -> None:
            nonlocal shown
            if self.turns.closed:
                raise Cancelled
            if time.monotonic() - shown >= PROGRESS_S:
                shown = time.monotonic()
                self.jobs.tell(Progress(job, min(round(1000 * done), 999), RENDERING, -1))

        separator = self.warm.separator(self._model(file))
        told = stems.made(separator, folder / "region.wav", request, wish, go_on)
        kept = {key: before[key] for key in ("delivered", "warnings") if key in before}
        spool.commit(job, stems.replaced(folder, told) | kept)

    # To whom it was for.

    def deliver(self, job: str, *, anew: bool = False) -> None:
        """Add the stems to the folder that the request names, once; anew: whether they were there before or not.

        Raises CannotWrite, BadSpool, BadRequest.
        """
        spool = self.jobs.spool
        file, result = spool.request(job), spool.result(job)
        if file.deliver is None or result is None or ("delivered" in result and not anew):
            return
        places = deliver((spool.folder(job) / stems.PLACE / name for name in result["files"]), file.deliver, job)
        spool.commit(job, {**result, "delivered": [str(place) for place in places]})
        log.info("delivered", extra={"job": job, "to": str(file.deliver)})

    def _delivered(self, job: str) -> None:
        """As `deliver`; what stands in its way keeps no job from being done."""
        try:
            self.deliver(job)
        except ZeroStemError as error:
            log.warning("not delivered", extra={"job": job, "why": str(error)})
            self.jobs.tell(Fail.of(error, job, Deliver.address))

    def _ring(self, job: str) -> None:
        try:
            host = self.jobs.spool.request(job).host
            if self.bells.ring(host.casefold()):
                log.info("host told", extra={"job": job, "to": host})
        except (ZeroStemError, OSError) as error:  # it looks into the spool by itself later
            log.warning("host not told", extra={"job": job, "why": str(error)})

    def hand_over(self, job: str) -> None:
        """Bring a finished job to its host once more, by its folder and its bell."""
        try:
            self.deliver(job, anew=True)
            self._ring(job)
            result = self.jobs.spool.result(job) or {"stems": ()}
            self.jobs.tell(Done(job, Deliver.address, len(result["stems"])))
        except ZeroStemError as error:
            self.jobs.tell(Fail.of(error, job, Deliver.address))
