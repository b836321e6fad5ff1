"""A network run by ONNX Runtime: exported on this machine when it is first wanted, checked against torch, and kept.

An export is kept by what it was made of (weights, exporter, format), so that a damaged or foreign one is never used. Weights'
licences govern what may be passed on, which is why nothing exported is shipped.
"""

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from engine.execution.base import NetworkSpec, Run, difference
from host_bridge.errors import BadModel
from host_bridge.files import atomic
from host_bridge.paths import places

log = logging.getLogger(__name__)

OPSET = 17
CLOSE, ROUGH = 1e-3, 0.05
"""How far an export may be from torch in float32: rounding, and that of weights in 8 bits."""
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
INSTEAD = "Use --execution auto, or install the matching extra: 'zerostem[cpu]' or 'zerostem[gpu]', never both."


@dataclass(frozen=True, slots=True)
class Onnx:
    """ONNX Runtime in float32, or with the weights of matrix products in 8 bits: for processors without bfloat16."""

    name: str
    int8: bool
    quick: bool = False

    def missing(self, device: torch.device) -> str | None:
        """It is an extra, and its build decides which devices it knows."""
        try:
            import onnx  # noqa: F401 - the exporter and the quantiser need it
            import onnxruntime
        except ImportError as error:
            return f"{error.name} is not installed (`pip install 'zerostem[cpu]'`)"
        if device.type not in PROVIDERS or PROVIDERS[device.type] not in onnxruntime.get_available_providers():
            return f"this build of onnxruntime knows no {device.type}"
        return "8-bit products are for processors" if self.int8 and device.type != "cpu" else None

    def prepare(self, network_spec: NetworkSpec) -> Run:
        """Use the kept export, or make one; it takes some ten seconds, a minute for a large network."""
        place = self._place(network_spec)
        if not _whole(place):
            self._export(network_spec, place)
        return _running(_session(place, network_spec.device), network_spec)

    def _place(self, network_spec: NetworkSpec) -> Path:
        shapes = {name: (str(tensor.dtype), tensor.dim()) for name, tensor in network_spec.example.items()}
        said = (
            network_spec.name,
            network_spec.fingerprint,
            shapes,
            sorted(network_spec.fixed),
            torch.__version__,
            OPSET,
            self.int8 and ("7 bits" if _saturates() else "8 bits"),
        )
        key = hashlib.sha256(repr(said).encode()).hexdigest()[:24]
        return places().cache / "exports" / f"{network_spec.name}-{key}.onnx"

    def _export(self, network_spec: NetworkSpec, place: Path) -> None:
        """Export, quantise where wanted, compare, and put into place with its receipt."""
        log.info("exporting %s for ONNX Runtime", network_spec.name)
        example = {name: tensor.detach().clone() for name, tensor in network_spec.example.items()}
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent, prefix=".export-") as folder:
            aside = Path(folder) / "network.onnx"
            module = _Positional(network_spec.load(torch.float32).eval(), tuple(example), network_spec.fixed)
            axes = {
                name: {0: "batch"} | {axis: f"{name}_{axis}" for axis in network_spec.varying.get(name, ())} for name in example
            }
            with torch.no_grad(), warnings.catch_warnings(action="ignore"):  # the exporter is old, and says so at length
                reference = module(*example.values()).float()
                torch.onnx.export(
                    module,
                    tuple(example.values()),
                    str(aside),
                    dynamo=False,  # the newer one fails on AudioLDM2 with any number of items in a batch
                    opset_version=OPSET,
                    input_names=list(example),
                    output_names=["answer"],
                    dynamic_axes={**axes, "answer": {0: "batch"}},
                )
                if self.int8:
                    aside = _quantised(aside)
            apart = difference(_running(_session(aside, network_spec.device), network_spec)(example), reference)
            if not apart <= (ROUGH if self.int8 else CLOSE):
                raise BadModel(f"The export of {network_spec.name} answers otherwise than torch ({apart:.1e} apart).", INSTEAD)
            data = {path.name: _hash(path) for path in sorted(Path(folder).iterdir()) if path != aside}
            if data:
                raise BadModel(f"{network_spec.name} is too large for one exported file.", "Use --execution auto.")
            receipt = json.dumps({"sha256": _hash(aside), "difference": apart})
            try:
                atomic.place(aside, place)
                atomic.write(place.with_suffix(".json"), receipt.encode())
            except OSError as error:
                if not _whole(place):  # unless another process has put the same there, and uses it
                    what = f"The export of {network_spec.name} cannot be kept: {error.strerror or error}."
                    raise BadModel(what, INSTEAD) from error


class _Positional(nn.Module):
    """The network with its tensors in a row, as the exporter wants them."""

    def __init__(self, network: nn.Module, names: tuple[str, ...], fixed: Mapping[str, Any]) -> None:
        super().__init__()
        self.network, self.names, self.fixed = network, names, dict(fixed)

    def forward(self, *tensors: Tensor) -> Tensor:
        """The network's first output."""
        answer: Tensor = self.network(**dict(zip(self.names, tensors, strict=True)), **self.fixed, return_dict=False)[0]
        return answer


def _session(path: Path, device: torch.device) -> Any:
    """ONNX Runtime with this export. Raises BadModel for a provider that is listed and cannot be used."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what matters is raised, or found out below
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # it would starve torch on few cores
    wanted = PROVIDERS[device.type]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[wanted])
    except Exception as error:  # its classes are private, and whatever it is, this way is closed
        raise BadModel(f"ONNX Runtime cannot load {path.name} ({str(error).splitlines()[0][:200]}).", INSTEAD) from error
    if wanted not in session.get_providers():
        raise BadModel(f"ONNX Runtime lists {wanted} but cannot use it.", INSTEAD)
    return session


def _running(session: Any, network_spec: NetworkSpec) -> Run:
    names = [put.name for put in session.get_inputs()]  # the exporter leaves out what the network does not look at

    def run(inputs: Mapping[str, Tensor]) -> Tensor:
        given = {name: inputs[name].detach().to("cpu", network_spec.example[name].dtype).contiguous().numpy() for name in names}
        answers = session.run(None, given)
        return torch.from_numpy(answers[0]).float().to(network_spec.device)

    return run


def _saturates() -> bool:
    """Whether sums of two 8-bit products overflow 16 bits here: on x86 without VNNI or AMX, where weights must have 7 bits
    (ONNX Runtime, "Quantize ONNX models", on reduce_range)."""
    able = torch.cpu.get_capabilities()
    wide = ("avx512_vnni", "avx_vnni", "amx_int8")
    return str(able.get("architecture", "")).startswith("x86") and not any(able.get(name) for name in wide)


def _quantised(path: Path) -> Path:
    from onnxruntime.quantization import quantize_dynamic

    small, root = path.with_name("network8.onnx"), logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)  # it recommends a step that does not help here
    try:
        quantize_dynamic(str(path), str(small), op_types_to_quantize=["MatMul", "Gemm"], reduce_range=_saturates())
    finally:
        root.setLevel(before)
    path.unlink()
    return small


def _whole(place: Path) -> bool:
    """Whether a kept export is the one that was put there."""
    try:
        receipt = json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
        if receipt["sha256"] == _hash(place):
            return True
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        pass
    log.warning("the kept export %s is damaged: making it anew", place.name)
    return False


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
