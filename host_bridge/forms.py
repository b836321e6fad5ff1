"""The JSON files of a job's folder and of the spool, read strictly and written in one way.

`rules` says what each key holds. A file that people or host scripts write (`request.json`) may
hold no key that we do not know. In one that we write, keys may come within a version, but none goes or changes its meaning.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from host_bridge.errors import BadRequest, BadSpool
from host_bridge.rules import (
    DAEMON,
    ENGINE,
    REGION,
    REQUEST,
    RESULT,
    RESULT_STEM,
    SETTINGS,
    SOURCE,
    STATE,
    STEM,
    STRENGTHS,
    Rule,
)
from host_bridge.text import as_json
from host_bridge.vocabulary import Hertz, Job, Samples, Stem


@dataclass(frozen=True, slots=True)
class Source:
    """One channel of the region, as it lies in a file of the user's; start and length at the file's own rate."""

    path: Path
    channel: int
    start: Samples
    length: Samples


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where the region lies in the host: its first sample, and the rate that counts them."""

    start: Samples
    rate: Hertz


@dataclass(frozen=True, slots=True)
class RequestFile:
    """request.json: what a host wants of a region. settings: further fields of the engine's request, only those given.

    strength: of the preset's sounds, and of each stem that names none; None: the preset's own. unsaid: the prompts of the stems
    for which neither they themselves nor `strength` say anything; without a preset they are at 1.
    """

    stems: tuple[Stem, ...]
    preset: str | None = None
    strength: float | None = None
    unsaid: frozenset[str] = frozenset()
    model: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    region: Timeline | None = None
    source: tuple[Source, ...] = ()
    deliver: Path | None = None
    name: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class StateFile:
    """state.json: the job, how often it was begun, and of one that failed what happened and what to do.

    A file of version 0.1 has no `todo`: its `error` holds both sentences.
    """

    job: Job
    attempt: int = 0
    code: int = 0
    error: str = ""
    todo: str = ""

    @property
    def said(self) -> str:
        """What happened and what to do, as one text for people; empty where the job has not failed."""
        return f"{self.error} {self.todo}".strip()


@dataclass(frozen=True, slots=True)
class EngineFile:
    """engine.json: how to reach the daemon, and the token that lets one in."""

    pid: int
    udp: int
    tcp: int
    version: str
    spool: Path
    token: str = field(repr=False)


_ELSEWHERE = {"unlike": "not"}
"""A setting -> its key in a sidecar, where that is another."""
_NEW = ("unlike_others", "renew", "rounds", "draws", "guidance")
"""Keys that older sidecars do not have; what made those had no such settings."""


def settings_of(told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the request that made a sidecar: every one of `SETTINGS` that is not as it is when left out.

    Raises KeyError for what the sidecar does not say.
    """
    stems = told["stems"]
    seen = {
        "beyond": any(stem["strength"] > 1 for stem in stems),
        "generative": any(stem["generative"] for stem in stems),
        "everything_but": not any(stem["path"] for stem in stems),
    }
    settings = {}
    for key in SETTINGS.keys() - {"rest"}:
        where = _ELSEWHERE.get(key, key)
        value = seen[key] if key in seen else told.get(where) if key in _NEW else told[where]
        if value is not None and value is not False and value != "":  # 0 is a seed, and a gain
            settings[key] = value
    return settings if told["rest"] else {**settings, "rest": False}


def read_request(data: bytes, where: str = "request.json") -> RequestFile:
    """What a request file asks for. Raises BadRequest naming the key that is wrong."""
    told = _checked(data, where, "zerostem-request/1", REQUEST, BadRequest, strict=True)

    def inner(key: str, values: Any, rules: Mapping[str, Rule]) -> dict[str, Any]:
        return _fitting(values, f"{where}, {key}", rules, BadRequest, strict=True)

    strength = told.get("strength")
    asked = [inner("stems", stem, STEM) for stem in told["stems"]]
    stems = tuple(Stem(**{"strength": 1.0 if strength is None else float(strength), **each}) for each in asked)
    unsaid = frozenset(each["prompt"] for each in asked if "strength" not in each and strength is None)
    sources = [inner("source", source, SOURCE) for source in told.get("source", ())]
    if not stems and "preset" not in told:
        raise BadRequest(f"{where} names no stem.", "Name at least one sound, or a preset.")
    if len({stem.prompt.strip().casefold() for stem in stems}) < len(stems):
        raise BadRequest(f"{where} names a stem twice.", "Name each sound once; each gets its own stem.")
    if len({source["length"] for source in sources}) > 1:
        raise BadRequest(f"{where} has sources of different lengths.", "Give one entry per channel, all of one length.")
    return RequestFile(
        stems=stems,
        preset=told.get("preset"),
        strength=None if strength is None else float(strength),
        unsaid=unsaid,
        model=told.get("model"),
        settings=inner("settings", told.get("settings", {}), SETTINGS),
        region=Timeline(**inner("region", told["region"], REGION)) if "region" in told else None,
        source=tuple(Source(**{**source, "path": Path(source["path"])}) for source in sources),
        deliver=Path(told["deliver"]) if "deliver" in told else None,
        name=told.get("name", ""),
        host=told.get("host", ""),
    )


def write_request(request: RequestFile) -> bytes:
    """The bytes of request.json. Raises BadRequest for what could not be read again."""
    stems = [{"prompt": stem.prompt} if stem.prompt in request.unsaid else asdict(stem) for stem in request.stems]
    told: dict[str, Any] = {"stems": stems, "settings": dict(request.settings)}
    told |= {} if request.strength is None else {"strength": request.strength}
    told |= {"source": [{**asdict(source), "path": str(source.path)} for source in request.source]} if request.source else {}
    told |= {"deliver": str(request.deliver)} if request.deliver else {}
    told |= {"region": asdict(request.region)} if request.region else {}
    told |= {key: value for key in ("preset", "model", "name", "host") if (value := getattr(request, key))}
    data = _written("zerostem-request/1", told)
    read_request(data)
    return data


def read_state(data: bytes, where: str = "state.json") -> StateFile:
    """How a job stands. Raises BadSpool."""
    told = _checked(data, where, "zerostem-state/1", STATE, BadSpool)
    job = Job(*(told[key] for key in ("id", "state", "permille", "stage", "eta_s", "device")))
    return StateFile(job, told["attempt"], told["code"], told["error"], told.get("todo", ""))


def write_state(state: StateFile) -> bytes:
    """The bytes of state.json."""
    told = {**asdict(state.job), "attempt": state.attempt, "code": state.code, "error": state.error}
    return _written("zerostem-state/1", {**told, "todo": state.todo})


def read_strengths(data: bytes, where: str = "strengths.json") -> dict[str, int]:
    """The strengths that were wanted after the request, in permille by stem. Raises BadSpool."""
    wanted: dict[str, int] = _checked(data, where, "zerostem-strengths/1", STRENGTHS, BadSpool)["permille"]
    return wanted


def write_strengths(permille: Mapping[str, int]) -> bytes:
    """The bytes of strengths.json."""
    return _written("zerostem-strengths/1", {"permille": dict(permille)})


def read_daemon(data: bytes, where: str = "daemon.json") -> tuple[int, int]:
    """The daemon's pid and its heartbeat. Raises BadSpool."""
    told = _checked(data, where, "zerostem-daemon/1", DAEMON, BadSpool)
    return told["pid"], told["beat"]


def write_daemon(version: str, pid: int, beat: int) -> bytes:
    """The bytes of daemon.json."""
    return _written("zerostem-daemon/1", {"version": version, "pid": pid, "beat": beat})


def read_engine(data: bytes, where: str = "engine.json") -> EngineFile:
    """How to reach the daemon. Raises BadSpool."""
    told = _checked(data, where, "zerostem-engine/1", ENGINE, BadSpool)
    kept = {key: told[key] for key in ENGINE if key != "schema"}
    return EngineFile(**{**kept, "spool": Path(told["spool"])})


def write_engine(engine: EngineFile) -> bytes:
    """The bytes of engine.json."""
    return _written("zerostem-engine/1", {**asdict(engine), "spool": str(engine.spool)})


def read_result(data: bytes, where: str = "result.json") -> dict[str, Any]:
    """The sidecar of a finished job, whole. Raises BadSpool where it is none."""
    told = _fitting(_parsed(data, where, BadSpool), where, RESULT, BadSpool)
    for stem in told["stems"]:
        _fitting(stem, f"{where}, stems", RESULT_STEM, BadSpool)
    return told


def write_json(told: Mapping[str, Any]) -> bytes:
    """JSON as we write it: UTF-8, two blanks, keys in their order, a line end; of paths see `text.as_json`."""
    return f"{as_json(told)}\n".encode()


Trouble = type[BadRequest] | type[BadSpool]


def _written(schema: str, told: Mapping[str, Any]) -> bytes:
    return write_json({"schema": schema, **told})


def _checked(
    data: bytes, where: str, schema: str, rules: Mapping[str, Rule], trouble: Trouble, *, strict: bool = False
) -> dict[str, Any]:
    told = _parsed(data, where, trouble)
    if isinstance(told, dict) and told.get("schema") != schema:
        raise trouble(f'{where} is not of the form "{schema}".', "Write it as SPOOL.md says, with that `schema`.")
    return _fitting(told, where, rules, trouble, strict=strict)


def _parsed(data: bytes, where: str, trouble: Trouble) -> Any:
    try:
        return json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise trouble(f"{where} is not valid JSON: {error}.", "Write it again, whole.") from error


def _fitting(told: Any, where: str, rules: Mapping[str, Rule], trouble: Trouble, *, strict: bool = False) -> dict[str, Any]:
    if not isinstance(told, dict):
        raise trouble(f"{where} is no JSON object.", "Write it as SPOOL.md says.")
    for key in told:
        if strict and key not in rules:
            near = difflib.get_close_matches(key, rules, n=1)
            todo = f"Did you mean '{near[0]}'?" if near else f"The keys are {', '.join(rules)}."
            raise trouble(f"{where} has an unknown key, {key!r}.", todo)
    for key, rule in rules.items():
        if key not in told and rule.required:
            raise trouble(f"{where} has no '{key}'.", f"Add it: {rule.means}.")
        if key in told and not rule.fits(told[key]):
            raise trouble(f"{where} has {key} = {_shown(told[key])}.", f"Make it {rule.means}.")
    return told


def _shown(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 80 else f"{said[:79]}…"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) < len(pairs):
        raise ValueError("a key stands there twice")
    return told


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no number")
