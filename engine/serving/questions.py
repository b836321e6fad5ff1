"""What may be asked of the engine: how jobs stand, which models and devices there are, how long something would take."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import ceil
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from engine import fetching, weights
from engine.request import Request
from engine.serving.arriving import Arriving
from engine.serving.jobs import Jobs
from engine.serving.turns import IN_ORDER, NOW
from engine.serving.work import Work
from host_bridge.errors import BadModel, BadRequest, BridgeError, ZeroStemError
from host_bridge.messages import (
    DeviceRow,
    Devices,
    Fetch,
    JobRow,
    List,
    Message,
    ModelRow,
    Models,
    Plan,
    PlanRow,
    Status,
    Vocabulary,
    VocabularyRow,
    one_line,
)

if TYPE_CHECKING:
    from engine.separation import Separator
    from engine.serving.warm import Pace

MOST_STEMS = 64
"""As many as a request may name."""
LONGEST_S = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Room:
    """What the answers come from. stopped: ids of fetches that are to stop."""

    jobs: Jobs
    work: Work
    stopped: set[str] = field(default_factory=set)


def _status(room: Room, message: Status) -> Iterator[Message]:
    yield JobRow.of(message.id, 0, room.jobs.standing(message.id))


def _list(room: Room, message: List) -> Iterator[Message]:
    for index, job in enumerate(room.jobs.spool.ids()):
        yield JobRow.of(message.id, index, room.jobs.standing(job))


def _models(_room: Room, message: Models) -> Iterator[Message]:
    for index, model in enumerate(weights.CATALOGUE.values()):
        folder = weights.place(model)
        try:
            here = folder is not None and bool(weights.at(folder))
        except BadModel:
            here = False
        yield ModelRow(message.id, index, model.name, model.licence, int(here), model.size, model.good_for)


def _vocabulary(_room: Room, message: Vocabulary) -> Iterator[Message]:
    """Of a model in the catalogue whether or not it is here; of any other once it is. Raises BadRequest, BadModel."""
    from engine import backbones  # torch costs seconds

    words: dict[str, str] = {}
    for name in [message.model] if message.model else [weights.DEFAULT, *weights.EMBEDDED]:  # as `choosing.suited` chooses
        model = weights.CATALOGUE.get(name) or weights.find(name).weights
        words = {**backbones.vocabulary(model.backbone), **words}
    own = sorted(words.items(), key=lambda row: row[0] != row[1])
    for index, (word, meaning) in enumerate(own):
        yield VocabularyRow(message.id, index, word, meaning)


def _fetch(room: Room, message: Fetch) -> Iterator[Message]:
    """Into the hub's own cache; what is there already is not fetched again."""
    progress = Arriving(message.id, room.jobs.tell, lambda: message.id in room.stopped)
    if wanted := fetching.plan(message.model, progress):
        fetching.fetch(wanted, progress)
    yield from ()


def _devices(_room: Room, message: Devices) -> Iterator[Message]:
    import torch

    from engine import device

    here = [torch.device("cpu")]
    if device.cuda_missing() is None:
        here = [torch.device("cuda", index) for index in range(torch.cuda.device_count())] + here
    if device.mps_missing() is None:
        here = [torch.device("mps"), *here]
    for index, each in enumerate(here):
        yield DeviceRow(message.id, index, str(each), one_line(device.describe(each)), device.free_memory(each))


def _plan(room: Room, message: Plan) -> Iterator[Message]:
    """For the device that the daemon works on. A model that is not loaded is loaded first, in its turn."""
    model = message.model or None
    while not (held := room.work.warm.pace(model)):
        _measured(room, model)
    yield _planned(message, *held)


def _measured(room: Room, model: str | None) -> None:
    """Have the device's thread measure a model: between two passes where it is at work, else behind what waits."""
    answer: Queue[ZeroStemError | None] = Queue()

    def measure() -> None:
        try:
            room.work.warm.measure(model)
        except ZeroStemError as error:
            answer.put(error)
        else:
            answer.put(None)

    room.work.turns.put(measure, NOW if room.work.warm.holds(model) else IN_ORDER)
    while not room.work.turns.closed:
        try:
            error = answer.get(timeout=1.0)
        except Empty:  # a job is at work, or the model is large
            continue
        if error:
            raise error
        return
    raise BridgeError("The daemon is ending.", "Ask the next one.")


def _planned(message: Plan, separator: "Separator", pace: "Pace") -> Message:
    """The listener's own arithmetic: windows in groups that fit, each as much work as the method says."""
    from engine.listening import GROUP_BYTES, at_once, method_for
    from engine.windows import OVERLAP

    if not 1 <= message.stems <= MOST_STEMS:
        raise BadRequest(f"A plan for {message.stems} stems makes no sense.", f"Ask for 1 to {MOST_STEMS}.")
    backbone = separator.backbone
    request = Request.of([f"sound {number}" for number in range(message.stems)])
    frames = ceil(message.seconds * backbone.rate / backbone.grid.hop)
    size = backbone.window // backbone.grid.hop
    windows = 1 + ceil(max(frames - size, 0) / (size - size // OVERLAP))  # as many as `Layout` starts, but not one by one
    most = at_once(request, backbone, pace.latent_bytes)
    together = min(windows, most)
    expected_s = windows * method_for(request, backbone).work(request, backbone).weight(backbone) * pace.pass_s
    return PlanRow(
        message.id, 0, str(backbone.device), together, GROUP_BYTES * together // most, min(ceil(expected_s), LONGEST_S)
    )


Question = Callable[[Room, Any], Iterator[Message]]
QUESTIONS: dict[type[Message], Question] = {
    Status: _status,
    List: _list,
    Models: _models,
    Vocabulary: _vocabulary,
    Fetch: _fetch,
    Devices: _devices,
    Plan: _plan,
}
"""Whatever a message asks for, row by row; who asked hears `done` and how many they were."""
