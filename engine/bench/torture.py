"""What the daemon survives, counted: `make torture`. Each part prints a row; the exit code is 1 where one is not as it must be.

A daemon of its own in a temporary home: nothing of the user's is touched.
"""

import json
import random
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

from engine.bench.jobs import ASKS, QUICK, Found, done, rung
from engine.bench.kills import kills, turns
from engine.bench.noise import packets
from engine.bench.reruns import reruns
from engine.bench.victim import Victim, losing
from host_bridge import wire
from host_bridge.arguments import Parser
from host_bridge.cli import safely
from host_bridge.client import Client, NoDaemon, Refused
from host_bridge.spool import KEPT
from host_bridge.vocabulary import new_id

LONGEST_WAIT_S = 1.5
"""Before a cancel: some come while the job waits, some while it is read, most while the network is at work."""
MOST_GROWTH_MIB = 32.0
P99_MS = 5.0
PATIENCE_S = 600.0


def noise(victim: Victim, region: Path, count: int, seed: int) -> Found:
    """Packets that nobody should send, half as datagrams and half as frames: no crash, no growth, the rest is answered."""
    assert victim.engine
    with victim.client() as client:
        job = client.submit(QUICK, region)
        done(client, job)
        port, answered, asked, before = victim.engine.udp, 0, 0, 0.0
        frames = socket.create_connection(("127.0.0.1", port))
        line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for number, packet in enumerate(packets(count, seed, victim.engine.token, job, "bass")):
            if number % 2:
                line.sendto(packet, ("127.0.0.1", port))
            else:
                frames = _sent(frames, port, packet if number % 64 else b"\xff" * 8 + packet)
            if number % max(count // 100, 1) == 0:
                asked += 1
                answered += _answers(client)
            if number == count // 10:  # by then everything has happened once
                before = victim.memory_mib()
        grown = victim.memory_mib() - before
        answered, asked = answered + _answers(client), asked + 1
        after = client.submit(QUICK, region)
        good = bool(done(client, after))
        frames.close()
        line.close()
    counted = f"{count} packets: {answered} of {asked} pings answered, {grown:+.1f} MiB, {victim.faults()} faults in the log"
    whole = victim.alive and good and answered == asked and not victim.faults()
    return Found("noise", counted, whole and grown < MOST_GROWTH_MIB)


def loss(victim: Victim, region: Path, count: int, seed: int) -> Found:
    """Half of all datagrams lost both ways: every job is done."""
    assert victim.engine
    began, ended = time.monotonic(), 0
    with losing(victim.engine.udp, 0.5, seed) as port:
        for _ in range(count):
            with victim.client(port) as client:
                ended += bool(done(client, client.submit(QUICK, region)))
    return Found("50 % loss", f"{ended} of {count} jobs done in {time.monotonic() - began:.1f} s", ended == count)


def cancels(victim: Victim, region: Path, count: int, seed: int) -> Found:
    """Jobs cancelled at random moments: answered, nothing kept, and the device free for the next within a second."""
    chance, kept = random.Random(seed), 0  # noqa: S311
    answered_s, free_s = [], []
    with victim.client() as client:
        long = Path(region).with_name("long.wav")
        sound, rate = soundfile.read(region)
        soundfile.write(long, np.tile(sound, 30), rate, subtype="FLOAT")
        for _ in range(count):
            job, behind = client.submit(ASKS[1], long), client.submit(QUICK, region)
            time.sleep(chance.uniform(0, LONGEST_WAIT_S))
            at = time.time()
            client.cancel(job)
            answered_s.append(time.time() - at)
            done(client, behind)
            free_s.append(max(0.0, _began(client.spool.folder(behind)) - at))
            kept += bool({path.name for path in client.spool.folder(job).iterdir()} - KEPT)
    counted = (
        f"{count} cancels: answered in {max(answered_s):.2f} s, the device free in {max(free_s):.2f} s at most, {kept} kept"
    )
    return Found("cancel", counted, max(answered_s) < 1 and max(free_s) < 1 and not kept)


def _began(folder: Path) -> float:
    """When the device took a job up, in seconds since 1970."""
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    return datetime.fromisoformat(next(line["at"] for line in lines if line["event"] == "start")).timestamp()


def crowd(victim: Victim, region: Path, count: int, _seed: int) -> Found:
    """So many clients at once, each with a job of its own."""

    def one(_number: int) -> bool:
        with victim.client() as client:
            return bool(done(client, client.submit(QUICK, region)))

    began = time.monotonic()
    with ThreadPoolExecutor(count) as clients:
        ended = sum(clients.map(one, range(count)))
    return Found("crowd", f"{count} clients, {ended} jobs done in {time.monotonic() - began:.1f} s", ended == count)


def speed(victim: Victim, region: Path, count: int, _seed: int) -> Found:
    """submit -> accepted, while the device works on those before."""
    taken_ms, jobs = [], [new_id() for _ in range(count)]
    with victim.client() as client:
        for job in jobs:
            client.spool.put(job, ASKS[0], region)
            began = time.perf_counter()
            rung(client, job)
            taken_ms.append(1000 * (time.perf_counter() - began))
        for job in jobs:
            try:
                client.cancel(job)
            except Refused:  # done already
                continue
    half, most = np.percentile(taken_ms, (50, 99))
    return Found("submit", f"{count} submits: accepted in {half:.2f} ms (half), {most:.2f} ms (99 %)", most < P99_MS)


def _sent(line: socket.socket, port: int, packet: bytes) -> socket.socket:
    """The line, or a new one where the daemon has hung up on us."""
    try:
        line.setblocking(False)
        while line.recv(1 << 16):
            continue
        hung_up = True
    except BlockingIOError:
        hung_up = False
    except OSError:
        hung_up = True
    try:
        if not hung_up:
            line.setblocking(True)
            line.settimeout(10)
            line.sendall(wire.framed(packet))
            return line
    except OSError:
        pass
    line.close()
    return socket.create_connection(("127.0.0.1", port))


def _answers(client: Client) -> bool:
    try:
        client.ping()
    except NoDaemon:
        return False
    return True


Part = Callable[[Victim, Path, int, int], Found]
PARTS: dict[str, tuple[Part, int]] = {
    "submits": (speed, 300),
    "clients": (crowd, 50),
    "losses": (loss, 20),
    "packets": (noise, 100_000),
    "cancels": (cancels, 40),
    "turns": (turns, 60),
    "kills": (kills, 100),
    "reruns": (reruns, 40),
}
"""By the option that says how much: the part, and how much unless it is said; 0 leaves it out."""


def main(argv: Sequence[str]) -> int:
    """Run the parts and print a row for each."""
    made = Parser("torture", description="What the daemon survives, counted.")
    for name, (_, usual) in PARTS.items():
        made.add_argument(f"--{name}", type=int, default=usual, help=f"default {usual}; 0: leave it out")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--device", default="cpu")
    options = made.parse_args(argv)
    good = True
    with TemporaryDirectory() as home:
        region, t = Path(home) / "take.wav", np.arange(16_000) / 16_000
        hits = 0.2 * np.random.default_rng(0).normal(size=len(t)) * np.exp(-30 * (t % 0.25))
        soundfile.write(region, hits + 0.1 * np.sin(700 * t), 16_000, subtype="FLOAT")
        victim = Victim(Path(home), options.device)
        victim.start()
        try:
            with victim.client() as client:
                done(client, client.submit(QUICK, region))  # the model is loaded
            for name, (part, _) in PARTS.items():
                if count := getattr(options, name):
                    found = part(victim, region, count, options.seed)
                    good &= found.good
                    print(
                        f"{found.part:10} {'as it must be' if found.good else 'NOT AS IT MUST BE':18} {found.counted}",
                        flush=True,
                    )
        finally:
            victim.end()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(safely(main, sys.argv[1:]))
