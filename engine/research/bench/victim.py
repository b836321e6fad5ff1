"""A daemon process of its own, in a home of its own, to be killed and started again, and a line that loses what it carries."""

import json
import multiprocessing
import os
import random
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event, Thread

import psutil  # type: ignore[import-untyped, unused-ignore]

from host_bridge.client.client import Client
from host_bridge.errors import BadSpool
from host_bridge.spool.documents import EngineFile, read_engine
from host_bridge.spool.job_folders import Spool

PATIENCE_S = 60.0


def _serve(home: Path, device: str) -> None:
    from engine.daemon.main import DaemonOptions, main

    os.environ["ZEROSTEM_HOME"] = str(home)  # the process that this one is forked from may know another
    main(DaemonOptions(device=device, port=0))


class Victim:
    """The daemon of a home. Its processes are forked from one that has loaded torch, so that a start takes no seconds."""

    def __init__(self, home: Path, device: str) -> None:
        self.home, self.spool, self._device = home, Spool(home / "spool"), device
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["engine.daemon.main", "engine.separation", "engine.daemon.region"])
        self.process: BaseProcess | None = None
        self.engine: EngineFile | None = None

    def start(self) -> None:
        """Start it, and wait until it has told where it is."""
        (self.home / "engine.json").unlink(missing_ok=True)
        self.process = self._context.Process(target=_serve, args=(self.home, self._device))
        self.process.start()
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and self.process.is_alive():
            try:
                self.engine = read_engine((self.home / "engine.json").read_bytes())
                return
            except (FileNotFoundError, BadSpool):
                time.sleep(0.005)
        raise RuntimeError(f"the daemon did not start (exit code {self.process.exitcode})")

    def kill(self) -> None:
        """As a power cut, or the system's out-of-memory killer, would."""
        assert self.process
        self.process.kill()
        self.process.join()

    def end(self) -> None:
        """As the service's manager would."""
        assert self.process
        self.process.terminate()
        self.process.join(PATIENCE_S)

    @property
    def alive(self) -> bool:
        """Whether it has not crashed."""
        return self.process is not None and self.process.is_alive()

    def client(self, udp: int | None = None) -> Client:
        """A client of it; udp: by way of another port."""
        assert self.engine
        engine = self.engine
        return Client(EngineFile(engine.pid, udp or engine.udp, engine.tcp, engine.version, engine.spool, engine.token))

    def memory_mib(self) -> float:
        """What it holds."""
        assert self.process
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def faults(self) -> int:
        """Lines of its log with a traceback."""
        logs = (self.home / "log").glob("daemon.log*")
        return sum("trace" in json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines())


@contextmanager
def losing(port: int, loss: float, seed: int) -> Iterator[int]:
    """A port that hands datagrams to another one and back, and loses a share of them both ways."""
    chance, ending = random.Random(seed), Event()  # noqa: S311 - a torture, no secret
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 0))
    backs: dict[object, socket.socket] = {}

    def carry() -> None:
        with selectors.DefaultSelector() as ready:
            ready.register(front, selectors.EVENT_READ, None)
            while not ending.is_set():
                for key, _ in ready.select(0.05):
                    line = key.fileobj
                    assert isinstance(line, socket.socket)
                    packet, sender = line.recvfrom(65_535)
                    if key.data is None and sender not in backs:
                        backs[sender] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                        backs[sender].connect(("127.0.0.1", port))
                        ready.register(backs[sender], selectors.EVENT_READ, sender)
                    if chance.random() < loss:
                        continue
                    if key.data is None:
                        backs[sender].send(packet)
                    else:
                        front.sendto(packet, key.data)

    carrier = Thread(target=carry, name="losing")
    carrier.start()
    try:
        yield front.getsockname()[1]
    finally:
        ending.set()
        carrier.join()
        for each in (front, *backs.values()):
            each.close()
