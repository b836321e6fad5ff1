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

from engine import planner
from engine.backbones import load
from engine.execution import choice
from engine.execution.base import Subject, difference
from engine.execution.choice import Measured, keep, known, measured, prepared, ranked
from engine.execution.onnx import Onnx
from engine.execution.packed import Packed
from engine.execution.plain import REFERENCE, Plain
from engine.execution.steady import Steady
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
def subject() -> Subject:
    torch.manual_seed(0)
    weights = Tiny().state_dict()

    def load(dtype: torch.dtype) -> nn.Module:
        network = Tiny()
        network.load_state_dict(weights)
        return network.to(dtype)

    example = {"sample": torch.randn(2, 2, 8, 4), "timestep": torch.tensor([10.0, 900.0]), "words": torch.randn(2, 8)}
    return Subject("tiny", "f00d", CPU, load, example, {"scale": 0.5}, {"sample": (2,)})


def larger(count: int = 5, frames: int = 16) -> dict[str, Tensor]:
    return {"sample": torch.randn(count, 2, frames, 4), "timestep": torch.full((count,), 300.0), "words": torch.randn(count, 8)}


HERE = [execution for execution in EXECUTIONS.values() if execution.missing(CPU) is None]


@pytest.mark.parametrize("execution", HERE, ids=lambda each: each.name)
def test_every_way_that_is_to_be_had_here_answers_as_float32_does(execution: Any, subject: Subject) -> None:
    run, inputs = execution.prepare(subject), larger()
    answer = run(inputs)
    assert answer.dtype == torch.float32
    exact = {"torch-fp32": 1e-7, "onnx": 1e-5}.get(execution.name, 0.03)
    assert difference(answer, EXECUTIONS[REFERENCE].prepare(subject)(inputs)) <= exact


@pytest.mark.parametrize("name", [name for name in EXECUTIONS if name not in {each.name for each in HERE}])
def test_a_way_that_is_not_to_be_had_here_says_why(name: str, subject: Subject) -> None:
    with pytest.raises(BadModel, match="is not to be had here"):
        prepared(subject, name)


def test_a_way_that_nobody_knows_is_refused_with_those_that_there_are(subject: Subject) -> None:
    with pytest.raises(BadRequest, match="onnx"):
        prepared(subject, "warp")


def test_auto_measures_once_and_remembers(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = prepared(subject)
    table = known(subject)
    assert chosen.name == ranked(table)[0]
    assert set(table) == {each.name for each in HERE if each.quick}
    assert table[REFERENCE].difference == 0

    def never(*_: object) -> None:
        raise AssertionError("it was measured already")

    monkeypatch.setattr(choice, "measured", never)
    assert prepared(subject).name == chosen.name
    assert choice.tables()


def test_auto_takes_the_fastest_that_is_close_enough(subject: Subject) -> None:
    table = {"torch-fp32": Measured(0.3, 0.0), "torch-bf16": Measured(0.1, 0.5), "compiled": Measured(0.01, 0.0)}
    table["packed"] = Measured(0.4, 0.0)
    keep(subject, table | {"gone": Measured(0.001, 0.0)})
    held = prepared(subject)
    assert prepared(subject, held=held) is held  # not loaded twice
    assert held.name == "torch-fp32"  # the others are too rough, not for this device, of another version


class Timed:
    """Seconds per item as they are set, by the size of a batch."""

    def __init__(self, seconds: Mapping[int, float]) -> None:
        self.seconds = seconds

    def __call__(self, _run: object, inputs: Mapping[str, Tensor]) -> float:
        return self.seconds[len(inputs["sample"])]


def test_one_size_that_is_no_faster_does_not_hide_the_next(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "_timed", Timed({2: 0.06, 4: 0.059, 8: 0.03, 16: 0.5}))
    run = EXECUTIONS[REFERENCE].prepare(subject)
    assert measured(subject, run, run(subject.example)).items == 8


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
    subject: Subject, monkeypatch: pytest.MonkeyPatch, fixed: float, each: float, before: int, best: float, items: int
) -> None:
    timed = Timed({items: fixed / items + each for items in (1, 2, 4, 8, 16)})
    monkeypatch.setattr(choice, "_timed", timed)
    example = {name: tensor[:1].repeat(before, *[1] * (tensor.dim() - 1)) for name, tensor in subject.example.items()}
    run = EXECUTIONS[REFERENCE].prepare(subject)
    found = measured(replace(subject, example=example), run, run(example), best)
    assert found.items == items
    assert found.seconds == pytest.approx(fixed / items + each)


def test_a_table_is_of_one_model_and_one_device(subject: Subject) -> None:
    keep(subject, {"torch-fp32": Measured(0.3, 0.0)})
    assert known(replace(subject, fingerprint="beef")) == {}
    assert known(subject) == {"torch-fp32": Measured(0.3, 0.0)}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "zerostem-executions/2"}', '{"schema": "other/1", "tables": {}}'])
def test_a_table_that_makes_no_sense_is_measured_anew(subject: Subject, home: Path, text: str) -> None:
    (home / "cache").mkdir(parents=True)
    (home / "cache" / "executions.json").write_text(text)
    assert prepared(subject).name
    assert REFERENCE in known(subject)


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
    subject = Subject("shapes", "f00d", CPU, lambda _dtype: deepcopy(network), {"sample": torch.randn(2, 4, 8, 6)})
    for inputs in (subject.example, {"sample": torch.randn(5, 4, 12, 6)}):
        assert difference(Packed().prepare(subject)(inputs), EXECUTIONS[REFERENCE].prepare(subject)(inputs)) < 1e-6


def test_without_onednns_operators_nothing_is_packed(monkeypatch: pytest.MonkeyPatch, subject: Subject) -> None:
    monkeypatch.setattr("engine.execution.packed.OPERATORS", ("_operator_of_another_torch",))
    assert "none of oneDNN's operators" in str(Packed().missing(CPU))
    assert Packed().missing(torch.device("cuda", 0)) == "it is for processors"
    assert prepared(subject).name != "packed"


def test_a_way_that_breaks_at_work_gives_way_to_plain_torch_and_says_so(
    subject: Subject, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_inputs: Mapping[str, Tensor]) -> Tensor:
        raise RuntimeError("CUDA error: device lost\nlong story")

    steady, inputs = Steady(Plain("torch-bf16", "bfloat16"), broken, subject), larger()
    assert difference(steady(inputs), EXECUTIONS[REFERENCE].prepare(subject)(inputs)) == 0
    assert steady.name == REFERENCE
    assert "torch-bf16 broke (CUDA error: device lost): going on with torch-fp32" in caplog.text
    with pytest.raises(BadModel, match="Try again"):
        Steady(Plain(REFERENCE, "float32"), broken, subject)(inputs)


def test_a_lack_of_memory_is_for_the_planner(subject: Subject) -> None:
    def full(_inputs: Mapping[str, Tensor]) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        Steady(Plain("torch-bf16", "bfloat16"), full, subject)(larger())


onnx = pytest.mark.skipif(EXECUTIONS["onnx"].missing(CPU) is not None, reason=f"{EXECUTIONS['onnx'].missing(CPU)}")


@onnx
def test_an_export_is_made_once_and_kept(subject: Subject, home: Path) -> None:
    Onnx("onnx", int8=False).prepare(subject)
    (kept,) = (home / "cache" / "exports").glob("*.onnx")
    before = kept.stat().st_mtime_ns
    Onnx("onnx", int8=False).prepare(subject)
    assert kept.stat().st_mtime_ns == before
    assert json.loads(kept.with_suffix(".json").read_text())["difference"] < 1e-5
    Onnx("onnx", int8=False).prepare(replace(subject, fingerprint="beef"))
    assert len([*(home / "cache" / "exports").glob("*.onnx")]) == 2


@onnx
def test_a_damaged_export_is_made_anew_and_said(subject: Subject, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    execution = Onnx("onnx", int8=False)
    execution.prepare(subject)
    (kept,) = (home / "cache" / "exports").glob("*.onnx")
    kept.write_bytes(kept.read_bytes()[:-100])
    inputs = larger()
    assert difference(execution.prepare(subject)(inputs), EXECUTIONS[REFERENCE].prepare(subject)(inputs)) < 1e-5
    assert "is damaged: making it anew" in caplog.text


@onnx
def test_an_export_that_answers_otherwise_than_torch_is_refused(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.execution.onnx.CLOSE", -1.0)
    with pytest.raises(BadModel, match="answers otherwise than torch"):
        Onnx("onnx", int8=False).prepare(subject)


@onnx
def test_a_provider_that_only_pretends_is_found_out(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    class Pretender:
        def __init__(self, *_: object, **__: object) -> None: ...

        def get_providers(self) -> list[str]:
            return ["AzureExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Pretender)
    with pytest.raises(BadModel, match="lists CPUExecutionProvider but cannot use it"):
        Onnx("onnx", int8=False).prepare(subject)


@onnx
def test_what_was_asked_for_by_name_counts_from_then_on_and_the_others_are_still_tried(subject: Subject) -> None:
    assert prepared(subject, "onnx").name == "onnx"
    assert set(known(subject)) == {"onnx"}
    prepared(subject)
    assert set(known(subject)) == {"onnx", *(each.name for each in HERE if each.quick)}


@onnx
@pytest.mark.parametrize("key", ["audioldm", "audioldm2", "auffusion"])
def test_a_published_network_is_exported_with_any_number_of_items(key: str, tiny: Callable[[str], Path]) -> None:
    model = load(key, CPU, tiny(key))
    shape = model.subject.example["sample"].shape  # type: ignore[union-attr]
    latent = torch.randn(3, *shape[1:], generator=torch.Generator().manual_seed(0))
    told, levels = model.embed(["a dog", "rain", "a dog that barks in the rain"]), torch.tensor([100, 500, 900])
    planner.settle(model, REFERENCE)
    plain = model.noise(latent, levels, told)
    planner.settle(model, "onnx")
    assert difference(model.noise(latent, levels, told), plain) < 1e-4
