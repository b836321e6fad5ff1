"""A checkpoint of Diff-DMX: `diffdmx.safetensors` holds the weights, `diffdmx.json` what made them; README.md says how."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from engine.research.diffdmx.network import DiffDMX, Sizes
from host_bridge.errors import BadModel

SCHEMA = "zerostem-diffdmx/1"


def save(model: DiffDMX, folder: Path, told: str) -> None:
    """Write both files into `folder`; `told` says in words what the weights were fitted on."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "diffdmx.safetensors")
    sheet = {"schema": SCHEMA, "fitted_on": told, "sizes": asdict(model.sizes)}
    (folder / "diffdmx.json").write_text(json.dumps(sheet, indent=2) + "\n", encoding="utf-8")


def load(folder: Path, device: torch.device) -> DiffDMX:
    """The networks in `folder`, ready to sample. Raises BadModel, naming what is wrong."""
    try:
        sheet = json.loads((folder / "diffdmx.json").read_text(encoding="utf-8"))
        if sheet["schema"] != SCHEMA:
            raise ValueError(f'its schema is "{sheet["schema"]}", not "{SCHEMA}"')
        unknown = sheet["sizes"].keys() - {each.name for each in fields(Sizes)}
        if unknown:
            raise ValueError(f"it has sizes of no meaning: {', '.join(sorted(unknown))}")
        sizes: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in sheet["sizes"].items()
        }
        model = DiffDMX(Sizes(**sizes))
        model.load_state_dict(load_file(folder / "diffdmx.safetensors"))
    except Exception as error:  # whatever is wrong inside, the answer is the same
        raise BadModel(
            f"The Diff-DMX checkpoint in {folder} cannot be loaded ({type(error).__name__}: {error}).",
            "Train or copy it again: engine/research/diffdmx/README.md says how it is laid out.",
        ) from error
    return model.eval().requires_grad_(requires_grad=False).to(device)
