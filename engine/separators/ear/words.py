"""The words that the ear understands, without loading it."""

import json
from pathlib import Path

from engine.models import instruments

SOURCES: tuple[str, ...] = tuple(json.loads(Path(__file__).with_name("ear.json").read_text(encoding="utf-8"))["sources"])
"""What the shipped weights know, in the order of their vectors."""

NAMES = instruments.names(SOURCES)
"""Every word that it follows -> the source that it takes it for."""
