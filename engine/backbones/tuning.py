"""Picks a model's execution and batch size for this machine.

On a CPU it is the fastest measured batch size whose calls are short enough to cancel within a second; on a GPU the free memory
bounds it. What is measured is kept, so that the plan, and with it the last bits of a result, stay the same from start to start.
"""

import math

from engine.backbones.base import Backbone
from engine.execution import device
from engine.execution.autotune import AUTO, Measurement, choose_runner, load_measurements

MEMORY_SHARE = 0.5
"""Of a GPU's free memory for one call: windows, trails and the codec need some too."""
MAX_ITEMS = 256
"""Items of a call: beyond that no GPU gets faster."""


def tune(backbone: Backbone, execution: str = AUTO) -> None:
    """Set the execution and batch size of a loaded model.

    Raises BadRequest for an execution that nobody knows, BadModel for one that is not to be had here.
    """
    if (network_spec := backbone.network_spec) is None:
        return
    run = choose_runner(network_spec, execution, backbone.run)
    vars(backbone).update(run=run)
    if row := load_measurements(network_spec).get(run.name):
        vars(backbone).update(batch=choose_batch_size(backbone, row))


def choose_batch_size(backbone: Backbone, row: Measurement) -> int:
    """Items per call: the measured number, but on CUDA a power of two that fits in memory."""
    if backbone.device.type == "cuda" and row.size:
        return _power_of_two(min(MEMORY_SHARE * device.free_memory(backbone.device) / row.size, MAX_ITEMS))
    return row.items


def _power_of_two(most: float) -> int:
    return 1 << math.floor(math.log2(max(most, 1.0)))
