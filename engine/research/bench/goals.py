"""What ZeroStem must reach, beside what this run found: one line each."""

from collections.abc import Iterator

import numpy as np

from engine.research.bench.nulls import Null
from engine.research.bench.presence import QUIET_DB, Told, delivered_db
from engine.research.bench.quality import CASES, STRENGTHS, Scores
from engine.research.bench.tables import percent, table, tenths
from engine.research.bench.windows import RECORDED, SOUNDFONT

METHOD = "joint"
"""The one that faithful stems come from unless another is asked for."""

Goal = tuple[str, str, str, bool]
"""What, how much of it, how much was found, whether that is enough."""

ONE, BOTH, WRONG = CASES
GAINS = ((SOUNDFONT, ONE, 8.0), (SOUNDFONT, BOTH, 10.0), (RECORDED, ONE, 3.0), (RECORDED, BOTH, 5.0))


def told(scores: dict[str, Scores], asked: dict[str, Told], nulls: list[Null], rates: tuple[float, float]) -> str:
    """A row per goal; worlds that were not measured have none."""
    goals = [
        *_exact(nulls),
        *_heard(scores, asked),
        ("seconds per second and prompt", "< 1.5", f"{max(rates):.2f}", max(rates) < 1.5),
    ]
    return table(("goal", "aim", "found", ""), [(*goal[:3], "met" if goal[3] else "NOT MET") for goal in goals])


def _exact(nulls: list[Null]) -> Iterator[Goal]:
    null, blank = max(each.null_dbfs for each in nulls), max(each.blank_dbfs for each in nulls)
    late = max((abs(each.lag) for each in nulls if each.lag is not None), default=0)
    yield "null, worst format, dBFS", "<= -120", f"{null:.1f}", null <= -120
    yield "lag, worst format, samples", "0", str(late), late == 0
    yield "length", "equal", percent([each.equal for each in nulls]), all(each.equal for each in nulls)
    yield "strength 0: stem - mix, worst format, dBFS", "<= -60", f"{blank:.1f}", blank <= -60


def _heard(scores: dict[str, Scores], asked: dict[str, Told]) -> Iterator[Goal]:
    for world, case, aim in GAINS:
        if world in scores:
            gain = float(np.mean(scores[world].gains[METHOD, case]))
            yield f"{METHOD}, {world}, {case}: mean gain, dB", f">= {aim:g}", tenths(gain), gain >= aim
    for world, found in scores.items():
        right, wrong = (float(np.mean(found.gains[METHOD, case])) for case in (ONE, WRONG))
        yield f"{METHOD}, {world}: right over wrong prompt, dB", ">= 4", tenths(right - wrong), right - wrong >= 4
        steps = [float(np.mean(found.at_strength[METHOD, strength])) for strength in STRENGTHS]
        grows = bool((np.diff(steps) > 0).all())
        yield (
            f"{METHOD}, {world}: gain with strength, dB",
            "grows",
            " < ".join(map(tenths, steps)) if grows else ", ".join(map(tenths, steps)),
            grows,
        )
        quiet = [level < QUIET_DB for level in delivered_db(found, METHOD, asked[world])]
        yield f"{METHOD}, {world}: absent stems below {QUIET_DB:g} dB", "100 %", percent(quiet), all(quiet)
