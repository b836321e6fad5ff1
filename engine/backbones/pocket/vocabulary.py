"""The words that pocket understands: its sources, and what people call them (`engine.models.instruments`)."""

from engine.models import instruments

SOURCES = (
    "drums",
    "bass",
    "piano",
    "acoustic guitar",
    "electric guitar",
    "organ",
    "strings",
    "violin",
    "trumpet",
    "saxophone",
    "flute",
    "choir",
    "synth lead",
    "marimba",
    "speech",
)
"""What it was trained to make."""

NAMES = instruments.names(SOURCES)
"""Every word that it follows -> the source that it takes it for."""


def sources(prompt: str) -> tuple[str, ...]:
    """The sources that a prompt names, each once: "the drum kit and a bass" -> ("drums", "bass"); "" -> ().

    Raises BadRequest where a part of it is not in the vocabulary.
    """
    return instruments.sources(prompt, SOURCES)
