"""Where models are on this machine, whether they are whole, and what their licences allow. It downloads nothing."""

import json
import re
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.models import fingerprints
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
    def trained_to_separate(self) -> bool:
        """Whether it was taught to take mixtures apart, and not only to make sounds."""
        return self.backbone in SEPARATING

    @property
    def fetch(self) -> str | None:
        """The command that fetches it, or what of it is missing or damaged."""
        return f"zerostem models fetch {self.name}" if self.hub else None


SEPARATING = frozenset({"ear"})
"""The keys of `engine.separators.SEPARATORS`, which need not be imported to be known."""
NON_COMMERCIAL = "CC BY-NC-SA 4.0 (non-commercial)"
_ANY = "any sound in your own words"


def _free_to_try(backbone: str, name: str, size: int, good_for: str, hub: str) -> Weights:
    return Weights(name, hub, backbone, size, NON_COMMERCIAL, commercial=False, good_for=good_for)


_MODELS = (
    Weights("ear", None, "ear", 22_900_000, "MIT", True, "vocals, drums, bass and other instruments; trained to separate them"),
    Weights("pocket", None, "pocket", 22_842_694, "MIT", True, "15 instruments and speech, in seconds, on any machine"),
    *(
        _free_to_try("audioldm", name, size, f"{_ANY}; {note}", f"cvssp/{hub or name}")
        for name, size, note, hub in (
            ("audioldm-s-full-v2", 1_700_000_000, "the quickest of its kind", None),
            ("audioldm-s-full", 1_700_000_000, "the small one as it was first published", "audioldm"),
            ("audioldm-m-full", 2_600_000_000, "twice the work of the small one", None),
            ("audioldm-l-full", 3_900_000_000, "four times the work of the small one", None),
        )
    ),
    _free_to_try(
        "audioldm", "musicldm", 1_700_000_000, "music in your own words; AudioLDM, trained on it", "ucsd-reach/musicldm"
    ),
    *(
        _free_to_try("audioldm2", name, size, good_for, f"cvssp/{name}")
        for name, size, good_for in (
            ("audioldm2", 4_500_000_000, f"{_ANY}, told by two text encoders"),
            ("audioldm2-large", 6_000_000_000, f"{_ANY}; the best of ZeroSep's paper, twice the work of audioldm2"),
            ("audioldm2-music", 4_500_000_000, "music in your own words"),
        )
    ),
    *(
        _free_to_try("tango", name, 5_300_000_000, good_for, f"declare-lab/{name}")
        for name, good_for in (
            ("tango", f"{_ANY}; trained on descriptions of scenes, eight times the work of the smallest"),
            ("tango-full", f"{_ANY}; Tango, trained on more sounds"),
            ("tango-full-ft-audiocaps", f"{_ANY}; Tango, trained on more sounds and then on scenes"),
            ("tango-full-ft-audio-music-caps", f"{_ANY}; Tango, trained on more sounds and then on scenes and music"),
            ("tango2", f"{_ANY}; Tango, trained further on what listeners prefer"),
            ("tango2-full", f"{_ANY}; Tango 2, trained on more sounds"),
        )
    ),
    *(
        _free_to_try("auffusion", name, 4_300_000_000, good_for, f"auffusion/{name}")
        for name, good_for in (
            ("auffusion", f"{_ANY}; 256 mel bands where the others have 64"),
            ("auffusion-full", f"{_ANY}; Auffusion, trained on more sounds"),
            ("auffusion-full-no-adapter", f"{_ANY}; Auffusion, trained on more sounds, with plain CLIP"),
        )
    ),
    Weights(
        "stable-audio-open-1.0",
        "stabilityai/stable-audio-open-1.0",
        "stable_audio",
        5_300_000_000,
        "Stability AI Community (commercial below 1 M$ a year)",
        commercial=False,
        good_for="music and sound effects in your own words, in stereo at 44.1 kHz; accept its licence on the hub first",
    ),
)

CATALOGUE = {weights.name: weights for weights in _MODELS}

_ENGINE = Path(__file__).resolve().parents[1]
EMBEDDED = {"pocket": _ENGINE / "backbones" / "pocket", "ear": _ENGINE / "separators" / "ear"}
"""The models that come with ZeroStem, and where they lie."""

PIPELINES = {
    "AudioLDMPipeline": "audioldm",
    "MusicLDMPipeline": "audioldm",
    "AudioLDM2Pipeline": "audioldm2",
    "TangoPipeline": "tango",
    "AuffusionPipeline": "auffusion",
    "StableAudioPipeline": "stable_audio",
}
"""The class that a checkpoint's model_index.json names -> which backbone runs it."""

MARKS = {
    "pocket.json": "pocket",
    "ear.json": "ear",
    "main_config.json": "tango",
    "condition_config.json": "auffusion",
    "vocoder/vocoder.pt": "auffusion",
}
"""A file that only one family's checkpoints have -> which backbone runs it."""

Rows = tuple[tuple[str, ...], ...]


def _network(name: str, stem: str, *others: str) -> Rows:
    """A network's two files, as safetensors or as a pickle. stem: what the library that saves it calls its weights."""
    pickle = "pytorch_model" if stem == "model" else stem
    return ((f"{name}/config.json",), (f"{name}/{stem}.safetensors", f"{name}/{pickle}.bin", *others))


def _diffusers(name: str) -> Rows:
    return _network(name, "diffusion_pytorch_model")


def _transformers(name: str) -> Rows:
    return _network(name, "model")


def _words(name: str) -> Rows:
    """A tokenizer made of pairs of letters: one file, or two."""
    whole = f"{name}/tokenizer.json"
    return ((f"{name}/tokenizer_config.json",), (whole, f"{name}/vocab.json"), (whole, f"{name}/merges.txt"))


def _pieces(name: str) -> Rows:
    """T5's tokenizer. From `spiece.model` alone transformers cannot make one without further packages."""
    return ((f"{name}/tokenizer_config.json",), (f"{name}/tokenizer.json",))


def _or(rows: Rows, *others: str) -> Rows:
    """Each row, with what stands for it in another layout of the same checkpoint, one file per row."""
    return tuple((other, *row) for row, other in zip(rows, others, strict=True))


_INDEX: Rows = (("model_index.json",), ("scheduler/scheduler_config.json",))

LAYOUTS: dict[str, Rows] = {
    "pocket": (("pocket.json",), ("pocket.safetensors",)),
    "ear": (("ear.json",), ("ear.safetensors",)),
    "audioldm": (
        *_INDEX,
        *_diffusers("unet"),
        *_diffusers("vae"),
        *_transformers("text_encoder"),
        *_words("tokenizer"),
        *_transformers("vocoder"),
    ),
    "audioldm2": (
        *_INDEX,
        *_diffusers("unet"),
        *_diffusers("vae"),
        *_diffusers("projection_model"),
        *_transformers("text_encoder"),
        *_words("tokenizer"),
        *_transformers("text_encoder_2"),
        *_pieces("tokenizer_2"),
        *_transformers("language_model"),
        *_transformers("vocoder"),
    ),
    "tango": (
        *_or(_INDEX, "main_config.json", "main_config.json"),
        *_or(_diffusers("unet"), "main_config.json", "pytorch_model_main.bin"),
        *_or(_diffusers("vae"), "vae_config.json", "pytorch_model_vae.bin"),
        *_or(_transformers("text_encoder"), "main_config.json", "pytorch_model_main.bin"),
        *_or(_pieces("tokenizer"), "main_config.json", "main_config.json"),
        *_or(_transformers("vocoder"), "vae_config.json", "pytorch_model_vae.bin"),
    ),
    "auffusion": (
        ("condition_config.json", "model_index.json"),
        ("scheduler/scheduler_config.json",),
        *_diffusers("unet"),
        *_diffusers("vae"),
        ("condition_adapter_0/condition_adapter.pt", "model_index.json"),
        ("text_encoder_0/config.json", "text_encoder/config.json"),
        (
            "text_encoder_0/model.safetensors",
            "text_encoder_0/pytorch_model.bin",
            "text_encoder/model.safetensors",
            "text_encoder/pytorch_model.bin",
        ),
        ("text_encoder_0/tokenizer_config.json", "tokenizer/tokenizer_config.json"),
        ("text_encoder_0/tokenizer.json", "text_encoder_0/vocab.json", "tokenizer/tokenizer.json", "tokenizer/vocab.json"),
        ("text_encoder_0/tokenizer.json", "text_encoder_0/merges.txt", "tokenizer/tokenizer.json", "tokenizer/merges.txt"),
        *_network("vocoder", "model", "vocoder/vocoder.pt"),
    ),
    "stable_audio": (
        *_INDEX,
        *_diffusers("transformer"),
        *_diffusers("vae"),
        *_diffusers("projection_model"),
        *_transformers("text_encoder"),
        *_pieces("tokenizer"),
    ),
}
"""The files that each backbone reads: one of every row, the first that is there, in any of its `forms`."""

INDEX = ".index.json"
"""Behind the name of a network's weights: the list of the files (shards) that they were divided into."""
STEMS = ("diffusion_pytorch_model", "model", "pytorch_model")
"""What diffusers and transformers call a network's weights, without suffix."""


def forms(name: str) -> tuple[str, ...]:
    """A file of a checkpoint, and what diffusers or transformers load in its place, in the order in which they do: weights in
    several files, by their index. diffusers prefers the index to the whole file, transformers the whole file."""
    stem = Path(name).name.partition(".")[0]
    if stem not in STEMS or Path(name).suffix not in (".safetensors", ".bin"):
        return (name,)
    return (name + INDEX, name) if stem == STEMS[0] else (name, name + INDEX)


def choices(names: tuple[str, ...]) -> tuple[str, ...]:
    """All files that can stand for one row of a layout, the best first; the half precision variant where there is no other."""
    halves = [name.replace(".safetensors", ".fp16.safetensors") for name in names if forms(name) != (name,)]
    return (*(form for name in names for form in forms(name)), *(name for name in halves if name.endswith(".safetensors")))


def shards(index: Path) -> tuple[str, ...]:
    """The names of the files beside an index that hold the weights. Raises ValueError where it is no such index."""
    try:
        named = json.loads(index.read_bytes())["weight_map"].values()
        found = tuple(sorted({str(name) for name in named}))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("no index of weights") from error
    if not found or any(Path(name).name != name or Path(name).suffix not in (".safetensors", ".bin") for name in found):
        raise ValueError("an index of weights that names no files beside it")
    return found


def weights_in(folder: Path) -> str | None:
    """The name of the file in a network's folder that diffusers or transformers are to load it from, or of its index."""
    rows = (("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"), ("model.safetensors", "pytorch_model.bin"))
    return next((found for names in rows if (found := _there(folder, names))), None)


def _there(folder: Path, names: tuple[str, ...]) -> str | None:
    """Which of `choices` is there, and whole if it is an index; else the first that is there at all."""
    there = [name for name in choices(names) if (folder / name).is_file()]
    return next((name for name in there if not name.endswith(INDEX) or _complete(folder / name)), there[0] if there else None)


def _complete(index: Path) -> bool:
    """Whether all files that an index names are there."""
    try:
        return all(index.with_name(name).is_file() for name in shards(index))
    except ValueError:
        return False


_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_FREE = {"mit", "apache-2.0", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"}


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model that is here and whole."""

    weights: Weights
    folder: Path
    files: tuple[str, ...]
    """What it is loaded from, relative to `folder`."""

    @property
    def fingerprint(self) -> str:
        """Changes with the content of the checkpoint's files, and with nothing else."""
        return fingerprints.of_files(self.folder, self.files)


def find(name: str) -> InstalledModel:
    """The model that a person named: one of the catalogue's, else a folder, else a hub id "org/name" that was fetched.

    Raises BadRequest for a name that nobody knows; BadModel for weights that are not here, incomplete or damaged.
    """
    folder = Path(name).expanduser() if name.startswith("~/") else Path(name)
    if name and name not in CATALOGUE and folder.is_dir():
        return at(folder)
    cached = place(CATALOGUE[name]) if name in CATALOGUE else folder_of(hub_of(name))
    if cached is None:
        raise BadModel(f"The model {name} is not on this machine.", f"Fetch it: `zerostem models fetch {name}`.")
    return at(cached)


def hub_of(name: str) -> str:
    """The repository on the hub that a person means. Raises BadRequest for a name that nobody knows, or that has none."""
    if name in CATALOGUE and (hub := CATALOGUE[name].hub):
        return hub
    if name in CATALOGUE:
        raise BadRequest(f"{name} comes with ZeroStem, not from the hub.", "There is nothing to fetch or to remove.")
    if _HUB_ID.fullmatch(name):
        return name
    names = ", ".join(CATALOGUE)
    raise BadRequest(
        f'There is no model called "{name}", and no folder of that name.',
        f"Choose one of {names}, an id on the Hugging Face hub (org/name), or a checkpoint's folder.",
    )


def lighter(size: int) -> str:
    """What to do about a model of so many bytes that does not fit in memory: it names the largest smaller one that is here."""
    by_size = sorted(CATALOGUE.values(), key=lambda model: -model.size)
    here = next((model for model in by_size if model.size < size and place(model) is not None), None)
    if here is None:
        return "Close other programs, or choose another device (`zerostem doctor` lists them)."
    return f"{here.name} is here and smaller ({here.size / 1e9:.2g} GB): choose it, or another device, or close other programs."


def place(model: Weights) -> Path | None:
    """The folder of a model of the catalogue; None where it was never fetched."""
    return folder_of(model.hub) if model.hub else EMBEDDED[model.name]


def folder_of(hub: str) -> Path | None:
    """Where a repository of the hub lies in the hub's cache, None if it was never fetched.

    No network is asked. HF_HOME and its relatives count, as for the hub's own commands.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:  # no file is asked for by pattern, so a snapshot fetched in part is returned too: `at` can say what it lacks
        return Path(snapshot_download(hub, allow_patterns=[], local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def at(folder: Path) -> InstalledModel:
    """The model in a folder. Raises BadModel naming the file that is missing or cut short.

    A snapshot in the hub's cache is known by its path; about any other folder only its own files are asked.
    """
    folder = folder.resolve()
    cached = folder.parent.parent.name
    hub = cached.removeprefix("models--").replace("--", "/") if cached.startswith("models--") else None
    published = next((weights for weights in CATALOGUE.values() if hub and weights.hub == hub), None)
    embedded = next((CATALOGUE[name] for name, where in EMBEDDED.items() if folder == where), None)
    weights = embedded or published or described(folder, hub)
    files = []
    for names in LAYOUTS[weights.backbone]:
        name = _there(folder, names) or names[0]
        _check(folder, name, weights)
        files.append(name)
        if name.endswith(INDEX):
            for shard in shards(folder / name):
                files.append(str(Path(name).with_name(shard).as_posix()))
                _check(folder, files[-1], weights)
    size = weights.size or sum((folder / name).stat().st_size for name in set(files))
    return InstalledModel(replace(weights, size=size), folder, tuple(dict.fromkeys(files)))


def described(folder: Path, hub: str | None, there: Collection[str] = ()) -> Weights:
    """A checkpoint outside the catalogue, by what its own files say. there: files that it has on the hub, here or not.

    Raises BadModel for one that no backbone runs.
    """
    stated = _stated_licence(folder / "README.md")
    licence = stated or "unknown: see the checkpoint's own licence"
    weights = Weights(hub or folder.name, hub, "pocket", 0, licence, commercial=stated in _FREE, good_for="")
    for mark, backbone in MARKS.items():
        if mark in there or (folder / mark).is_file():
            return replace(weights, backbone=backbone)
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
    by_hand = "Install ZeroStem again." if folder in EMBEDDED.values() else "Copy the whole checkpoint there again."
    if flaw is None and (instead := _instead(file)):
        raise BadModel(f"The model {weights.name} in {folder} has no {name}, {instead[0]}.", instead[1])
    raise BadModel(
        f"{file} is damaged ({flaw})." if flaw else f"The model {weights.name} in {folder} has no {name}.",
        f"Fetch it again: `{command}`." if command else by_hand,
    )


def _instead(file: Path) -> tuple[str, str] | None:
    """Where something lies in place of a missing file that cannot stand for it: what, in half a sentence, and what to do."""
    if file.name == "tokenizer.json" and (file.parent / "spiece.model").is_file():
        todo = f"Put the tokenizer.json of the same tokenizer into {file.parent}; the hub has it beside its spiece.model."
        return "only a spiece.model, which cannot be read without it", todo
    variants = re.compile(rf"(?:{'|'.join(STEMS)})\.[\w.-]+\.(?:safetensors|bin)(?:\.index\.json)?")
    found = sorted(each.name for each in file.parent.glob("*") if variants.fullmatch(each.name)) if forms(file.name)[1:] else []
    if not found:
        return None
    kinds = "in full precision, in one file or in several with their index, or as .fp16.safetensors"
    return f"only {found[0]}, which is another variant of it", f"Put it there {kinds}."


def _flaw(file: Path) -> str | None:
    """What is wrong with a file that can be seen without reading its tensors."""
    from safetensors import SafetensorError, safe_open

    try:
        if file.suffix == ".json" and not isinstance(json.loads(file.read_bytes()), dict | list):
            return "neither a JSON object nor a list"
        if file.suffix == ".safetensors":
            with safe_open(file, framework="numpy"):  # compares the length that its header promises with the file's
                pass
        if file.name.endswith(INDEX):
            shards(file)
    except (ValueError, SafetensorError) as error:
        return str(error)
    if file.suffix in (".bin", ".pt"):
        with file.open("rb") as start:  # a zip's directory is at its end; before torch 1.6 it was a bare pickle
            if start.read(1) != b"\x80" and not zipfile.is_zipfile(file):
                return "not a whole PyTorch file"
    return None
