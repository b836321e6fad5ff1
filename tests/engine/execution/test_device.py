"""A device is what was asked for or a refusal that says why; memory is counted in bytes."""

import pytest
import torch

from engine.execution import device
from host_bridge.errors import BadModel, BadRequest


def with_cuda(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def with_mps(monkeypatch: pytest.MonkeyPatch, built: bool, available: bool) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: built)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: available)


def without_accelerators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.version, "hip", None)
    with_mps(monkeypatch, built=False, available=False)


def test_cpu_is_always_there() -> None:
    assert device.choose("cpu") == torch.device("cpu")


def test_auto_takes_cuda_before_mps_before_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    without_accelerators(monkeypatch)
    assert device.choose("auto") == torch.device("cpu")
    with_mps(monkeypatch, built=True, available=True)
    assert device.choose() == torch.device("mps")
    with_cuda(monkeypatch, count=2)
    assert device.choose() == torch.device("cuda:0")


def test_a_cuda_device_is_chosen_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cuda(monkeypatch, count=2)
    assert device.choose("cuda") == torch.device("cuda:0")
    assert device.choose("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize(("count", "held"), [(1, "the only one is cuda:0"), (3, "they are cuda:0 to cuda:2")])
def test_a_number_too_high_is_refused_with_those_that_exist(monkeypatch: pytest.MonkeyPatch, count: int, held: str) -> None:
    with_cuda(monkeypatch, count)
    with pytest.raises(BadModel, match=f"There is no device cuda:7 here: {held}"):
        device.choose("cuda:7")


def test_cuda_with_a_pytorch_for_the_processor_only_is_refused_saying_so(monkeypatch: pytest.MonkeyPatch) -> None:
    without_accelerators(monkeypatch)
    with pytest.raises(BadModel, match="is built for the processor only") as refusal:
        device.choose("cuda")
    assert "--device" in refusal.value.todo


def test_cuda_without_a_driver_is_refused_saying_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cuda(monkeypatch, count=0)
    with pytest.raises(BadModel, match="finds no driver"):
        device.choose("cuda:0")


@pytest.mark.parametrize(("built", "why"), [(False, "is built without it"), (True, "too old")])
def test_mps_that_is_not_there_is_refused_saying_why(monkeypatch: pytest.MonkeyPatch, built: bool, why: str) -> None:
    with_mps(monkeypatch, built, available=False)
    with pytest.raises(BadModel, match=why):
        device.choose("mps")


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:", "cuda:-1", "cuda:x", "cuda:1 ", "cuda:٣", "cpu:0"])
def test_a_name_that_means_no_device_is_refused(name: str) -> None:
    with pytest.raises(BadRequest, match="There is no device called"):
        device.choose(name)


def test_free_memory_is_some_bytes() -> None:
    assert device.free_memory(torch.device("cpu")) > 2**20


def test_a_description_names_the_device_and_its_free_memory() -> None:
    said = device.describe(torch.device("cpu"))
    assert said.startswith("cpu (")
    assert "GiB free" in said


@pytest.mark.gpu
def test_a_real_accelerator_is_found_described_and_measured() -> None:
    chosen = device.choose("auto")
    assert chosen.type in {"cuda", "mps"}
    assert "GiB free" in device.describe(chosen)
    assert device.free_memory(chosen) > 2**20
