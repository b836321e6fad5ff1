"""An Audacity of a few tracks behind real named pipes: it answers as 3.2.4 was seen to, in six digits and with its quirks."""

import copy
import os
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from host_bridge.hosts.audacity.pipe import Ends

RATE = 48_000
_WORD = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Audacity:
    """tracks: what GetInfo tells of each. silent: commands that open a dialog, and so are never answered."""

    def __init__(self, folder: Path) -> None:
        self.ends = Ends(str(folder / "to"), str(folder / "from"))
        os.mkfifo(self.ends.to)
        os.mkfifo(self.ends.back)
        self.tracks: list[dict[str, Any]] = [self._track("mix", 2)]
        self.selection = (0.0, 0.0)
        self.labels: list[tuple[float, float]] = []
        self.preferences: dict[str, str] = {}
        self._history: list[Any] = []
        self.remember()
        self.heard: list[str] = []
        self.silent: set[str] = set()
        self._thread = threading.Thread(target=self._serve, name="audacity of the tests", daemon=True)
        self._thread.start()

    @staticmethod
    def _track(name: str, channels: int) -> dict[str, Any]:
        return {"name": name, "channels": channels, "kind": "wave", "selected": True, "start": 0.0}

    def remember(self) -> None:
        """What most commands do once they have changed something, and what an undo goes back to. Those named Set do not."""
        self._history.append(copy.deepcopy((self.tracks, self.labels, self.selection)))

    def _serve(self) -> None:
        while True:
            with open(self.ends.to, encoding="utf-8") as to, open(self.ends.back, "w", encoding="utf-8") as back:  # noqa: PTH123
                for line in to:
                    command, _, rest = line.strip().partition(":")
                    self.heard.append(line.strip())
                    if command == "Quit":
                        return
                    if command in self.silent:
                        threading.Event().wait()
                    values = {key: re.sub(r"\\(.)", r"\1", value) for key, value in _WORD.findall(rest)}
                    try:
                        told, good = getattr(self, f"on_{command.lower()}")(values) or "", True
                    except (AttributeError, KeyError):
                        told, good = "", False
                    back.write(f"{told}\nBatchCommand finished: {'OK' if good else 'Failed!'}\n\n")
                    back.flush()

    def on_getinfo(self, values: dict[str, str]) -> str:
        if values["Type"] == "Labels":
            rows = ",\n".join(f'      [ {start:g}, {end:g}, "" ]' for start, end in self.labels)
            return f"[ \n  [ 1,\n    [ \n{rows} ] ] ]" if rows else "[  ]"
        rows = ",\n".join(
            '  {{ "name":"{}", "focused":0, "selected":{:d}, "kind":"{}", "channels":{} }}'.format(
                track["name"].replace('"', '\\"'), track["selected"], track["kind"], track["channels"]
            )
            for track in self.tracks
        )
        return f"[ \n{rows} ]"

    def on_addlabel(self, values: dict[str, str]) -> None:
        self.labels.append(self.selection)
        self.remember()

    def on_undo(self, values: dict[str, str]) -> None:
        self._history.pop()
        self.tracks, self.labels, self.selection = copy.deepcopy(self._history[-1])

    def on_select(self, values: dict[str, str]) -> None:
        bases = {"ProjectStart": (0.0, 0.0), "Selection": self.selection}
        base = bases[values["RelativeTo"]]
        start, end = sorted((base[0] + float(values["Start"]), base[1] + float(values["End"])))
        self.selection = (start, end)

    def on_selecttracks(self, values: dict[str, str]) -> None:
        for index, track in enumerate(self.tracks):
            chosen = index == int(values["Track"])
            track["selected"] = chosen or (track["selected"] and values["Mode"] == "Add")

    def on_getpreference(self, values: dict[str, str]) -> str:
        return self.preferences[values["Name"]]

    def on_setpreference(self, values: dict[str, str]) -> None:
        self.preferences[values["Name"]] = values["Value"]

    def on_export2(self, values: dict[str, str]) -> None:
        subtypes = {"6": "FLOAT"}
        start, end = (round(each * RATE) for each in self.selection)
        sound = np.zeros((end - start, int(values["NumChannels"])))
        subtype = subtypes.get(next(iter(self.preferences.values()), ""), "PCM_16")
        soundfile.write(values["Filename"], sound, RATE, subtype=subtype)

    def on_import2(self, values: dict[str, str]) -> None:
        about = soundfile.info(values["Filename"])
        self.tracks.append(self._track(Path(values["Filename"]).stem, about.channels))
        self.remember()

    def on_settrackstatus(self, values: dict[str, str]) -> None:
        for track in self.tracks:
            if track["selected"]:
                track["name"] = values["Name"]

    def on_setclip(self, values: dict[str, str]) -> None:
        for track in self.tracks:
            if track["selected"]:
                track["start"] = float(values["Start"])

    def on_trackmoveup(self, values: dict[str, str]) -> None:
        self._move(-1)

    def on_trackmovedown(self, values: dict[str, str]) -> None:
        self._move(1)

    def _move(self, by: int) -> None:
        index = next(index for index, track in enumerate(self.tracks) if track["selected"])
        if 0 <= index + by < len(self.tracks):
            self.tracks.insert(index + by, self.tracks.pop(index))
            self.remember()


@pytest.fixture
def audacity(tmp_path: Path) -> Audacity:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes in its file system")
    return Audacity(tmp_path)
