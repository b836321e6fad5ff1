"""How a network pass runs: to add a way, write it and name it here. `choice` finds the fastest on this machine."""

from engine.execution.base import Execution
from engine.execution.onnx import Onnx
from engine.execution.plain import PLAIN, Compiled

EXECUTIONS: dict[str, Execution] = {
    execution.name: execution
    for execution in (
        *PLAIN,
        Compiled("compiled"),
        Onnx("onnx", int8=False),
        Onnx("onnx-int8", int8=True),
    )
}
REFERENCE = "torch-fp32"
"""What every other way is held against, and what a job goes on with when another breaks."""
