"""What a user asks of a separation, checked once, before anything is read or loaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from host_bridge.errors import BadRequest

LONGEST_PROMPT = 500
"""Characters; text encoders stop listening long before."""


@dataclass(frozen=True, slots=True)
class Request:
    """Prompts and settings of one separation; unset ones (None) are the model's own defaults.

    strengths: omega per prompt, in [0, 1]; above 1 only with `beyond`.
    unlike: the inversion prompt, what the stems are not; "" is the null prompt.
    depth: share of the noise levels climbed (start ratio), in [0, 1].
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
                "Give at least two prompts with --complete, or leave it out.",
            )
        if len(self.strengths) != len(self.prompts):
            raise BadRequest(
                f"{len(self.strengths)} strengths were given for {len(self.prompts)} prompts.",
                "Give -w once for all prompts or once per prompt.",
            )
        for strength in self.strengths:
            _check_strength(strength, beyond=self.beyond)
        if not (math.isfinite(self.depth) and 0 <= self.depth <= 1):
            raise BadRequest(f"A depth of {self.depth:g} is out of range.", "Choose one from 0 to 1; 1 climbs all the way.")
        if not 0 <= self.seed < 2**31:
            raise BadRequest(f"The seed {self.seed} is out of range.", "Choose a whole number from 0 to 2147483647.")

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
            + (", or above 1 with --beyond, where the model invents new sound." if strength > 1 else "."),
        )
