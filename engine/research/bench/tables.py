"""Figures as markdown tables, for terminals and pages alike."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table, aligned to be read as it is; all columns but the first are numbers."""
    cells = [list(headings), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        sized = enumerate(zip(row, widths, strict=True))
        lines.append(" | ".join(f"{cell:{'>' if index else '<'}{width}}" for index, (cell, width) in sized))
    rule = " | ".join("-" * width if index == 0 else "-" * (width - 1) + ":" for index, width in enumerate(widths))
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def tenths(value: float) -> str:
    """A figure in tenths, with no minus before a zero; "silence" for what has no energy."""
    return "silence" if value == -np.inf else f"{round(value, 1) + 0.0:.1f}"


def mean(values: Sequence[float]) -> str:
    """The mean, in tenths; nothing of nothing."""
    return tenths(float(np.mean(values))) if values else ""


def median(values: Sequence[float]) -> str:
    """The median, in tenths."""
    return tenths(float(np.median(values))) if values else ""


def percent(truths: Sequence[bool] | NDArray[np.bool_]) -> str:
    """The share of those that hold."""
    return f"{100 * np.mean(truths):.0f} %" if len(truths) else ""
