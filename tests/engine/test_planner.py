"""How many items go through a network at once: as measured on a CPU, by memory on a GPU, and always a power of two."""

import pytest
import torch

from engine import device, planner
from engine.backbones.gaussian import Gaussian
from engine.backbones.pocket.model import Pocket
from engine.execution.choice import Measured, keep
from host_bridge.errors import BadRequest


def test_a_batch_on_a_processor_is_the_one_that_was_the_fastest() -> None:
    assert planner.batch(Gaussian(), Measured(0.1, 0.0, items=4)) == 4


@pytest.mark.parametrize(("size", "items"), [(1 << 20, 256), (100 << 20, 32), (8 << 30, 1), (0, 8)])
def test_a_batch_on_a_gpu_is_bounded_by_its_memory(size: int, items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "free_memory", lambda _device: 8 << 30)
    assert planner.batch(Gaussian(torch.device("cuda", 0)), Measured(0.001, 0.0, size, items=8)) == items


@pytest.mark.slow
def test_a_model_is_settled_by_what_was_measured(home: object) -> None:
    model = Pocket(torch.device("cpu"))
    keep(
        model.subject,
        {"torch-fp32": Measured(0.2, 0.0, items=2), "torch-bf16": Measured(0.3, 0.01), "packed": Measured(1.0, 0.0)},
    )
    planner.settle(model)
    assert (model.run.name, model.batch) == ("torch-fp32", 2)
    with pytest.raises(BadRequest):
        planner.settle(model, "warp")
    planner.settle(Gaussian())  # has no network: nothing to choose
