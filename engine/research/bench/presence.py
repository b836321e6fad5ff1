"""Does the model know what is not there? False finds, misses, what absent stems hold, and where thresholds would lie."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.methods.base import Estimate, WindowBatch, presence_cost, score_presence
from engine.pipeline.presence import verdicts
from engine.request import Request
from engine.research.bench.quality import Scores
from engine.research.bench.tables import median, percent, table
from engine.research.bench.windows import Asker
from engine.research.pocket_training.heldout import Mix

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
QUIET_DB = -40.0
"""The goal for what an absent stem holds, against the mix."""


class PresenceQuestion:
    """A method that only asks whether sounds are there."""

    name = "question"
    strength_in_mask = False
    options: ClassVar[Mapping[str, float]] = {}
    refine = None

    def estimate(self, batch: WindowBatch) -> Estimate:
        """Masks of one."""
        features = batch.features.expand(len(batch.request.prompts), *batch.features.shape)
        return Estimate(torch.ones_like(features), features, score_presence(batch))

    def cost(self, request: Request, backbone: Backbone) -> Cost:  # noqa: ARG002 - the same for every model
        """The question."""
        return presence_cost(request)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """Scores and verdicts of every prompt in every mix, and whether it was there, (mixes, prompts) each."""

    prompts: list[str]
    there: NDArray[np.bool_]
    scores: NDArray[np.float64]
    found: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]

    @property
    def auc(self) -> float:
        """How often a present prompt scores above an absent one."""
        return float((self.scores[self.there][:, None] > self.scores[~self.there][None]).mean())


def measure(asker: Asker, mixes: list[Mix], prompts: list[str], done: Callable[[], None]) -> Told:
    """Ask for every prompt in every mix, whatever its length; a prompt's score is that of its surest window."""
    scores, judged = [], []
    for mix in mixes:
        told = asker.ask(PresenceQuestion(), prompts, mix.parts.sum(0)).presence
        assert told is not None  # a question is always answered
        judged.append(verdicts(told, asker.backbone.presence))
        scores.append(told.amax(1).tolist())
        done()
    there = [[prompt in mix.names for prompt in prompts] for mix in mixes]
    found = [[verdict.found for verdict in row] for row in judged]
    doubtful = [[verdict.doubtful for verdict in row] for row in judged]
    return Told(prompts, np.array(there), np.array(scores), np.array(found), np.array(doubtful))


def summary(asked: dict[str, Told], thresholds: tuple[float, float] | None) -> str:
    """One row per set of mixes."""
    rows = []
    for name, told in asked.items():
        there, absent = told.there, ~told.there
        shares = (~told.found[there], told.found[absent], told.doubtful[there], told.doubtful[absent])
        rows.append((name, f"{there.sum()} / {absent.sum()}", f"{told.auc:.2f}", *map(percent, shares)))
    ruled = "The model has no thresholds: it finds everything." if thresholds is None else f"Thresholds: {thresholds}."
    heads = ("mixes", "present / absent", "AUC", "misses", "false finds", "doubted, present", "doubted, absent")
    return f"{ruled}\n\n{table(heads, rows)}"


def delivered_db(scores: Scores, method: str, told: Told) -> list[float]:
    """What each stem of a wrong prompt holds against the mix once it is silenced where nothing was found."""
    found = [told.found[index, told.prompts.index(prompt)] for index, prompt in enumerate(scores.wrong)]
    return [level if there else -np.inf for level, there in zip(scores.energies_db[method], found, strict=True)]


def energies(worlds: dict[str, Scores], asked: dict[str, Told]) -> str:
    """What the stems of wrong prompts hold, by method: as estimated, and as delivered."""
    rows = []
    for world, scores in worlds.items():
        for method, estimated in scores.energies_db.items():
            both = (estimated, delivered_db(scores, method, asked[world]))
            quiet = [percent([level < QUIET_DB for level in levels]) for levels in both]
            rows.append((f"{method}, {world}", *map(median, both), *quiet))
    heads = ("absent stem", "median dB, estimated", "delivered", f"below {QUIET_DB:g} dB, estimated", "delivered")
    return table(heads, rows)


def calibration(asked: dict[str, Told]) -> str:
    """Quantiles of the scores: where to put (clearly absent, clearly there)."""
    rows = []
    for name, told in asked.items():
        for whose, mask in (("present", told.there), ("absent", ~told.there)):
            rows.append((f"{name}, {whose}", *(f"{value:.4f}" for value in np.quantile(told.scores[mask], QUANTILES))))
    return table(("score at quantile", *(f"{100 * each:g} %" for each in QUANTILES)), rows)
