"""The network's edge: cut by memory, counted, and stopped between two passes."""

import logging

import pytest
import torch
from torch import Tensor

from engine.backbones.base import Conditioning
from engine.backbones.gaussian import Gaussian
from engine.execution.base import is_out_of_memory
from engine.passes import Passes, Work
from host_bridge.errors import BadModel, Cancelled

X, LEVELS = torch.randn(10, 1, 16, 64, generator=torch.Generator().manual_seed(0)), torch.full((10,), 401)


class Small(Gaussian):
    """A device with room for three items at once."""

    batch = 8
    room = 3

    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        """As ever, if there is room."""
        if len(latent) > self.room:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: ...")
        return super().noise(latent, levels, conditioning)


def test_out_of_memory_halves_the_batch_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    model = Small()
    passes = Passes(model)
    with caplog.at_level(logging.WARNING):
        told = passes(X, LEVELS, model.embed(["1"] * 10))
    torch.testing.assert_close(told, Gaussian().noise(X, LEVELS, model.embed(["1"] * 10)))
    assert (passes.batch, passes.done) == (2, Work(10))
    assert caplog.text.count("out of memory") == 2


def test_a_model_that_fits_in_no_way_is_refused() -> None:
    model = Small()
    model.room = 0
    with pytest.raises(BadModel, match="does not fit"):
        Passes(model)(X, LEVELS, model.embed([""] * 10))


@pytest.mark.parametrize("batch", [0, -3])
def test_a_batch_of_nothing_is_one_of_one_item(batch: int) -> None:
    model = Small()
    model.batch = batch
    torch.testing.assert_close(
        Passes(model)(X, LEVELS, model.embed(["1"] * 10)), Gaussian().noise(X, LEVELS, model.embed(["1"] * 10))
    )


@pytest.mark.parametrize(
    "words",
    [
        "MPS backend out of memory (MPS allocated: 1.0 GB)",
        "[enforce fail at alloc_cpu.cpp] data. DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes.",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory for requested buffer of size 1",
        "std::bad_alloc",
    ],
)
def test_a_lack_of_memory_is_known_by_the_words_of_every_allocator(words: str) -> None:
    assert is_out_of_memory(RuntimeError(words))


def test_any_other_error_is_not_taken_for_a_lack_of_memory() -> None:
    model = Small()
    with pytest.raises(RuntimeError, match="size"):
        Passes(model)(X, LEVELS, model.embed(["1"] * 3))


def test_progress_counts_passes_and_those_that_were_spared() -> None:
    model, seen = Small(), list[float]()
    model.batch = 2
    passes = Passes(model, lambda done, _: seen.append(done), expected=Work(20))
    passes.spare(Work(10))
    passes(X, LEVELS, model.embed([""] * 10))
    assert seen == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9])


def test_stop_takes_effect_between_two_batches() -> None:
    model = Small()
    model.batch = 2

    def stop(done: float, _: str) -> None:
        if done > 0.3:
            raise Cancelled

    passes = Passes(model, stop, expected=Work(10))
    with pytest.raises(Cancelled):
        passes(X, LEVELS, model.embed([""] * 10))
    assert passes.done == Work(4)
