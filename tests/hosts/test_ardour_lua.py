"""Ardour's own Lua without a window: our shared modules in it, on a real session."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host_bridge.forms import Timeline
from host_bridge.hosts import ardour
from host_bridge.hosts.base import Facts
from host_bridge.hosts.build import build
from host_bridge.spool import Spool
from host_bridge.vocabulary import Hertz, Samples

MODULES = Path(ardour.__file__).parent
DEMO = Path(__file__).parents[2] / "presets" / "demo" / "mix.flac"
RATE = 44_100

pytestmark = [pytest.mark.daw, pytest.mark.skipif(sys.platform != "linux", reason="Ardour is tried on Linux only")]

JOB = """
--@include json.lua
--@include job.lua
--@facts
FACTS.host = "ardour"
--@include machine.lua
--@include ledger.lua
AudioEngine:set_backend ("None (Dummy)", "", "")
Session = create_session (arg[1], "bare", tonumber (arg[2]))
local jobs = job.new (json, FACTS, machine)
local id = jobs.id ()
assert (jobs.installed ())
assert (jobs.begin (id))
assert (ledger.write ({ { id = id, start = 7, brought = false } }))
assert (ledger.change (id, { brought = true }))
assert (ledger.entry (id).brought and ledger.entry (id).start == 7)
local source = {}
for channel = 0, 1 do source[channel + 1] = { path = arg[3], channel = channel, start = 3, length = 100 } end
local region = { start = 7, rate = tonumber (arg[2]) }
assert (jobs.commit (id, { stems = { { prompt = "drums" } }, source = source, region = region }))
jobs.ring (id)
print ("JOB " .. id)
Session:close ()
quit ()
"""


def test_without_a_window_ardours_own_lua_writes_a_job_that_the_daemon_would_take(
    tmp_path: Path, need: Callable[..., None], until: Callable[..., None], ardour_lua: Callable[..., str]
) -> None:
    need("ardour7-lua")
    program = tmp_path / "zero stem's"
    program.write_text(f'#!/bin/sh\necho "$@" > "{tmp_path}/rung"\n')
    program.chmod(0o755)
    facts = Facts((str(program), "-P"), tmp_path / "spool of ü", tmp_path / "engine.json")
    for module in (MODULES / "machine.lua", MODULES / "ledger.lua"):
        (tmp_path / module.name).write_bytes(module.read_bytes())
    (tmp_path / "job of a test.lua").write_text(JOB)
    script = build(tmp_path / "job of a test.lua", facts).decode()
    said = ardour_lua(script, tmp_path, tmp_path / "bare", RATE, DEMO)
    (job,) = re.findall(r"^JOB (\S+)$", said, re.MULTILINE)
    request = Spool(facts.spool).request(job)
    assert [stem.prompt for stem in request.stems] == ["drums"]
    assert [(source.channel, source.start, source.length) for source in request.source] == [(0, 3, 100), (1, 3, 100)]
    assert (request.host, request.region) == ("ardour", Timeline(Samples(7), Hertz(RATE)))
    assert (facts.spool / job).stat().st_mode & 0o077 == 0
    until((tmp_path / "rung").exists, "the bell")
    until(lambda: (tmp_path / "rung").read_text() == f"-P ring {job}\n", "the bell's words")
