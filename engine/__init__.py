"""The engine: a region and prompts in, stems out. `from engine import separate` loads torch, `import engine` none."""

from typing import TYPE_CHECKING, Any

from host_bridge.environment import prepare

if TYPE_CHECKING:
    from engine.separation import separate

__all__ = ["separate"]

prepare()  # before torch and ONNX Runtime are loaded, which read their environment once


def __getattr__(name: str) -> Any:
    if name in __all__:
        from engine import separation

        return getattr(separation, name)
    raise AttributeError(f"module 'engine' has no attribute '{name}'")
