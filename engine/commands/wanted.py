"""What is wanted of every input alike: the options that say so, and the request that they and a preset make together."""

import argparse
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import presets
from engine.request import Request
from host_bridge.errors import BadRequest
from host_bridge.forms import RequestFile
from host_bridge.settings import places
from host_bridge.vocabulary import Stem

if TYPE_CHECKING:
    from engine.separation import Wish

_APART = {"prompts", "strengths"}
"""What a request file keeps stem by stem, and not among its settings."""


def add_options(made: argparse.ArgumentParser) -> None:
    """Everything from the prompt to the model, with what it means to a musician."""
    add = made.add_argument
    add(
        "-p",
        "--prompt",
        action="append",
        default=[],
        metavar="PROMPT",
        help="the sound you want; give several for several stems",
    )
    add(
        "-w",
        "--strength",
        action="append",
        type=float,
        default=[],
        metavar="0..1",
        help="0 gives the mix back, 1 isolates, whatever the others are at; once for all or once per prompt (default 1)",
    )
    add("-n", "--name", metavar="MODEL", help="model: see `zerostem models list` (default: the embedded one)")
    add("-d", "--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="what computes (default auto)")
    add("--execution", default="auto", metavar="WAY", help="how the network runs (default: the fastest that was measured here)")
    add("--not", dest="unlike", metavar="PROMPT", help="what the stems are not: the prompt of the inversion")
    add("--not-others", action="store_true", help="each stem is not the other prompts: an inversion for each (zerosep, dgmo)")
    add("--depth", type=float, metavar="0..1", help="how far up the noise the inversion climbs (default 1)")
    add("--preset", metavar="NAME", help=f"settings by name: {', '.join(presets.names())}, or one of your own")
    add("--gain", type=float, metavar="DB", help="also write the highlight: the mix with the stem raised by DB")
    add("--method", metavar="METHOD", help="joint, zerosep, dgmo, contrast, nmf or mixture (default: the model's best)")
    add("--mode", metavar="ddpm|ddim", help="inversion (default ddpm)")
    add("--steps", type=int, metavar="N", help="noise levels of the inversion (default: the model's)")
    add("--rounds", type=int, metavar="N", help="separate each stem again, for what does not go away (zerosep, dgmo)")
    add("--draws", type=int, metavar="N", help="average N inversions with different noise (joint, zerosep, dgmo)")
    add("--renew", type=float, metavar="0..1", help="share of fresh noise above 5 kHz on the way down (zerosep, dgmo)")
    add("--guidance", type=float, metavar="W", help="how far the references of dgmo lean towards the prompt (default 1)")
    add("--seed", type=int, default=42, metavar="N", help="the same seed gives the same stems (default 42)")
    add("--start", type=float, metavar="SECONDS", help="where the region starts (default 0)")
    add("--length", type=float, metavar="SECONDS", help="how long the region is (default: to the end)")
    add("--rest", action=argparse.BooleanOptionalAction, default=None, help="write what no stem took (default yes)")
    add("--complete", action="store_true", help="the prompts name every sound in the region: no rest competes with them")
    add("--generative", action="store_true", help="also write each stem in the model's own voice, which never nulls")
    add("--beyond", action="store_true", help="allow a strength above 1, where the model invents new sound")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted of every input alike."""

    start_s: float | None
    length_s: float | None
    stems: bool
    rest: bool
    gain_db: float | None

    def to(self, out: Path, name: str) -> "Wish":
        """The wish for one input."""
        from engine.separation import Wish

        return Wish(out, name, self.start_s, self.length_s, self.stems, self.rest, self.gain_db)


def meant(options: argparse.Namespace) -> tuple[Request, Wishes]:
    """The request that the options and the preset make together; an option that is given wins."""
    preset = _preset(options.preset) if options.preset else presets.Preset("", "", "stems", ())
    if preset.everything_but and options.rest is False:
        raise BadRequest(f"Preset '{preset.name}' is all about the rest.", "Leave out --no-rest, or choose another preset.")
    request = Request.of(
        options.prompt or preset.prompts,
        options.strength or preset.strength,
        unlike=_given(options.unlike, preset.unlike),
        method=_given(options.method, preset.method),
        mode=_given(options.mode, preset.mode or "ddpm"),
        steps=_given(options.steps, preset.steps),
        depth=_given(options.depth, _given(preset.depth, 1.0)),
        seed=options.seed,
        complete=options.complete or preset.complete,
        beyond=options.beyond,
        generative=options.generative,
        unlike_others=options.not_others,
        renew=options.renew,
        rounds=_given(options.rounds, preset.rounds),
        draws=_given(options.draws, preset.draws),
        guidance=_given(options.guidance, preset.guidance),
    )
    gain_db = _given(options.gain, preset.gain_db)
    return request, Wishes(options.start, options.length, not preset.everything_but, options.rest is not False, gain_db)


def for_daemon(options: argparse.Namespace) -> RequestFile:
    """The same as a request file, which has no sound yet. Raises BadRequest."""
    if options.device != "auto":
        raise BadRequest("The daemon has chosen its device when it was started.", "Start it with `zerostem daemon --device`.")
    if options.execution != "auto":
        raise BadRequest("The daemon has chosen how it runs its model.", "Start it with `zerostem daemon --execution`.")
    request, wishes = meant(options)
    settings: dict[str, Any] = {
        field.name: value
        for field in fields(Request)
        if field.name not in _APART and (value := getattr(request, field.name)) != field.default
    }
    settings |= {} if wishes.gain_db is None else {"gain_db": wishes.gain_db}
    settings |= {} if wishes.rest else {"rest": False}
    settings |= {} if wishes.stems else {"everything_but": True}
    stems = tuple(Stem(prompt, strength) for prompt, strength in zip(request.prompts, request.strengths, strict=True))
    return RequestFile(stems=stems, model=options.name, settings=settings)


def _given(option: Any, preset: Any) -> Any:
    """An option that was given, else what the preset says."""
    return preset if option is None else option


def _preset(name: str) -> presets.Preset:
    """One of the user's own, else one of the library's."""
    own = places().config / "presets"
    return presets.load(name, own) if name in presets.names(own) else presets.load(name)
