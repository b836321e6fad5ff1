"""Verdicts: there, may not be here, not found."""

import pytest
import torch

from engine.pipeline.presence import Verdict, verdicts

THRESHOLDS = (-0.1, 0.2)


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (-0.5, Verdict(found=False, doubtful=False)),
        (0.0, Verdict(found=True, doubtful=True)),
        (0.5, Verdict(found=True, doubtful=False)),
    ],
)
def test_a_score_is_absent_doubtful_or_there(score: float, verdict: Verdict) -> None:
    assert verdicts(torch.tensor([[score]]), THRESHOLDS) == [verdict]


def test_a_sound_is_as_present_as_where_it_is_most_present() -> None:
    assert verdicts(torch.tensor([[-0.5, 0.5, -0.5]]), THRESHOLDS) == [Verdict(found=True, doubtful=False)]


def test_where_there_is_no_sound_nothing_is_found() -> None:
    assert verdicts(torch.zeros(2, 0), None) == [Verdict(found=False, doubtful=False)] * 2


def test_a_model_that_nobody_measured_doubts_nothing() -> None:
    assert verdicts(torch.tensor([[-9.0]]), None) == [Verdict(found=True, doubtful=False)]
