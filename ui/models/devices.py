"""What can compute here, and how long something would take on it."""

from collections.abc import Iterable
from dataclasses import dataclass

from host_bridge.messages import DeviceRow, PlanRow
from ui.models.jobs import time_left
from ui.models.models import in_bytes


@dataclass(frozen=True, slots=True)
class Device:
    """One device. free: bytes of memory, -1 where unknown."""

    name: str
    kind: str
    free: int

    @property
    def line(self) -> str:
        """It in a line: "cuda:0: NVIDIA RTX 4090, 21.3 GB free"."""
        return ", ".join([f"{self.name}: {self.kind}", *([f"{in_bytes(self.free)} free"] if self.free >= 0 else [])])


def devices(rows: Iterable[DeviceRow]) -> list[Device]:
    """What the daemon tells, the quickest kind first."""
    return [Device(row.name, row.kind, row.size) for row in rows]


def forecast(row: PlanRow) -> str:
    """A plan in a line: "about 2 min 10 s on cpu, 4 windows at once in 1.2 GB"; what is not known is left out."""
    how_long = time_left(row.expected_s).removesuffix(" left")
    told = f"about {how_long} on {row.device}" if how_long else f"on {row.device}"
    room = f" in {in_bytes(row.size)}" if row.size >= 0 else ""
    return f"{told}, {row.windows} windows at once{room}"
