"""What the races came to, as a picture: times as fast as the published recipe."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from engine.files.spectrogram_plot import FAINT, INK, PAPER
from engine.research.bench.races import RaceResult

REFERENCE, USUAL, GOAL = "#8b93a3", "#4cc9f0", "#ffb703"


def draw(path: Path, results: Sequence[RaceResult]) -> None:
    """Write a PNG: a pair of bars for each race, and a mark where a goal is set."""
    figure = Figure(figsize=(9.0, 1.4 + 0.42 * len(results)), dpi=110, facecolor=PAPER, layout="constrained")
    axis = figure.subplots()
    axis.set_facecolor(PAPER)
    rows = np.arange(len(results))[::-1]
    axis.barh(rows + 0.19, [each.usual for each in results], 0.36, color=USUAL, label="as it runs")
    axis.barh(rows - 0.19, [each.reference for each in results], 0.36, color=REFERENCE, label="in float32, the same numbers")
    aims = [(row, each.goal) for row, each in zip(rows, results, strict=True) if each.goal]
    axis.scatter([goal for _, goal in aims], [row + 0.19 for row, _ in aims], marker="|", s=180, color=GOAL, label="goal")
    for row, each in zip(rows, results, strict=True):
        axis.text(each.usual, row + 0.19, f"  {each.usual:.1f}", color=INK, va="center", fontsize=8.5)
    axis.axvline(1, color=FAINT, linewidth=0.8)
    axis.set_yticks(rows, [_label(each) for each in results])
    axis.tick_params(colors=INK, labelsize=8.5, length=0)
    axis.set_xlabel("times as fast as the published recipe", color=INK)
    axis.spines[:].set_visible(b=False)
    axis.legend(facecolor=PAPER, edgecolor=PAPER, labelcolor=INK, loc="lower right", fontsize=8.5)
    figure.savefig(path)


def _label(result: RaceResult) -> str:
    prompts = "1 prompt" if result.prompts == 1 else f"{result.prompts} prompts"
    return f"{result.title.split(',')[0]}, {result.mode}, {prompts}, {result.seconds:g} s"
