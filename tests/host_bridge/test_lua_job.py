"""What host scripts write and read in Lua is what we read and write here."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host_bridge.bwf import Writer
from host_bridge.errors import BadRequest
from host_bridge.forms import RequestFile, StateFile, Timeline
from host_bridge.spool import Spool
from host_bridge.text import as_json
from host_bridge.vocabulary import Hertz, Job, Samples, Stem, is_id, is_stem_name

SHARED = Path(__file__).parents[2] / "host_bridge" / "lua"
SYSTEM = """
local clock, asked = 0, {}
local facts = { command = { COMMAND }, spool = SPOOL, engine_file = SPOOL .. "/../engine.json", host = "ardour" }
local jobs = job.new (json, facts, {
    make_folder = function (path) return os.execute ("mkdir -p '" .. path .. "'") and true end,
    run = function (words) asked[#asked + 1] = words end,
    random = function () return 0xABCD1234567 end,
    now = function () return clock end,
})
local function show (...) io.write (json.encode ({ ... })) end
"""


def lua(program: str, interpreter: str, **words: str) -> Any:
    """What a program shows that has json, wav, job and jobs at hand."""
    loaded = "".join(f"local {name} = assert (loadfile ([[{SHARED / name}.lua]])) () " for name in ("json", "wav", "job"))
    values = "".join(f"local {name} = [==[{value}]==] " for name, value in words.items())
    text = (
        values
        + loaded
        + (SYSTEM if "SPOOL" in words else "local function show (...) io.write (json.encode ({ ... })) end ")
        + program
    )
    done = subprocess.run([interpreter, "-e", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout else None


@pytest.fixture(params=["lua5.4", "lua5.3"])
def interpreter(request: pytest.FixtureRequest, need: Callable[..., None]) -> str:
    need(request.param)
    return str(request.param)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "a spool")
    made.prepare()
    return made


def test_a_job_that_lua_makes_is_one_that_the_daemon_reads(spool: Spool, interpreter: str) -> None:
    program = """
    local id = jobs.id ()
    local aside = jobs.begin (id)
    local file = io.open (aside .. "/region.wav", "wb") file:write ("RIFF") file:close ()
    local good = jobs.commit (id, { stems = { { prompt = 'a “big” drum', strength = 0.5 } }, settings = {}, preset = "",
        region = { start = 9007199254740993, rate = 48000 }, name = "Ü" })
    jobs.ring (id)
    show (id, good, asked)
    """
    job, good, asked = lua(program, interpreter, SPOOL=str(spool.root), COMMAND="/bin/sh")
    assert (good, spool.ids(), is_id(job)) == (True, [job], True)
    assert spool.request(job) == RequestFile(
        (Stem("a “big” drum", 0.5),), region=Timeline(Samples(2**53 + 1), Hertz(48_000)), name="Ü", host="ardour"
    )
    assert asked == [["/bin/sh", "ring", job]]
    assert sorted(path.name for path in spool.folder(job).iterdir()) == ["region.wav", "request.json"]


def test_a_folder_that_is_given_up_is_gone(spool: Spool, interpreter: str) -> None:
    program = 'local id = jobs.id () jobs.begin (id) io.open (jobs.begin (id) .. "/region.wav", "w"):close () jobs.abandon (id)'
    lua(program, interpreter, SPOOL=str(spool.root), COMMAND="/bin/sh")
    assert not list(spool.root.iterdir())


def test_a_spool_that_is_a_file_is_told_of(tmp_path: Path, interpreter: str) -> None:
    (tmp_path / "file").write_text("")
    program = "local folder, why = jobs.begin (jobs.id ()) show (folder == nil, why)"
    nothing, why = lua(program, interpreter, SPOOL=str(tmp_path / "file"), COMMAND="")
    assert nothing is True
    assert "cannot be made" in why


@pytest.mark.parametrize(
    ("state", "ended", "said"),
    [
        (StateFile(Job("job-0001", "queued")), False, "Waiting..."),
        (StateFile(Job("job-0001", "running", 125, "listening", 65, "cpu"), 1), False, "12 %, listening, 1:05 to go (cpu)"),
        (StateFile(Job("job-0001", "running", 0, "loading"), 1), False, "0 %, loading"),
        (
            StateFile(Job("job-0001", "failed"), 1, 424, "No. 5 is too large.", "Close others."),
            True,
            "No. 5 is too large. Close others.",
        ),
        (StateFile(Job("job-0001", "failed"), 1, 424, "Both in one. As before."), True, "Both in one. As before."),
        (StateFile(Job("job-0001", "cancelled"), 1), True, "Stopped."),
    ],
)
def test_how_a_job_stands_is_told_in_a_line(
    spool: Spool, interpreter: str, tmp_path: Path, state: StateFile, ended: bool, said: str
) -> None:
    region = tmp_path / "region"
    region.write_bytes(b"")
    spool.put("job-0001", RequestFile((Stem("drums"),)), region)
    spool.record(state, "submit")
    (told,) = lua('show (jobs.look ("job-0001"))', interpreter, SPOOL=str(spool.root), COMMAND="")
    assert (told["ended"], told["said"], told["state"]) == (ended, said, state.job.state)


def test_a_file_that_is_replaced_at_this_moment_says_what_it_said_last(spool: Spool, interpreter: str, tmp_path: Path) -> None:
    """On Windows it cannot be opened then (error 13), or seems to be gone (error 2)."""
    (tmp_path / "region.wav").write_bytes(b"RIFF")
    spool.put("first-job", RequestFile((Stem("drums"),)), tmp_path / "region.wav")
    program = """
    local open, refused = io.open, nil
    io.open = function (path, mode)
        if refused and path:find (refused.name, 1, true) then return nil, path, refused.code end
        return open (path, mode)
    end
    local function look ()
        local state, why, gone = jobs.state ("first-job")
        return { state and state.state .. " " .. state.permille or why, gone or false }
    end
    local shown = { look () }
    for _, code in ipairs ({ 13, 2 }) do
        for _, late in ipairs ({ 1, 60 }) do
            refused = nil
            look ()
            refused = { name = "state.json", code = code }
            clock = clock + late
            shown[#shown + 1] = look ()
        end
    end
    refused = { name = "first-job", code = 13 }
    clock = clock + 60
    shown[#shown + 1] = look ()
    refused = { name = "first-job", code = 2 }
    shown[#shown + 1] = look ()
    show (table.unpack (shown))
    """
    spool.show(StateFile(Job("first-job", "running", 400, "separating", 5, "cpu"), 1))
    shown = lua(program, interpreter, SPOOL=str(spool.root), COMMAND="/bin/sh")
    trouble = [f"{spool.root}/first-job/state.json cannot be read. Run `zerostem doctor`.", False]
    running, queued = ["running 400", False], ["queued 0", False]
    assert shown[:5] == [running, running, trouble, running, queued]
    assert shown[5] == trouble
    assert shown[6][1] is True


def test_a_cancel_of_luas_is_one_that_the_daemon_sees(spool: Spool, interpreter: str, tmp_path: Path) -> None:
    region = tmp_path / "region"
    region.write_bytes(b"")
    spool.put("job-0001", RequestFile((Stem("drums"),)), region)
    assert lua(
        'show (jobs.cancel ("job-0001"), (jobs.cancel ("job-none")) == nil)', interpreter, SPOOL=str(spool.root), COMMAND=""
    ) == [True, True]
    assert spool.wants_cancel("job-0001")


def test_the_daemon_that_runs_says_where_the_spool_is(spool: Spool, interpreter: str) -> None:
    other = {"schema": "zerostem-engine/1", "spool": "/elsewhere"}
    (spool.root.parent / "engine.json").write_text(json.dumps(other))
    assert lua("show (jobs.spool ())", interpreter, SPOOL=str(spool.root), COMMAND="") == ["/elsewhere"]


def test_lua_names_sounds_by_the_same_rule(interpreter: str) -> None:
    texts = [
        "drums",
        "a voice",
        "x" * 500,
        "x" * 501,
        "a/b",
        "a\\b",
        ".",
        "..",
        "a\tb",
        "\u2028",
        "a\u0085",
        "Ü ♪ 😀",
        "a.b",
        '"',
    ]
    program = "local out = {} for i, text in ipairs (json.decode (TEXTS)) do out[i] = job.prompts (text) ~= nil end show (out)"
    (told,) = lua(program, interpreter, TEXTS=json.dumps(texts))
    assert told == [is_stem_name(text) for text in texts]


def test_lua_cuts_names_to_what_a_request_may_hold(interpreter: str, spool: Spool, tmp_path: Path) -> None:
    texts = ["  a\nb ", "ü" * 300, "\u2028", ""]
    (told,) = lua(
        "local out = {} for i, text in ipairs (json.decode (TEXTS)) do out[i] = job.name (text) end show (out)",
        interpreter,
        TEXTS=json.dumps(texts),
    )
    assert told == ["a b", "ü" * 200, "", ""]
    region = tmp_path / "region"
    region.write_bytes(b"")
    for index, name in enumerate(told):
        spool.put(f"job-000{index}", RequestFile((Stem("drums"),), name=name), region)
    with pytest.raises(BadRequest):
        spool.put("job-0009", RequestFile((Stem("drums"),), name=texts[1]), region)


@pytest.mark.parametrize(
    ("rate", "channels", "frames", "start"), [(48_000, 2, 1000, 2**40), (44_100, 1, 1, 0), (8_000, 6, 333, 7)]
)
def test_luas_wav_is_ours_byte_for_byte(
    interpreter: str, tmp_path: Path, rate: int, channels: int, frames: int, start: int
) -> None:
    sound = np.random.default_rng(0).uniform(-2, 2, (frames, channels)).astype("f4")
    with Writer(tmp_path / "ours.wav", Hertz(rate), channels, Samples(start)) as writer:
        writer.write(sound)
    (tmp_path / "values").write_text(json.dumps(sound.ravel().tolist()))
    program = f"""
    local list = json.decode (io.open (VALUES):read ("a"))
    local file = io.open (VALUES .. ".wav", "wb")
    file:write (wav.header ({rate}, {channels}, {frames}, {start}), wav.samples (list, #list))
    file:close ()
    """
    lua(program, interpreter, VALUES=str(tmp_path / "values"))
    assert (tmp_path / "values.wav").read_bytes() == (tmp_path / "ours.wav").read_bytes()


def test_luas_wav_outgrows_riff_as_ours_does(interpreter: str, tmp_path: Path) -> None:
    frames = 2**30
    (header,) = lua(
        f'show ((wav.header (48000, 2, {frames}, 5):gsub (".", function (c) return ("%02x"):format (c:byte ()) end)))',
        interpreter,
    )
    writer = Writer(tmp_path / "ours.wav", Hertz(48_000), 2, Samples(5))
    writer._frames = frames
    assert bytes.fromhex(header) == writer._header()
    writer._frames = 0
    writer.close()


@pytest.mark.parametrize("name", ["json", "job", "wav"])
def test_shared_lua_needs_nothing_that_a_hosts_sandbox_lacks(name: str) -> None:
    code = "\n".join(
        line for line in (SHARED / f"{name}.lua").read_text(encoding="utf-8").splitlines() if not line.startswith("--")
    )
    lacking = (
        "require",
        "rawget",
        "rawset",
        "dofile",
        "debug.",
        "coroutine",
        "<const>",
        "<close>",
        "os.exit",
        "reaper",
        "Session",
    )
    assert not [word for word in lacking if word in code]


@pytest.mark.parametrize("name", [b"bad\xff", b"\x80\xfe.wav", "Ü".encode() + b"\xc3", b"plain"])
def test_lua_reads_and_writes_the_bytes_of_such_a_path(name: bytes, tmp_path: Path, interpreter: str) -> None:
    (tmp_path / "told.json").write_text(as_json({"path": os.fsdecode(name)}), encoding="utf-8")
    program = f"""
    local json = dofile ("{SHARED}/json.lua")
    local told = json.decode (io.open ("told.json", "rb"):read ("a"))
    io.open ("path", "wb"):write (told.path)
    io.open ("again.json", "wb"):write (json.encode (told))
    """
    (tmp_path / "program.lua").write_text(program, encoding="utf-8")
    subprocess.run([interpreter, "program.lua"], cwd=tmp_path, check=True)
    assert (tmp_path / "path").read_bytes() == name
    assert os.fsencode(json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))["path"]) == name
