"""Which model answers where nobody named one: the default, or the other embedded one where only that knows the words."""

from collections.abc import Sequence

from engine import instruments, weights
from host_bridge.errors import BadRequest


def suited(named: str | None, prompts: Sequence[str], method: str | None = None, default: str = weights.DEFAULT) -> str:
    """The model to load: the one that was named, else the default.

    Where the default is an embedded model that does not know one of the words, no method was asked for, and another embedded
    one knows them all, it is that one: "vocals" is a word of the ear's and not of pocket's.
    """
    if named or default not in weights.EMBEDDED or method is not None:
        return named or default
    able = (model for model in (default, *weights.EMBEDDED) if follows(model, prompts))
    return next(able, default)


def follows(model: str, prompts: Sequence[str]) -> bool:
    """Whether an embedded model knows every word of these prompts."""
    from engine import backbones  # torch costs seconds

    known = tuple(dict.fromkeys(backbones.vocabulary(weights.CATALOGUE[model].backbone).values()))
    try:
        return all(instruments.sources(prompt, known) for prompt in prompts)
    except BadRequest:
        return False
