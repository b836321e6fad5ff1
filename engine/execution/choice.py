"""Which way to run a network: what the user names, or the fastest that was measured on this machine.

Measured once per model and device, in seconds per item, and kept in `executions.json`: so the choice, and with it the last
bits of a result, stay the same from one start to the next. Ways that take long to prepare (an export, a compilation) are
measured when somebody asks for them by name or runs the bench, and count from then on.
"""

import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.execution.base import Execution, Run, Subject, difference
from engine.execution.plain import REFERENCE
from engine.execution.steady import Steady
from engine.execution.table import EXECUTIONS
from host_bridge.errors import BadModel, BadRequest, ZeroStemError
from host_bridge.files import read_plain, write_whole
from host_bridge.settings import places

log = logging.getLogger(__name__)

AUTO = "auto"
ENOUGH_S = 1.0
"""A way is timed again and again until so much time is spent: small networks often, large ones once."""
MOST_TIMES = 5
ROUGHEST = 0.05
"""Relative distance to float32 beyond which a way is not chosen unasked; bfloat16 has 0.01."""
SCHEMA = "zerostem-executions/1"


@dataclass(frozen=True, slots=True)
class Measured:
    """One way on this machine: seconds per item of a batch, how far its answer is from float32's, and on CUDA the bytes that
    an item takes at the height of a pass (0 where nobody can tell)."""

    seconds: float
    difference: float
    size: int = 0


Table = dict[str, Measured]


def prepared(subject: Subject, wanted: str = AUTO, held: "Steady | None" = None) -> Steady:
    """The network, ready to run. held: what runs it now, and may be taken if it is the one.

    Raises BadRequest for a way that nobody knows, BadModel for one that is not to be had here.
    """
    if wanted == AUTO:
        return _fastest(subject, held)
    if wanted not in EXECUTIONS:
        raise BadRequest(f"There is no execution called '{wanted}'.", f"Choose {AUTO}, {', '.join(EXECUTIONS)}.")
    execution = EXECUTIONS[wanted]
    if why := execution.missing(subject.device):
        raise BadModel(f"{wanted} is not to be had here: {why}.", "Use --execution auto.")
    run = execution.prepare(subject)
    if wanted not in (table := known(subject)):
        reference = EXECUTIONS[REFERENCE].prepare(subject)(subject.example)
        keep(subject, table | {wanted: measured(subject, run, reference)})
    return Steady(execution, run, subject)


def _fastest(subject: Subject, held: Steady | None) -> Steady:
    table = known(subject)
    here = [execution for execution in EXECUTIONS.values() if execution.missing(subject.device) is None]
    if untried := [execution for execution in here if execution.quick and execution.name not in table]:
        table |= measure(subject, untried)
        keep(subject, table)
    names = {execution.name for execution in here}
    for name in ranked(table):
        if name not in names:
            continue
        if held is not None and held.name == name:
            return held
        try:
            return Steady(EXECUTIONS[name], EXECUTIONS[name].prepare(subject), subject)
        except BadModel as error:
            log.warning("%s cannot be used: %s", name, error.what)
    return Steady(EXECUTIONS[REFERENCE], EXECUTIONS[REFERENCE].prepare(subject), subject)


def ranked(table: Table) -> list[str]:
    """The ways that may be chosen unasked, fastest first."""
    close = [name for name, row in table.items() if row.difference <= ROUGHEST and name in EXECUTIONS]
    return sorted(close, key=lambda name: table[name].seconds)


def measure(subject: Subject, executions: list[Execution]) -> Table:
    """Time each way that is to be had here; one that fails is left out, and said."""
    found: Table = {}
    reference = EXECUTIONS[REFERENCE].prepare(subject)(subject.example)
    for execution in executions:
        if execution.missing(subject.device):
            continue
        try:
            found[execution.name] = measured(subject, execution.prepare(subject), reference)
        except (BadModel, RuntimeError) as error:
            log.warning("%s cannot be measured: %s", execution.name, error)
    return found


def measured(subject: Subject, run: Run, reference: Tensor) -> Measured:
    """The best of some calls, after one that finds its kernels; held against float32."""
    answer, seconds, size = run(subject.example), list[float](), 0
    if subject.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(subject.device)
        size = -torch.cuda.memory_allocated(subject.device)
    while sum(seconds) < ENOUGH_S and len(seconds) < MOST_TIMES:
        began = time.perf_counter()
        run(subject.example).cpu()
        seconds.append(time.perf_counter() - began)
    if subject.device.type == "cuda":
        size += torch.cuda.max_memory_allocated(subject.device)
    items = len(next(iter(subject.example.values())))
    return Measured(min(seconds) / items, difference(answer, reference), max(size, 0) // items)


def known(subject: Subject) -> Table:
    """What was measured here before; empty where nothing was, or the file makes no sense."""
    rows = _all().get(_key(subject), {})
    try:
        return {name: Measured(**row) for name, row in rows.items() if float(row["seconds"]) > 0}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def keep(subject: Subject, table: Table) -> None:
    """Remember a table. Where the cache cannot be written it is measured again the next time."""
    told = {"schema": SCHEMA, "tables": _all() | {_key(subject): {name: asdict(row) for name, row in table.items()}}}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_whole(_file(), json.dumps(told, indent=2).encode())
    except (ZeroStemError, OSError) as error:
        log.warning("not remembered: %s", error)


def tables() -> dict[str, Table]:
    """Everything that was measured on this machine, by model and device: for `zerostem doctor`."""
    return {key: {name: Measured(**row) for name, row in rows.items()} for key, rows in _all().items()}


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


def _key(subject: Subject) -> str:
    chip = torch.cuda.get_device_name(subject.device) if subject.device.type == "cuda" else str(subject.device)
    return f"{subject.name} {subject.fingerprint} on {chip}, torch {torch.__version__}"
