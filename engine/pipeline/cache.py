"""Disk cache of inversions, VAE latents and masks, keyed by content hash. Another prompt or strength reuses the inversion and
the latents, and a new strength of a method that applies it to the mask needs no network pass.

An entry's name is the hash of all inputs. Entries carry a checksum; a damaged one is removed, reported and computed again. The
folder's size is bounded; the least recently used entries are removed first.
"""

import hashlib
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from engine.backbones.base import Conditioning
from engine.backbones.batching import BatchedModel, Cost
from engine.inversion.base import Inversion, InversionResult, Timesteps
from engine.methods.base import Estimate, Method, WindowBatch, presence_cost, resolve_options, score_presence
from engine.pipeline import algorithm
from host_bridge.files import atomic

log = logging.getLogger(__name__)

BOUND_BYTES = 4 << 30
DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class DiskCache:
    """A folder of entries with checksums, bounded in bytes (least recently used first out)."""

    folder: Path
    bound: int = BOUND_BYTES

    def get(self, key: str) -> dict[str, Tensor] | None:
        """The tensors kept under `key`, or None. A damaged entry is removed and reported."""
        path = self.folder / key
        try:
            packed = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("a kept entry cannot be read and is computed again (%s)", error)
            return None
        if hashlib.sha256(packed[DIGEST:]).digest() != packed[:DIGEST]:
            log.warning("a kept entry was damaged and is computed again (%s)", path)
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        with suppress(OSError):  # another process may have removed it since; it was read whole
            os.utime(path)
        return load(packed[DIGEST:])

    def put(self, key: str, tensors: dict[str, Tensor]) -> None:
        """Store `tensors`. A failing disk causes a warning and never fails the job."""
        packed = save({name: tensor.contiguous().cpu() for name, tensor in tensors.items()})
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic.write(self.folder / key, hashlib.sha256(packed).digest() + packed, durable=False)
        except OSError as error:
            log.warning("an entry could not be kept for later (%s)", error)

    def trim(self) -> None:
        """Remove the entries used longest ago until the rest fit the bound; what another process uses or removes is left."""
        entries = []
        with suppress(OSError):
            for path in self.folder.iterdir():
                with suppress(OSError):
                    about = path.stat()
                    entries.append((about.st_mtime, about.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.bound:
                break
            with suppress(OSError):  # on Windows a file that is being read cannot be removed; the next one can
                path.unlink(missing_ok=True)
                total -= size


@dataclass(frozen=True, slots=True, eq=False)
class CachedModel:
    """A `ModelCache` backed by a `DiskCache`."""

    disk_cache: DiskCache
    model: BatchedModel

    def encode(self, features: Tensor) -> Tensor:
        """Cached `BatchedModel.encode`."""
        return self._coded("encode", self.model.encode, features, Cost(encodes=1))

    def decode(self, latent: Tensor) -> Tensor:
        """Cached `BatchedModel.decode`."""
        return self._coded("decode", self.model.decode, latent, Cost(decodes=1))

    def _coded(self, way: str, code: Callable[[Tensor], Tensor], windows: Tensor, each: Cost) -> Tensor:
        if self.model.backbone.lossless_codec:  # quicker done again than found again
            return code(windows)
        answers = []
        for window in windows.split(1):
            name = self._key(way, [], window)
            if (entry := self.disk_cache.get(name)) is None:
                entry = {"answer": code(window)}
                self.disk_cache.put(name, entry)
            else:
                self.model.count_skipped(each)
            answers.append(entry["answer"].to(windows.device))
        return torch.cat(answers)

    def invert(
        self, inversion: Inversion, timesteps: Timesteps, latent: Tensor, source: Conditioning, seeds: list[int]
    ) -> InversionResult:
        """Cached `Inversion.invert`; windows that are missing in the cache are inverted as one batch."""
        keys = [
            self._way(inversion, timesteps, latent[i], source.rows(torch.tensor([i])), seed) for i, seed in enumerate(seeds)
        ]
        kept = [self.disk_cache.get(key) for key in keys]
        missing = [i for i, entry in enumerate(kept) if entry is None]
        self.model.count_skipped(Cost(inversion.passes(timesteps)) * (len(keys) - len(missing)))
        if missing:
            rows = torch.tensor(missing)
            some = inversion.invert(self.model, timesteps, latent[rows], source.rows(rows), [seeds[i] for i in missing])
            for i, top, noises in zip(missing, some.latent, some.noises, strict=True):
                kept[i] = {"top": top, "noises": noises}
                self.disk_cache.put(keys[i], {"top": top, "noises": noises})
        whole = [entry for entry in kept if entry is not None]
        top, noises = (torch.stack([entry[name].to(latent.device) for entry in whole]) for name in ("top", "noises"))
        return InversionResult(top, noises)

    def _way(self, inversion: Inversion, timesteps: Timesteps, latent: Tensor, source: Conditioning, seed: int) -> str:
        """Cache key of an inversion: sound, model, algorithm, noise levels, inversion prompt and seed."""
        words = (source.tensors[name] for name in sorted(source.tensors))
        return self._key(f"invert {inversion.name} {seed}", [inversion], latent, timesteps.levels, *words)

    def score_presence(self, batch: WindowBatch) -> Tensor:
        """Cached `score_presence`, which depends on neither strength, method nor inversion."""
        asked = batch.table.rows(torch.tensor([*range(len(batch.request.prompts)), batch.null_row]))
        words = [asked.tensors[name] for name in sorted(asked.tensors)]
        keys = [
            self._key(f"presence {seed}", [], features, *words)
            for features, seed in zip(batch.features, batch.seeds, strict=True)
        ]

        def ask(some: WindowBatch) -> list[dict[str, Tensor]]:
            return [{"scores": scores} for scores in score_presence(some).unbind(1)]

        found = self._remembered(batch, keys, ask, presence_cost(batch.request))
        return torch.stack([entry["scores"].to(batch.features.device) for entry in found], 1)

    def estimate(self, method: Method, batch: WindowBatch) -> Estimate:
        """Cached `Method.estimate`, for methods that apply strength to the mask: their estimate is the same for all
        strengths."""
        if not method.strength_in_mask:
            return method.estimate(batch)
        request = batch.request
        asked = (request.prompts, request.unlike, request.complete, request.mode, len(batch.timesteps()), request.depth)
        settings = (*asked, resolve_options(method, request))
        keys = [
            self._key(f"answer {method.name} {settings} {seed}", [method, batch.inversion()], features)
            for features, seed in zip(batch.features, batch.seeds, strict=True)
        ]

        def ask(some: WindowBatch) -> list[dict[str, Tensor]]:
            told = method.estimate(some)
            sure = told.masks.new_zeros(0, some.windows) if told.presence is None else told.presence
            rows = zip(told.masks.unbind(1), told.features.unbind(1), sure.unbind(1), strict=True)
            return [{"masks": masks, "features": features, "presence": each} for masks, features, each in rows]

        found = self._remembered(batch, keys, ask, method.cost(request, batch.backbone))
        masks, features, sure = (
            torch.stack([entry[name].to(batch.features.device) for entry in found], 1)
            for name in ("masks", "features", "presence")
        )
        return Estimate(masks, features, sure if sure.numel() else None)

    def _remembered(
        self, batch: WindowBatch, keys: list[str], ask: Callable[[WindowBatch], list[dict[str, Tensor]]], each: Cost
    ) -> list[dict[str, Tensor]]:
        """An entry per window: those that are kept, and those of the others, which are asked about as one batch."""
        kept = [self.disk_cache.get(key) for key in keys]
        missing = [index for index, entry in enumerate(kept) if entry is None]
        self.model.count_skipped(each * (len(keys) - len(missing)))
        if missing:
            some = replace(batch, features=batch.features[missing], seeds=[batch.seeds[index] for index in missing])
            for index, entry in zip(missing, ask(some), strict=True):
                kept[index] = entry
                self.disk_cache.put(keys[index], entry)
        return [entry for entry in kept if entry is not None]

    def _key(self, words: str, parts: list[object], *tensors: Tensor) -> str:
        """Cache key: the model, its device and execution, the code, the operation in words, and every input tensor."""
        backbone = self.model.backbone
        way = backbone.run.name if backbone.run else ""  # each rounds in its own manner
        code = algorithm.version(backbone, *parts)
        digest = hashlib.sha256(f"{backbone.name} {backbone.fingerprint} {backbone.device.type} {way} {code} {words}".encode())
        for tensor in tensors:
            digest.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
            digest.update(tensor.contiguous().cpu().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()
