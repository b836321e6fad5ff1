"""Environment variables that our dependencies read once, when they are loaded: set here, before any of them is imported.

Two kinds. Threads that wait for each other sleep instead of spinning: beside one busy program on two cores, spinning OpenMP
threads made a job thirty times slower. And nothing reports usage to anybody. A variable that the user has set is left alone.
"""

import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from host_bridge.settings import places


@dataclass(frozen=True, slots=True)
class Setting:
    """A variable and the value that we give it. reader: the module that reads it, once, when it is imported."""

    name: str
    value: str
    reader: str
    purpose: str


SETTINGS = (
    Setting("OMP_WAIT_POLICY", "PASSIVE", "torch", "OpenMP threads sleep while they wait (GCC's, LLVM's and Intel's library)"),
    Setting("KMP_BLOCKTIME", "0", "torch", "the same, as Intel's and LLVM's OpenMP (macOS, Windows, MKL) call it"),
    Setting("ORT_DISABLE_TELEMETRY", "1", "onnxruntime", "ONNX Runtime writes no device id and sends no events"),
    Setting("HF_HUB_DISABLE_TELEMETRY", "1", "huggingface_hub", "huggingface_hub, transformers and diffusers report no usage"),
    Setting("DISABLE_TELEMETRY", "1", "huggingface_hub", "the same, by the older name"),
    Setting("DO_NOT_TRACK", "1", "huggingface_hub", "the same, for whatever follows donottrack.sh"),
    Setting("DISABLE_SAFETENSORS_CONVERSION", "1", "transformers", "transformers asks nobody to convert a model's weights"),
)

FOLDERS = {
    "MPLCONFIGDIR": "matplotlib",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TRITON_CACHE_DIR": "triton",
    "PYTORCH_KERNEL_CACHE_PATH": "torch-kernels",
    "CUDA_CACHE_PATH": "cuda",
}
"""Where dependencies keep what they can compute again: folders of our cache, in our own processes only."""


def prepare() -> None:
    """Set what is not set yet. Warns (RuntimeWarning) where it comes too late, since a module that reads it is loaded."""
    late = [setting for setting in SETTINGS if setting.name not in os.environ and setting.reader in sys.modules]
    for setting in SETTINGS:
        os.environ.setdefault(setting.name, setting.value)
    _late.update(setting.name for setting in late)
    if late:
        modules = " and ".join(dict.fromkeys(setting.reader for setting in late))
        names = ", ".join(f"{setting.name}={setting.value}" for setting in late)
        warnings.warn(
            f"{modules} was imported before ZeroStem, so that {names} cannot take effect: beside other programs separating may "
            "be many times slower, and ONNX Runtime may report usage. Import `engine` first, or set them before Python starts.",
            RuntimeWarning,
            stacklevel=3,
        )


def prepare_process() -> None:
    """`prepare`, for a process of our own: what dependencies cache goes into our cache folder, not into the user's home."""
    prepare()
    cache = places().cache
    for name, folder in FOLDERS.items():
        os.environ.setdefault(name, str(cache / folder))


def in_effect() -> Iterator[tuple[Setting, str]]:
    """Each setting, and what is in effect: "as ZeroStem sets it", another value, or that it came too late."""
    for setting in SETTINGS:
        value = os.environ.get(setting.name)
        if value is None:
            yield setting, "not set"
        elif setting.name in _late:
            yield setting, f"TOO LATE: {setting.reader} was imported before ZeroStem"
        elif value.casefold() != setting.value.casefold():
            yield setting, f"SET TO {value} by you"
        else:
            yield setting, f"{value}: {setting.purpose}"


def cache_folders() -> Iterator[tuple[str, Path | None]]:
    """Each variable of `FOLDERS`, and the folder that it names now."""
    for name in FOLDERS:
        value = os.environ.get(name)
        yield name, Path(value) if value else None


_late: set[str] = set()
