"""What this machine and installation are like, as a report to paste: it never fails, a broken check says so."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from host_bridge import environment
from host_bridge.errors import BadModel, ZeroStemError

if TYPE_CHECKING:
    from engine.models.catalogue import Weights
    from host_bridge.client.client import Client

Check = tuple[str, Callable[[], str]]
"""What is looked at, and how to find out."""

PACKAGES = (
    "torch", "numpy", "scipy", "diffusers", "transformers", "accelerate", "safetensors", "huggingface_hub", "soundfile",
    "soxr", "python-osc", "watchfiles", "av", "scikit-learn", "matplotlib", "platformdirs", "psutil", "rich", "PyQt6",
    "sounddevice", "pyfluidsynth", "onnxruntime", "onnx",
)  # fmt: skip
CPU_SKILLS = (
    "avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm",
)  # fmt: skip
"""Processor flags, as Linux spells them, that change how fast a model runs."""
VARIABLES = (
    "ZEROSTEM_HOME", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
    "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ENABLE_MPS_FALLBACK",
)  # fmt: skip
PYQT6_LICENCE = "GPL-3.0: the panel and ZeroStem, passed on together, are under it as a whole"
GIB = 2**30


def report() -> dict[str, dict[str, str]]:
    """Topic -> what was looked at -> what was found, in a few words each. Home folders are written as ~."""
    return {topic: dict(_examined(checks)) for topic, checks in TOPICS.items()}


def as_text(findings: dict[str, dict[str, str]]) -> str:
    """The report for people: one line per finding, aligned."""
    width = max(len(name) for lines in findings.values() for name in lines)
    blocks = []
    for topic, lines in findings.items():
        blocks.append("\n".join([topic.capitalize(), *(f"  {name:{width}}  {found}" for name, found in lines.items())]))
    return "\n\n".join(blocks)


def _examined(checks: Callable[[], Iterator[Check]]) -> Iterator[tuple[str, str]]:
    try:
        for name, look in checks():
            try:
                found = look()
            except Exception as error:  # noqa: BLE001 - that something breaks here is what a report is for
                found = _broken(error)
            yield name, found
    except Exception as error:  # noqa: BLE001 - as above, where already the list of checks breaks
        yield "all of it", _broken(error)


def _broken(error: Exception) -> str:
    return f"FAILED: {type(error).__name__}: {' '.join(str(error).split())}"


def _versions() -> Iterator[Check]:
    yield "zerostem", lambda: importlib.metadata.version("zerostem")
    yield "python", lambda: f"{platform.python_version()} in {_short(Path(sys.prefix))}"
    for package in PACKAGES:
        yield package, partial(_version_here, package)


def _machine() -> Iterator[Check]:
    yield "system", _system
    yield "processor", _processor
    yield "cores", _cores
    yield "skills", _skills
    yield "memory", _memory


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:  # not Linux
        return platform.platform()
    return f"{name} ({platform.platform()})"


def _cpuinfo() -> dict[str, str]:
    """Linux's own description of the first core; empty elsewhere."""
    file = Path("/proc/cpuinfo")
    first = file.read_text(encoding="utf-8").split("\n\n")[0] if file.exists() else ""
    pairs = (line.split(":", 1) for line in first.splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in pairs}


def _processor() -> str:
    return f"{_cpuinfo().get('model name') or platform.processor() or 'unnamed'}, {platform.machine()}"


def _cores() -> str:
    import psutil

    usable = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else os.cpu_count()
    return f"{usable} usable of {psutil.cpu_count()} ({psutil.cpu_count(logical=False) or 'unknown'} physical)"


def _skills() -> str:
    import torch

    info = _cpuinfo()
    flags = set((info.get("flags") or info.get("Features") or "").split())
    known = [skill for skill in CPU_SKILLS if skill in flags]
    return f"{' '.join(known) or 'unknown'}; PyTorch uses {torch.backends.cpu.get_cpu_capability()}"


def _memory() -> str:
    import psutil

    memory = psutil.virtual_memory()
    return f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f} GiB"


def _devices() -> Iterator[Check]:
    import torch

    from engine.execution import device

    yield "chosen by auto", lambda: device.describe(device.choose("auto"))
    yield "cpu", lambda: device.describe(torch.device("cpu"))
    if lacking := device.cuda_missing():
        yield "cuda", lambda: f"none: {lacking}"
    else:
        for index in range(torch.cuda.device_count()):
            yield f"cuda:{index}", partial(device.describe, torch.device("cuda", index))
        yield "cuda version", lambda: str(torch.version.cuda or torch.version.hip)
    yield "mps", lambda: f"none: {why}" if (why := device.mps_missing()) else device.describe(torch.device("mps"))


def _models() -> Iterator[Check]:
    """The catalogue's models, then whatever else in the hub's cache the engine could run."""
    from engine.models import catalogue

    for model in catalogue.CATALOGUE.values():
        yield model.name, partial(_state, model)
    published = {model.hub for model in catalogue.CATALOGUE.values()}
    for hub in sorted(set(_cached()) - published):
        with suppress(ZeroStemError):  # most of a hub cache is not for us
            yield hub, partial(_state, catalogue.find(hub).weights)


def _state(model: "Weights") -> str:
    from engine.models import catalogue

    folder = catalogue.place(model)
    if folder is None:
        return f"not fetched; {model.licence}"
    try:
        catalogue.at(folder)
    except BadModel as error:
        return f"DAMAGED: {error}"
    return f"here; {model.licence}{'; trained to separate' if model.trained_to_separate else ''}"


def _cached() -> list[str]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.constants import HF_HUB_CACHE

    repositories = scan_cache_dir().repos if Path(HF_HUB_CACHE).is_dir() else ()
    return [repository.repo_id for repository in repositories if repository.repo_type == "model"]


def _executions() -> Iterator[Check]:
    """What was measured on this machine, and which way is taken for it."""
    import torch

    from engine.execution.autotune import ranked, tables
    from engine.execution.table import EXECUTIONS

    found = tables()
    if not found:
        yield "measured", lambda: "nothing yet: the first job measures"
    for key, table in found.items():
        rows = ", ".join(
            f"{name} {1000 * row.seconds:.1f} ms in batches of {row.items} ({row.difference:.1e} off)"
            for name, row in table.items()
        )
        yield key, partial("{} the fastest of {}".format, next(iter(ranked(table)), "none"), rows)
    for name, execution in EXECUTIONS.items():
        if why := execution.missing(torch.device("cpu")):
            yield f"{name} on the processor", partial("no: {}".format, why)


def _daemon() -> Iterator[Check]:
    from host_bridge import discovery
    from host_bridge.client.client import Client, NoDaemon

    announced = discovery.found()
    if announced is None:
        yield "runs", lambda: "no"
        return
    try:
        with Client(announced, "zerostem doctor") as client:
            version = client.hello().version
            device = _device_of(client)
    except NoDaemon:
        yield "runs", lambda: f"NO ANSWER: process {announced.pid} was the last, and did not end in peace"
        return
    yield "runs", lambda: f"yes, process {announced.pid}, version {version}"
    yield "listens", lambda: f"127.0.0.1:{announced.udp}, UDP and TCP"
    yield "jobs", lambda: f"{len(client.spool.ids())} in {_room_at(announced.spool)}"
    yield "device", lambda: device


def _device_of(client: "Client") -> str:
    """Where the daemon's jobs run, by the last of them that says so; else what it could choose from."""
    used = [job.device for job in client.jobs() if job.device]
    if used:
        return f"{used[-1]}, by its last job"
    return f"none used yet, of {', '.join(row.kind for row in client.devices())}"


def _licences() -> Iterator[Check]:
    yield "zerostem's own code", lambda: "MIT"
    yield "pocket's weights", lambda: "MIT"
    yield "PyQt6 (panel)", lambda: PYQT6_LICENCE if _version("PyQt6") else "not installed"


def _folders() -> Iterator[Check]:
    from dataclasses import asdict

    from host_bridge.paths import places

    for name, path in asdict(places()).items():
        yield name, partial(_room_at, path)
    yield "model weights", _hub_cache


def _hub_cache() -> str:
    from huggingface_hub.constants import HF_HUB_CACHE

    return _room_at(Path(HF_HUB_CACHE))


def _room_at(path: Path) -> str:
    """The path, whether it can be written, and how much room its disk has."""
    nearest = next(folder for folder in (path, *path.parents) if folder.is_dir())
    state = "" if os.access(nearest, os.W_OK) else "NOT WRITABLE, "
    return f"{_short(path)} ({state}{shutil.disk_usage(nearest).free / GIB:.1f} GiB free)"


def _short(path: Path) -> str:
    home = Path.home()
    return str(Path("~", path.relative_to(home))) if path.is_relative_to(home) else str(path)


def _libraries() -> Iterator[Check]:
    yield "libsndfile", _libsndfile
    yield "FFmpeg (PyAV)", _ffmpeg
    yield "libsoxr", _libsoxr
    yield "portaudio (panel)", _portaudio
    yield "fluidsynth (train)", _fluidsynth


def _libsndfile() -> str:
    import soundfile

    return f"{soundfile.__libsndfile_version__}, {len(soundfile.available_formats())} formats"


def _ffmpeg() -> str:
    import av

    said = (f"{name} {'.'.join(map(str, av.library_versions[name]))}" for name in ("libavcodec", "libavformat"))
    return f"{', '.join(said)}; its wheel is LGPL-3 with GPL-2 parts"


def _libsoxr() -> str:
    import soxr

    return str(soxr.__libsoxr_version__)


def _portaudio() -> str:
    if not _version("sounddevice"):
        return "not installed"
    import sounddevice

    return str(sounddevice.get_portaudio_version()[1])


def _fluidsynth() -> str:
    from ctypes.util import find_library

    return find_library("fluidsynth") or "not installed"


def _version_here(package: str) -> str:
    return _version(package) or "not installed"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _calls_and_writes() -> Iterator[Check]:
    """What calls out, and what is written where; SECURITY.md says the same at length."""
    yield "network", lambda: "nothing calls out; the hub is asked by `zerostem models fetch`, and by the panel's Models page"
    yield "daemon", lambda: "listens on 127.0.0.1 alone, and answers who shows the token in engine.json"
    for setting, value in environment.in_effect():
        yield setting.name, partial(str, value)
    for name, folder in environment.cache_folders():
        yield name, partial(_room_at, folder) if folder else lambda: "not set: this process is not ours from its start"
    yield "Qt, sound (panel)", lambda: "fontconfig, Mesa and PulseAudio keep caches of their own in ~/.cache and ~/.config"


def _environment() -> Iterator[Check]:
    for variable in VARIABLES:
        yield variable, partial(_set_to, variable)


def _set_to(variable: str) -> str:
    return os.environ.get(variable, "not set")


TOPICS: dict[str, Callable[[], Iterator[Check]]] = {
    "versions": _versions,
    "machine": _machine,
    "devices": _devices,
    "executions": _executions,
    "daemon": _daemon,
    "models": _models,
    "licences": _licences,
    "folders": _folders,
    "system libraries": _libraries,
    "what calls out and what is written where": _calls_and_writes,
    "environment": _environment,
}
