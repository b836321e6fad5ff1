"""What a comparison found, for people and programs: a table, a CSV of every figure, a picture, and some stems to hear."""

import csv
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from engine.files.spectrogram_plot import FAINT, HUES, INK, PAPER, PlotRow, draw
from engine.research.bench import clap
from engine.research.bench.clap import Clap
from engine.research.bench.comparison import ComparisonRow
from engine.research.bench.tables import table

COLUMNS: dict[str, str] = {
    "si_sdr": "SI-SDR, dB",
    "si_sdr_gain": "SI-SDR gain",
    "sdr": "SDR, dB",
    "sdr_gain": "SDR gain",
    "sir": "SIR, dB",
    "sir_gain": "SIR gain",
    "sar": "SAR, dB",
    "silenced": "silenced",
    "energy": "absent, dB",
    "null": "null, dBFS",
    "lag": "lag",
    "realtime": "s per s",
    "memory_mib": "MiB",
    "fad": "FAD",
    "clap_a": "CLAP-A",
    "clap_t": "CLAP-T",
    "lpaps": "LPAPS",
}
"""Figure -> its heading."""
MEDIANS = {"si_sdr", "si_sdr_gain", "sir", "sir_gain", "sar", "sdr", "sdr_gain", "energy"}
"""Where a perfect stem has infinitely much and a silent one infinitely little, a mean says nothing."""
WORST = {"null", "lag", "memory_mib"}
LEFT_DB = -30.0
PLACES = {"fad": 3, "clap_a": 3, "clap_t": 3, "lpaps": 3, "realtime": 3, "lag": 0, "memory_mib": 0}


def summary(rows: Sequence[ComparisonRow], crowd: dict[str, float]) -> str:
    """A row per separator: medians of decibels, means of the rest, the worst null, lag and memory.

    crowd: the FAD of each, which no single stem has. Only questions count that were answered by every separator that answered
    any, so that all figures are about the same ones; how many those are, and what was refused, stands below.
    """
    answered = {row.system for row in rows if not row.refused}
    systems = [system for system in dict.fromkeys(row.system for row in rows) if system in answered]
    refused = {row.question.id for row in rows if row.refused and row.system in answered}
    common = [row for row in rows if row.question.id not in refused and row.system in answered]
    shown = [name for name in COLUMNS if (name == "fad" and crowd) or any(name in row.figures for row in common)]
    lines = []
    for system in systems:
        own = [row for row in common if row.system == system]
        cells = [str(len(own))]
        for name in shown:
            values = [row.figures[name] for row in own if name in row.figures]
            values = [crowd[system]] if name == "fad" and system in crowd else values
            cells.append(_cell(name, values))
        lines.append((system, *cells))
    page = table(("separator", "n", *(COLUMNS[name] for name in shown)), lines)
    notes = [_note(rows, system) for system in dict.fromkeys(row.system for row in rows)]
    present = len({row.question.id for row in common if row.question.target})
    absent = len({row.question.id for row in common}) - present
    told = f"{present} questions about sounds that are there, {absent} about sounds that are not; no permutation."
    means = (
        "Medians of dB; means of the rest; the worst null, lag and memory of the process; silenced: how many that are there."
    )
    return "\n\n".join([page, f"{told} {means}", *filter(None, notes)])


def _cell(name: str, values: Sequence[float]) -> str:
    if not values:
        return ""
    if name == "silenced":
        return f"{sum(values):.0f}"
    if name in WORST:
        value = max(values, key=abs if name == "lag" else float)
    else:
        value = float(np.median(values) if name in MEDIANS else np.mean(values))
    return f"{value:.{PLACES.get(name, 1)}f}" if np.isfinite(value) else str(value)


def _note(rows: Sequence[ComparisonRow], system: str) -> str:
    own = [row for row in rows if row.system == system]
    why = [row.refused for row in own if row.refused]
    if not why:
        return ""
    what = "could answer none" if len(why) == len(own) else f"refused {len(why)} questions, and they count for nobody"
    return f"{system} {what}; the first: {why[0]}"


def embedded(rows: Sequence[ComparisonRow], model: Clap) -> tuple[list[ComparisonRow], dict[str, float]]:
    """The rows with CLAP-A, CLAP-T and LPAPS of stems whose sound is there, and each separator's FAD (of two stems or more)."""
    told, crowd = list[ComparisonRow](), {}
    for system in dict.fromkeys(row.system for row in rows):
        there, others = list[tuple[ComparisonRow, Path, Path]](), list[ComparisonRow]()
        for row in rows:
            if row.system == system and row.stem and row.question.target:
                there.append((row, row.stem, row.question.target))
            elif row.system == system:
                others.append(row)
        told += others
        if not there:
            continue
        kept, stems, targets = zip(*there, strict=True)
        figures = {
            "clap_a": clap.clap_a(model, stems, targets),
            "clap_t": clap.clap_t(model, stems, [row.question.prompt for row in kept]),
            "lpaps": clap.lpaps(model, stems, targets),
        }
        for index, row in enumerate(kept):
            more = {name: values[index] for name, values in figures.items()}
            told.append(ComparisonRow(row.system, row.question, row.figures | more, row.stem))
        if len(stems) > 1:
            crowd[system] = clap.fad(model, stems, targets)
    return told, crowd


def write_csv(path: Path, rows: Iterable[ComparisonRow]) -> None:
    """Every figure of every stem, one line each."""
    names = [*COLUMNS, "seconds"]
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(("separator", "id", "prompt", "mixture", "present", *names, "refused"))
        for row in rows:
            asked = row.question
            figures = [row.figures.get(name, "") for name in names]
            there = int(asked.target is not None)
            lines.writerow((row.system, asked.id, asked.prompt, asked.mixture, there, *figures, row.refused))


def draw_gains(path: Path, rows: Sequence[ComparisonRow]) -> None:
    """Each separator's SI-SDR gains as dots, its median as a line; below LEFT_DB (silence, say) they lie on the left edge."""
    from matplotlib.figure import Figure

    systems = list(dict.fromkeys(row.system for row in rows if "si_sdr_gain" in row.figures))
    figure = Figure(figsize=(10, 0.6 * len(systems) + 1.4), dpi=110, facecolor=PAPER, layout="constrained")
    axis = figure.subplots()
    spread = np.random.default_rng(0)
    for place, system in enumerate(reversed(systems)):
        told = [row.figures["si_sdr_gain"] for row in rows if row.system == system and "si_sdr_gain" in row.figures]
        gains = np.maximum(told, LEFT_DB)
        hue = HUES[place % len(HUES)]
        axis.scatter(gains, place + spread.uniform(-0.2, 0.2, len(gains)), s=10, color=hue, alpha=0.7, linewidths=0)
        axis.plot([np.median(gains)] * 2, [place - 0.32, place + 0.32], color=INK, linewidth=2)
    axis.set_yticks(range(len(systems)), list(reversed(systems)), color=INK)
    axis.set_xlabel("SI-SDR gain over the mixture, dB: each stem, and the median", color=FAINT)
    axis.axvline(0, color=FAINT, linewidth=0.8)
    axis.tick_params(colors=FAINT)
    axis.set_facecolor(PAPER)
    figure.savefig(path)


def keep_samples(folder: Path, rows: Sequence[ComparisonRow], count: int) -> None:
    """For the first questions whose sound is there: mixture, target and every stem side by side, and their spectrograms."""
    asked = list(dict.fromkeys(row.question for row in rows if row.question.target and not row.refused))[:count]
    for question in asked:
        place = folder / question.id
        place.mkdir(parents=True, exist_ok=True)
        assert question.target
        shown = {"mixture": question.mixture, "target": question.target}
        shown |= {row.system: row.stem for row in rows if row.question == question and row.stem and row.system != "mixture"}
        files = {name: place / f"{name.replace('/', '_')}{file.suffix}" for name, file in shown.items()}
        for name, file in files.items():
            shutil.copyfile(shown[name], file)
        panels = [PlotRow(name, question.prompt, file, HUES[n % len(HUES)]) for n, (name, file) in enumerate(files.items())]
        draw(place / "spectrograms.png", [panels[n : n + 2] for n in range(0, len(panels), 2)])
