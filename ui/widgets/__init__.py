"""The panel is this list of widgets: one file and one line each."""

from dataclasses import dataclass
from typing import Literal

from ui.widgets.base import Card
from ui.widgets.jobs import JobList
from ui.widgets.listen import Listen
from ui.widgets.machine import Machine
from ui.widgets.notice import NoticeLine
from ui.widgets.prompts import Prompts
from ui.widgets.source import SourceCard
from ui.widgets.stems import Stems


@dataclass(frozen=True, slots=True)
class Place:
    """Where a widget stands: in the column of the work, on a page at the side, at the foot. grows: it takes the room left."""

    widget: type[Card]
    area: Literal["work", "side", "foot"]
    title: str = ""
    """Of a page at the side: the name of its text."""
    grows: bool = False


WIDGETS: dict[str, Place] = {
    "source": Place(SourceCard, "work", grows=True),
    "prompts": Place(Prompts, "work"),
    "stems": Place(Stems, "work"),
    "listen": Place(Listen, "work"),
    "jobs": Place(JobList, "side", "JOBS"),
    "machine": Place(Machine, "side", "MACHINE"),
    "notice": Place(NoticeLine, "foot"),
}
"""From the top to the bottom, which is the order of the Tab key too."""
