"""A musician at a real screen: the panel in this process, a real pointer and real keys (xdotool), another program beside it.

`python musician.py SONG PICTURES`: does the whole way from the dropped file to the stem dragged out, and leaves a picture of
each step. Fails with what was not as it should be. The test starts it under Xvfb, with a daemon in its home.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PyQt6 import sip
from PyQt6.QtCore import QPoint
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QWidget

from ui import app
from ui.panel import Panel
from ui.widgets.prompts import Prompts
from ui.widgets.source import SourceCard
from ui.widgets.stems import Stems

NEIGHBOUR = QPoint(1210, 100)


class Musician:
    """Two hands and two eyes."""

    def __init__(self, song: Path, pictures: Path) -> None:
        self.song, self.pictures, self.drops = song, pictures, pictures / "drops.jsonl"
        self.application = app.application_of()
        self.panel: Panel = app.made("dark", wake=False)
        self.panel.move(0, 0)
        self.panel.show()
        self.panel.controller.start()
        self.step = 0

    def until(self, true: Callable[[], object], what: str, patience_s: float = 60.0) -> None:
        end = time.monotonic() + patience_s
        while not true():
            if time.monotonic() > end:
                self.look(f"failed {what}")
                raise SystemExit(f"not in time: {what}")
            self.live(0.005)

    def live(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self.application.processEvents()
            if time.monotonic() >= end:
                return
            time.sleep(0.002)

    def look(self, name: str) -> None:
        self.live(0.3)
        self.step += 1
        screen = QGuiApplication.primaryScreen()
        assert screen is not None
        assert screen.grabWindow(sip.voidptr(0)).save(str(self.pictures / f"{self.step:02} {name}.png"))

    def hand(self, *words: object) -> None:
        """xdotool, while the panel goes on living: it must answer the drag."""
        process = subprocess.Popen(["xdotool", *map(str, words)])
        while process.poll() is None:
            self.live(0.005)
        assert process.returncode == 0, words

    def at(self, widget: QWidget, share: float = 0.5) -> tuple[int, int]:
        """A place on the screen: so far from the widget's left."""
        point = widget.mapToGlobal(QPoint(round(widget.width() * share), widget.height() // 2))
        return point.x(), point.y()

    def click(self, widget: QWidget, share: float = 0.5) -> None:
        self.hand("mousemove", *self.at(widget, share), "click", 1)
        self.live(0.1)

    def drag(self, start: tuple[int, int], end: tuple[int, int], *, drop: bool = True) -> None:
        """In one command: while the panel drags something out it does not come back here before that is dropped."""
        words: list[object] = ["mousemove", *start, "sleep", 0.1, "mousedown", 1]
        for step in range(1, 13):
            words += ["mousemove", *(start[axis] + (end[axis] - start[axis]) * step // 12 for axis in (0, 1)), "sleep", 0.04]
        self.hand(*words, "sleep", 0.3, *(["mouseup", 1] if drop else []))
        self.live(0.2)

    def rendered(self, prompt: str) -> float:
        take = self.panel.controller.take
        return take.strengths.get(prompt, -1.0) if take is not None else -1.0

    def type(self, text: str) -> None:
        self.hand("type", "--delay", 25, text)

    def key(self, *names: str) -> None:
        self.hand("key", *names)
        self.live(0.1)

    def work(self) -> None:
        """The whole way."""
        panel, controller = self.panel, self.panel.controller
        neighbour = [sys.executable, str(Path(__file__).with_name("neighbour.py"))]
        place = [str(NEIGHBOUR.x()), str(NEIGHBOUR.y()), str(self.song), str(self.drops)]
        beside = subprocess.Popen([*neighbour, *place])
        try:
            self.until(lambda: controller.standing == "there", "the daemon is there")
            self.live(1.0)
            self.look("nothing is open")
            middle = (NEIGHBOUR.x() + 100, NEIGHBOUR.y() + 100)
            self.drag(middle, self.at(panel.card(SourceCard)), drop=False)
            self.look("a file hangs over the panel")
            self.hand("mouseup", 1)
            self.until(lambda: panel.playback.player is not None, "the file is open")
            entry = panel.card(Prompts).wanted.entry
            self.click(entry)
            self.until(entry.hasFocus, "the entry has the keyboard", 5)
            self.type("dru")
            self.until(panel.card(Prompts).offers[0].isVisible, "words are offered", 5)
            self.look("words are offered")
            self.key("Down", "Return")
            self.until(lambda: controller.session.asks, "the offered word is taken", 5)
            self.type("bass,")
            self.until(lambda: len(controller.session.asks) == 2, "a second sound is named", 5)
            controller.session = replace(controller.session, steps=4)
            self.key("ctrl+Return")
            self.until(lambda: controller.take is not None, "the job is sent", 5)
            self.until(lambda: any(row.state == "running" and row.permille > 50 for row in controller.queue.rows), "it runs")
            self.look("it runs")
            self.until(lambda: panel.playback.ready, "the stems are there")
            self.look("the stems are there")
            fader = panel.card(Stems).rows["bass"].fader
            self.drag(self.at(fader, 0.97), self.at(fader, 0.5), drop=False)
            self.look("a fader is moved")
            self.hand("mouseup", 1)
            wanted = controller.session.asks[1].strength
            assert 0.4 < wanted < 0.6, wanted
            self.until(lambda: abs(self.rendered("bass") - wanted) < 0.001, "it is rendered again")
            fader.setFocus()
            self.key("Left", "Left")
            self.until(lambda: abs(self.rendered("bass") - wanted + 0.02) < 0.001, "the keys move it too")
            self.drag(self.at(panel.card(Stems).bundle), middle)
            self.until(self.drops.exists, "the stems are dropped", 10)
            told = json.loads(self.drops.read_text(encoding="utf-8").splitlines()[0])
            assert told["action"] == "CopyAction", told
            assert {Path(file).name for file in told["files"]} == {f"song - {end}.wav" for end in ("drums", "bass", "rest")}
            assert all(Path(file).is_file() for file in told["files"])
            self.key("3")
            self.until(lambda: panel.playback.view == "rest", "a digit chooses what is heard", 5)
            self.look("the end")
        finally:
            beside.terminate()
            beside.wait()
            panel.close()


if __name__ == "__main__":
    song, pictures = map(Path, sys.argv[1:])
    Musician(song, pictures).work()
    sys.stdout.write("all of it\n")
