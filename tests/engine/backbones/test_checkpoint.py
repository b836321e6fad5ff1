"""Loading a checkpoint's parts: quietly, all of it or nothing, and with one sentence when that fails."""

import logging
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.backbones.checkpoint import open_checkpoint
from host_bridge.errors import BadModel, BadRequest

CPU = torch.device("cpu")


class Large(torch.nn.Module):
    """A network that no device holds."""

    def to(self, *_: object, **__: object) -> "Large":
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9.00 GiB.")


@pytest.fixture
def folder(tiny: Callable[[str], Path]) -> Path:
    return tiny("audioldm")


def test_a_model_that_does_not_fit_is_said_to_be_too_large(folder: Path) -> None:
    with (
        pytest.raises(BadModel, match="does not fit in the memory of cpu"),
        open_checkpoint("audioldm", folder, CPU) as checkpoint,
    ):
        checkpoint.keep(Large())


def test_whatever_goes_wrong_inside_is_one_line(folder: Path) -> None:
    with (
        pytest.raises(BadModel, match=r"cannot be loaded \(RuntimeError: first second") as caught,
        open_checkpoint("audioldm", folder, CPU),
    ):
        raise RuntimeError("first\n\tsecond" + " and more" * 100)
    assert "\n" not in caught.value.what


def test_what_has_a_sentence_of_its_own_keeps_it(folder: Path) -> None:
    with pytest.raises(BadRequest, match="mine"), open_checkpoint("audioldm", folder, CPU):
        raise BadRequest("mine", "do")


def test_what_is_loaded_learns_no_more(folder: Path) -> None:
    with open_checkpoint("audioldm", folder, CPU) as checkpoint:
        network = checkpoint.keep(torch.nn.Linear(2, 2))
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_libraries_speak_again_afterwards(folder: Path) -> None:
    from transformers.utils import logging as theirs

    before = (
        theirs.get_verbosity(),
        theirs.is_progress_bar_enabled(),
        logging.getLogger("diffusers").level,
        warnings.filters[:],
    )
    with pytest.raises(BadModel), open_checkpoint("audioldm", folder, CPU):
        raise ValueError
    after = (
        theirs.get_verbosity(),
        theirs.is_progress_bar_enabled(),
        logging.getLogger("diffusers").level,
        warnings.filters[:],
    )
    assert after == before
