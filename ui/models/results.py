"""What came out of a job: its stems, what was measured on them, whose licence they are under; and the same once more."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_bridge.errors import BadRequest
from host_bridge.files import read_plain
from host_bridge.forms import RequestFile, Source, Timeline, read_result, settings_of
from host_bridge.vocabulary import Hertz, Samples, Stem
from ui import texts


@dataclass(frozen=True, slots=True)
class StemFile:
    """One stem as it was written. path: None where only the rest was wanted. found: it is in the mix at all."""

    prompt: str
    strength: float
    path: Path | None
    highlight: Path | None
    generative: Path | None
    found: bool
    doubtful: bool

    @property
    def note(self) -> str:
        """What a person should know about it before they listen; empty: nothing."""
        return texts.STEM_SILENT if not self.found else texts.STEM_DOUBTFUL if self.doubtful else ""


@dataclass(frozen=True, slots=True)
class Result:
    """A finished job, as its sidecar tells it. null_dbfs: mix minus all of it, None where it was not measured."""

    stems: tuple[StemFile, ...]
    rest: Path | None
    mix: Path | None
    start: Samples
    """Where in the file `mix` the region begins; it is as long as the stems."""
    model: str
    licence: str
    method: str
    device: str
    null_dbfs: float | None
    lag_samples: int | None
    seconds: float | None
    told: Mapping[str, Any]
    """All of the sidecar."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> "Result":
        """From result.json, or from the sidecar of `zerostem separate`."""
        model = told.get("model", {})
        return cls(
            stems=tuple(_stem(stem) for stem in told["stems"]),
            rest=_path(told.get("rest")),
            mix=_path(told.get("input", {}).get("path")),
            start=Samples(told.get("region", {}).get("start", 0)),
            model=model.get("name", ""),
            licence=model.get("licence", ""),
            method=told.get("method") or "",
            device=told.get("device", ""),
            null_dbfs=told.get("null_dbfs"),
            lag_samples=told.get("lag_samples"),
            seconds=told.get("seconds"),
            told=told,
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """What can be dragged out: stems, highlights, the model's own voice, the rest."""
        kinds = [(stem.path, stem.highlight, stem.generative) for stem in self.stems]
        return tuple(path for path in (*sum(kinds, ()), self.rest) if path)

    @property
    def folder(self) -> Path | None:
        """Where they lie."""
        return self.files[0].parent if self.files else None

    @property
    def facts(self) -> str:
        """What was measured, in a line: "null -156.5 dBFS, lag 0 samples, 2.1 s with pocket (MIT) on cpu"."""
        told = []
        if self.null_dbfs is not None:
            lag = texts.FACTS_NO_LAG if self.lag_samples is None else texts.FACTS_LAG.format(count=self.lag_samples)
            told.append(texts.FACTS_NULL.format(db=f"{self.null_dbfs:.1f}", lag=lag))
        if self.model:
            made = texts.FACTS_MADE if self.seconds is None else texts.FACTS_MADE_IN
            took = "" if self.seconds is None else f"{self.seconds:.1f}"
            told.append(made.format(seconds=took, model=self.model, licence=self.licence, device=self.device))
        return ", ".join(told)


def read(sidecar: Path) -> Mapping[str, Any]:
    """A sidecar's file. Raises BadRequest where there is none, BadSpool where it is none."""
    data = read_plain(sidecar)
    if data is None:
        raise BadRequest(texts.NO_SIDECAR.format(path=sidecar), texts.NO_SIDECAR_TODO)
    return read_result(data, sidecar.name)


def rebuild(told: Mapping[str, Any]) -> RequestFile:
    """The request that makes a result once more, from the same sound. Raises BadRequest where it does not say enough."""
    try:
        source, region, stems = told["input"], told["region"], told["stems"]
        if not Path(source["path"]).is_file():
            raise BadRequest(texts.SOURCE_GONE.format(path=source["path"]), texts.SOURCE_GONE_TODO)
        return RequestFile(
            stems=tuple(Stem(stem["prompt"], stem["strength"]) for stem in stems),
            model=told["model"]["name"],
            settings=settings_of(told),
            region=Timeline(Samples(told["time_reference"]), Hertz(source["rate"])),
            source=tuple(
                Source(Path(source["path"]), channel, Samples(region["start"]), Samples(region["length"]))
                for channel in range(source["channels"])
            ),
            name=_name(told),
            host="panel",
        )
    except KeyError as error:
        raise BadRequest(texts.SIDECAR_LACKS.format(key=error), texts.SIDECAR_LACKS_TODO) from error


def rebuilt(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, bool]:
    """Of each file of the old result: whether it came out the same, byte for byte."""
    return {name: new.get("files", {}).get(name) == digest for name, digest in old.get("files", {}).items()}


def reason(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Why files did not come out the same, in a sentence for people."""
    if old.get("model", {}).get("fingerprint") != new.get("model", {}).get("fingerprint"):
        return texts.REBUILT_MODEL
    if old.get("algorithm") != new.get("algorithm"):
        return texts.REBUILT_VERSION
    return texts.REBUILT_OTHER_TODO


def _name(told: Mapping[str, Any]) -> str:
    """What the files were named after: what stands before " - rest", or before the last " - " of another."""
    rest, first = told["rest"], next(iter(told["files"]), "")
    return Path(rest).stem.removesuffix(" - rest") if rest else Path(first).stem.rpartition(" - ")[0]


def _stem(told: Mapping[str, Any]) -> StemFile:
    return StemFile(
        prompt=told["prompt"],
        strength=float(told["strength"]),
        path=_path(told.get("path")),
        highlight=_path(told.get("highlight")),
        generative=_path(told.get("generative")),
        found=told.get("found", True),
        doubtful=told.get("doubtful", False),
    )


def _path(told: str | None) -> Path | None:
    return Path(told) if told else None
