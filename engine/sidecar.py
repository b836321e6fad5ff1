"""The sidecar: what was asked, what was done, and what was measured on the files, as JSON that scripts may rely on.

The form is versioned (`delivery.SCHEMA`): within a version keys may come, but none goes away or changes its meaning.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine import algorithm, measure
from engine.audio import Source
from engine.backbones.base import Backbone
from engine.inversion import INVERSIONS
from engine.listening import Heard, method_for
from engine.methods.base import steps, turned
from engine.rendering import Outputs, origin
from engine.request import Request
from engine.separators.base import trained


@dataclass(frozen=True, slots=True)
class Kept:
    """Names of the files that are delivered; each row has one per prompt, or none where it was not wanted."""

    stems: tuple[str, ...]
    rest: str | None
    highlights: tuple[str, ...]
    generative: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """All of them."""
        return [*self.stems, *self.highlights, *self.generative, *([self.rest] if self.rest else [])]


def settings(request: Request, backbone: Backbone, gain_db: float | None) -> dict[str, Any]:
    """What decides, beside the input, the model, the region and the prompts, which stems come out."""
    method = method_for(request, backbone)
    dials = asdict(turned(method, request))
    return {
        "method": method.name,
        "mode": None if trained(backbone) else request.mode,
        "steps": None if trained(backbone) else steps(request, backbone),
        "depth": None if trained(backbone) else request.depth,
        "seed": request.seed,
        "not": request.unlike,
        "complete": request.complete,
        "gain_db": gain_db,
        **{name: value if name in method.dials else None for name, value in dials.items()},
    }


def algorithm_of(request: Request, backbone: Backbone) -> str:
    """The version of the code that answers a request."""
    return algorithm.version(backbone, method_for(request, backbone), INVERSIONS[request.mode])


def record(
    source: Source,
    backbone: Backbone,
    request: Request,
    heard: Heard,
    written: Outputs,
    kept: Kept,
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
            "found": heard.verdicts[index].found,
            "doubtful": heard.verdicts[index].doubtful,
            "peak_dbfs": round(measure.peak_dbfs(written.stems[index]), 2),
        }
        for index, prompt in enumerate(request.prompts)
    ]
    lags = [measure.lag_samples(source, path) for path, stem in zip(written.stems, stems, strict=True) if stem["found"]]
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
        "null_dbfs": round(measure.null_dbfs(source, [*written.stems, written.rest]), 1),
        "lag_samples": max(known, key=abs) if known else None,
        "network_passes": heard.work.passes,
        "codec": {"encodes": heard.work.encodes, "decodes": heard.work.decodes},
        "plan": {"execution": backbone.run and backbone.run.name, "batch": backbone.batch},
    }
