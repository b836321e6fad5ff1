"""How a model works on this machine: which way its network runs, and how many items go through it at once.

On a CPU a batch is what was the fastest, in calls so short that the device can be had within a second; on a GPU it is bounded
by the memory that is free.
What is measured is kept, so that the plan, and with it the last bits of a result, stay the same from start to start.
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
    """Let a model that was loaded run the way that is wanted, in batches that suit it.

    Raises BadRequest for an execution that nobody knows, BadModel for one that is not to be had here.
    """
    if (network_spec := backbone.network_spec) is None:
        return
    run = choose_runner(network_spec, execution, backbone.run)
    vars(backbone).update(run=run)
    if row := load_measurements(network_spec).get(run.name):
        vars(backbone).update(batch=choose_batch_size(backbone, row))


def choose_batch_size(backbone: Backbone, row: Measurement) -> int:
    """Items per call: as measured, but on CUDA a power of two by memory."""
    if backbone.device.type == "cuda" and row.size:
        return _power_of_two(min(MEMORY_SHARE * device.free_memory(backbone.device) / row.size, MAX_ITEMS))
    return row.items


def _power_of_two(most: float) -> int:
    return 1 << math.floor(math.log2(max(most, 1.0)))
