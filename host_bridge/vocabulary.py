"""The words that a DAW, the engine and the panel share, with their units."""

from collections.abc import Callable
from typing import NewType

Samples = NewType("Samples", int)
"""A position or a length on a timeline, counted in samples of that timeline's rate."""

Hertz = NewType("Hertz", int)
"""A sample rate."""

Progress = Callable[[float, str], None]
"""Told how far a job is: 0..1 and the stage in a word. Raises `errors.Cancelled` once the user has said stop."""


def quietly(_done: float, _stage: str) -> None:
    """A `Progress` that nobody watches."""
