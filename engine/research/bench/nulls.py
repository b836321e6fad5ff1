"""Do stems and rest add up to the mix, on time and to the sample? Whole jobs in every format, measured on the files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr  # type: ignore[import-untyped, unused-ignore]
from numpy.typing import NDArray

from engine.audio.metrics import null_dbfs
from engine.audio.source import open_source
from engine.request import Request
from engine.research.bench.tables import table
from engine.separation import OutputOptions, Separator
from presets import DEMO


@dataclass(frozen=True, slots=True)
class Form:
    """What a file is like."""

    rate: int
    channels: int
    samples: int


FORMS = (
    Form(44_100, 1, 132_301),
    Form(44_100, 2, 132_301),
    Form(44_100, 6, 132_301),
    Form(48_000, 2, 144_001),
    Form(96_000, 2, 288_001),
    Form(22_050, 2, 66_151),
    Form(48_000, 1, 7),
    Form(44_100, 2, 1),
)
"""Odd lengths throughout."""


@dataclass(frozen=True, slots=True)
class Null:
    """What was measured on one format: with all prompts; and with one at strength 0, how far its stem is from the mix."""

    form: Form
    null_dbfs: float
    lag: int | None
    equal: bool
    blank_dbfs: float


def measure(separator: Separator, forms: tuple[Form, ...], prompts: list[str], done: Callable[[], None]) -> list[Null]:
    """Two whole jobs per format."""
    found = []
    for form in forms:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "mix.wav"
            soundfile.write(path, _mix(form), form.rate, subtype="FLOAT")
            told = separator.separate(path, Request.of(prompts), OutputOptions(Path(folder) / "stems"))
            files = [*(Path(stem["path"]) for stem in told["stems"]), Path(told["rest"])]
            equal = {soundfile.info(file).frames for file in files} == {form.samples}
            blank = separator.separate(path, Request.of(prompts[:1], 0.0), OutputOptions(Path(folder) / "blank"))
            same = null_dbfs(open_source(path), [Path(blank["stems"][0]["path"])])
        found.append(Null(form, told["null_dbfs"], told["lag_samples"], equal, same))
        done()
    return found


def told(found: list[Null]) -> str:
    """A row per format."""
    rows = [
        (
            f"{null.form.channels} x {null.form.samples} at {null.form.rate} Hz",
            f"{null.null_dbfs:.1f}",
            "none" if null.lag is None else str(null.lag),
            "equal" if null.equal else "DIFFERS",
            f"{null.blank_dbfs:.1f}",
        )
        for null in found
    ]
    return table(("channels x samples", "null, dBFS", "lag", "length", "strength 0: stem - mix, dBFS"), rows)


def _mix(form: Form) -> NDArray[np.float64]:
    """The demo's mix in this format; more channels hear it a little later and quieter each."""
    sound, rate = soundfile.read(DEMO / "mix.flac", frames=44_100 * 4, always_2d=True)
    whole = soxr.resample(sound, rate, form.rate)
    channels = [np.roll(whole[:, index % 2], 50 * index) / (1 + index // 2) for index in range(form.channels)]
    return np.stack(channels, 1)[: form.samples]
