"""A published checkpoint while it is loaded: its parts one by one, nothing made up, and one sentence when it is not right."""

import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.backbones.base import epsilon_from_v
from engine.backbones.schedules import Discrete, linear, scaled_linear
from engine.weights import INDEX, STEMS, Found, at, lighter, weights_in
from host_bridge.errors import BadModel, ZeroStemError

SCHEDULES: dict[str, Callable[[float, float], Discrete]] = {"scaled_linear": scaled_linear, "linear": linear}
"""A scheduler's `beta_schedule` -> the schedule between its `beta_start` and `beta_end`."""

ToEpsilon = Callable[[Tensor, Tensor, Tensor], Tensor]

TO_EPSILON: dict[str, ToEpsilon] = {
    "epsilon": lambda said, _latent, _alpha_bar: said,
    "v_prediction": epsilon_from_v,
}
"""A scheduler's `prediction_type` -> epsilon, from what the network said, the latent and alpha-bar."""


UNUSED = {
    "ClapTextModelWithProjection": r"^(clap\.)?(audio_model\.|audio_projection\.|logit_scale|text_model\.embeddings\.[^.]+$)",
    "CLIPTextModel": r"^(vision_model\.|visual_projection\.|text_projection\.|logit_scale|.*position_ids$)",
    "GPT2Model": r"^(lm_head\.|.*\.attn\.(masked_)?bias$)",
    "T5EncoderModel": r"^(decoder\.|lm_head\.)",
}
"""By a text encoder's class: tensors that published files hold beside those it needs, as a pattern. They are the other half of
the network (CLAP's ears, CLIP's eyes, T5's decoder), a head that is not asked, or constants that older releases saved with the
weights. All other networks use every tensor of their files."""


def refuse_unexpected(name: str, keys: Iterable[str], unused: str | None = None) -> None:
    """Raise ValueError for tensors of a file that the network has no place for, but for those that match `unused`."""
    if beyond := sorted(key for key in keys if unused is None or not re.match(unused, key)):
        more = f" and {len(beyond) - 3} more" if len(beyond) > 3 else ""
        raise ValueError(f"{name} has tensors that its config has no place for: {', '.join(beyond[:3])}{more}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a backbone's constructor takes its parts from; `folder` is in the layout of diffusers' `save_pretrained`."""

    found: Found
    folder: Path
    networks: list[Any] = field(default_factory=list)

    def part(self, kind: Any, name: str, dtype: torch.dtype = torch.float32, **config: Any) -> Any:
        """A network from the subfolder `name`, in `dtype`. config: settings that differ from those in its config.json.

        Raises ValueError where the files do not hold all of it, or hold tensors that a network of this config has no place
        for: the config is then not the one that it was trained with, and the network another.

        Both kinds of file are mapped from disk, and cast tensor by tensor. The libraries unpickle `.bin` files with
        weights_only, so a checkpoint cannot run code.
        """
        file = weights_in(self.folder / name)
        if file is None:
            raise ValueError(f"{name} holds no weights")
        if not file.endswith(INDEX) and file.startswith(STEMS[0]) and (self.folder / name / f"{file}{INDEX}").is_file():
            raise BadModel(
                f"{self.folder / name} has {file} as a whole, and an index of several files that are not all there.",
                f"Remove {file}{INDEX} from that folder.",
            )
        how = {
            "local_files_only": True,
            "use_safetensors": ".safetensors" in file,
            "variant": "fp16" if ".fp16." in file else None,
            "torch_dtype": dtype,
            "output_loading_info": True,
        }
        made, report = kind.from_pretrained(self.folder / name, **how, **config)
        made_up = sorted({key for key, _ in made.named_parameters()} & set(report["missing_keys"]))
        if made_up:  # the libraries filled these with random numbers; buffers they can work out
            raise ValueError(f"{name} has no {', '.join(made_up[:3])}")
        refuse_unexpected(name, report["unexpected_keys"], UNUSED.get(kind.__name__))
        return self.keep(made)

    def keep(self, network: Any) -> Any:
        """A network made by other means: it goes to the device with the others."""
        self.networks.append(network)
        return network

    def tokenizer(self, name: str) -> Any:
        """The tokenizer in the subfolder `name`."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder / name, local_files_only=True)

    def settings(self, file: str) -> Any:
        """What a JSON file of the checkpoint says."""
        return json.loads((self.folder / file).read_text(encoding="utf-8"))

    def schedule(self) -> tuple[Discrete, ToEpsilon]:
        """The levels of noise that it was trained on, and how what its network says becomes epsilon."""
        told = self.settings("scheduler/scheduler_config.json")
        prediction = told.get("prediction_type", "epsilon")  # not written down before 2023
        return SCHEDULES[told["beta_schedule"]](told["beta_start"], told["beta_end"]), TO_EPSILON[prediction]


@contextmanager
def opened(
    family: str, folder: Path, device: torch.device, arranged: Callable[[Found], Path] | None = None
) -> Iterator[Checkpoint]:
    """The checkpoint in `folder`; when the block ends, every network taken from it is on `device`, ready to be asked.

    arranged: where the parts lie, for checkpoints that were not published in diffusers' layout. Raises BadModel for what is
    incomplete, damaged, carries code, or belongs to another family.
    """
    found = at(folder)
    if found.weights.backbone != family:
        raise BadModel(
            f"The model {found.weights.name} in {folder} is one of {found.weights.backbone}'s, not of {family}'s.",
            "Choose it by its folder or its name, and what runs it is found by itself.",
        )
    try:
        with _hushed():
            checkpoint = Checkpoint(found, arranged(found) if arranged else found.folder)
            yield checkpoint
    except ZeroStemError:
        raise
    except Exception as error:  # whatever is wrong inside, the answer is the same
        raise BadModel(
            f"The model {found.weights.name} in {folder} cannot be loaded ({_in_brief(error)}).",
            "Fetch or copy the whole checkpoint again.",
        ) from error
    try:
        for network in checkpoint.networks:
            network.eval().requires_grad_(requires_grad=False).to(device)
    except torch.OutOfMemoryError as error:
        raise BadModel(
            f"The model {found.weights.name} does not fit in the memory of {device}.",
            lighter(found.weights.size),
        ) from error


def _in_brief(error: BaseException) -> str:
    """One line of what the libraries say. What torch will not unpickle may have run code, and is called that."""
    cause: BaseException | None = error
    while cause is not None:
        if "Weights only load failed" in str(cause):
            return "one of its files holds something other than numbers, which might run code"
        cause = cause.__cause__ or cause.__context__
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}"


@contextmanager
def _hushed() -> Iterator[None]:
    """transformers and diffusers, without their bars, tables and advice: what matters of them is raised."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    other = diffusers_logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    diffusers_logging.set_verbosity(diffusers_logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # about what the libraries themselves still use
            yield
    finally:
        logging.set_verbosity(verbosity)
        diffusers_logging.set_verbosity(other)
        if bars:
            logging.enable_progress_bar()
