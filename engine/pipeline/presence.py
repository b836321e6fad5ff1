"""Decides for each prompt whether its sound is in the region, from the presence scores of all windows."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Verdict:
    """found: the stem holds sound. doubtful: it may not be what the prompt names."""

    found: bool
    doubtful: bool


def verdicts(scores: Tensor, thresholds: tuple[float, float] | None) -> list[Verdict]:
    """One per prompt, from `methods.base.presence` scores (K, B) and the model's (clearly absent, clearly there).

    A sound is as present as in the window where it is most present. A model without measured thresholds doubts nothing.
    Where no window holds any sound (B = 0), nothing is found.
    """
    if scores.shape[1] == 0:
        return [Verdict(found=False, doubtful=False)] * len(scores)
    absent, there = thresholds or (float("-inf"), float("-inf"))
    return [Verdict(found=score >= absent, doubtful=absent <= score < there) for score in scores.amax(1).tolist()]
