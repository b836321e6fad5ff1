"""Sound to listen to, and a spool to look into."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from host_bridge.spool.job_folders import Spool
from ui.models.reading import SoundFile

Write = Callable[..., SoundFile]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    """Writes (frames, channels) or (frames,) into a file of its own and opens it."""
    count = 0

    def write(sound: NDArray[np.floating], rate: int = 48_000, name: str = "", subtype: str = "FLOAT") -> SoundFile:
        nonlocal count
        count += 1
        path = tmp_path / (name or f"sound-{count}.wav")
        soundfile.write(path, sound, rate, subtype=subtype)
        return SoundFile(path)

    return write


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made
