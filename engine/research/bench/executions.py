"""Ways to run a model's network on this machine, side by side; what is measured here counts for `--execution auto`."""

import time
from collections.abc import Sequence

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.execution.autotune import benchmark_all, load_measurements, ranked, save_measurements
from engine.execution.base import Execution, NetworkSpec
from engine.execution.plain import REFERENCE, network_dtype
from engine.execution.table import EXECUTIONS
from engine.research.bench.tables import table

SIZE, TIMES = 2048, 5
"""Of the matrices whose product is the peak that networks are held against, and of how many products the best counts."""


def told(network_spec: NetworkSpec, ways: Sequence[Execution] = tuple(EXECUTIONS.values())) -> str:
    """A row per way: milliseconds per item, in which batches, how many times as fast as float32, what share of the device's
    own matrix products it comes to, how far its answer is from float32's."""
    found = load_measurements(network_spec) | benchmark_all(network_spec, list(ways))
    save_measurements(network_spec, found)
    plain, worker = found[REFERENCE].seconds, _operations(network_spec)
    peaks = {dtype: _peak(network_spec.device, dtype) for dtype in {torch.float32, network_dtype(network_spec.device)}}
    rows = []
    for way in ways:
        if (row := found.get(way.name)) is None:
            why = way.missing(network_spec.device) or "it failed, see the log"
            rows.append((way.name, "", "", "", "", "", f"not measured: {why}"))
            continue
        dtype = _format(way.name, network_spec.device)
        share = f"{100 * worker / row.seconds / peaks[dtype]:.0f} %" if dtype in peaks else ""
        fast = (f"{1000 * row.seconds:.1f}", f"{row.items}", f"{plain / row.seconds:.2f}", share)
        rows.append((way.name, *fast, f"{row.difference:.1e}", ""))
    shown = table(("execution", "ms per item", "items", "times float32", "of the peak", "apart", ""), rows)
    measured = " and ".join(f"{peak / 1e12:.2f} TFLOP/s in {str(dtype)[6:]}" for dtype, peak in peaks.items())
    return f"{shown}\n\n`--execution auto` takes {ranked(found)[0]}. An item is {worker / 1e9:.1f} GFLOP; the peak: {measured}."


def _operations(network_spec: NetworkSpec) -> float:
    """Floating-point operations of one item's products and convolutions."""
    with FlopCounterMode(display=False) as counter:
        EXECUTIONS[REFERENCE].prepare(network_spec)(network_spec.example)
    return float(counter.get_total_flops() / len(next(iter(network_spec.example.values()))))


def _peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of one large product of matrices."""
    matrix, seconds = torch.randn(SIZE, SIZE, device=device).to(dtype), list[float]()
    for _ in range(TIMES + 1):  # the first finds its kernel
        began = time.perf_counter()
        (matrix @ matrix)[0, 0].item()
        seconds.append(time.perf_counter() - began)
    return float(2 * SIZE**3 / min(seconds[1:]))


def _format(name: str, device: torch.device) -> torch.dtype | None:
    """The number format that a way multiplies in; None for whole numbers."""
    known_formats = {"torch-fp32": torch.float32, "torch-bf16": torch.bfloat16, "torch-fp16": torch.float16}
    return {**known_formats, "onnx": torch.float32, "onnx-int8": None}.get(name, network_dtype(device))
