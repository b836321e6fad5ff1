"""Is the sound there at all? One verdict per prompt for a whole region, from the scores of its windows."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Verdict:
    """found: the stem holds sound. doubtful: it may not be what the prompt names."""

    found: bool
    doubtful: bool


def verdicts(scores: Tensor | None, thresholds: tuple[float, float] | None, prompts: int) -> list[Verdict]:
    """One per prompt, from (K, B) scores of `methods.base.presence` and the model's (clearly absent, clearly there).

    A sound is as present as in the window where it is most present. Without scores or without measured thresholds every
    prompt counts as found; with no windows that hold sound (B = 0), none.
    """
    if scores is not None and scores.shape[1] == 0:
        return [Verdict(found=False, doubtful=False)] * prompts
    if scores is None or thresholds is None:
        return [Verdict(found=True, doubtful=False)] * prompts
    absent, there = thresholds
    return [Verdict(found=score >= absent, doubtful=absent <= score < there) for score in scores.amax(1).tolist()]
