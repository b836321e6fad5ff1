"""Where models are on this machine, whether they are whole, and what their licences allow. It downloads nothing."""

import hashlib
import json
import re
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from host_bridge.errors import BadModel, BadRequest

DEFAULT = "pocket"


@dataclass(frozen=True, slots=True)
class Weights:
    """A model, as much of it as a person chooses by."""

    name: str
    """As users type it."""
    hub: str | None
    """Its repository on the Hugging Face hub; None: it comes with ZeroStem, or lies in a folder of the user's."""
    backbone: str
    """Which of BACKBONES runs it."""
    size: int
    """Bytes on disk, roughly."""
    licence: str
    commercial: bool
    """Its licence is known to allow commercial use."""
    good_for: str

    @property
    def fetch(self) -> str | None:
        """The command that fetches it."""
        return f"hf download {self.hub}" if self.hub else None


def _audioldm(name: str, size: int, good_for: str) -> Weights:
    licence = "CC BY-NC-SA 4.0 (non-commercial)"
    return Weights(name, f"cvssp/{name}", "audioldm", size, licence, commercial=False, good_for=good_for)


_MODELS = (
    Weights("pocket", None, "pocket", 22_842_694, "MIT", True, "15 instruments and speech, in seconds, on any machine"),
    _audioldm("audioldm-s-full-v2", 1_700_000_000, "any sound in your own words; the quickest of its kind"),
    _audioldm("audioldm-m-full", 2_600_000_000, "any sound in your own words; twice the work of the small one"),
    _audioldm("audioldm-l-full", 3_900_000_000, "any sound in your own words; four times the work of the small one"),
)

CATALOGUE = {weights.name: weights for weights in _MODELS}

POCKET = Path(__file__).resolve().parent / "backbones" / "pocket"

PIPELINES = {"AudioLDMPipeline": "audioldm"}
"""The class that a checkpoint's model_index.json names -> which backbone runs it."""

LAYOUTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pocket": (("pocket.json",), ("pocket.safetensors",)),
    "audioldm": (
        ("model_index.json",),
        ("scheduler/scheduler_config.json",),
        ("unet/config.json",),
        ("unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.bin"),
        ("vae/config.json",),
        ("vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin"),
        ("text_encoder/config.json",),
        ("text_encoder/model.safetensors", "text_encoder/pytorch_model.bin"),
        ("tokenizer/tokenizer_config.json",),
        ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
        ("tokenizer/tokenizer.json", "tokenizer/merges.txt"),
        ("vocoder/config.json",),
        ("vocoder/model.safetensors", "vocoder/pytorch_model.bin"),
    ),
}
"""The files that each backbone reads: one of every row, the first that is there."""

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_FREE = {"mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"}


@dataclass(frozen=True, slots=True)
class Found:
    """A model that is here and whole."""

    weights: Weights
    folder: Path
    files: tuple[str, ...]
    """What it is loaded from, relative to `folder`."""

    @property
    def fingerprint(self) -> str:
        """Changes when the checkpoint does, without reading gigabytes of it.

        It is a digest of the names and sizes of its files, and of the hub's commit where the hub's cache tells it, else
        of the times at which the files were last written: a copy with new times counts as new.
        """
        digest = hashlib.sha256()
        for name in self.files:
            stat = (self.folder / name).stat()
            version = self.folder.name if self.weights.hub else stat.st_mtime_ns
            digest.update(f"{name} {stat.st_size} {version}\n".encode())
        return digest.hexdigest()[:16]


def find(name: str) -> Found:
    """The model that a person named: one of the catalogue's, else a folder, else a hub id "org/name" that was fetched.

    Raises BadRequest for a name that nobody knows; BadModel for weights that are not here, incomplete or damaged.
    """
    folder = Path(name).expanduser() if name.startswith("~/") else Path(name)
    if name and name not in CATALOGUE and folder.is_dir():
        return at(folder)
    if name not in CATALOGUE and not _HUB_ID.fullmatch(name):
        names = ", ".join(CATALOGUE)
        raise BadRequest(
            f'There is no model called "{name}", and no folder of that name.',
            f"Choose one of {names}, an id on the Hugging Face hub (org/name), or a checkpoint's folder.",
        )
    hub = CATALOGUE[name].hub if name in CATALOGUE else name
    cached = folder_of(hub)
    if cached is None:
        raise BadModel(f"The model {name} is not on this machine.", f"Fetch it: `hf download {hub}`.")
    return at(cached)


def folder_of(hub: str | None) -> Path | None:
    """Where a repository of the hub lies in the hub's cache, None if it was never fetched; of no repository: pocket's.

    No network is asked. HF_HOME and its relatives count, as for the hub's own commands.
    """
    if hub is None:
        return POCKET
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:  # no file is asked for by pattern, so a snapshot fetched in part is returned too: `at` can say what it lacks
        return Path(snapshot_download(hub, allow_patterns=[], local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def at(folder: Path) -> Found:
    """The model in a folder. Raises BadModel naming the file that is missing or cut short.

    A snapshot in the hub's cache is known by its path; about any other folder only its own files are asked.
    """
    folder = folder.resolve()
    cached = folder.parent.parent.name
    hub = cached.removeprefix("models--").replace("--", "/") if cached.startswith("models--") else None
    published = next((weights for weights in CATALOGUE.values() if hub and weights.hub == hub), None)
    weights = CATALOGUE["pocket"] if folder == POCKET else published or _read(folder, hub)
    files = []
    for names in LAYOUTS[weights.backbone]:
        name = next((name for name in names if (folder / name).is_file()), names[0])
        _check(folder, name, weights)
        files.append(name)
    size = weights.size or sum((folder / name).stat().st_size for name in set(files))
    return Found(replace(weights, size=size), folder, tuple(dict.fromkeys(files)))


def _read(folder: Path, hub: str | None) -> Weights:
    """A checkpoint outside the catalogue, by what its own files say."""
    stated = _stated_licence(folder / "README.md")
    licence = stated or "unknown: see the checkpoint's own licence"
    weights = Weights(hub or folder.name, hub, "pocket", 0, licence, commercial=stated in _FREE, good_for="")
    if (folder / "pocket.json").is_file():
        return weights
    _check(folder, "model_index.json", weights)
    pipeline: Any = json.loads((folder / "model_index.json").read_bytes()).get("_class_name")
    if pipeline not in PIPELINES:
        known = ", ".join(PIPELINES)
        raise BadModel(f"The model {weights.name} is made for {pipeline}.", f"Choose one made for {known}.")
    return replace(weights, backbone=PIPELINES[pipeline])


def _stated_licence(card: Path) -> str | None:
    """The licence in a model card's front matter: its name where it is none of the hub's own, else its identifier."""
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    fields = re.findall(r"^(license(?:_name)?):[ \t]*(.+)$", front[1] if front else "", re.MULTILINE)
    stated = {key: value.strip(" \t\r\"'") for key, value in fields}
    return stated.get("license_name") or stated.get("license")


def _check(folder: Path, name: str, weights: Weights) -> None:
    """Raises BadModel, with the way to mend it, for a file that is not there or visibly damaged."""
    file, command = folder / name, weights.fetch
    flaw = _flaw(file) if file.is_file() else None
    if file.is_file() and flaw is None:
        return
    if command and flaw:
        command += f" {name} --force-download"  # a damaged file in the cache would count as fetched
    by_hand = "Install ZeroStem again." if folder == POCKET else "Copy the whole checkpoint there again."
    raise BadModel(
        f"{file} is damaged ({flaw})." if flaw else f"The model {weights.name} in {folder} has no {name}.",
        f"Fetch it again: `{command}`." if command else by_hand,
    )


def _flaw(file: Path) -> str | None:
    """What is wrong with a file that can be seen without reading its tensors."""
    from safetensors import SafetensorError, safe_open

    try:
        if file.suffix == ".json" and not isinstance(json.loads(file.read_bytes()), dict):
            return "not a JSON object"
        if file.suffix == ".safetensors":
            with safe_open(file, framework="numpy"):  # compares the length that its header promises with the file's
                pass
    except (ValueError, SafetensorError) as error:
        return str(error)
    if file.suffix == ".bin":
        with file.open("rb") as start:  # a zip's directory is at its end; before torch 1.6 it was a bare pickle
            if start.read(1) != b"\x80" and not zipfile.is_zipfile(file):
                return "not a whole PyTorch file"
    return None
