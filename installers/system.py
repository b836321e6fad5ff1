"""What a system must tell about how it starts a program when somebody logs in: one file, and the commands around it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Words = tuple[str, ...]
"""A command and its arguments."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is to run: the command, the variables that it needs, and a folder for what it says before its own log opens."""

    words: Words
    variables: Mapping[str, str]
    log: Path


@dataclass(frozen=True, slots=True)
class ServiceSystem:
    """One row of SYSTEMS. Its functions only make text: what a command does is not theirs to try."""

    name: str
    path: Callable[[], Path]
    text: Callable[[Program], str]
    comment: tuple[str, str]
    """How the file's form begins and ends a comment."""
    encoding: str
    start: Callable[[Path], tuple[Words, ...]]
    """Makes the system know the file, and starts the daemon."""
    nudge: tuple[Words, ...]
    """Starts the daemon where the system knows the file already, and changes nothing where it runs."""
    leave: tuple[Words, ...]
    """Ends the daemon and makes the system forget it; any of these may fail, as where it does not run."""
    gone: tuple[Words, ...]
    """Once the file is away."""
    look: str
    """How a person sees whether it runs."""
