"""Fetches a model's files from the Hugging Face hub, checks every byte, and takes them away again: only because somebody asked.

Files go into the hub's own cache (HF_HOME is honoured), one after the other, and only those that a backbone reads. What has
arrived whole stays; of a file that was cut off nothing does, since the hub's client deletes it: a download is gone on with by
whole files.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from engine import weights
from engine.hub_errors import hub_told
from engine.weights import CATALOGUE, Found, Weights
from host_bridge.errors import BadModel, CannotWrite
from host_bridge.files import write_whole
from host_bridge.vocabulary import Progress, quietly

BLOCK = 1 << 20
SPARE = 64 << 20
"""Bytes that a download leaves free on a disk."""
WORDS = {".json", ".txt", ".model", ".md"}
"""Suffixes of what is fetched beside the weights: configurations, tokenizers, the card with the licence."""
COMPANIONS = {
    "tango": {"google/flan-t5-large": frozenset("config.json tokenizer_config.json tokenizer.json spiece.model".split())}
}
"""By backbone: what its checkpoints leave to another repository, and which files of it are read."""
LARGEST_WORDS = 32 << 20
"""Bytes; above this it is no configuration, whatever its suffix says."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a repository as of a commit: digest is the SHA-256 of a large file, git's SHA-1 of a small one."""

    name: str
    size: int
    digest: str
    hub: str = ""
    commit: str = ""

    @property
    def path(self) -> Path:
        """Where the hub's cache has it."""
        return _snapshot(self.hub, self.commit) / self.name


@dataclass(frozen=True, slots=True)
class Plan:
    """What a model consists of on the hub, and what of it is not here, or not as it should be."""

    weights: Weights
    commit: str
    pieces: tuple[Piece, ...]
    missing: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(piece.size for piece in self.missing)


def plan(name: str, progress: Progress = quietly) -> Plan | None:
    """Ask the hub what a model consists of, and compare it with what is here; None for a model that comes along.

    Raises BadRequest for a name that nobody knows, BadModel where the hub cannot be asked or the model cannot be run, and
    Cancelled through `progress`.
    """
    known = CATALOGUE.get(name) or next((each for each in CATALOGUE.values() if each.hub == name), None)
    if known is not None and known.hub is None:
        return None
    hub = weights.hub_of(name)
    with hub_told(name, hub):
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            raise BadModel(f"{name} cannot be fetched while HF_HUB_OFFLINE is set.", "Unset it, and fetch again.")
        progress(0.0, "asking the hub")
        commit, found = _listed(hub)
        model = known or _stranger(hub, commit, {piece.name for piece in found})
        pieces = _chosen(model, found)
        for other, names in COMPANIONS.get(model.backbone, {}).items():
            pieces += tuple(piece for piece in _listed(other)[1] if piece.name in names)
    missing = tuple(piece for piece in pieces if not _whole(piece.path, piece, partial(progress, 0.0)))
    return Plan(model, commit, pieces, missing)


def _listed(hub: str) -> tuple[str, list[Piece]]:
    """A repository's newest commit, and its files."""
    from huggingface_hub import HfApi, constants

    info = HfApi(endpoint=constants.ENDPOINT).model_info(hub, files_metadata=True)
    assert info.sha
    return info.sha, [Piece(each.rfilename, each.size or 0, _digest_told(each), hub, info.sha) for each in info.siblings or ()]


def fetch(wanted: Plan, progress: Progress = quietly) -> Found:
    """Fetch what is missing, and compare each file with the hub's digest of it. Returns the model, which is whole then.

    `progress` is called at least every 10 MiB, and where it raises Cancelled nothing more is fetched. Raises CannotWrite
    where the disk is too small, before anything is fetched; BadModel for a file that arrived damaged, or not at all.
    """
    assert wanted.weights.hub
    _check_disk(wanted)
    before = 0
    for piece in wanted.missing:
        with hub_told(wanted.weights.name, piece.hub):
            _one(piece, before, wanted.size, progress)
        before += piece.size
        arrived = before / max(wanted.size, 1)
        if not _whole(piece.path, piece, partial(progress, arrived)):
            for each in {
                piece.path.resolve(),
                piece.path,
            }:  # the cache keeps the bytes beside their name, and both would count as fetched
                each.unlink()
            what = f"{piece.name} of {wanted.weights.name} arrived damaged: it is not what the hub says it is."
            raise BadModel(what, f"Fetch it again: `{wanted.weights.fetch}`.")
    for hub, commit in dict.fromkeys((piece.hub, piece.commit) for piece in reversed(wanted.pieces)):
        ref = _snapshot(hub, commit).parents[1] / "refs" / "main"
        ref.parent.mkdir(parents=True, exist_ok=True)
        write_whole(ref, commit.encode(), 0o644)  # only now is it the version that is found by its name
    progress(1.0, "fetched")
    return weights.at(_snapshot(wanted.weights.hub, wanted.commit))


def verify(found: Found, progress: Progress = quietly) -> dict[str, bool | None]:
    """For each file of a model: whether its bytes have the digest that the hub's cache keeps of it; None where it keeps none.

    No network is asked: the cache names a file after its digest. A folder outside of the cache has no digests.
    """
    told: dict[str, bool | None] = {}
    for index, name in enumerate(found.files):
        file = found.folder / name
        digest = file.readlink().name if file.is_symlink() else ""  # a store may lie behind the first link
        piece, done = Piece(name, file.stat().st_size, digest), index / len(found.files)
        tell = partial(progress, done)
        told[name] = _whole(file, piece, tell) if len(digest) in _DIGESTS else None
    return told


def remove(name: str) -> int:
    """Take a model out of the hub's cache, all versions of it. Returns the bytes that are free again.

    Raises BadRequest for one that is not in the cache to be removed; BadModel for one that is not here.
    """
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    hub = weights.hub_of(name)
    try:
        cache = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        raise _not_here(name) from None
    versions = [each.commit_hash for repo in cache.repos if repo.repo_id == hub for each in repo.revisions]
    if not versions:
        raise _not_here(name)
    strategy = cache.delete_revisions(*versions)
    strategy.execute()
    return int(strategy.expected_freed_size)


def _not_here(name: str) -> BadModel:
    return BadModel(f"The model {name} is not on this machine.", "There is nothing to remove.")


def _chosen(model: Weights, found: list[Piece]) -> tuple[Piece, ...]:
    """The files that the backbone reads, and the words around them; of two forms of the weights the first in its layout."""
    by_name = {piece.name: piece for piece in found}
    names = {name for name, piece in by_name.items() if Path(name).suffix in WORDS and piece.size <= LARGEST_WORDS}
    for row in weights.LAYOUTS[model.backbone]:
        there = [name for name in weights.choices(row) if name in by_name]
        if not there:
            what = f"{model.hub} on the hub has no {row[0]}."
            raise BadModel(what, f"Choose another checkpoint; {model.backbone} cannot run without.")
        names |= {there[0], *_shards(there[0], by_name)}
    return tuple(by_name[name] for name in sorted(names))


def _shards(index: str, names: Iterable[str]) -> set[str]:
    """The files that an index divides weights into, by the names that the libraries give them; none for what is no index."""
    if not index.endswith(weights.INDEX):
        return set()
    stem, _, suffix = index.removesuffix(weights.INDEX).rpartition(".")
    return {name for name in names if re.fullmatch(rf"{re.escape(stem)}-\d+-of-\d+\.{suffix}", name)}


def _stranger(hub: str, commit: str, names: set[str]) -> Weights:
    """A repository outside the catalogue, by what its index and its card say: two small files, fetched for that."""
    from huggingface_hub import constants, hf_hub_download

    index = "model_index.json"
    if index not in names and names.isdisjoint(weights.MARKS):
        what = f"{hub} is no checkpoint that ZeroStem can run: it has no {index}."
        raise BadModel(what, "`zerostem models list` names those that can be run.")
    for name in {index, "README.md"} & names:
        hf_hub_download(hub, name, revision=commit, endpoint=constants.ENDPOINT)
    return weights.described(_snapshot(hub, commit), hub, names)


def _one(piece: Piece, before: int, total: int, progress: Progress) -> None:
    """Fetch one file. before: bytes that were fetched before it, of so many in total."""
    from huggingface_hub import constants, hf_hub_download

    constants.HF_HUB_DISABLE_XET = True  # it moves bytes on threads of its own, which a progress that raises does not stop
    share = _Share(piece, before, total, progress)
    share.update(0)
    settings: dict[str, Any] = {"tqdm_class": lambda *_, **__: share}  # duck-typed: the hub's client calls five methods of it
    hf_hub_download(
        piece.hub,
        piece.name,
        revision=piece.commit,
        endpoint=constants.ENDPOINT,
        force_download=piece.path.exists() or piece.path.is_symlink(),  # it is there and not whole, or it would not be missing
        **settings,
    )


class _Share:
    """One file's part of a download's progress, in the form of the bar that the hub's client wants to draw."""

    def __init__(self, piece: Piece, before: int, total: int, progress: Progress) -> None:
        self._piece, self._before, self._total, self._progress, self._here = piece, before, total, progress, 0

    def update(self, n: float | None = 1) -> None:
        """So many bytes more, fewer where the hub made it begin again. Raises Cancelled."""
        self._here += int(n or 0)
        done = min(self._before + self._here, self._total)
        said = f"fetching {self._piece.name}, {megabytes(done)} of {megabytes(self._total)}"
        self._progress(done / max(self._total, 1), said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def close(self) -> None:
        """Nothing is open."""


def megabytes(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"


def _check_disk(wanted: Plan) -> None:
    """Raise CannotWrite where the cache's disk has no room for what is missing."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE).absolute()
    free = shutil.disk_usage(next(folder for folder in (cache, *cache.parents) if folder.exists())).free
    if wanted.size and free < wanted.size + SPARE:
        what = f"{wanted.weights.name} needs {megabytes(wanted.size)}, and the disk of {cache} has {megabytes(free)} free."
        raise CannotWrite(what, "Free some, or set HF_HOME to a folder on another disk.")


def _snapshot(hub: str, commit: str) -> Path:
    """Where the hub's cache has a repository's files as of a commit."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{hub.replace('/', '--')}" / "snapshots" / commit


_DIGESTS: dict[int, Callable[[int], Any]] = {
    64: lambda _size: hashlib.sha256(),
    40: lambda size: hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False),
}
"""By the length of a digest, how it is begun for a file of so many bytes: SHA-256 for large files, git's for small ones."""


def _digest_told(sibling: Any) -> Any:
    return (sibling.lfs.sha256 if sibling.lfs else sibling.blob_id) or ""


def _whole(file: Path, piece: Piece, tell: Callable[[str], None]) -> bool:
    """Whether a file is there and has the size and digest that it should have; where none is told, the size must do.

    tell: may raise Cancelled.
    """
    if not file.is_file() or file.stat().st_size != piece.size:
        return False
    begin = _DIGESTS.get(len(piece.digest))
    if begin is None:  # a mirror of the hub that tells no digests
        return True
    digest = begin(piece.size)
    with file.open("rb") as opened:
        while block := opened.read(16 * BLOCK):
            digest.update(block)
            tell(f"checking {piece.name}")
    return bool(digest.hexdigest() == piece.digest)
