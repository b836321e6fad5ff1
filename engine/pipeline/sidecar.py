"""The sidecar: request, settings and measurements of a separation as JSON that scripts may rely on.

The form is versioned (`delivery.SCHEMA`): within a version keys may come, but none goes away or changes its meaning.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine.audio import metrics
from engine.audio.source import AudioSource
from engine.backbones.base import Backbone
from engine.inversion import INVERSIONS
from engine.methods.base import num_steps, resolve_options
from engine.pipeline import algorithm
from engine.pipeline.inference import ModelOutput, method_for
from engine.pipeline.rendering import Outputs, origin
from engine.request import Request
from engine.separators.base import trained


@dataclass(frozen=True, slots=True)
class KeptFiles:
    """Names of the files that are delivered; each row has one per prompt, or none where it was not wanted."""

    stems: tuple[str, ...]
    rest: str | None
    highlights: tuple[str, ...]
    generative: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """All file names."""
        return [*self.stems, *self.highlights, *self.generative, *([self.rest] if self.rest else [])]


def settings(request: Request, backbone: Backbone, gain_db: float | None) -> dict[str, Any]:
    """All settings that determine the stems, beside input, model, region and prompts."""
    method = method_for(request, backbone)
    options = asdict(resolve_options(method, request))
    return {
        "method": method.name,
        "mode": None if trained(backbone) else request.mode,
        "steps": None if trained(backbone) else num_steps(request, backbone),
        "depth": None if trained(backbone) else request.depth,
        "seed": request.seed,
        "not": request.unlike,
        "complete": request.complete,
        "gain_db": gain_db,
        **{name: value if name in method.options else None for name, value in options.items()},
    }


def algorithm_of(request: Request, backbone: Backbone) -> str:
    """The version of the code that answers a request."""
    return algorithm.version(backbone, method_for(request, backbone), INVERSIONS[request.mode])


def record(
    source: AudioSource,
    backbone: Backbone,
    request: Request,
    model_output: ModelOutput,
    written: Outputs,
    kept: KeptFiles,
    out: Path,
    gain_db: float | None,
) -> dict[str, Any]:
    """Everything but how long it took. Null, lag and peaks are measured on the `written` files, all of them."""

    def path(names: Sequence[str], index: int) -> str | None:
        return str(out / names[index]) if names else None

    stems = [
        {
            "prompt": prompt,
            "strength": request.strengths[index],
            "path": path(kept.stems, index),
            "generative": path(kept.generative, index),
            "highlight": path(kept.highlights, index),
            "found": model_output.verdicts[index].found,
            "doubtful": model_output.verdicts[index].doubtful,
            "peak_dbfs": round(metrics.peak_dbfs(written.stems[index]), 2),
        }
        for index, prompt in enumerate(request.prompts)
    ]
    lags = [metrics.lag_samples(source, path) for path, stem in zip(written.stems, stems, strict=True) if stem["found"]]
    known = [lag for lag in lags if lag is not None]
    return {
        "zerostem": version("zerostem"),
        "input": {
            "path": str(source.path.absolute()),
            "sha256": source.sha256,
            "rate": source.rate,
            "channels": source.channels,
            "samples": source.samples,
        },
        "model": {
            "name": backbone.name,
            "licence": backbone.licence,
            "fingerprint": backbone.fingerprint,
            "trained_to_separate": trained(backbone),
        },
        "algorithm": algorithm_of(request, backbone),
        "device": str(backbone.device),
        **settings(request, backbone, gain_db),
        "warnings": list(source.notes),
        "region": {"start": source.start, "length": source.length},
        "time_reference": origin(source),
        "stems": stems,
        "rest": str(out / kept.rest) if kept.rest else None,
        "null_dbfs": round(metrics.null_dbfs(source, [*written.stems, written.rest]), 1),
        "lag_samples": max(known, key=abs) if known else None,
        "network_passes": model_output.cost.passes,
        "codec": {"encodes": model_output.cost.encodes, "decodes": model_output.cost.decodes},
        "plan": {"execution": backbone.run and backbone.run.name, "batch": backbone.batch},
    }
