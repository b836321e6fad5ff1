"""How good are the suggestions? What they call likely against what is in the mix, beside the plain question's ranking."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.research.bench.presence import Told
from engine.research.bench.tables import percent, table
from engine.research.bench.windows import Asker
from engine.research.pocket_training.heldout import Mix
from engine.suggest import LIKELY, POSSIBLE, Relative, pooled


@dataclass(frozen=True, slots=True, eq=False)
class Suggested:
    """Each prompt's score in every mix, and whether it was there, (mixes, prompts) each."""

    there: NDArray[np.bool_]
    scores: NDArray[np.float64]

    @property
    def auc(self) -> float:
        """How often a present prompt scores above an absent one."""
        return float((self.scores[self.there][:, None] > self.scores[~self.there][None]).mean())


def measure(asker: Asker, mixes: list[Mix], prompts: list[str], done: Callable[[], None]) -> Suggested:
    """Hold all prompts against each other in every mix."""
    scores = []
    for mix in mixes:
        told = asker.ask(Relative(), prompts, mix.parts.sum(0)).presence
        assert told is not None  # it is always answered
        scores.append(pooled(told).tolist())
        done()
    return Suggested(np.array([[prompt in mix.names for prompt in prompts] for mix in mixes]), np.array(scores))


def told(found: dict[str, Suggested], asked: dict[str, Told]) -> str:
    """A row per set of mixes. asked: the plain question's scores of the same mixes."""
    rows = []
    for name, each in found.items():
        cells = [f"{asked[name].auc:.2f}", f"{each.auc:.2f}"]
        for threshold in (LIKELY, POSSIBLE):
            called = each.scores >= threshold
            cells += [percent(each.there[called]), percent(called[each.there])]
        rows.append((name, *cells))
    heads = ("mixes", "AUC, question", "AUC, suggested", "likely: right", "of all there", "or possible: right", "of all there ")
    return table(heads, rows)
