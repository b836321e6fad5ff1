"""How long one waits for the first word: the command's help, a daemon that answers, a model that is loaded, a job accepted."""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from engine.research.bench.tables import table
from host_bridge.client.client import Client
from host_bridge.spool.documents import RequestFile, read_engine
from host_bridge.types import Stem, new_id
from presets import DEMO

PATIENCE_S = 60.0
SUBMITS = 50


def told(times: int) -> str:
    """A row each, the best of `times` in fresh processes."""
    helped = min(_command("--help") for _ in range(times))
    ready, loaded, first, second, accepted = (min(values) for values in zip(*(_daemon() for _ in range(times)), strict=True))
    rows = [
        ("`zerostem --help`", f"{helped:.2f}"),
        ("a daemon is started and answers", f"{ready:.2f}"),
        ("and its model is loaded", f"{loaded:.2f}"),
        ("the first job once it is, the demo at 10 steps", f"{first:.2f}"),
        ("the second job", f"{second:.2f}"),
        (f"submit -> accepted, half of {SUBMITS}", f"{accepted:.4f}"),
    ]
    return table(("in a fresh process", "seconds"), rows)


def _command(*words: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "host_bridge", *words], capture_output=True, check=True)  # noqa: S603
    return time.perf_counter() - began


def _daemon() -> tuple[float, float, float, float, float]:
    """Seconds to an answer and to the model, of two jobs one after the other, and from submit to accepted."""
    with TemporaryDirectory() as home:
        environment, engine = {**os.environ, "ZEROSTEM_HOME": home}, Path(home) / "engine.json"
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "host_bridge", "daemon", "--port", "0"], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            while not engine.exists():
                _patient(began)
            with Client(read_engine(engine.read_bytes()), "bench") as client:
                client.hello()
                ready = time.perf_counter() - began
                while "model loaded" not in (Path(home) / "log" / "daemon.log").read_text(encoding="utf-8"):
                    _patient(began)
                loaded = time.perf_counter() - began
                first, second = _job(client, "drums"), _job(client, "bass")
                return ready, loaded, first, second, float(np.median([_accepted(client) for _ in range(SUBMITS)]))
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _job(client: Client, prompt: str) -> float:
    began = time.perf_counter()
    job = client.submit(_asked(prompt), DEMO / "mix.flac")
    for _said in client.watch(job):
        continue
    return time.perf_counter() - began


def _accepted(client: Client) -> float:
    job = new_id()
    client.spool.put(job, _asked("drums"), DEMO / "drums.flac")
    began = time.perf_counter()
    client.ring(job)
    taken = time.perf_counter() - began
    client.cancel(job)
    return taken


def _asked(prompt: str) -> RequestFile:
    return RequestFile((Stem(prompt),), settings={"steps": 10})


def _patient(began: float) -> None:
    if time.perf_counter() - began > PATIENCE_S:
        raise TimeoutError(f"no daemon after {PATIENCE_S:g} s")
    time.sleep(0.005)
