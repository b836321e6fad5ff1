"""A model on its way here: what was said of it last, as one frozen value, and in a line for people."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from host_bridge.messages import Cancelled, Done, Fail, Message, Progress
from ui import texts

State = Literal["asked", "coming", "stopping", "failed", "stopped", "here"]
UNDER_WAY: frozenset[State] = frozenset({"asked", "coming", "stopping"})


@dataclass(frozen=True, slots=True)
class Fetching:
    """One fetch. id: that it was asked for with; permille: 0..1000; eta_s: -1 where nobody knows; what, todo: why it failed."""

    model: str
    id: str
    state: State = "asked"
    permille: int = 0
    stage: str = ""
    eta_s: int = -1
    what: str = ""
    todo: str = ""

    @property
    def under_way(self) -> bool:
        """Whether more will be said of it."""
        return self.state in UNDER_WAY

    @property
    def line(self) -> str:
        """How it stands: "43 %, fetching unet/model.bin, 1.1 GB of 2.6 GB, 2 min 10 s left"; long names may be wrapped."""
        if self.state == "stopping":
            return texts.FETCH_STOPPING
        if not self.stage:
            return texts.FETCH_ASKED
        told = [texts.PERCENT.format(percent=self.permille // 10), self.stage, texts.left(self.eta_s)]
        return re.sub(r"([/_.])(?=\w)", "\\1\u200b", ", ".join(filter(None, told)))

    def stopped(self) -> "Fetching":
        """It is to end."""
        return replace(self, state="stopping") if self.under_way else self

    def after(self, message: Message) -> "Fetching":
        """What it becomes by what the daemon says. Nothing comes after its end, and progress stops no stopping."""
        if not self.under_way or getattr(message, "id", "") != self.id:
            return self
        becomes = HEARD.get(type(message))
        return becomes(self, message) if becomes else self


def _comes(fetching: Fetching, message: Progress) -> Fetching:
    if fetching.state == "stopping":
        return fetching
    return replace(fetching, state="coming", permille=message.permille, stage=message.stage, eta_s=message.eta_s)


def _fails(fetching: Fetching, message: Fail) -> Fetching:
    if fetching.state == "stopping":  # it had ended already: there is nothing to stop any more
        return replace(fetching, state="stopped")
    return replace(fetching, state="failed", what=message.error, todo=message.todo)


HEARD: dict[type[Message], Callable[[Fetching, Any], Fetching]] = {
    Progress: _comes,
    Fail: _fails,
    Done: lambda fetching, _message: replace(fetching, state="here", permille=1000),
    Cancelled: lambda fetching, _message: replace(fetching, state="stopped"),
}
"""What the daemon says about a fetch, and what it becomes by it."""
