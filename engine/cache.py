"""What the model said, kept on disk by content: another prompt or strength never climbs again nor enters the codec again, and a
new strength of a method that has it in its mask asks the model nothing.

An entry is named after everything that went into it. It is checked when read; a damaged one is removed, computed again and
reported. The folder is bounded: the entries used longest ago go first.
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

from engine import algorithm
from engine.backbones.base import Conditioning
from engine.inversion.base import Inversion, Ladder, Trail
from engine.methods.base import Estimate, Method, Scene, presence, presence_work, turned
from engine.passes import Passes, Work
from host_bridge import atomic

log = logging.getLogger(__name__)

BOUND_BYTES = 4 << 30
DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of checked entries, bounded in bytes."""

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
        """Keep `tensors`; a disk that refuses costs a warning, never the job."""
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
class Recall:
    """A `Memory`: what was asked before comes from the shelf, the rest from the model."""

    shelf: Shelf
    model: Passes

    def encode(self, features: Tensor) -> Tensor:
        """`Passes.encode` with a memory."""
        return self._coded("encode", self.model.encode, features, Work(encodes=1))

    def decode(self, latent: Tensor) -> Tensor:
        """`Passes.decode` with a memory."""
        return self._coded("decode", self.model.decode, latent, Work(decodes=1))

    def _coded(self, way: str, code: Callable[[Tensor], Tensor], windows: Tensor, each: Work) -> Tensor:
        if self.model.backbone.exact_codec:  # quicker done again than found again
            return code(windows)
        answers = []
        for window in windows.split(1):
            name = self._key(way, [], window)
            if (entry := self.shelf.get(name)) is None:
                entry = {"answer": code(window)}
                self.shelf.put(name, entry)
            else:
                self.model.spare(each)
            answers.append(entry["answer"].to(windows.device))
        return torch.cat(answers)

    def climb(self, inversion: Inversion, ladder: Ladder, latent: Tensor, source: Conditioning, seeds: list[int]) -> Trail:
        """`Inversion.climb` with a memory: windows that are new are climbed as one batch."""
        keys = [self._way(inversion, ladder, latent[i], source.rows(torch.tensor([i])), seed) for i, seed in enumerate(seeds)]
        kept = [self.shelf.get(key) for key in keys]
        missing = [i for i, entry in enumerate(kept) if entry is None]
        self.model.spare(Work(inversion.passes(ladder)) * (len(keys) - len(missing)))
        if missing:
            rows = torch.tensor(missing)
            some = inversion.climb(self.model, ladder, latent[rows], source.rows(rows), [seeds[i] for i in missing])
            for i, top, noises in zip(missing, some.top, some.noises, strict=True):
                kept[i] = {"top": top, "noises": noises}
                self.shelf.put(keys[i], {"top": top, "noises": noises})
        whole = [entry for entry in kept if entry is not None]
        top, noises = (torch.stack([entry[name].to(latent.device) for entry in whole]) for name in ("top", "noises"))
        return Trail(top, noises)

    def _way(self, inversion: Inversion, ladder: Ladder, latent: Tensor, source: Conditioning, seed: int) -> str:
        """Everything the trail depends on: sound, model, way up, levels, inversion prompt, seed."""
        words = (source.tensors[name] for name in sorted(source.tensors))
        return self._key(f"climb {inversion.name} {seed}", [inversion], latent, ladder.levels, *words)

    def judge(self, scene: Scene) -> Tensor:
        """`presence` with a memory, of windows that are new: it depends on no strength, no method and no way up."""
        asked = scene.table.rows(torch.tensor([*range(len(scene.request.prompts)), scene.null]))
        words = [asked.tensors[name] for name in sorted(asked.tensors)]
        keys = [
            self._key(f"presence {seed}", [], features, *words)
            for features, seed in zip(scene.features, scene.seeds, strict=True)
        ]

        def ask(some: Scene) -> list[dict[str, Tensor]]:
            return [{"scores": scores} for scores in presence(some).unbind(1)]

        found = self._remembered(scene, keys, ask, presence_work(scene.request))
        return torch.stack([entry["scores"].to(scene.features.device) for entry in found], 1)

    def estimate(self, method: Method, scene: Scene) -> Estimate:
        """`Method.estimate` with a memory, for methods whose strength is in the mask: their answer is the same for all."""
        if not method.strength_in_mask:
            return method.estimate(scene)
        request = scene.request
        asked = (request.prompts, request.unlike, request.complete, request.mode, len(scene.ladder()), request.depth)
        settings = (*asked, turned(method, request))
        keys = [
            self._key(f"answer {method.name} {settings} {seed}", [method, scene.inversion()], features)
            for features, seed in zip(scene.features, scene.seeds, strict=True)
        ]

        def ask(some: Scene) -> list[dict[str, Tensor]]:
            told = method.estimate(some)
            sure = told.masks.new_zeros(0, some.windows) if told.presence is None else told.presence
            rows = zip(told.masks.unbind(1), told.features.unbind(1), sure.unbind(1), strict=True)
            return [{"masks": masks, "features": features, "presence": each} for masks, features, each in rows]

        found = self._remembered(scene, keys, ask, method.work(request, scene.backbone))
        masks, features, sure = (
            torch.stack([entry[name].to(scene.features.device) for entry in found], 1)
            for name in ("masks", "features", "presence")
        )
        return Estimate(masks, features, sure if sure.numel() else None)

    def _remembered(
        self, scene: Scene, keys: list[str], ask: Callable[[Scene], list[dict[str, Tensor]]], each: Work
    ) -> list[dict[str, Tensor]]:
        """An entry per window: those that are kept, and those of the others, which are asked about as one batch."""
        kept = [self.shelf.get(key) for key in keys]
        missing = [index for index, entry in enumerate(kept) if entry is None]
        self.model.spare(each * (len(keys) - len(missing)))
        if missing:
            some = replace(scene, features=scene.features[missing], seeds=[scene.seeds[index] for index in missing])
            for index, entry in zip(missing, ask(some), strict=True):
                kept[index] = entry
                self.shelf.put(keys[index], entry)
        return [entry for entry in kept if entry is not None]

    def _key(self, words: str, parts: list[object], *tensors: Tensor) -> str:
        """The name of an entry: the model and its device, the code, what was done in words, and every tensor that went in."""
        backbone = self.model.backbone
        way = backbone.run.name if backbone.run else ""  # each rounds in its own manner
        code = algorithm.version(backbone, *parts)
        digest = hashlib.sha256(f"{backbone.name} {backbone.fingerprint} {backbone.device.type} {way} {code} {words}".encode())
        for tensor in tensors:
            digest.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
            digest.update(tensor.contiguous().cpu().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()
