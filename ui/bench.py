"""How quickly the panel is there: `python -m ui.bench` starts it a few times and prints when its first picture was whole."""

import statistics
import subprocess
import sys

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


def first_paint_s() -> list[float]:
    """Seconds from the first line of Python to the first whole picture, each time in a process of its own."""
    command = [sys.executable, "-c", ONCE]
    return [float(subprocess.check_output(command, text=True)) for _ in range(ROUNDS)]  # noqa: S603 - our own words


if __name__ == "__main__":
    taken = first_paint_s()
    told = f"median {statistics.median(taken):.2f} s, worst {max(taken):.2f} s of {ROUNDS}"
    sys.stdout.write(f"first paint of the panel: {told}; aimed at 1 s\n")
