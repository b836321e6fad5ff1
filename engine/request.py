"""The request of a separation, validated before anything is read or loaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from host_bridge.errors import BadRequest

LONGEST_PROMPT = 500
"""Characters; text encoders stop listening long before."""

METHOD_OPTIONS: dict[str, tuple[float, float, str]] = {
    "renew": (0, 1, "Choose a share from 0 (no fresh noise) to 1; 0.4 is usual."),
    "rounds": (1, 10, "Choose a whole number from 1 to 10."),
    "draws": (1, 64, "Choose a whole number from 1 to 64."),
    "guidance": (0, 20, "Choose a weight from 0 to 20; 1 follows the prompt alone."),
}
"""Settings that only some methods have -> lowest, highest, and what to do about another value."""


@dataclass(frozen=True, slots=True)
class Request:
    """Prompts and settings of one separation; unset ones (None) are the model's own defaults.

    strengths: omega per prompt, in [0, 1]; above 1 only with `beyond`.
    unlike: the inversion prompt, what the stems are not; "" is the null prompt.
    unlike_others: each prompt's inversion prompt is the other prompts together, so each has an inversion of its own.
    depth: share of the noise levels that the inversion covers (start ratio), in [0, 1].
    renew: share of fresh noise in the highs on the way down (Diff-DMX's eta), in [0, 1].
    rounds: how often a stem is separated again from what the round before left of it.
    draws: inversions, each with a noise of its own, whose answers are averaged.
    guidance: omega of the references that a mask is fitted to.
    complete: the prompts name every sound in the region, so that no rest competes with them.
    Raises BadRequest for whatever cannot be meant.
    """

    prompts: tuple[str, ...]
    strengths: tuple[float, ...]
    unlike: str = ""
    method: str | None = None
    mode: str = "ddpm"
    steps: int | None = None
    depth: float = 1.0
    seed: int = 42
    complete: bool = False
    beyond: bool = False
    generative: bool = False
    unlike_others: bool = False
    renew: float | None = None
    rounds: int | None = None
    draws: int | None = None
    guidance: float | None = None

    def __post_init__(self) -> None:
        if not self.prompts:
            raise BadRequest("No prompt was given.", "Name the sound you want: -p drums.")
        for prompt in (*self.prompts, self.unlike):
            _check_words(prompt)
        if not all(prompt.strip() for prompt in self.prompts):
            raise BadRequest("A prompt is empty.", "Name the sound you want: -p drums.")
        if len({prompt.strip().lower() for prompt in self.prompts}) < len(self.prompts):
            raise BadRequest("A prompt is given twice.", "Name each sound once; each gets its own stem.")
        if self.complete and len(self.prompts) < 2:
            raise BadRequest(
                "One prompt cannot name every sound of a mix and leave anything to separate.",
                "Give at least two prompts with --exhaustive, or leave it out.",
            )
        if len(self.strengths) != len(self.prompts):
            raise BadRequest(
                f"{len(self.strengths)} strengths were given for {len(self.prompts)} prompts.",
                "Give -w once for all prompts or once per prompt.",
            )
        for strength in self.strengths:
            _check_strength(strength, beyond=self.beyond)
        if not (math.isfinite(self.depth) and 0 <= self.depth <= 1):
            raise BadRequest(
                f"A start ratio of {self.depth:g} is out of range.", "Choose one from 0 to 1; 1 inverts to pure noise."
            )
        if not 0 <= self.seed < 2**31:
            raise BadRequest(f"The seed {self.seed} is out of range.", "Choose a whole number from 0 to 2147483647.")
        self._check_dials()

    def _check_dials(self) -> None:
        if self.unlike_others and (self.unlike or len(self.prompts) < 2):
            raise BadRequest(
                "The stems cannot be inverted under each other's prompts.",
                "Give at least two prompts with --not-others, and no --not.",
            )
        for name, (low, high, todo) in METHOD_OPTIONS.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise BadRequest(f"{name.capitalize()} of {value:g} are out of range.", todo)

    @property
    def words(self) -> list[str]:
        """All that a model has to know: the prompts, the inversion prompt, the null prompt; with `unlike_others` then, for
        each prompt, the others in one."""
        others = [", ".join(self.prompts[:k] + self.prompts[k + 1 :]) for k in range(len(self.prompts))]
        return [*self.prompts, self.unlike, "", *(others if self.unlike_others else [])]

    @classmethod
    def of(cls, prompts: Sequence[str], strength: float | Sequence[float] = 1.0, **settings: object) -> "Request":
        """A request with one strength for all prompts, or one each."""
        each = (float(strength),) * len(prompts) if isinstance(strength, int | float) else tuple(map(float, strength))
        if len(each) == 1:
            each *= max(len(prompts), 1)
        return cls(tuple(prompts), each, **settings)  # type: ignore[arg-type]


def _check_words(prompt: str) -> None:
    if len(prompt) > LONGEST_PROMPT:
        raise BadRequest(
            f"A prompt of {len(prompt)} characters is too long.", f"Describe the sound in at most {LONGEST_PROMPT}."
        )
    if any(ord(character) < 32 for character in prompt):
        raise BadRequest("A prompt holds control characters.", "Write it on one line of plain text.")


def _check_strength(strength: float, *, beyond: bool) -> None:
    if not math.isfinite(strength) or strength < 0 or (strength > 1 and not beyond):
        raise BadRequest(
            f"A strength of {strength:g} is out of range.",
            "Choose one from 0 (the mix) to 1 (the stem alone)"
            + (", or above 1 with --allow-extrapolation, where the model invents new sound." if strength > 1 else "."),
        )
