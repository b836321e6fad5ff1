"""What can compute here, and how long something would take on it."""

from collections.abc import Iterable
from dataclasses import dataclass

from host_bridge.protocol.messages import DeviceRow, PlanRow
from ui import texts
from ui.models.models import in_bytes
from ui.models.session import Session


@dataclass(frozen=True, slots=True)
class Device:
    """One device. free: bytes of memory, -1 where unknown."""

    name: str
    kind: str
    free: int

    @property
    def line(self) -> str:
        """It in a line: "cuda:0: NVIDIA RTX 4090, 21.3 GB free"."""
        told = texts.DEVICE_LINE if self.free < 0 else texts.DEVICE_LINE_FREE
        return told.format(name=self.name, kind=self.kind, free=in_bytes(self.free))


def devices(rows: Iterable[DeviceRow]) -> list[Device]:
    """What the daemon tells, the quickest kind first."""
    return [Device(row.name, row.kind, row.size) for row in rows]


def forecast(row: PlanRow) -> str:
    """A plan in a line: "about 2 min 10 s on cpu, 4 windows at once in 1.2 GB"; what is not known is left out."""
    how_long, room = texts.span(row.expected_s), texts.PLAN_WINDOWS if row.size < 0 else texts.PLAN_WINDOWS_IN
    told = texts.PLAN_TIME if how_long else texts.PLAN_NO_TIME
    return ", ".join([told.format(time=how_long, device=row.device), room.format(count=row.windows, size=in_bytes(row.size))])


def meant(session: Session) -> str:
    """What a plan is for: "3 stems out of 2 min 10 s:"."""
    start_s, end_s = session.stretch_s
    count = len(session.asks)
    stems = texts.PLAN_STEM if count == 1 else texts.PLAN_STEMS.format(count=count)
    return texts.PLAN_FOR.format(stems=stems, length=texts.span(max(1, round(end_s - start_s))))
