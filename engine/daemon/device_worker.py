"""The one thread that owns the device: it separates jobs, and renders stems again at changed strengths."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engine.daemon import cpu_priority, stems
from engine.daemon.device_queue import IN_ORDER, NOW, DeviceQueue, DeviceTask
from engine.daemon.job_progress import JobProgress, LastWarning
from engine.daemon.jobs import JobRegistry
from engine.daemon.model_slot import ModelSlot
from engine.daemon.notify_host import HostNotifier
from engine.daemon.request_mapping import output_options_from, request_from
from host_bridge.errors import BridgeError, Cancelled, ZeroStemError
from host_bridge.files.plain import refusal
from host_bridge.protocol.messages import Deliver, Done, Fail, ProgressMessage, Strength, Submit
from host_bridge.spool.delivery import deliver
from host_bridge.spool.documents import RequestFile
from host_bridge.spool.job_folders import ASIDE, PROGRESS_S

log = logging.getLogger(__name__)

IDLE_S = 600.0
"""A model that was unused for so long is unloaded."""
RENDERING = "rendering again"
"""The stage of a job that is done and gets another strength."""
CUTTING = 0.02
"""Share of a job's bar for cutting its region out of the sources."""


class DeviceWorker:
    """The device's thread, which runs the tasks of a `DeviceQueue`. left_free: cores, see `cpu_priority.limit_threads`."""

    def __init__(
        self,
        jobs: JobRegistry,
        device_queue: DeviceQueue,
        model_slot: ModelSlot,
        host_notifier: HostNotifier,
        idle_s: float = IDLE_S,
        left_free: int | None = None,
    ) -> None:
        self.jobs, self.device_queue, self.model_slot, self.host_notifier = jobs, device_queue, model_slot, host_notifier
        self._idle_s, self._left_free = idle_s, left_free
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._remark = LastWarning()
        self._busy = False
        self._awaited: set[tuple[str, str]] = set()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, patience_s: float = 10.0) -> None:
        """Run no more tasks, and wait for the network pass in flight."""
        self.device_queue.close()
        self._thread.join(patience_s)

    def queue_warm_up(self) -> None:
        """Queue loading of the default model, before anybody waits for it."""
        self.device_queue.put(self._warm_up)

    def _warm_up(self) -> None:
        try:
            self.model_slot.get(None)
        except ZeroStemError as error:  # the first job that needs it hears why
            log.warning("model not loaded", extra={"why": str(error)})

    def queue_job(self, job: str) -> None:
        """Queue a job."""
        self.device_queue.put(lambda: self.run_job(job))

    def queue_rerender(self, job: str) -> None:
        """Queue rendering of changed strengths, ahead of whole jobs."""
        self._queue_once(self.rerender, job)

    def queue_delivery(self, job: str) -> None:
        """Queue another delivery of a finished job, ahead of whole jobs."""
        self._queue_once(self.redeliver, job)

    def queue_overdue_delivery(self, job: str) -> None:
        """Queue the delivery of a finished job that a previous daemon did not deliver."""
        self._queue_once(self._delivered, job)

    def _queue_once(self, act: Callable[[str], None], job: str) -> None:
        """Queue an action once: a queued one that has not started covers further requests."""
        key = (act.__name__, job)
        if key in self._awaited:
            return
        self._awaited.add(key)

        def turn() -> None:
            self._awaited.discard(key)
            act(job)

        self.device_queue.put(turn, NOW)

    def _serve(self) -> None:
        logging.getLogger("engine").addHandler(self._remark)
        cpu_priority.lower_priority()
        while not self.device_queue.closed:
            if turn := self.device_queue.take(None if self.model_slot.empty else self._idle_s):
                self._run_task(turn)
            elif not self.device_queue.closed:
                self.model_slot.unload()
        logging.getLogger("engine").removeHandler(self._remark)

    def _run_task(self, turn: DeviceTask) -> None:
        try:
            turn()
        except Exception:  # the daemon's loop: one task's fault is logged, and the next one runs
            log.exception("a turn went wrong")

    def run_urgent(self) -> None:
        """Run urgent tasks between two network passes of a whole job."""
        while not self.device_queue.closed and (turn := self.device_queue.take(0.0, NOW)):
            self._run_task(turn)

    # A whole job.

    def run_job(self, job: str) -> None:
        """Separate a queued job, from its request to its result."""
        jobs = self.jobs
        with jobs.journal_lock:
            if jobs.state_machine.state(job) != "queued":  # cancelled meanwhile, or done by an earlier turn
                return
            written = jobs.record_event(job, "start", jobs.state_machine.step(job, "start"))
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
        jobs.record_event(job, "finish", "done", Done(job, Submit.address, count)).result()
        self._ring(job)
        if jobs.spool.stems_to_rerender(job):
            self.queue_rerender(job)

    def _model(self, file: RequestFile) -> str:
        """The model that a job is for: the one that its request names, else what suits its words."""
        from engine.choose_model import model_for  # torch costs seconds, and only this thread needs it

        method = file.settings.get("method")
        return model_for(file.model, [stem.prompt for stem in file.stems], method, self.model_slot.default)

    def _separated(self, job: str) -> int:
        """Write a job's stems and result into its folder; returns the number of stems."""
        from engine.daemon.region import prepare_region  # torch costs seconds, and only this thread needs it

        jobs, folder = self.jobs, self.jobs.spool.folder(job)
        jobs.spool.clear(job)  # what an attempt before this one has left
        file = jobs.spool.request(job)
        request = request_from(file, jobs.spool.strengths(job))
        self._remark.said = ""
        show = JobProgress(jobs, job, self._remark, self.run_urgent)
        show(0.0, "loading")
        cpu_priority.limit_threads(file.host, self._left_free)
        separator = self.model_slot.get(self._model(file))
        show.device = str(separator.backbone.device)
        separator.check(request)
        region, notes = prepare_region(folder, file, lambda done, stage: show(CUTTING * done, stage))
        told = stems.separate_job(separator, region, request, output_options_from(file, folder / ASIDE), show)
        told["warnings"] = [*notes, *told["warnings"]]
        with jobs.journal_lock:
            if jobs.state_machine.state(job) != "running":
                raise Cancelled
            jobs.spool.commit(job, stems.commit_stems(folder, told))
            jobs.state_machine.step(job, "finish")
        return len(told["stems"])

    def _ended(self, job: str, error: Exception) -> None:
        """Clean up after a job that raised: cancelled or failed."""
        jobs = self.jobs
        why = self._sentences(job, error)
        with jobs.journal_lock:
            if (state := jobs.state_machine.state(job)) == "done":
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

    def rerender(self, job: str) -> None:
        """Render a finished job's stems at their current strengths."""
        spool, tell = self.jobs.spool, self.jobs.tell
        if self.jobs.state_machine.state(job) != "done":
            return
        try:
            file = spool.request(job)
            if self._busy and not self.model_slot.holds(self._model(file)):  # it would throw out the model that is at work
                self.device_queue.put(lambda: self.rerender(job), IN_ORDER)
                return
            if (wanted := spool.stems_to_rerender(job)) or spool.is_half_rendered(job):
                tell(ProgressMessage(job, 0, RENDERING, -1))
                self._rendered(job)
                log.info("rendered again", extra={"job": job, "stems": wanted})
            tell(Done(job, Strength.address, 1))
            if spool.stems_to_rerender(job):  # turned on while it was rendered
                self.queue_rerender(job)
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001 - the job stays as it was, and whoever asked hears why
            tell(Fail.of(self._sentences(job, error), job, Strength.address))

    def _rendered(self, job: str) -> None:
        """Replace stems and rest, rendered from the cached inversion; `result.json` is committed last."""
        spool, folder = self.jobs.spool, self.jobs.spool.folder(job)
        file, before = spool.request(job), spool.result(job) or {}
        request, output_options = request_from(file, spool.strengths(job)), output_options_from(file, folder / ASIDE)

        shown = time.monotonic()

        def go_on(done: float, _stage: str) -> None:
            nonlocal shown
            if self.device_queue.closed:
                raise Cancelled
            if time.monotonic() - shown >= PROGRESS_S:
                shown = time.monotonic()
                self.jobs.tell(ProgressMessage(job, min(round(1000 * done), 999), RENDERING, -1))

        separator = self.model_slot.get(self._model(file))
        told = stems.separate_job(separator, folder / "region.wav", request, output_options, go_on)
        kept = {key: before[key] for key in ("delivered", "warnings") if key in before}
        spool.commit(job, stems.replace_stems(folder, told) | kept)

    # To whom it was for.

    def deliver(self, job: str, *, anew: bool = False) -> None:
        """Copy the stems into the folder that the request names, once; anew: even if they were delivered before.

        Raises CannotWrite, BadSpool, BadRequest.
        """
        spool = self.jobs.spool
        file, result = spool.request(job), spool.result(job)
        if file.deliver is None or result is None or ("delivered" in result and not anew):
            return
        places = deliver((spool.folder(job) / stems.FINAL / name for name in result["files"]), file.deliver, job)
        spool.commit(job, {**result, "delivered": [str(place) for place in places]})
        log.info("delivered", extra={"job": job, "to": str(file.deliver)})

    def _delivered(self, job: str) -> None:
        """As `deliver`, but a failure does not fail the job."""
        try:
            self.deliver(job)
        except ZeroStemError as error:
            log.warning("not delivered", extra={"job": job, "why": str(error)})
            self.jobs.tell(Fail.of(error, job, Deliver.address))

    def _ring(self, job: str) -> None:
        try:
            host = self.jobs.spool.request(job).host
            if self.host_notifier.ring(host.casefold()):
                log.info("host told", extra={"job": job, "to": host})
        except (ZeroStemError, OSError) as error:  # it looks into the spool by itself later
            log.warning("host not told", extra={"job": job, "why": str(error)})

    def redeliver(self, job: str) -> None:
        """Bring a finished job to its host once more, by its folder and its bell."""
        try:
            self.deliver(job, anew=True)
            self._ring(job)
            result = self.jobs.spool.result(job) or {"stems": ()}
            self.jobs.tell(Done(job, Deliver.address, len(result["stems"])))
        except ZeroStemError as error:
            self.jobs.tell(Fail.of(error, job, Deliver.address))
