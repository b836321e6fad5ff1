"""Every way to run a network gives the same answer, and the fastest that was measured is taken."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.backbones import load, tuning
from engine.execution import autotune
from engine.execution.autotune import Measurement, benchmark, choose_runner, load_measurements, ranked, save_measurements
from engine.execution.base import NetworkSpec, difference
from engine.execution.fallback import FallbackRunner
from engine.execution.onnx import Onnx
from engine.execution.packed import Packed
from engine.execution.plain import REFERENCE, Plain
from engine.execution.table import EXECUTIONS
from host_bridge.errors import BadModel, BadRequest

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")


class Tiny(nn.Module):
    """A network of the usual signature: a sample, one level per item, a vector per item."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.told = nn.Conv2d(2, 2, 3, padding=1), nn.Linear(8, 2)

    def forward(self, sample: Tensor, timestep: Tensor, words: Tensor, scale: float = 1.0, return_dict: bool = True) -> Any:
        assert not return_dict
        bias = self.told(words) * (timestep / 1000).to(words.dtype)[:, None]
        return (scale * self.mix(sample) + bias[:, :, None, None],)


@pytest.fixture
def network_spec() -> NetworkSpec:
    torch.manual_seed(0)
    weights = Tiny().state_dict()

    def load(dtype: torch.dtype) -> nn.Module:
        network = Tiny()
        network.load_state_dict(weights)
        return network.to(dtype)

    example = {"sample": torch.randn(2, 2, 8, 4), "timestep": torch.tensor([10.0, 900.0]), "words": torch.randn(2, 8)}
    return NetworkSpec("tiny", "f00d", CPU, load, example, {"scale": 0.5}, {"sample": (2,)})


def larger(count: int = 5, frames: int = 16) -> dict[str, Tensor]:
    return {"sample": torch.randn(count, 2, frames, 4), "timestep": torch.full((count,), 300.0), "words": torch.randn(count, 8)}


HERE = [execution for execution in EXECUTIONS.values() if execution.missing(CPU) is None]


@pytest.mark.parametrize("execution", HERE, ids=lambda each: each.name)
def test_every_way_that_is_to_be_had_here_answers_as_float32_does(execution: Any, network_spec: NetworkSpec) -> None:
    run, inputs = execution.prepare(network_spec), larger()
    answer = run(inputs)
    assert answer.dtype == torch.float32
    exact = {"torch-fp32": 1e-7, "onnx": 1e-5}.get(execution.name, 0.03)
    assert difference(answer, EXECUTIONS[REFERENCE].prepare(network_spec)(inputs)) <= exact


@pytest.mark.parametrize("name", [name for name in EXECUTIONS if name not in {each.name for each in HERE}])
def test_a_way_that_is_not_to_be_had_here_says_why(name: str, network_spec: NetworkSpec) -> None:
    with pytest.raises(BadModel, match="is not to be had here"):
        choose_runner(network_spec, name)


def test_a_way_that_nobody_knows_is_refused_with_those_that_there_are(network_spec: NetworkSpec) -> None:
    with pytest.raises(BadRequest, match="onnx"):
        choose_runner(network_spec, "warp")


def test_auto_measures_once_and_remembers(network_spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choose_runner(network_spec)
    table = load_measurements(network_spec)
    assert chosen.name == ranked(table)[0]
    assert set(table) == {each.name for each in HERE if each.quick}
    assert table[REFERENCE].difference == 0

    def never(*_: object) -> None:
        raise AssertionError("it was measured already")

    monkeypatch.setattr(autotune, "benchmark", never)
    assert choose_runner(network_spec).name == chosen.name
    assert autotune.tables()


def test_auto_takes_the_fastest_that_is_close_enough(network_spec: NetworkSpec) -> None:
    table = {"torch-fp32": Measurement(0.3, 0.0), "torch-bf16": Measurement(0.1, 0.5), "compiled": Measurement(0.01, 0.0)}
    table["packed"] = Measurement(0.4, 0.0)
    save_measurements(network_spec, table | {"gone": Measurement(0.001, 0.0)})
    held = choose_runner(network_spec)
    assert choose_runner(network_spec, held=held) is held  # not loaded twice
    assert held.name == "torch-fp32"  # the others are too rough, not for this device, of another version


class Timed:
    """Seconds per item as they are set, by the size of a batch."""

    def __init__(self, seconds: Mapping[int, float]) -> None:
        self.seconds = seconds

    def __call__(self, _run: object, inputs: Mapping[str, Tensor]) -> float:
        return self.seconds[len(inputs["sample"])]


def test_one_size_that_is_no_faster_does_not_hide_the_next(network_spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autotune, "_timed", Timed({2: 0.06, 4: 0.059, 8: 0.03, 16: 0.5}))
    run = EXECUTIONS[REFERENCE].prepare(network_spec)
    assert benchmark(network_spec, run, run(network_spec.example)).items == 8


@pytest.mark.parametrize(
    ("fixed", "each", "before", "best", "items"),
    [
        (0.1, 0.05, 1, inf, 8),  # sixteen would take 0.9 s
        (0.0, 0.05, 1, inf, 1),  # no faster together
        (0.1, 0.05, 1, 0.01, 1),  # another way is far ahead
        (0.0, 1.0, 4, inf, 1),  # even one is too long
        (0.0, 0.1, 8, inf, 4),
    ],
)
def test_a_batch_grows_while_that_is_faster_and_no_call_too_long(
    network_spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch, fixed: float, each: float, before: int, best: float, items: int
) -> None:
    timed = Timed({items: fixed / items + each for items in (1, 2, 4, 8, 16)})
    monkeypatch.setattr(autotune, "_timed", timed)
    example = {name: tensor[:1].repeat(before, *[1] * (tensor.dim() - 1)) for name, tensor in network_spec.example.items()}
    run = EXECUTIONS[REFERENCE].prepare(network_spec)
    found = benchmark(replace(network_spec, example=example), run, run(example), best)
    assert found.items == items
    assert found.seconds == pytest.approx(fixed / items + each)


def test_a_table_is_of_one_model_and_one_device(network_spec: NetworkSpec) -> None:
    save_measurements(network_spec, {"torch-fp32": Measurement(0.3, 0.0)})
    assert load_measurements(replace(network_spec, fingerprint="beef")) == {}
    assert load_measurements(network_spec) == {"torch-fp32": Measurement(0.3, 0.0)}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "zerostem-executions/2"}', '{"schema": "other/1", "tables": {}}'])
def test_a_table_that_makes_no_sense_is_measured_anew(network_spec: NetworkSpec, home: Path, text: str) -> None:
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "executions.json").write_text(text)
    assert choose_runner(network_spec).name
    assert REFERENCE in load_measurements(network_spec)


class Shapes(nn.Module):
    """Layers that can be packed, and some that cannot."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False),
            nn.Conv2d(8, 8, 3, padding=1, groups=4),
            nn.Conv2d(8, 8, 3, padding=2, dilation=2),
            nn.Conv2d(8, 8, 3, padding="same"),
            nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular"),
            nn.ConvTranspose2d(8, 4, 2, stride=2),
            nn.Linear(6, 5, bias=False),
        )

    def forward(self, sample: Tensor, return_dict: bool = True) -> Any:
        return (self.layers(sample),)


@pytest.mark.skipif(Packed().missing(CPU) is not None, reason=f"{Packed().missing(CPU)}")
def test_packed_weights_answer_as_the_layers_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.execution.packed.network_dtype", lambda _device: torch.float32)
    torch.manual_seed(0)
    network = Shapes()
    network_spec = NetworkSpec("shapes", "f00d", CPU, lambda _dtype: deepcopy(network), {"sample": torch.randn(2, 4, 8, 6)})
    for inputs in (network_spec.example, {"sample": torch.randn(5, 4, 12, 6)}):
        assert difference(Packed().prepare(network_spec)(inputs), EXECUTIONS[REFERENCE].prepare(network_spec)(inputs)) < 1e-6


def test_without_onednns_operators_nothing_is_packed(monkeypatch: pytest.MonkeyPatch, network_spec: NetworkSpec) -> None:
    monkeypatch.setattr("engine.execution.packed.OPERATORS", ("_operator_of_another_torch",))
    assert "none of oneDNN's operators" in str(Packed().missing(CPU))
    assert Packed().missing(torch.device("cuda", 0)) == "it is for processors"
    assert choose_runner(network_spec).name != "packed"


def test_a_way_that_breaks_at_work_gives_way_to_plain_torch_and_says_so(
    network_spec: NetworkSpec, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_inputs: Mapping[str, Tensor]) -> Tensor:
        raise RuntimeError("CUDA error: device lost\nlong story")

    steady, inputs = FallbackRunner(Plain("torch-bf16", "bfloat16"), broken, network_spec), larger()
    assert difference(steady(inputs), EXECUTIONS[REFERENCE].prepare(network_spec)(inputs)) == 0
    assert steady.name == REFERENCE
    assert "torch-bf16 broke (CUDA error: device lost): going on with torch-fp32" in caplog.text
    with pytest.raises(BadModel, match="Try again"):
        FallbackRunner(Plain(REFERENCE, "float32"), broken, network_spec)(inputs)


def test_a_lack_of_memory_is_for_the_planner(network_spec: NetworkSpec) -> None:
    def full(_inputs: Mapping[str, Tensor]) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        FallbackRunner(Plain("torch-bf16", "bfloat16"), full, network_spec)(larger())


onnx = pytest.mark.skipif(EXECUTIONS["onnx"].missing(CPU) is not None, reason=f"{EXECUTIONS['onnx'].missing(CPU)}")


@onnx
def test_an_export_is_made_once_and_kept(network_spec: NetworkSpec, home: Path) -> None:
    Onnx("onnx", int8=False).prepare(network_spec)
    (kept,) = (home / "cache" / "exports").glob("*.onnx")
    before = kept.stat().st_mtime_ns
    Onnx("onnx", int8=False).prepare(network_spec)
    assert kept.stat().st_mtime_ns == before
    assert json.loads(kept.with_suffix(".json").read_text())["difference"] < 1e-5
    Onnx("onnx", int8=False).prepare(replace(network_spec, fingerprint="beef"))
    assert len([*(home / "cache" / "exports").glob("*.onnx")]) == 2


@onnx
def test_a_damaged_export_is_made_anew_and_said(
    network_spec: NetworkSpec, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    execution = Onnx("onnx", int8=False)
    execution.prepare(network_spec)
    (kept,) = (home / "cache" / "exports").glob("*.onnx")
    kept.write_bytes(kept.read_bytes()[:-100])
    inputs = larger()
    assert difference(execution.prepare(network_spec)(inputs), EXECUTIONS[REFERENCE].prepare(network_spec)(inputs)) < 1e-5
    assert "is damaged: making it anew" in caplog.text


@onnx
def test_an_export_that_answers_otherwise_than_torch_is_refused(
    network_spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.execution.onnx.CLOSE", -1.0)
    with pytest.raises(BadModel, match="answers otherwise than torch"):
        Onnx("onnx", int8=False).prepare(network_spec)


@onnx
def test_a_provider_that_only_pretends_is_found_out(network_spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    class Pretender:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_providers(self) -> list[str]:
            return ["AzureExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Pretender)
    with pytest.raises(BadModel, match="lists CPUExecutionProvider but cannot use it"):
        Onnx("onnx", int8=False).prepare(network_spec)


@onnx
def test_what_was_asked_for_by_name_counts_from_then_on_and_the_others_are_still_tried(network_spec: NetworkSpec) -> None:
    assert choose_runner(network_spec, "onnx").name == "onnx"
    assert set(load_measurements(network_spec)) == {"onnx"}
    choose_runner(network_spec)
    assert set(load_measurements(network_spec)) == {"onnx", *(each.name for each in HERE if each.quick)}


@onnx
@pytest.mark.parametrize("key", ["audioldm", "audioldm2", "auffusion"])
def test_a_published_network_is_exported_with_any_number_of_items(key: str, tiny: Callable[[str], Path]) -> None:
    model = load(key, CPU, tiny(key))
    shape = model.network_spec.example["sample"].shape  # type: ignore[union-attr]
    latent = torch.randn(3, *shape[1:], generator=torch.Generator().manual_seed(0))
    told, levels = model.embed(["a dog", "rain", "a dog that barks in the rain"]), torch.tensor([100, 500, 900])
    tuning.tune(model, REFERENCE)
    plain = model.noise(latent, levels, told)
    tuning.tune(model, "onnx")
    assert difference(model.noise(latent, levels, told), plain) < 1e-4
