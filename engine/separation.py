"""Separates one file: prompts in, stems in a folder out. Composes everything else in the engine."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from engine.audio.source import open_source
from engine.backbones import heads, load
from engine.backbones.base import Backbone
from engine.backbones.tuning import tune
from engine.choose_model import model_for
from engine.execution import device
from engine.execution.autotune import AUTO
from engine.execution.base import is_out_of_memory
from engine.files import outputs
from engine.inversion import INVERSIONS
from engine.methods import METHODS, onepass
from engine.methods.base import resolve_options, timesteps_of
from engine.models import catalogue, instruments
from engine.pipeline.cache import DiskCache
from engine.pipeline.inference import method_for, run_inference
from engine.pipeline.rendering import Outputs, write_generative, write_stems
from engine.pipeline.sidecar import KeptFiles, record
from engine.request import Request
from engine.separators.base import trained
from host_bridge.errors import BadModel, BadRequest
from host_bridge.paths import places
from host_bridge.types import Progress, quietly

log = logging.getLogger(__name__)

STAGES = {"reading": 0.02, "separating": 0.9, "writing": 0.05, "measuring": 0.03}
"""Rough shares of a job's time, for one bar over all of it."""


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Output options of one file: which part of it, into which folder, and what to write beside the stems.

    out: the folder; None: `<input name> stems` beside the input. name: what the files are called after; None: the input.
    gain_db: also write the highlight, the region with the stem raised by so much.
    """

    out: Path | None = None
    name: str | None = None
    start_s: float | None = None
    length_s: float | None = None
    stems: bool = True
    rest: bool = True
    gain_db: float | None = None

    def __post_init__(self) -> None:
        if self.gain_db is not None and not (math.isfinite(self.gain_db) and self.gain_db <= 60):
            raise BadRequest(
                f"A gain of {self.gain_db:g} dB is out of range.",
                "Choose one of at most 60 dB; -120 takes the stem out.",
            )

    def kept(self, request: Request, names: outputs.Names) -> KeptFiles:
        """Which of the files that an input could get it will get."""
        return KeptFiles(
            stems=names.stems if self.stems else (),
            rest=names.rest if self.rest else None,
            highlights=names.highlights if self.gain_db is not None else (),
            generative=names.generative if request.generative else (),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Separator:
    """A loaded model that separates any number of files."""

    backbone: Backbone
    disk_cache: DiskCache

    @classmethod
    def load(
        cls, model: str = catalogue.DEFAULT, on: str = "auto", execution: str = AUTO, progress: Progress = quietly
    ) -> "Separator":
        """Find and load a model. execution: see `engine.execution`. progress: hears of questions that a model is asked once,
        when it is loaded for the first time (see `engine.backbones.heads`).

        Raises BadRequest or BadModel where the model, the device or the execution is not to be had.
        """
        found, where = catalogue.find(model), device.choose(on)
        least, free = found.weights.size / 2e9, device.free_memory(where) / 1e9  # in 16 bits; what was published has 32
        if least > free:  # a system that runs out of memory ends whatever it likes, and says nothing
            raise BadModel(
                f"The model {found.weights.name} takes {least:.1f} GB at least, and {where} has {free:.1f} GB free.",
                catalogue.lighter(found.weights.size),
            )
        backbone = heads.settled(load(found.weights.backbone, where, found.folder), progress)
        tune(backbone, execution)
        return cls(backbone, DiskCache(places().cache / "inversions"))

    def check(self, request: Request) -> None:
        """Raise BadRequest for a request that this model cannot process, before any file is read."""
        if trained(self.backbone):
            onepass.check(self.backbone, request)
            return
        if request.method is not None and request.method not in METHODS:
            raise BadRequest(f'There is no method called "{request.method}".', f"Choose one of {', '.join(METHODS)}.")
        if request.mode not in INVERSIONS:
            raise BadRequest(f'There is no mode called "{request.mode}".', f"Choose one of {', '.join(INVERSIONS)}.")
        timesteps_of(request, self.backbone)
        if resolve_options(method_for(request, self.backbone), request).renew and self.backbone.frequency_axis is None:
            raise BadRequest(
                f"The latents of {self.backbone.name} have no highs to renew the noise of.",
                "Leave out --fresh-noise, or change the model.",
            )
        self.backbone.embed(request.words)
        if known := getattr(self.backbone, "sources", None):
            instruments.told_apart(request.prompts, known)

    @torch.no_grad()
    def separate(
        self, path: Path, request: Request, output_options: OutputOptions, progress: Progress = quietly
    ) -> dict[str, Any]:
        """Separate one file; the files are in place when this returns, and none of them when it raises.

        Returns the sidecar. Raises BadAudio, BadRequest, BadModel (also for too little memory), CannotWrite, and Cancelled
        through `progress`.
        """
        try:
            return self._separate(path, request, output_options, progress)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            what = f"{self.backbone.name} ran out of memory on {self.backbone.device}."
            raise BadModel(what, "Close other programs, or choose a smaller model or a shorter region.") from error

    def _separate(self, path: Path, request: Request, output_options: OutputOptions, progress: Progress) -> dict[str, Any]:
        began = time.monotonic()
        self.check(request)
        progress(0.0, "reading")
        out = output_options.out or outputs.default_folder(path)
        names = outputs.names(output_options.name or outputs.input_names([path])[0], request.prompts)
        kept = output_options.kept(request, names)
        source = open_source(path, output_options.start_s, output_options.length_s, _stage(progress, "reading"))
        with outputs.as_cannot_write(out), outputs.OutputTransaction(out, kept.files, names.sidecar) as transaction:
            written = Outputs(
                stems=[transaction.staging / name for name in names.stems],
                rest=transaction.staging / names.rest,
                highlights=[transaction.staging / name for name in kept.highlights],
                generative=[transaction.staging / name for name in kept.generative],
            )
            model_output = run_inference(
                self.backbone, self.disk_cache, source, request, transaction.staging, _stage(progress, "separating")
            )
            write_stems(
                model_output,
                self.backbone,
                source,
                request,
                written,
                output_options.gain_db or 0.0,
                _stage(progress, "writing"),
            )
            if model_output.features is not None:
                write_generative(
                    model_output, model_output.features, self.backbone, source, written, _stage(progress, "writing")
                )
            _stage(progress, "measuring")(0.0, "measuring")
            told = record(source, self.backbone, request, model_output, written, kept, transaction.out, output_options.gain_db)
            committed = transaction.commit({**told, "seconds": round(time.monotonic() - began, 3)})
        progress(1.0, "done")
        return committed


def separate(
    path: str | PathLike[str],
    prompts: str | Sequence[str],
    strength: float | Sequence[float] = 1.0,
    *,
    model: str | None = None,
    device: str = "auto",
    out: str | PathLike[str] | None = None,
    start_s: float | None = None,
    length_s: float | None = None,
    rest: bool = True,
    gain_db: float | None = None,
    progress: Progress = quietly,
    **settings: Any,
) -> dict[str, Any]:
    """Take the sounds that `prompts` name out of the audio file at `path`, and write them as WAV files.

    strength: omega, 0 (the mixture) to 1 (the stem alone), for all prompts or one each. model, device: as on the command
    line; a model stays loaded for the next call. out: a folder, by default `<name> stems` beside the file. start_s,
    length_s: the region, in seconds. gain_db: also write the highlight. settings: further fields of `Request` (unlike,
    method, mode, steps, depth, seed and so on). Returns the sidecar (see README, "Scripts").
    Raises a `ZeroStemError` that says what happened and what to do.

    >>> result = separate("song.wav", "drums")  # doctest: +SKIP
    >>> result["stems"][0]["path"]  # doctest: +SKIP
    '/music/song stems/song - drums.wav'
    """
    request = Request.of([prompts] if isinstance(prompts, str) else prompts, strength, **settings)
    output_options = OutputOptions(Path(out) if out is not None else None, None, start_s, length_s, rest=rest, gain_db=gain_db)
    return _loaded(model_for(model, request.prompts, request.method), device).separate(
        Path(path), request, output_options, progress
    )


_loaded = cache(Separator.load)


def _stage(progress: Progress, name: str) -> Progress:
    """A part of the job's bar."""
    before = 0.0
    for stage, share in STAGES.items():
        if stage == name:
            break
        before += share
    return lambda done, said: progress(before + STAGES[name] * done, said)
