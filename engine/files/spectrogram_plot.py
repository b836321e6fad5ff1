"""One picture of what went in and what came out: spectrograms side by side, on one scale."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from host_bridge.errors import CannotWrite

SHOWN_S = 60
"""Of longer files, only the beginning is drawn."""
FRAME, COLUMNS, ROWS = 4096, 1600, 320
LOW_HZ, HIGH_HZ = 40.0, 16_000.0
RANGE_DB = 75.0
"""Below the mix's loudest spot everything is background."""

PAPER, INK, FAINT = "#0b0e14", "#f2f4f8", "#8b93a3"
MIX, REST = "#c9d1d9", "#7d8590"
HUES = ("#4cc9f0", "#ffb703", "#f72585", "#80ed99", "#b388ff", "#ff7b54")
MAKER = "ZeroStem demo"


@dataclass(frozen=True, slots=True)
class PlotRow:
    """One file to draw: its title, a word on the right, and the colour of its loudest spots."""

    title: str
    note: str
    path: Path
    hue: str


def refuse_foreign_file(path: Path) -> None:
    """Raise CannotWrite where another picture than one of ours is in the way."""
    if path.exists() and (not path.is_file() or MAKER.encode() not in path.read_bytes()):
        raise CannotWrite(f"{path} is in the way, and it is none of our pictures.", "Move it, or choose another folder.")


def draw(path: Path, rows: Sequence[Sequence[PlotRow]]) -> None:
    """Write the panels, row by row, as a PNG. The first one sets the scale of all."""
    columns = max(map(len, rows))
    spacing = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.05, wspace=0.015, hspace=0.02)
    figure = Figure(figsize=(13.0, 2.15 * len(rows) + 0.7), dpi=110, facecolor=PAPER, layout=spacing)
    axes: NDArray[np.object_] = figure.subplots(len(rows), columns, sharex=True, sharey=True, squeeze=False)
    loudest = None
    for row, panels in enumerate(rows):
        for column in range(columns):
            if column >= len(panels):
                axes[row, column].remove()
                continue
            levels, seconds = _levels(panels[column].path)
            loudest = levels.max() if loudest is None else loudest
            _show(axes[row, column], panels[column], levels - loudest, seconds)
    for axis in axes[-1]:
        axis.set_xlabel("seconds", color=FAINT, fontsize=9)
    figure.savefig(path, metadata={"Software": MAKER})


def _levels(path: Path) -> tuple[NDArray[np.float64], float]:
    """A file's levels in dB (ROWS, columns), low frequencies first and evenly spaced in octaves, and its seconds."""
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        sound = file.read(SHOWN_S * rate, always_2d=True).mean(1)
    hop = max(FRAME // 16, len(sound) // COLUMNS)
    padded = np.pad(sound, (FRAME // 2, FRAME // 2 + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::hop][: -(-len(sound) // hop)]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1))).T
    places = np.clip(np.geomspace(LOW_HZ, HIGH_HZ, ROWS + 1) * FRAME / rate + 0.5, 0, len(power))
    low = np.minimum(places.astype(int), len(power) - 1)
    total = np.concatenate([np.zeros((1, power.shape[1])), np.cumsum(power, axis=0)])  # of all bins below each
    below = total[low] + (places - low)[:, None] * power[low]
    mean = np.diff(below, axis=0) / np.maximum(np.diff(places), 1e-9)[:, None]
    return 10 * np.log10(np.maximum(mean, 1e-16)), len(sound) / rate


def _show(axis: Axes, panel: PlotRow, levels: NDArray[np.float64], seconds: float) -> None:
    colours = LinearSegmentedColormap.from_list(panel.title, [(0, PAPER), (0.62, panel.hue), (1, "#ffffff")])
    places = (0, seconds, 0, np.log2(HIGH_HZ / LOW_HZ))
    axis.imshow(levels, origin="lower", aspect="auto", cmap=colours, vmin=-RANGE_DB, vmax=0, extent=places)
    ticks = {100: "100", 1000: "1 k", 10_000: "10 kHz"}
    axis.set_yticks([np.log2(hertz / LOW_HZ) for hertz in ticks], list(ticks.values()))
    axis.tick_params(colors=FAINT, labelsize=8.5, length=0, pad=5)
    axis.set_facecolor(PAPER)
    for spine in axis.spines.values():
        spine.set_color("#232936")
    axis.set_title(panel.title, loc="left", color=panel.hue, fontsize=12.5, fontweight="bold", pad=6)
    axis.set_title(panel.note, loc="right", color=FAINT, fontsize=9.5, pad=6)
    if levels.max() < -RANGE_DB:
        axis.text(seconds / 2, places[3] / 2, "silence", color=FAINT, fontsize=11, ha="center", va="center")
