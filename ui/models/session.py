"""What is being asked, as one frozen value: the region, what of it, which sounds, how strongly; and its request."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from host_bridge.errors import BadRequest
from host_bridge.forms import RequestFile, write_request
from host_bridge.vocabulary import Stem, is_stem_name
from presets import Preset
from ui import texts
from ui.models.region import Region

HOST = "panel"
"""Who asks, also for a region that came from a DAW: a DAW waits for its own jobs only, and must not be rung for another's."""
QUICK_S = 10.0
"""So much of the region at most is estimated before a job has run: long enough to judge, a moment to compute."""
QUICK_METHOD = "contrast"


DIALS = ("mode", "depth", "rounds", "draws", "guidance")
"""What presets may set that has no place in the panel of its own."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One sound that is wanted, and omega: 0 (the mix) to 1 (the stem alone)."""

    prompt: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Session:
    """All that the Separate button needs. Every change makes a new one; what is left at None, the engine decides."""

    region: Region | None = None
    selection: tuple[float, float] | None = None
    """Seconds into the region, the first below the second; None: all of it."""
    asks: tuple[Ask, ...] = ()
    unlike: str = ""
    """What the stems are not: the prompt of the inversion."""
    model: str | None = None
    method: str | None = None
    steps: int | None = None
    complete: bool = False
    gain_db: float | None = None
    """Also write the highlight: the mix with each stem raised or lowered by so much."""
    everything_but: bool = False
    deliver: Path | None = None
    dials: tuple[tuple[str, Any], ...] = ()
    """What a preset sets beside all this, by the names that `SETTINGS` has for it."""
    preset: str = ""
    """Which preset the dials come from, for the eye alone: the request says what it means."""

    # What may be turned.

    def opened(self, region: Region) -> "Session":
        """Another region; what is asked of it stays."""
        return replace(self, region=region, selection=None)

    def selected(self, start_s: float, end_s: float) -> "Session":
        """A part of the region, whichever end is named first; a part without length is none."""
        longest = self.region.length_s if self.region else 0.0
        low, high = (min(max(each, 0.0), longest) for each in sorted((start_s, end_s)))
        return replace(self, selection=(low, high) if high > low else None)

    def unselected(self) -> "Session":
        """All of the region."""
        return replace(self, selection=None)

    def asking(self, prompt: str, strength: float = 1.0) -> "Session":
        """One more sound. Raises BadRequest for what cannot name a stem or is asked already."""
        prompt = " ".join(prompt.split())
        if not is_stem_name(prompt):
            raise BadRequest(texts.NO_STEM_NAME, texts.NO_STEM_NAME_TODO)
        if prompt.casefold() in {ask.prompt.casefold() for ask in self.asks}:
            raise BadRequest(texts.ASKED_ALREADY.format(name=prompt), texts.ASKED_ALREADY_TODO)
        return replace(self, asks=(*self.asks, Ask(prompt, _share(strength))))

    def without(self, prompt: str) -> "Session":
        """One sound less."""
        return replace(self, asks=tuple(ask for ask in self.asks if ask.prompt != prompt))

    def renamed(self, old: str, new: str) -> "Session":
        """One sound called otherwise, in its place. Raises BadRequest as `asking`."""
        made = self.without(old).asking(new)
        return replace(
            self, asks=tuple(replace(ask, prompt=made.asks[-1].prompt) if ask.prompt == old else ask for ask in self.asks)
        )

    def strengthened(self, prompt: str, strength: float) -> "Session":
        """One sound taken out more or less."""
        return replace(
            self, asks=tuple(replace(ask, strength=_share(strength)) if ask.prompt == prompt else ask for ask in self.asks)
        )

    def but_not(self, text: str) -> "Session":
        """What the stems are not; empty: nothing said. Raises BadRequest for more than a line."""
        text = " ".join(text.split())
        if text and not is_stem_name(text.replace("/", " ").replace("\\", " ")):
            raise BadRequest(texts.NO_DESCRIPTION, texts.NO_DESCRIPTION_TODO)
        return replace(self, unlike=text)

    def using(self, model: str | None) -> "Session":
        """Another model; None: the engine's own."""
        return replace(self, model=model)

    def under(self, preset: Preset) -> "Session":
        """The dials as a preset has them; region, selection, model and delivery stay, and the sounds where it names none."""
        asks = tuple(Ask(prompt, preset.strength) for prompt in preset.prompts)
        dials = {name: getattr(preset, name) for name in DIALS}
        return replace(
            self,
            asks=asks or self.asks,
            unlike=preset.unlike,
            method=preset.method,
            steps=preset.steps,
            complete=preset.complete,
            gain_db=preset.gain_db,
            everything_but=preset.everything_but,
            dials=tuple((name, value) for name, value in dials.items() if value is not None),
            preset=preset.name,
        )

    def as_preset(self, name: str, title: str, kind: str = "stems") -> Preset:
        """The dials as a preset to keep. Its one strength is the first sound's."""
        return Preset(
            name=name,
            title=title,
            kind=kind,
            prompts=tuple(ask.prompt for ask in self.asks),
            unlike=self.unlike,
            strength=self.asks[0].strength if self.asks else 1.0,
            method=self.method,
            steps=self.steps,
            complete=self.complete,
            gain_db=self.gain_db,
            everything_but=self.everything_but,
            models=(self.model,) if self.model else (),
            **dict(self.dials),
        )

    # What it comes to.

    @property
    def stretch_s(self) -> tuple[float, float]:
        """What of the region is meant, in seconds."""
        return self.selection or (0.0, self.region.length_s if self.region else 0.0)

    @property
    def trouble(self) -> str | None:
        """Why it cannot be sent yet, in a sentence; None when it can."""
        if self.region is None:
            return texts.NO_REGION
        if not self.asks:
            return texts.NO_SOUNDS
        if self.complete and len(self.asks) < 2:
            return texts.ONE_IS_NOT_ALL
        return None

    def request(self) -> RequestFile:
        """What is asked, as a job's request. Raises BadRequest while there is `trouble`."""
        start_s, end_s = self._ready()
        assert self.region is not None
        made = RequestFile(
            stems=tuple(Stem(ask.prompt, ask.strength) for ask in self.asks),
            model=self.model,
            settings=self._settings(),
            region=self.region.moment(start_s),
            source=self.region.sources(start_s, end_s),
            deliver=self.deliver,
            name=self.region.title,
            host=HOST,
        )
        write_request(made)  # says now what the spool would say later
        return made

    def quick(self, at_s: float | None = None) -> RequestFile:
        """An estimate to hear at once: full strength, the quickest method, at most `QUICK_S` around `at_s`.

        Raises BadRequest while there is `trouble`.
        """
        low, high = self._ready()
        assert self.region is not None
        at_s = low if at_s is None else min(max(at_s, low), high)
        start_s = max(low, min(at_s - QUICK_S / 4, high - QUICK_S))
        made = replace(
            self,
            selection=(start_s, min(start_s + QUICK_S, high)),
            asks=tuple(Ask(ask.prompt) for ask in self.asks),
            method=QUICK_METHOD,
            steps=None,
            gain_db=None,
            everything_but=False,
            deliver=None,
        )
        return made.request()

    def _ready(self) -> tuple[float, float]:
        if self.trouble:
            raise BadRequest(texts.NOTHING_TO_DO, self.trouble)
        return self.stretch_s

    def _settings(self) -> dict[str, Any]:
        told = {
            "unlike": self.unlike,
            "method": self.method,
            "steps": self.steps,
            "complete": self.complete,
            "gain_db": self.gain_db,
            "everything_but": self.everything_but,
            **dict(self.dials),
        }
        return {key: value for key, value in told.items() if value is not None and value is not False and value != ""}


def _share(strength: float) -> float:
    return min(max(float(strength), 0.0), 1.0)
