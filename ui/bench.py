"""How quickly the panel is there and answers: `python -m ui.bench` prints its first picture, and how soon a fader is heard."""

import os
import statistics
import subprocess
import sys
import time

from presets import DEMO
from ui.display import SCREENS

ROUNDS = 5
ONCE = """
import time
began = time.perf_counter()
from ui.app import application_of, made
application = application_of()
panel = made(wake=False)
panel.show()
panel.grab()
print(time.perf_counter() - began)
panel.close()
"""
BLOCK = 2048
"""Frames that a sound card asks for."""


def first_paint_s() -> list[float]:
    """Seconds from the first line of Python to the first whole picture, each time in a process of its own."""
    command = [sys.executable, "-c", ONCE]
    unseen = {} if any(os.environ.get(name) for name in SCREENS) else {"QT_QPA_PLATFORM": "offscreen"}
    environment = {**os.environ, **unseen}
    return [float(subprocess.check_output(command, text=True, env=environment)) for _ in range(ROUNDS)]  # noqa: S603 - our own


def preview_s() -> list[float]:
    """Seconds from another strength of three stems to the first block of sound with it, each time elsewhere in the demo."""
    from ui.models.reading import File
    from ui.models.strength import Bent

    names = ("mix", "drums", "bass", "trumpet")
    mix, *stems = [File(DEMO / f"{name}.flac") for name in names]
    taken = []
    for turn in range(ROUNDS):
        began = time.perf_counter()
        bent = Bent(mix, stems, [1.0] * len(stems), [0.2 + 0.1 * turn] * len(stems))
        for sound in bent.sounds:
            sound.read(turn * int(mix.rate), BLOCK)
        taken.append(time.perf_counter() - began)
    return taken


def told() -> str:
    """A line each."""
    paint, preview = first_paint_s(), preview_s()
    return (
        f"first picture of the panel: median {statistics.median(paint):.2f} s, "
        f"worst {max(paint):.2f} s of {ROUNDS}; aimed at 1 s\n"
        f"another strength of three stems is heard: median {1000 * statistics.median(preview):.0f} ms, "
        f"worst {1000 * max(preview):.0f} ms of {ROUNDS}; aimed at 100 ms\n"
    )


if __name__ == "__main__":
    sys.stdout.write(told())
