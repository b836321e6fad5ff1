"""Queries: rows of jobs, models, words, devices and plans for whoever asks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from engine.daemon.device_queue import IN_ORDER, NOW
from engine.daemon.device_worker import DeviceWorker
from engine.daemon.download_progress import DownloadProgress
from engine.daemon.jobs import JobRegistry
from engine.models import catalogue, download
from engine.request import Request
from host_bridge.errors import BadModel, BadRequest, BridgeError, ZeroStemError
from host_bridge.protocol.messages import (
    DeviceRow,
    Devices,
    Fetch,
    JobRow,
    List,
    Message,
    ModelRow,
    Models,
    PlanQuery,
    PlanRow,
    Status,
    VocabularyQuery,
    VocabularyRow,
    one_line,
)

if TYPE_CHECKING:
    from engine.daemon.model_slot import Pace
    from engine.separation import Separator

MOST_STEMS = 64
"""As many as a request may name."""
LONGEST_S = 2**31 - 1


@dataclass(frozen=True, slots=True)
class QueryContext:
    """What queries read from. stopped: ids of downloads that are to stop."""

    jobs: JobRegistry
    worker: DeviceWorker
    stopped: set[str] = field(default_factory=set)


def _status(context: QueryContext, message: Status) -> Iterator[Message]:
    yield JobRow.of(message.id, 0, context.jobs.snapshot(message.id))


def _list(context: QueryContext, message: List) -> Iterator[Message]:
    for index, job in enumerate(context.jobs.spool.ids()):
        yield JobRow.of(message.id, index, context.jobs.snapshot(job))


def _models(_context: QueryContext, message: Models) -> Iterator[Message]:
    for index, model in enumerate(catalogue.CATALOGUE.values()):
        folder = catalogue.place(model)
        try:
            here = folder is not None and bool(catalogue.at(folder))
        except BadModel:
            here = False
        yield ModelRow(message.id, index, model.name, model.licence, int(here), model.size, model.good_for)


def _vocabulary(_context: QueryContext, message: VocabularyQuery) -> Iterator[Message]:
    """The words of a model: of one in the catalogue even if not downloaded, of any other once it is. Raises BadRequest,
    BadModel."""
    from engine import backbones  # torch costs seconds

    words: dict[str, str] = {}
    for name in [message.model] if message.model else [catalogue.DEFAULT, *catalogue.EMBEDDED]:  # as `model_for` does
        model = catalogue.CATALOGUE.get(name) or catalogue.find(name).weights
        words = {**backbones.vocabulary(model.backbone), **words}
    own = sorted(words.items(), key=lambda row: row[0] != row[1])
    for index, (word, meaning) in enumerate(own):
        yield VocabularyRow(message.id, index, word, meaning)


def _fetch(context: QueryContext, message: Fetch) -> Iterator[Message]:
    """Download a model into the hub's cache; files that are there are not downloaded again."""
    progress = DownloadProgress(message.id, context.jobs.tell, lambda: message.id in context.stopped)
    if wanted := download.plan(message.model, progress):
        download.fetch(wanted, progress)
    yield from ()


def _devices(_context: QueryContext, message: Devices) -> Iterator[Message]:
    import torch

    from engine.execution import device

    here = [torch.device("cpu")]
    if device.cuda_missing() is None:
        here = [torch.device("cuda", index) for index in range(torch.cuda.device_count())] + here
    if device.mps_missing() is None:
        here = [torch.device("mps"), *here]
    for index, each in enumerate(here):
        yield DeviceRow(message.id, index, str(each), one_line(device.describe(each)), device.free_memory(each))


def _plan(context: QueryContext, message: PlanQuery) -> Iterator[Message]:
    """Estimate time and memory on the daemon's device. The model is loaded first if necessary."""
    model = message.model or None
    while not (held := context.worker.model_slot.pace(model)):
        _measured(context, model)
    yield _planned(message, *held)


def _measured(context: QueryContext, model: str | None) -> None:
    """Let the device's thread measure a model: between two passes if it is in use, else after what is queued."""
    answer: Queue[ZeroStemError | None] = Queue()

    def measure() -> None:
        try:
            context.worker.model_slot.measure(model)
        except ZeroStemError as error:
            answer.put(error)
        else:
            answer.put(None)

    context.worker.device_queue.put(measure, NOW if context.worker.model_slot.holds(model) else IN_ORDER)
    while not context.worker.device_queue.closed:
        try:
            error = answer.get(timeout=1.0)
        except Empty:  # a job is at work, or the model is large
            continue
        if error:
            raise error
        return
    raise BridgeError("The daemon is ending.", "Ask the next one.")


def _planned(message: PlanQuery, separator: "Separator", pace: "Pace") -> Message:
    """The same arithmetic as inference: windows in groups that fit in memory, with the method's cost per window."""
    from engine.audio.chunks import OVERLAP
    from engine.pipeline.inference import GROUP_BYTES, method_for, windows_per_group

    if not 1 <= message.stems <= MOST_STEMS:
        raise BadRequest(f"A plan for {message.stems} stems makes no sense.", f"Ask for 1 to {MOST_STEMS}.")
    backbone = separator.backbone
    request = Request.of([f"sound {number}" for number in range(message.stems)])
    frames = ceil(message.seconds * backbone.rate / backbone.grid.hop)
    size = backbone.window // backbone.grid.hop
    windows = 1 + ceil(max(frames - size, 0) / (size - size // OVERLAP))  # as many as `ChunkLayout` starts, but not one by one
    most = windows_per_group(request, backbone, pace.latent_bytes)
    together = min(windows, most)
    expected_s = windows * method_for(request, backbone).cost(request, backbone).in_passes(backbone) * pace.pass_s
    return PlanRow(
        message.id, 0, str(backbone.device), together, GROUP_BYTES * together // most, min(ceil(expected_s), LONGEST_S)
    )


Query = Callable[[QueryContext, Any], Iterator[Message]]
QUERIES: dict[type[Message], Query] = {
    Status: _status,
    List: _list,
    Models: _models,
    VocabularyQuery: _vocabulary,
    Fetch: _fetch,
    Devices: _devices,
    PlanQuery: _plan,
}
"""For each message the function that yields its rows; they are followed by `done` with their number."""
