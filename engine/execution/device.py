"""Which device computes: chosen by name, never in silence, and how much memory it has left."""

import re

import psutil
import torch

from host_bridge.errors import BadModel, BadRequest


def choose(name: str = "auto") -> torch.device:
    """The device for "auto", "cpu", "cuda", "cuda:N" or "mps"; auto takes CUDA, else MPS, else the processor.

    Raises BadRequest for a name that means no device; BadModel where this machine does not have it, saying why.
    """
    if name == "auto":
        return torch.device("cuda", 0) if cuda_missing() is None else torch.device("cpu" if mps_missing() else "mps")
    if name == "cpu":
        return torch.device("cpu")
    if name == "mps":
        if why := mps_missing():
            raise BadModel(f"There is no MPS device here: {why}.", "Use --device auto or cpu.")
        return torch.device("mps")
    if not (match := re.fullmatch(r"cuda(?::(\d+))?", name, re.ASCII)):
        raise BadRequest(f"There is no device called '{name}'.", "Choose auto, cpu, cuda, cuda:N or mps.")
    if why := cuda_missing():
        raise BadModel(f"There is no CUDA device here: {why}.", "Use --device auto or cpu, or mend that first.")
    index, count = int(match[1] or 0), torch.cuda.device_count()
    if index >= count:
        held = "the only one is cuda:0" if count == 1 else f"they are cuda:0 to cuda:{count - 1}"
        raise BadModel(f"There is no device cuda:{index} here: {held}.", "Choose one of those.")
    return torch.device("cuda", index)


def every(name: str = "auto") -> list[str]:
    """The devices that many inputs are spread over: all CUDA devices for "auto", else the one that `choose` would take."""
    chosen = choose(name)
    if name == "auto" and chosen.type == "cuda":
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return [str(chosen)]


def cuda_missing() -> str | None:
    """Why CUDA (or ROCm, which goes by its name) cannot be used; None where it can."""
    if not (torch.version.cuda or torch.version.hip):
        return f"this PyTorch ({torch.__version__}) is built for the processor only"
    if torch.cuda.is_available():
        return None
    return f"PyTorch {torch.__version__} finds no driver that is new enough, or no device behind it"


def mps_missing() -> str | None:
    """Why Apple's Metal cannot be used; None where it can."""
    if not torch.backends.mps.is_built():
        return f"this PyTorch ({torch.__version__}) is built without it"
    return None if torch.backends.mps.is_available() else "this Mac or its system is too old"


def describe(device: torch.device) -> str:
    """The device as one tells a person: its name, and how much memory is free."""
    free = f"{free_memory(device) / 2**30:.1f} GiB free"
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)}, {free})"
    kind = "Apple GPU" if device.type == "mps" else f"{torch.get_num_threads()} threads"
    return f"{device} ({kind}, {free})"


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated there."""
    if device.type == "cuda":
        free, _total = torch.cuda.mem_get_info(device)
        return int(free)
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return int(psutil.virtual_memory().available)
