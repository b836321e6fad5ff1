"""What the daemon survives, counted: `make torture`. Each part prints a row; the exit code is 1 where one is not as it must be.

A daemon of its own in a temporary home: nothing of the user's is touched.
"""

import argparse
import random
import socket
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

from engine.bench.noise import packets
from engine.bench.victim import Victim, losing
from engine.measure import sha256
from host_bridge import wire
from host_bridge.client import Client, NoDaemon, Refused
from host_bridge.errors import BadSpool
from host_bridge.forms import RequestFile
from host_bridge.messages import Done
from host_bridge.spool import KEPT
from host_bridge.vocabulary import Stem, new_id

ASKS = (
    RequestFile((Stem("drums"),), settings={"steps": 4}),
    RequestFile((Stem("drums"), Stem("bass", 0.5)), settings={"steps": 6}),
    RequestFile((Stem("piano", 0.7),), settings={"steps": 2, "generative": True}),
    RequestFile((Stem("bass"),), settings={"method": "mixture"}),
)
QUICK = ASKS[3]
OTHER = 400
"""Permille: the strength that every third job is given once it is done."""
LONGEST_LIFE_S = 2.5
"""A daemon lives at most so long before it is killed: some die while they load, some at work, some when all is done."""
LOUDEST_DIFFERENCE = 10 ** (-90 / 20)
MOST_GROWTH_MIB = 32.0
P99_MS = 5.0
PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Found:
    """One part's outcome: what was counted, and whether it is as it must be."""

    part: str
    counted: str
    good: bool


def kills(victim: Victim, region: Path, count: int, seed: int) -> Found:
    """`kill -9` at random moments over a stream of jobs: none lost, none half-written, none different."""
    chance = random.Random(seed)  # noqa: S311
    with victim.client() as client:
        undisturbed: dict[tuple[int, int | None], dict[str, Any]] = {}
        for number, ask in enumerate(ASKS):
            undisturbed[number, None] = _done(client, client.submit(ask, region))
            undisturbed[number, OTHER] = _done(client, client.submit(_weaker(ask), region))
    jobs: dict[str, tuple[int, int | None]] = {}
    changed: set[str] = set()
    for turn in range(count):
        job, number = new_id(), chance.randrange(len(ASKS))
        victim.spool.put(job, ASKS[number], region)
        jobs[job] = (number, OTHER if turn % 3 == 0 else None)
        with victim.client() as client:
            _rung(client, job)
            for other, (which, permille) in jobs.items():
                if permille and other not in changed and victim.spool.result(other):
                    client.strength(other, ASKS[which].stems[0].prompt, permille)
                    changed.add(other)
        time.sleep(chance.uniform(0, LONGEST_LIFE_S))
        victim.kill()
        victim.start()
    lost, torn, different = 0, 0, 0
    with victim.client() as client:
        for job, (number, permille) in jobs.items():
            try:
                result = _done(client, job)
                if permille:
                    client.strength(job, ASKS[number].stems[0].prompt, permille, wait=True)
                    result = client.spool.result(job) or {}
            except (Refused, BadSpool):
                lost += 1
                continue
            folder = client.spool.folder(job)
            names = {path.name for path in folder.iterdir()} - KEPT
            whole = all(sha256(folder / "stems" / name) == was for name, was in result["files"].items())
            torn += not (whole and names == {"stems", "result.json"})
            different += _difference(result, undisturbed[number, permille]) > LOUDEST_DIFFERENCE
    counted = f"{count} kills, {len(jobs)} jobs: {lost} lost, {torn} half-written, {different} different"
    counted += f"; {len(changed)} had a strength changed on the way"
    return Found("kill -9", counted, not (lost or torn or different))


def noise(victim: Victim, region: Path, count: int, seed: int) -> Found:
    """Packets that nobody should send, half as datagrams and half as frames: no crash, no growth, the rest is answered."""
    assert victim.engine
    with victim.client() as client:
        job = client.submit(QUICK, region)
        _done(client, job)
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
        good = bool(_done(client, after))
        frames.close()
        line.close()
    counted = f"{count} packets: {answered} of {asked} pings answered, {grown:+.1f} MiB, {victim.faults()} faults in the log"
    whole = victim.alive and good and answered == asked and not victim.faults()
    return Found("noise", counted, whole and grown < MOST_GROWTH_MIB)


def loss(victim: Victim, region: Path, count: int, seed: int) -> Found:
    """Half of all datagrams lost both ways: every job is done."""
    assert victim.engine
    began, done = time.monotonic(), 0
    with losing(victim.engine.udp, 0.5, seed) as port:
        for _ in range(count):
            with victim.client(port) as client:
                done += bool(_done(client, client.submit(QUICK, region)))
    return Found("50 % loss", f"{done} of {count} jobs done in {time.monotonic() - began:.1f} s", done == count)


def crowd(victim: Victim, region: Path, count: int, _seed: int) -> Found:
    """So many clients at once, each with a job of its own."""

    def one(_number: int) -> bool:
        with victim.client() as client:
            return bool(_done(client, client.submit(QUICK, region)))

    began = time.monotonic()
    with ThreadPoolExecutor(count) as clients:
        done = sum(clients.map(one, range(count)))
    return Found("crowd", f"{count} clients, {done} jobs done in {time.monotonic() - began:.1f} s", done == count)


def speed(victim: Victim, region: Path, count: int, _seed: int) -> Found:
    """submit -> accepted, while the device works on those before."""
    taken_ms, jobs = [], [new_id() for _ in range(count)]
    with victim.client() as client:
        for job in jobs:
            client.spool.put(job, ASKS[0], region)
            began = time.perf_counter()
            _rung(client, job)
            taken_ms.append(1000 * (time.perf_counter() - began))
        for job in jobs:
            try:
                client.cancel(job)
            except Refused:  # done already
                continue
    half, most = np.percentile(taken_ms, (50, 99))
    return Found("submit", f"{count} submits: accepted in {half:.2f} ms (half), {most:.2f} ms (99 %)", most < P99_MS)


def _weaker(ask: RequestFile) -> RequestFile:
    first, *others = ask.stems
    return replace(ask, stems=(Stem(first.prompt, OTHER / 1000), *others))


def _rung(client: Client, job: str) -> None:
    try:
        client.ring(job)
    except NoDaemon:  # it lies in the spool, which is enough
        return


def _done(client: Client, job: str) -> dict[str, Any]:
    *_, last = client.watch(job)
    return (client.spool.result(job) or {}) if isinstance(last, Done) else {}


def _difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two jobs' stems, full scale 1."""
    pairs = zip(one["stems"], other["stems"], strict=True)
    files = [(a["path"], b["path"]) for a, b in pairs] + [(one["rest"], other["rest"])]
    return max(float(np.abs(soundfile.read(a)[0] - soundfile.read(b)[0]).max()) for a, b in files)


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
    "kills": (kills, 100),
}
"""By the option that says how much: the part, and how much unless it is said; 0 leaves it out."""


def main(argv: Sequence[str]) -> int:
    """Run the parts and print a row for each."""
    made = argparse.ArgumentParser("torture", description="What the daemon survives, counted.")
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
                _done(client, client.submit(QUICK, region))  # the model is loaded
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
    sys.exit(main(sys.argv[1:]))
