"""`zerostem separate FOLDER` and `--jobs`: many inputs in several processes, with one bar, and a report at the end."""

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.batch import report
from engine.batch.discover import discover
from engine.batch.task import Outcome, Task
from engine.batch.worker_pool import Watch, WorkerPool
from engine.choose_model import model_for
from engine.commands.progress import bars
from engine.commands.separation_options import BatchOutputOptions
from engine.files import outputs
from engine.request import Request
from host_bridge.errors import BadAudio, BadRequest, ZeroStemError
from host_bridge.sound import pcm_length_s
from host_bridge.text import print_json, printable

_BYTES_PER_S = 40_000
"""Of compressed sound."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One input's way: where its results go, and where the report that tells of it does, if any."""

    path: Path
    out: Path
    told_in: Path | None


def separate(options: argparse.Namespace, request: Request, wish_of: BatchOutputOptions) -> int:
    """Do every input that is not done yet; failures are listed, the rest is done. Returns the worst exit code."""
    began = time.monotonic()
    devices = workers_on(options.device, options.jobs)
    places = _plan(options.inputs, options.out)
    names = outputs.names_in([place.path for place in places], [place.out for place in places])
    batch_output = [wish_of.to(place.out, name) for place, name in zip(places, names, strict=True)]
    tasks = [Task(place.path, request, output_options) for place, output_options in zip(places, batch_output, strict=True)]
    found: dict[Path, Outcome] = {}
    hands = WorkerPool(model_for(options.name, request.prompts, request.method), devices, request, options.execution)
    try:
        with hands as pool, _bar(tasks) as watch:
            for number, outcome in enumerate(_in_order(tasks, _kept(pool.run(tasks, watch), found)), 1):
                if not options.json:
                    print(f"{number}/{len(tasks)} {_line(outcome)}", flush=True)
    finally:  # what is done is told also where somebody stops the rest
        failed = _tell(options, [(place, found[place.path]) for place in places if place.path in found], began)
    return max((outcome.exit_code for outcome in failed), default=0)


def _tell(options: argparse.Namespace, ended: Sequence[tuple[_Place, Outcome]], began: float) -> list[Outcome]:
    """Write the reports, say what failed, and sum up. Returns what failed. Raises CannotWrite."""
    outcomes = [outcome for _, outcome in ended]
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    reports = []
    try:
        for folder in dict.fromkeys(place.told_in for place, _ in ended if place.told_in):
            told = [outcome for place, outcome in ended if place.told_in == folder]
            reports.append(report.write(folder, told, time.monotonic() - began)[0])
    finally:  # a report that cannot be written costs nothing of what is printed
        for outcome in failed:
            print(f"zerostem: {printable(f'{outcome.task.path}: {outcome.error} {outcome.todo}')}", file=sys.stderr)
        if options.json:
            print_json([each.sidecar for each in outcomes if each.sidecar])
        else:
            counts = [f"{sum(each.state == state for each in outcomes)} {state}" for state in ("done", "skipped", "failed")]
            print(f"{', '.join(counts)} in {time.monotonic() - began:.1f} s")
            for path in reports:
                print(f"report in {printable(path)}")
    return failed


def _kept(outcomes: Iterable[Outcome], found: dict[Path, Outcome]) -> Iterator[Outcome]:
    """The outcomes as they come, each noted under its input at once: one that waits for its turn is not lost by a Ctrl-C."""
    for outcome in outcomes:
        found[outcome.task.path] = outcome
        yield outcome


def workers_on(name: str, jobs: int | None) -> list[str]:
    """The device of each worker: one worker per device, or `jobs` of them in turn. Raises BadRequest, BadModel."""
    if jobs is not None and jobs < 1:
        raise BadRequest(f"{jobs} jobs cannot be done at once.", "Give --jobs 1 or more.")
    from engine.execution import device

    devices = device.every(name)
    return [devices[index % len(devices)] for index in range(jobs or len(devices))]


def _plan(inputs: Sequence[Path], out: Path | None) -> list[_Place]:
    """Every input once, folders opened up; below OUT their results lie as they do themselves. Raises BadAudio."""
    planned: dict[Path, _Place] = {}
    for path in inputs:
        if not path.is_dir():
            place = _Place(path, (out or outputs.default_folder(path)).absolute(), out and out.absolute())
            planned.setdefault(path.absolute(), place)
            continue
        folder = path.absolute() if path.name else path.resolve()  # "." has no name of its own
        root = (out or outputs.default_folder(folder)).absolute()
        found = discover(folder, [root])
        if not found:
            raise BadAudio(f"{path} holds no file with sound.", "Name a folder that does, or the files themselves.")
        for file in found:
            planned.setdefault(file, _Place(file, root / file.parent.relative_to(folder), root))
    return list(planned.values())


def _in_order(tasks: Sequence[Task], outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """The outcomes in the order of their tasks, each as soon as those before it are there."""
    ready: dict[Path, Outcome] = {}
    waiting = iter(tasks)
    wanted = next(waiting, None)
    for outcome in outcomes:
        ready[outcome.task.path] = outcome
        while wanted and wanted.path in ready:
            yield ready.pop(wanted.path)
            wanted = next(waiting, None)


def _line(outcome: Outcome) -> str:
    told, name = outcome.sidecar, printable(outcome.task.path.name)
    if outcome.state == "skipped":
        return f"{name}: skipped, it was done before"
    if told is None:
        return f"{name}: failed"
    lacking = [stem["prompt"] for stem in told["stems"] if not stem["found"]]
    note = f", without {', '.join(lacking)}" if lacking else ""
    return f"{name}: done in {outcome.seconds:.1f} s, null {told['null_dbfs']:.1f} dBFS{note}"


@contextmanager
def _bar(tasks: Sequence[Task]) -> Iterator[Watch]:
    """One bar over all inputs, each as long as its sound, with the time to go, on stderr."""
    lengths = {task.path: _length_s(task.path) if sys.stderr.isatty() else 1.0 for task in tasks}
    heard = dict.fromkeys(lengths, 0.0)
    with bars() as add:
        show = add("starting", total=sum(lengths.values()))

        def watch(task: Task, done: float, stage: str) -> None:
            heard[task.path] = done
            show(sum(lengths[path] * share for path, share in heard.items()), stage, task.path.name)

        yield watch


def _length_s(path: Path) -> float:
    """How long a file is, where that is seen at once, else by its size: the bar needs no better guess."""
    try:
        return pcm_length_s(path) or path.stat().st_size / _BYTES_PER_S
    except (OSError, ZeroStemError):
        return 0.0
