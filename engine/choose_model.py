"""Which model answers where nobody named one: the default, or the other embedded one where only that knows the words."""

from collections.abc import Sequence

from engine.models import catalogue, instruments
from host_bridge.errors import BadRequest


def model_for(named: str | None, prompts: Sequence[str], method: str | None = None, default: str = catalogue.DEFAULT) -> str:
    """The model to load: the one that was named, else the default.

    Where the default is an embedded model that does not know one of the words, no method was asked for, and another embedded
    one knows them all, it is that one: "vocals" is a word of the ear's and not of pocket's.
    """
    if named or default not in catalogue.EMBEDDED or method is not None:
        return named or default
    able = (model for model in (default, *catalogue.EMBEDDED) if knows_prompts(model, prompts))
    return next(able, default)


def knows_prompts(model: str, prompts: Sequence[str]) -> bool:
    """Whether an embedded model knows every word of these prompts."""
    from engine import backbones  # torch costs seconds

    known = tuple(dict.fromkeys(backbones.vocabulary(catalogue.CATALOGUE[model].backbone).values()))
    try:
        return all(instruments.sources(prompt, known) for prompt in prompts)
    except BadRequest:
        return False
