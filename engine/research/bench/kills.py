"""`kill -9` at random moments: over a stream of jobs, and over stems whose strength is being turned."""

import random
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from engine.audio.metrics import sha256
from engine.research.bench.jobs import ASKS, JobResult, done, rung
from engine.research.bench.victim import Victim
from host_bridge.client.client import Client, NoDaemon, Refused
from host_bridge.errors import BadSpool
from host_bridge.spool.documents import RequestFile
from host_bridge.spool.job_folders import KEPT
from host_bridge.types import Stem, new_id

OTHER = 400
"""Permille: the strength that every third job is given once it is done."""
TURNED = (0, 150, 400, 650, 1000)
"""Permille: where a fader may come to rest."""
LONGEST_LIFE_S = 2.5
"""A daemon lives at most so long before it is killed: some die while they load, some at work, some when all is done."""
LONGEST_TURN_S = 1.2
"""As long as it takes to load the model and render a stem again, and a little more."""
LOUDEST_DIFFERENCE = 10 ** (-90 / 20)


def kills(victim: Victim, region: Path, count: int, seed: int) -> JobResult:
    """`kill -9` at random moments over a stream of jobs: none lost, none half-written, none different."""
    chance = random.Random(seed)  # noqa: S311
    with victim.client() as client:
        undisturbed: dict[tuple[int, int | None], dict[str, Any]] = {}
        for number, ask in enumerate(ASKS):
            undisturbed[number, None] = done(client, client.submit(ask, region))
            undisturbed[number, OTHER] = done(client, client.submit(_at(ask, OTHER), region))
    jobs: dict[str, tuple[int, int | None]] = {}
    for turn in range(count):
        job, number = new_id(), chance.randrange(len(ASKS))
        victim.spool.put(job, ASKS[number], region)
        jobs[job] = (number, OTHER if turn % 3 == 0 else None)
        with victim.client() as client:
            rung(client, job)
            if turn % 3 == 0:  # while it waits or runs: it counts in the end
                _turned(client, job, ASKS[number], OTHER)
        time.sleep(chance.uniform(0, LONGEST_LIFE_S))
        victim.kill()
        victim.start()
    lost, torn, different = 0, 0, 0
    with victim.client() as client:
        for job, (number, permille) in jobs.items():
            try:
                result = done(client, job)
                if permille:
                    client.strength(job, ASKS[number].stems[0].prompt, permille, wait=True)
                    result = client.spool.result(job) or {}
            except (Refused, BadSpool):
                lost += 1
                continue
            torn += not _whole(client, job, result)
            different += _difference(result, undisturbed[number, permille]) > LOUDEST_DIFFERENCE
    counted = f"{count} kills, {len(jobs)} jobs: {lost} lost, {torn} half-written, {different} different"
    return JobResult("kill -9", counted, not (lost or torn or different))


def device_queue(victim: Victim, region: Path, count: int, seed: int) -> JobResult:
    """`kill -9` while stems of finished jobs are rendered at another strength: the last request counts, and all is whole."""
    chance = random.Random(seed)  # noqa: S311
    asks = [ask for ask in ASKS if ask.settings.get("method") != "mixture"]
    with victim.client() as client:
        jobs = [client.submit(ask, region) for ask in asks]
        undisturbed = [{at: done(client, client.submit(_at(ask, at), region)) for at in TURNED} for ask in asks]
        for job in jobs:
            done(client, job)
    wanted: dict[int, int] = {}
    torn = 0
    for _ in range(count):
        number, permille = chance.randrange(len(asks)), chance.choice(TURNED)
        with victim.client() as client:
            if _turned(client, jobs[number], asks[number], permille):
                wanted[number] = permille
        time.sleep(chance.uniform(0, LONGEST_TURN_S))
        victim.kill()
        torn += any(not soundfile.info(path).frames for job in jobs for path in (victim.spool.root / job).glob("stems/*.wav"))
        victim.start()
    different = 0
    with victim.client() as client:
        for number, permille in wanted.items():
            client.strength(jobs[number], asks[number].stems[0].prompt, permille, wait=True)
            result = client.spool.result(jobs[number]) or {}
            torn += not _whole(client, jobs[number], result)
            different += _difference(result, undisturbed[number][permille]) > LOUDEST_DIFFERENCE
    counted = f"{count} kills while strengths were turned: {torn} half-written, {different} different from a job asked so"
    return JobResult("strengths", counted, bool(wanted) and not (torn or different))


def _turned(client: Client, job: str, ask: RequestFile, permille: int) -> bool:
    """Whether the daemon has taken the request up."""
    with suppress(NoDaemon, Refused):
        client.strength(job, ask.stems[0].prompt, permille)
        return True
    return False


def _at(ask: RequestFile, permille: int) -> RequestFile:
    first, *others = ask.stems
    return replace(ask, stems=(Stem(first.prompt, permille / 1000), *others))


def _whole(client: Client, job: str, result: dict[str, Any]) -> bool:
    """Whether the job's folder holds what its result says, and nothing else."""
    folder = client.spool.folder(job)
    names = {path.name for path in folder.iterdir()} - KEPT
    same = all(sha256(folder / "stems" / name) == was for name, was in result["files"].items())
    return same and names == {"stems", "result.json"}


def _difference(one: dict[str, Any], other: dict[str, Any]) -> float:
    """The largest difference of two jobs' stems, full scale 1."""
    pairs = zip(one["stems"], other["stems"], strict=True)
    files = [(a["path"], b["path"]) for a, b in pairs] + [(one["rest"], other["rest"])]
    return max(float(np.abs(soundfile.read(a)[0] - soundfile.read(b)[0]).max()) for a, b in files)
