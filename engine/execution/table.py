"""All executions, by name. To add one: one class, and one line here. `autotune` finds the fastest."""

from engine.execution.base import Execution
from engine.execution.onnx import Onnx
from engine.execution.packed import Packed
from engine.execution.plain import PLAIN, Compiled

EXECUTIONS: dict[str, Execution] = {
    execution.name: execution
    for execution in (
        *PLAIN,
        Packed(),
        Compiled("compiled"),
        Onnx("onnx", int8=False),
        Onnx("onnx-int8", int8=True),
    )
}
