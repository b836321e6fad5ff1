"""Chooses the execution of a network: the one that the user names, or the fastest measured on this machine.

Measured once per model and device, in seconds per item of the batch that suits it best, and kept in `executions.json`: so the
choice, and with it the last bits of a result, stay the same from one start to the next. Ways that take long to prepare (an
export, a compilation) are measured when somebody asks for them by name or runs the bench, and count from then on.
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.execution.base import Execution, NetworkSpec, Run, difference
from engine.execution.fallback import FallbackRunner
from engine.execution.plain import REFERENCE, default_for
from engine.execution.table import EXECUTIONS
from host_bridge.errors import BadModel, BadRequest, ZeroStemError
from host_bridge.files.plain import read_plain, write_atomic
from host_bridge.paths import places

log = logging.getLogger(__name__)

AUTO = "auto"
MIN_TIMING_S = 0.2
"""A batch size is timed repeatedly for this long: small networks often, large ones once."""
MAX_REPEATS = 5
LONGEST_CALL_S = 0.6
"""Longest call on a processor, because a cancel or a fader has to wait for one."""
MAX_TIME_RATIO = 0.95
"""Accept a doubled batch only if time per item falls to this share of the former."""
GIVE_UP_RATIO = 1.25
"""Stop trying larger batches of an execution that is this many times slower than the best one."""
MAX_DIFFERENCE = 0.05
"""Executions that differ more from float32 (relative distance) are never chosen automatically; bfloat16 differs by 0.01."""
SCHEMA = "zerostem-executions/2"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One way on this machine: seconds per item in batches of `items`, how far its answer is from float32's, and on CUDA the
    bytes that an item takes at the height of a pass (0 where nobody can tell)."""

    seconds: float
    difference: float
    size: int = 0
    items: int = 1


Table = dict[str, Measurement]


def choose_runner(network_spec: NetworkSpec, wanted: str = AUTO, held: "FallbackRunner | None" = None) -> FallbackRunner:
    """The network, ready to run. held: what runs it now, and may be taken if it is the one.

    Raises BadRequest for a way that nobody knows, BadModel for one that is not to be had here.
    """
    if wanted == AUTO:
        return _fastest(network_spec, held)
    if wanted not in EXECUTIONS:
        raise BadRequest(f"There is no execution called '{wanted}'.", f"Choose {AUTO}, {', '.join(EXECUTIONS)}.")
    execution = EXECUTIONS[wanted]
    if why := execution.missing(network_spec.device):
        raise BadModel(f"{wanted} is not to be had here: {why}.", "Use --execution auto.")
    run = execution.prepare(network_spec)
    if wanted not in (table := load_measurements(network_spec)):
        reference = EXECUTIONS[REFERENCE].prepare(network_spec)(network_spec.example)
        save_measurements(network_spec, table | {wanted: benchmark(network_spec, run, reference)})
    return FallbackRunner(execution, run, network_spec)


def _fastest(network_spec: NetworkSpec, held: FallbackRunner | None) -> FallbackRunner:
    table = load_measurements(network_spec)
    here = [execution for execution in EXECUTIONS.values() if execution.missing(network_spec.device) is None]
    if untried := [execution for execution in here if execution.quick and execution.name not in table]:
        table |= benchmark_all(network_spec, untried)
        save_measurements(network_spec, table)
    names = {execution.name for execution in here}
    for name in ranked(table):
        if name not in names:
            continue
        if held is not None and held.name == name:
            return held
        try:
            return FallbackRunner(EXECUTIONS[name], EXECUTIONS[name].prepare(network_spec), network_spec)
        except BadModel as error:
            log.warning("%s cannot be used: %s", name, error.what)
    return FallbackRunner(EXECUTIONS[REFERENCE], EXECUTIONS[REFERENCE].prepare(network_spec), network_spec)


def ranked(table: Table) -> list[str]:
    """Executions that may be chosen automatically, fastest first."""
    close = [name for name, row in table.items() if row.difference <= MAX_DIFFERENCE and name in EXECUTIONS]
    return sorted(close, key=lambda name: table[name].seconds)


def benchmark_all(network_spec: NetworkSpec, executions: list[Execution]) -> Table:
    """Time each way that is to be had here, what is usually the fastest first; one that fails is left out, and said."""
    found, best = Table(), math.inf
    plain = EXECUTIONS[REFERENCE].prepare(network_spec)
    reference = plain(network_spec.example)
    for execution in sorted(executions, key=lambda each: each.name != default_for(network_spec.device).name):
        if execution.missing(network_spec.device):
            continue
        try:
            run = plain if execution.name == REFERENCE else execution.prepare(network_spec)
            found[execution.name] = row = benchmark(network_spec, run, reference, best)
            best = min(best, row.seconds)
        except (BadModel, RuntimeError) as error:
            log.warning("%s cannot be measured: %s", execution.name, error)
    return found


def benchmark(network_spec: NetworkSpec, run: Run, reference: Tensor, best: float = math.inf) -> Measurement:
    """How fast it is, after a call that finds its kernels; held against float32. best: seconds that another way takes."""
    answer, count = run(network_spec.example), len(next(iter(network_spec.example.values())))
    apart = difference(answer, reference)
    if network_spec.device.type == "cpu":
        seconds, items = _best(network_spec, run, count, best)
        return Measurement(seconds, apart, items=items)
    if network_spec.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(network_spec.device)
        before = torch.cuda.memory_allocated(network_spec.device)
        seconds = _timed(run, network_spec.example)
        return Measurement(seconds, apart, (torch.cuda.max_memory_allocated(network_spec.device) - before) // count, count)
    return Measurement(_timed(run, network_spec.example), apart, items=count)


def _best(network_spec: NetworkSpec, run: Run, items: int, best: float) -> tuple[float, int]:
    """Seconds per item, and how many at once: `items`, halved where a call is too long, or doubled again and again, as far as a
    call is short enough and it was not in vain twice."""

    def at(items: int) -> float:
        return _timed(run, _sized(network_spec.example, items))

    seconds = at(items)
    while items * seconds > LONGEST_CALL_S and items > 1:
        items //= 2
        seconds = at(items)
    size, last, in_vain = 2 * items, seconds, 0
    while seconds < GIVE_UP_RATIO * best and in_vain < 2 and size * last * MAX_TIME_RATIO <= LONGEST_CALL_S:
        last = at(size)
        if last <= MAX_TIME_RATIO * seconds and size * last <= LONGEST_CALL_S:
            seconds, items, in_vain = last, size, 0
        else:
            in_vain += 1
        size *= 2
    return seconds, items


def _timed(run: Run, inputs: Mapping[str, Tensor]) -> float:
    """Seconds per item, the best of some calls after one that is not counted: kernels are chosen for every shape."""
    run(inputs).cpu()
    seconds = list[float]()
    while sum(seconds) < MIN_TIMING_S and len(seconds) < MAX_REPEATS:
        began = time.perf_counter()
        run(inputs).cpu()
        seconds.append(time.perf_counter() - began)
    return min(seconds) / len(next(iter(inputs.values())))


def _sized(example: Mapping[str, Tensor], items: int) -> dict[str, Tensor]:
    """The example with so many items, its own again and again."""
    return {name: tensor[torch.arange(items, device=tensor.device) % len(tensor)] for name, tensor in example.items()}


def load_measurements(network_spec: NetworkSpec) -> Table:
    """Measurements of this network on this machine; empty where there are none, or the file is damaged."""
    rows = _all().get(_key(network_spec), {})
    try:
        return {name: Measurement(**row) for name, row in rows.items() if float(row["seconds"]) > 0}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def save_measurements(network_spec: NetworkSpec, table: Table) -> None:
    """Save measurements. Where the cache cannot be written they are taken again next time."""
    told = {"schema": SCHEMA, "tables": _all() | {_key(network_spec): {name: asdict(row) for name, row in table.items()}}}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_atomic(_file(), json.dumps(told, indent=2).encode())
    except (ZeroStemError, OSError) as error:
        log.warning("not remembered: %s", error)


def tables() -> dict[str, Table]:
    """Everything that was measured on this machine, by model and device: for `zerostem doctor`."""
    return {key: {name: Measurement(**row) for name, row in rows.items()} for key, rows in _all().items()}


def _all() -> dict[str, dict[str, Any]]:
    """Everything in the file, as far as it has the form that we write."""
    try:
        told = json.loads(read_plain(_file()) or b"{}")
        found = {key: {**rows} for key, rows in told["tables"].items()} if told["schema"] == SCHEMA else {}
    except (ZeroStemError, ValueError, AttributeError, KeyError, TypeError):  # measured anew
        return {}
    return found


def _file() -> Path:
    return places().cache / "executions.json"


def _key(network_spec: NetworkSpec) -> str:
    chip = torch.cuda.get_device_name(network_spec.device) if network_spec.device.type == "cuda" else str(network_spec.device)
    return f"{network_spec.name} {network_spec.fingerprint} on {chip}, torch {torch.__version__}"
