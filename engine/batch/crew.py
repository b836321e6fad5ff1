"""Worker processes that separate one input each at a time, every one with its own model: what many cards have in common.

Each worker has a pipe to whoever runs the crew: a task goes in, progress and an outcome come out. A worker that dies
takes its own input with it, not the others'. A worker whose pipe breaks stops as if it were told to.
"""

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

from engine import delivery
from engine.batch.task import Outcome, Task, attend
from engine.request import Request
from host_bridge.errors import Cancelled, ZeroStemError
from host_bridge.settings import places
from host_bridge.vocabulary import Progress

GRACE_S = 0.6
"""What a worker gets to clean up after itself before it is killed and we do it."""
_FEWER = "Try fewer --jobs: each loads the model, and memory may have run out."
_SPACED_S = 0.1
"""At least so long between two words of progress about the same stage."""

Watch = Callable[[Task, float, str], None]
"""Told how far each task is, 0..1, and its stage."""


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: "connection.Connection[Any, Any]"
    ready: bool = False
    task: Task | None = None
    made: tuple[Path, ...] = ()
    """Folders that were not there when the task began."""


class Crew:
    """One worker per entry of `devices`, started when there is work and kept warm until `close`.

    check: a request that every worker must be able to follow before any input is touched.
    """

    def __init__(self, model: str, devices: Sequence[str], check: Request | None = None, execution: str = "auto") -> None:
        self.model, self.devices, self.check, self.execution = model, tuple(devices), check, execution
        self._workers: dict[int, _Worker] = {}

    def run(self, tasks: Sequence[Task], watch: Watch = lambda _task, _done, _stage: None) -> Iterator[Outcome]:
        """Do all tasks, begun in their order; outcomes come as they are ready.

        Raises what a worker says of the model, the device or `check`; whatever is raised, no worker is left.
        """
        waiting = deque(tasks)
        try:
            while waiting or any(worker.task for worker in self._workers.values()):
                self._staff(len(waiting))
                for worker in self._workers.values():
                    if waiting and worker.ready and worker.task is None:
                        self._begin(worker, waiting.popleft())
                by_pipe = {worker.pipe: place for place, worker in self._workers.items()}
                for pipe in connection.wait(list(by_pipe)):
                    place = by_pipe[pipe]  # type: ignore[index]
                    if outcome := self._heard(place, watch):
                        yield outcome
        except BaseException:
            self.stop()
            raise

    def close(self) -> None:
        """Let the workers go: they have nothing to do."""
        for worker in self._workers.values():
            worker.pipe.close()
        self._await(5.0)
        self.stop()

    def stop(self) -> None:
        """End every worker within a second, and leave nothing half-written."""
        for worker in self._workers.values():
            worker.process.terminate()
        self._await(GRACE_S)
        for worker in self._workers.values():
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            self._clear(worker)
            worker.pipe.close()
        self._workers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop() if kind else self.close()

    def _staff(self, work: int) -> None:
        """Start workers as long as there is work for one more."""
        for place, name in enumerate(self.devices):
            idle = sum(worker.task is None for worker in self._workers.values())
            if place not in self._workers and idle < work:
                ours, theirs = get_context("spawn").Pipe()
                told = (theirs, self.model, name, self.execution, self.devices.count(name), self.check)
                process = get_context("spawn").Process(target=_work, args=told, daemon=True)
                with _deaf():
                    process.start()
                theirs.close()
                self._workers[place] = _Worker(process, ours)

    def _begin(self, worker: _Worker, task: Task) -> None:
        out = task.wish.out
        worker.made = tuple(folder for folder in (out, *out.parents) if not folder.exists()) if out else ()
        worker.task = task
        with suppress(OSError):  # it has died, and its pipe will say so
            worker.pipe.send(task)

    def _heard(self, place: int, watch: Watch) -> Outcome | None:
        """Take one message from a worker: an outcome, unless it is about something else."""
        worker = self._workers[place]
        try:
            word, told = worker.pipe.recv()
        except (EOFError, OSError):
            return self._lost(place)
        if word == "refused":
            raise told[0](*told[1:])
        if word == "progress" and worker.task:
            watch(worker.task, *told)
        if word == "ready":
            worker.ready = True
        if word != "outcome":
            return None
        worker.task = None
        return told  # type: ignore[no-any-return]

    def _lost(self, place: int) -> Outcome:
        worker = self._workers.pop(place)
        worker.process.join()
        self._clear(worker)
        code = worker.process.exitcode or 0
        how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        if worker.task is None:
            raise ZeroStemError(
                f"A worker on {self.devices[place]} ended {how} before it had work.",
                _FEWER,
            )
        return Outcome(worker.task, "failed", 0.0, None, f"Its worker ended {how}.", _FEWER, 1)

    def _await(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        for worker in self._workers.values():
            worker.process.join(max(0.0, end - time.monotonic()))

    def _clear(self, worker: _Worker) -> None:
        """Do for a worker that was killed what it could not: take away what it had begun."""
        if worker.task is None or worker.task.wish.out is None:
            return
        for folder in (worker.task.wish.out, places().cache / "tracks"):
            with suppress(OSError):
                delivery.clear_the_dead(folder)
        for folder in worker.made:
            with suppress(OSError):  # not empty: others have put something there
                folder.rmdir()


def _work(
    pipe: "connection.Connection[Any, Any]", model: str, device: str, execution: str, sharing: int, check: Request | None
) -> None:
    """A worker's life: load, then one task after another until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; whoever runs the crew decides
    signal.signal(signal.SIGTERM, _leave)
    with suppress(KeyboardInterrupt, EOFError, OSError):
        import torch

        from engine.separation import Separator

        if device == "cpu":
            torch.set_num_threads(max(1, torch.get_num_threads() // sharing))
        try:
            separator = Separator.load(model, device, execution)
            if check is not None:
                separator.check(check)
        except ZeroStemError as error:
            pipe.send(("refused", (type(error), error.what, error.todo)))
            return
        pipe.send(("ready", None))
        while True:
            task = pipe.recv()
            with suppress(Cancelled):
                pipe.send(("outcome", _attended(separator, task, _through(pipe))))


def _attended(separator: Any, task: Task, progress: Progress) -> Outcome:
    try:
        return attend(separator, task, progress)
    except Cancelled:
        raise
    except Exception as error:  # noqa: BLE001 - one input's surprise must not end the others; the log gets the traceback
        from host_bridge.cli import logged

        what = logged(error, ["separate", str(task.path)])
        return Outcome(task, "failed", 0.0, None, what, "Run `zerostem doctor` and report both.", 1)


def _through(pipe: "connection.Connection[Any, Any]") -> Progress:
    last, stage = 0.0, ""

    def progress(done: float, said: str) -> None:
        nonlocal last, stage
        now = time.monotonic()
        if said == stage and now - last < _SPACED_S:
            return
        last, stage = now, said
        try:
            pipe.send(("progress", (done, said)))
        except OSError as error:
            raise Cancelled from error

    return progress


def _leave(_signal: int, _frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough: what follows is the cleaning up
    raise KeyboardInterrupt


@contextmanager
def _deaf() -> Iterator[None]:
    """Keep Ctrl-C from a process that is being started and does not yet know what to do with it: it inherits the mask."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
