"""Where ZeroStem keeps what is its own: the usual folders of each system, or all of it under ZEROSTEM_HOME.

Model weights are not ours to place: they stay in the Hugging Face cache (HF_HOME). Nothing is created here; whoever
writes first makes the folder.
"""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import platformdirs

PORT = 27182
"""The first port that the daemon tries, for UDP and TCP; below what systems hand out by themselves."""


@dataclass(frozen=True, slots=True)
class Places:
    """Absolute paths; all are folders but `runtime`."""

    config: Path
    """Settings; the user's own presets in `presets/` below it."""
    cache: Path
    """Inversions and whatever else can be computed again: safe to delete."""
    spool: Path
    """One folder per job: region in, stems out."""
    log: Path
    runtime: Path
    """The file that says how to reach the running engine."""


def places() -> Places:
    """The places as the environment has them now."""
    if home := os.environ.get("ZEROSTEM_HOME"):
        root = Path(home).expanduser().absolute()
        return Places(root / "config", root / "cache", root / "spool", root / "log", root / "engine.json")
    system = platformdirs.PlatformDirs("zerostem", appauthor=False)
    with warnings.catch_warnings(action="ignore"):  # where XDG_RUNTIME_DIR is not set, another folder will do as well
        runtime = system.user_runtime_path
    return Places(
        config=system.user_config_path,
        cache=system.user_cache_path,
        spool=system.user_data_path / "spool",
        log=system.user_log_path,
        runtime=runtime / "engine.json",
    )
