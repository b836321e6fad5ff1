"""What the strength does, from 0 to 2: ZeroSep's study of omega, on mixes whose parts are known.

`python -m engine.bench.omega` measures, prints the tables and draws docs/omega.png. In `zerosep` omega is the guidance, in
`joint` the power of the mask. Above 1 both leave what a separation may ask for: it is measured here to show why.
"""

import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from engine.backbones.pocket.training.heldout import Mix
from engine.bench.tables import table, tenths
from engine.bench.windows import RECORDED, SOUNDFONT, Asker, Sound
from engine.measure import si_sdr
from engine.methods import METHODS
from host_bridge.arguments import Parser
from host_bridge.cli import safely

OMEGAS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
COMPARED = ("zerosep", "joint")
FIGURES = ("gain", "interference", "artefacts", "energy")
WORDS = {
    "gain": "SI-SDR gain over the mixture, dB",
    "interference": "the other sound in the stem against the wanted one, dB",
    "artefacts": "what is neither, against the wanted one, dB",
    "energy": "the stem against the mixture, dB",
}
HUES = {"zerosep": "#f72585", "joint": "#4cc9f0"}

Study = dict[tuple[str, str, float], list[float]]
"""Method, figure, omega -> one value per mix."""


def measure(asker: Asker, mixes: list[Mix], done: Callable[[], None]) -> Study:
    """Both methods at every omega, towards the first part of every mix, under its name alone."""
    study: Study = defaultdict(list)
    for mix in mixes:
        whole = mix.parts.sum(0)
        for name in COMPARED:
            method = METHODS[name]
            masks = full = asker.ask(method, mix.names[:1], whole).masks
            for omega in OMEGAS:
                power = omega
                if not method.strength_in_mask:
                    power = float(omega > 0)  # at 1 it has been asked, at 0 nothing need be
                    again = (
                        asker.ask(method, mix.names[:1], whole, strength=omega, beyond=True) if omega not in (0, 1) else None
                    )
                    masks = again.masks if again else full
                stem = asker.stems(whole, masks, power)[0]
                for figure, value in zip(FIGURES, figures(stem, mix.parts, whole), strict=True):
                    study[name, figure, omega].append(value)
        done()
    return study


def figures(stem: Sound, parts: Sound, whole: Sound) -> tuple[float, float, float, float]:
    """`FIGURES` of a stem (N,) of the parts (2, N), the wanted one first.

    The stem is the sum of what the least squares find of either part in it, and of what they do not (Le Roux et al. 2019).
    """
    wanted, other = np.asarray(parts, np.float64)
    shares = np.linalg.lstsq(np.stack([wanted, other], 1), np.asarray(stem, np.float64), rcond=None)[0]
    kept, leaked = shares[0] * wanted, shares[1] * other
    gain = si_sdr(stem, parts[0]) - si_sdr(whole, parts[0])
    return gain, _db(leaked, kept), _db(stem - kept - leaked, kept), _db(stem, whole)


def _db(one: Sound, other: Sound) -> float:
    return float(10 * np.log10(max(np.square(one).sum(), 1e-20) / max(np.square(other).sum(), 1e-20)))


def told(study: Study) -> str:
    """A table per method: a row per figure, a column per omega."""
    pages = []
    for name in COMPARED:
        rows = [(WORDS[each], *(tenths(float(np.mean(study[name, each, omega]))) for omega in OMEGAS)) for each in FIGURES]
        pages.append(table((f"{name}, omega", *(f"{omega:g}" for omega in OMEGAS)), rows))
    return "\n\n".join(pages)


def draw(worlds: dict[str, Study], path: Path) -> None:
    """The means and their standard errors, one row per world and one column per figure, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 3.2 * len(worlds)), dpi=110, layout="constrained")
    axes = figure.subplots(len(worlds), len(FIGURES), squeeze=False)
    for row, (world, study) in zip(axes, worlds.items(), strict=True):
        for axis, each in zip(row, FIGURES, strict=True):
            for name in COMPARED:
                values = np.array([study[name, each, omega] for omega in OMEGAS])
                error = values.std(1) / np.sqrt(values.shape[1])
                axis.errorbar(OMEGAS, values.mean(1), error, color=HUES[name], marker="o", markersize=4, label=name)
            if each == "artefacts":
                axis.set_ylim(bottom=-30)  # there are none at 0
            axis.axvline(1, color="#8b93a3", linewidth=0.8, linestyle=":")
            axis.set_title(WORDS[each].replace(", dB", ""), fontsize=8)
            axis.set_xlabel("omega")
            axis.set_ylabel("dB")
        row[0].legend(frameon=False)
        count = len(study[COMPARED[0], "gain", OMEGAS[0]])
        row[0].set_title(f"{world}, {count} mixes\n{WORDS['gain']}", fontsize=8)
    figure.savefig(path)


def main(argv: list[str]) -> int:
    """Measure on both worlds and draw."""
    from engine.backbones.pocket import Pocket
    from engine.backbones.pocket.training import heldout

    made = Parser(prog="python -m engine.bench.omega", description=__doc__.splitlines()[0])
    made.add_argument("--mixes", type=int, default=12, help="of each world (default 12)")
    made.add_argument("-o", "--out", type=Path, default=Path("docs/omega.png"))
    options = made.parse_args(argv)
    asker, worlds = Asker(Pocket(torch.device("cpu"))), {}
    for world, mixes in ((SOUNDFONT, heldout.soundfont_mixes), (RECORDED, heldout.recorded_mixes)):
        worlds[world] = measure(asker, mixes(options.mixes, 11), lambda: print(".", end="", file=sys.stderr, flush=True))
        print(f"\n{world}, {options.mixes} mixes\n\n{told(worlds[world])}", flush=True)
    draw(worlds, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(safely(main, sys.argv[1:]))
