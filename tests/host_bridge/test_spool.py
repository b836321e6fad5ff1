"""The spool loses nothing: files are whole or not there, links and paths are refused, and a restart finds what was."""

import errno
import json
import os
import random
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from host_bridge import files, forms, handover
from host_bridge.errors import BadAudio, BadMessage, BadRequest, BadSpool, CannotWrite
from host_bridge.forms import RequestFile, Source, StateFile, Timeline
from host_bridge.recovery import recover
from host_bridge.spool import Spool, _remove_tree
from host_bridge.vocabulary import Hertz, Job, Samples, State, Stem, new_id

JOB = "a-job-of-mine"
SIDECAR = {
    "schema": "zerostem-sidecar/1",
    "stems": [{"prompt": "drums", "strength": 1.0, "path": None}, {"prompt": "bass", "strength": 0.5, "path": None}],
}
LUA = Path(forms.__file__).parent / "lua" / "json.lua"
LUAS = ("lua5.4", "lua5.3")
windows = pytest.mark.skipif(os.name == "nt", reason="modes and links are POSIX's")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    made = Spool(tmp_path / "spool")
    made.prepare()
    return made


@pytest.fixture
def job(spool: Spool, request_file: RequestFile, region: Path) -> Path:
    return spool.put(JOB, request_file, region)


def record(spool: Spool, state: State, attempt: int = 0, code: int = 0) -> None:
    spool.record(StateFile(Job(JOB, state), attempt, code), "start")


def found(spool: Spool) -> State:
    (only,) = recover(spool)
    assert only.state == spool.state(JOB)
    return only.state.job.state


# What is put there.


def test_a_job_comes_into_the_spool_whole(spool: Spool, job: Path, request_file: RequestFile) -> None:
    assert {entry.name for entry in job.iterdir()} == {"request.json", "region.wav"}
    assert (job / "region.wav").read_bytes() == b"RIFF"
    assert spool.request(JOB) == request_file
    assert spool.state(JOB).job.state == "queued"
    assert [entry.name for entry in spool.root.iterdir()] == [JOB]


def test_the_same_id_put_twice_is_one_job(spool: Spool, job: Path, region: Path, request_file: RequestFile) -> None:
    assert spool.put(JOB, RequestFile((Stem("other"),)), region) == job
    assert spool.request(JOB) == request_file


def test_a_request_says_everything_it_can_and_is_read_back_equal(spool: Spool, tmp_path: Path) -> None:
    source = Source(tmp_path / "a.wav", 1, Samples(5), Samples(7))
    request = RequestFile(
        stems=(Stem("lead vocals", 0.8),),
        model="pocket",
        settings={"seed": 3, "unlike": "rain", "gain_db": -6.0, "rest": False},
        region=Timeline(Samples(2**40), Hertz(48_000)),
        source=(source, source),
        deliver=tmp_path,
        name="Übung 3",
        host="reaper",
    )
    spool.put(JOB, request)
    assert spool.request(JOB) == request


def test_a_preset_fills_in_what_the_request_does_not_say(spool: Spool, region: Path, home: Path) -> None:
    own = home / "config" / "presets"
    own.mkdir(parents=True)
    words = 'title = "Mine"\nkind = "stems"\nprompts = ["flute", "harp"]\nstrength = 0.7\ncomplete = true\nsteps = 9\n'
    (own / "mine.toml").write_text(words, encoding="utf-8")
    spool.put(JOB, RequestFile((), preset="mine"), region)
    assert spool.request(JOB).stems == (Stem("flute", 0.7), Stem("harp", 0.7))
    assert spool.request(JOB).settings == {"complete": True, "steps": 9}
    spool.put("another-job", RequestFile((Stem("tuba"),), preset="mine", settings={"steps": 3}), region)
    assert spool.request("another-job").stems == (Stem("tuba"),)
    assert spool.request("another-job").settings == {"complete": True, "steps": 3}
    spool.put("a-third-job", RequestFile((), preset="drums"), region)
    assert [stem.prompt for stem in spool.request("a-third-job").stems] == ["drums"]
    spool.put("a-fourth-job", RequestFile((), preset="no such"), region)
    with pytest.raises(BadRequest, match="no preset"):
        spool.request("a-fourth-job")


def test_jobs_come_in_the_order_in_which_they_were_asked_for(spool: Spool, region: Path, request_file: RequestFile) -> None:
    ids = [new_id() for _ in range(5)]
    for number, id_ in enumerate(ids):
        os.utime(spool.put(id_, request_file, region) / "request.json", (number, number))
    assert spool.ids() == ids


@windows
def test_the_spool_is_for_its_user_alone(tmp_path: Path) -> None:
    open_to_all = tmp_path / "spool"
    open_to_all.mkdir(mode=0o755)
    Spool(open_to_all).prepare()
    assert stat.S_IMODE(open_to_all.stat().st_mode) == 0o700


@windows
def test_every_file_is_for_its_user_alone(spool: Spool, job: Path) -> None:
    record(spool, "running")
    assert {stat.S_IMODE((job / name).stat().st_mode) for name in ("request.json", "state.json", "journal.jsonl")} == {0o600}


def test_a_spool_that_is_a_file_or_cannot_be_written_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadSpool):
            Spool(root).prepare()


def test_a_read_only_spool_is_refused_with_a_sentence(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(BadSpool, match=r"Read-only file system\. Make it writable"):
        spool.prepare()


def test_a_full_disk_is_told_and_leaves_the_old_file(spool: Spool, job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(spool, "running")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadSpool, match="No space left"):
        record(spool, "failed")
    monkeypatch.undo()
    assert spool.state(JOB).job.state == "running"
    assert not [entry for entry in job.iterdir() if entry.name.startswith(".")]


# What is refused.


@pytest.mark.parametrize(
    "id_", ["..", "../outside", "a/b/c/d/e/f", "/etc/passwd", "nul\0nul-nul", "two\nlines-x", ".hidden-job", ""]
)
def test_an_id_that_is_no_name_is_refused(spool: Spool, id_: str, region: Path, request_file: RequestFile) -> None:
    with pytest.raises(BadSpool):
        spool.folder(id_)
    with pytest.raises(BadRequest):
        spool.put(id_, request_file, region)


@windows
def test_links_are_followed_neither_to_a_job_nor_in_it(spool: Spool, job: Path, tmp_path: Path) -> None:
    (spool.root / "a-linked-job").symlink_to(job)
    with pytest.raises(BadSpool, match="not a folder"):
        spool.folder("a-linked-job")
    assert spool.ids() == [JOB]
    (job / "request.json").rename(tmp_path / "elsewhere.json")
    (job / "request.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BadSpool, match="is a link"):
        spool.request(JOB)
    (job / "state.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(BadSpool, match="is a link"):
        spool.state(JOB)


@windows
def test_a_link_in_the_way_of_what_we_write_is_replaced_and_its_target_stays(spool: Spool, job: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (job / "state.json").symlink_to(mine)
    (job / "journal.jsonl").symlink_to(mine)
    with pytest.raises(BadSpool):
        record(spool, "running")
    (job / "journal.jsonl").unlink()
    record(spool, "running")
    (job / "stems").symlink_to(tmp_path)
    spool.clear(JOB)
    assert mine.read_text() == "mine"


@windows
def test_a_pipe_or_a_folder_in_the_place_of_a_file_is_refused_at_once(spool: Spool, job: Path) -> None:
    os.mkfifo(job / "state.json")
    (job / "result.json").mkdir()
    for read in (spool.state, spool.result):
        with pytest.raises(BadSpool, match="regular"):
            read(JOB)


def test_a_file_larger_than_any_of_ours_is_not_read(spool: Spool, job: Path) -> None:
    with (job / "state.json").open("wb") as file:
        file.truncate(files.LARGEST + 1)
    with pytest.raises(BadSpool, match="too large"):
        spool.state(JOB)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ("{", "not valid JSON"),
        ("[]", "no JSON object"),
        ('{"schema": "zerostem-request/2", "stems": []}', "form"),
        ('{"schema": "zerostem-request/1"}', "has no 'stems'"),
        ('{"stems": [], "stems": []}', "twice"),
        ('{"schema": "zerostem-request/1", "stems": []}', "names no stem"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a"}], "stem": 1}', "unknown key, 'stem'"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a/b"}]}', "prompt = 'a/b'"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a", "strength": NaN}]}', "NaN is no number"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a", "strength": 1e999}]}', "strength = inf"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a"}, {"prompt": "A "}]}', "twice"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a"}], "settings": {"seed": true}}', "seed = True"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a"}], "settings": {"sed": 1}}', "Did you mean 'seed'"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a"}], "deliver": "stems"}', "deliver = 'stems'"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a"}], "deliver": "/a/../b"}', "deliver"),
        ('{"schema": "zerostem-request/1", "stems": [{"prompt": "a"}], "source": [{"path": "/a\\u0000b"}]}', "path"),
        ("[" * 100_000, "not valid JSON"),
        ("1" * 100_000, "not valid JSON"),
        ("\ufeff{}", "not valid JSON"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_with_the_key_that_is_wrong(
    spool: Spool, job: Path, told: str, sentence: str
) -> None:
    (job / "request.json").write_text(told, encoding="utf-8")
    with pytest.raises(BadRequest) as error:
        spool.request(JOB)
    assert sentence in str(error.value)
    assert found(spool) == "failed"
    assert spool.state(JOB).code == 422


def test_random_bytes_in_any_file_are_bad_files_and_nothing_else(spool: Spool, job: Path) -> None:
    dice = random.Random(5)
    record(spool, "running")
    whole = {name: (job / name).read_bytes() for name in ("request.json", "state.json")}
    read = {"request.json": forms.read_request, "state.json": forms.read_state}
    for _ in range(3000):
        name = dice.choice([*whole])
        data = bytearray(whole[name])
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        with suppress(BadSpool, BadRequest):
            read[name](bytes(data[: dice.randrange(len(data) + 1)] if dice.random() < 0.3 else data))


def test_keys_may_come_in_the_daemons_own_files(spool: Spool, job: Path) -> None:
    record(spool, "running")
    told = json.loads((job / "state.json").read_text(encoding="utf-8"))
    (job / "state.json").write_text(json.dumps(told | {"mood": "good"}), encoding="utf-8")
    assert spool.state(JOB).job.state == "running"


# A life, and what a restart finds.


def test_every_step_is_journaled(spool: Spool, job: Path) -> None:
    record(spool, "running", attempt=1)
    record(spool, "failed", attempt=1, code=415)
    lines = [json.loads(line) for line in (job / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["state"], line["attempt"]) for line in lines] == [("running", 1), ("failed", 1)]


def test_a_line_that_a_crash_cut_off_spoils_no_other(spool: Spool, job: Path) -> None:
    (job / "journal.jsonl").write_bytes(b'{"at": "2026-')
    record(spool, "running")
    last = (job / "journal.jsonl").read_bytes().splitlines()[-1]
    assert json.loads(last)["state"] == "running"


def test_progress_is_shown_five_times_a_second_at_most(tmp_path: Path, request_file: RequestFile, region: Path) -> None:
    now = 0.0
    spool = Spool(tmp_path / "spool", lambda: now)
    spool.prepare()
    spool.put(JOB, request_file, region)
    shown = 0
    for step in range(1000):
        now = step / 1000
        shown += spool.show(StateFile(Job(JOB, "running", step)))
    assert shown == 5


@pytest.mark.parametrize(
    ("before", "after"),
    [("queued", "queued"), ("running", "queued"), ("failed", "failed"), ("cancelled", "cancelled")],
)
def test_a_restart_goes_on_where_it_was(spool: Spool, job: Path, before: State, after: State) -> None:
    record(spool, before)
    assert found(spool) == after
    assert found(spool) == after


def test_a_folder_that_was_renamed_into_the_spool_is_queued(spool: Spool, job: Path) -> None:
    assert found(spool) == "queued"


def test_a_result_makes_a_job_done_whatever_its_state_says(spool: Spool, job: Path) -> None:
    record(spool, "running")
    spool.commit(JOB, SIDECAR)
    assert found(spool) == "done"
    assert spool.result(JOB) == SIDECAR


def test_a_damaged_result_makes_the_job_run_again(spool: Spool, job: Path) -> None:
    record(spool, "done")
    (job / "result.json").write_bytes(b'{"schema": ')
    (only,) = recover(spool)
    assert only.state.job.state == "queued"
    assert "result.json" in only.trouble


def test_a_damaged_state_is_written_anew(spool: Spool, job: Path) -> None:
    (job / "state.json").write_bytes(b"\0\0\0")
    assert found(spool) == "queued"


def test_one_folder_that_cannot_be_gone_on_with_keeps_no_daemon_from_starting(
    spool: Spool, job: Path, region: Path, request_file: RequestFile
) -> None:
    spool.put("another-job", request_file, region)
    (job / "state.json").mkdir()
    assert {each.state.job.id: each.state.job.state for each in recover(spool)} == {JOB: "failed", "another-job": "queued"}


def test_a_strength_above_one_that_was_asked_for_leaves_the_others_to_be_changed(spool: Spool, region: Path) -> None:
    spool.put(JOB, RequestFile((Stem("drums", 1.5), Stem("bass")), settings={"beyond": True}), region)
    spool.want_strength(JOB, "bass", 200)
    spool.want_strength(JOB, "bass", 300)
    assert spool.strengths(JOB) == {"drums": 1500, "bass": 300}


def test_a_cancel_that_came_while_nobody_ran_is_obeyed(spool: Spool, job: Path) -> None:
    spool.drop_cancel(JOB)
    assert found(spool) == "cancelled"


def test_nothing_of_the_work_of_a_cancelled_job_is_kept(spool: Spool, job: Path) -> None:
    (job / "stems").mkdir()
    (job / "stems" / "half.wav").write_bytes(b"RI")
    (job / ".masks.npy").write_bytes(b"")
    record(spool, "cancelled")
    assert found(spool) == "cancelled"
    assert {entry.name for entry in job.iterdir()} == {"request.json", "region.wav", "state.json", "journal.jsonl"}


def test_a_region_cut_from_sources_is_cut_again(spool: Spool, tmp_path: Path) -> None:
    source = Source(tmp_path / "a.wav", 0, Samples(0), Samples(7))
    spool.put(JOB, RequestFile((Stem("drums"),), source=(source,)))
    (spool.root / JOB / "region.wav").write_bytes(b"RIFF")
    spool.clear(JOB)
    assert not (spool.root / JOB / "region.wav").exists()


def test_removing_a_folder_minds_what_cannot_be_removed_but_not_what_is_gone(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "file").touch()
    _remove_tree(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    _remove_tree(tmp_path / "folder")
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        _remove_tree(tmp_path / "file")


def test_files_half_written_when_it_died_are_gone(spool: Spool, job: Path) -> None:
    (job / ".state.json.1234abcd").write_bytes(b"{")
    assert found(spool) == "queued"
    assert not (job / ".state.json.1234abcd").exists()


def test_a_strength_is_wanted_until_it_is_rendered_and_a_restart_knows(spool: Spool, job: Path) -> None:
    spool.commit(JOB, SIDECAR)
    assert spool.strengths(JOB) == {"drums": 1000, "bass": 500}
    assert recover(spool)[0].rerender is False
    spool.want_strength(JOB, "drums", 300)
    assert spool.unsettled(JOB) == {"drums": 300}
    assert recover(spool)[0].rerender is True
    spool.commit(JOB, SIDECAR | {"stems": [{"prompt": "drums", "strength": 0.3, "path": None}]})
    assert recover(spool)[0].rerender is False
    with pytest.raises(BadMessage, match="no stem"):
        spool.want_strength(JOB, "tuba", 300)


def test_a_job_can_be_taken_out(spool: Spool, job: Path) -> None:
    spool.remove(JOB)
    assert not job.exists()
    assert spool.ids() == []


def test_the_heartbeat_moves(spool: Spool) -> None:
    assert spool.heartbeat() is None
    spool.beat("0.1", 1)
    spool.beat("0.1", 2)
    assert spool.heartbeat() == (os.getpid(), 2)


KILLED = """
import sys
from pathlib import Path
from host_bridge.forms import StateFile
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job
spool, number = Spool(Path(sys.argv[1])), 0
print("begun", flush=True)
while True:
    for state, event in (("running", "start"), ("queued", "restart")):
        spool.record(StateFile(Job("a-job-of-mine", state), number), event)
        number += 1
    spool.want_strength("a-job-of-mine", "drums", number % 1000)
"""


@windows
def test_killed_at_random_moments_the_spool_is_always_one_that_can_be_gone_on_with(spool: Spool, job: Path) -> None:
    dice, seen = random.Random(6), 0
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(spool.root)], stdout=subprocess.PIPE) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(dice.random() * 0.08)
            process.kill()
        spool.state(JOB)
        spool.strengths(JOB)
        assert found(spool) == "queued"
        seen += len((job / "journal.jsonl").read_bytes().splitlines())
    assert seen > 8


# The user's own folders.


def test_stems_are_delivered_under_new_names_and_twice_is_once(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "drums.wav", tmp_path / "session"
    ours.write_bytes(b"ours")
    theirs.mkdir()
    (theirs / "drums.wav").write_bytes(b"theirs")
    assert handover.deliver([ours], theirs, JOB) == [theirs / "drums (2).wav"]
    assert handover.deliver([ours], theirs, JOB) == [theirs / "drums (2).wav"]
    assert (theirs / "drums.wav").read_bytes() == b"theirs"
    assert {entry.name for entry in theirs.iterdir()} == {"drums.wav", "drums (2).wav"}


def test_where_there_are_no_hard_links_stems_are_delivered_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(_self: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    test_stems_are_delivered_under_new_names_and_twice_is_once(tmp_path)


def test_a_missing_folder_or_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(CannotWrite):
            handover.deliver([], folder, JOB)


@windows
def test_a_source_is_a_regular_file_with_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    os.mkfifo(tmp_path / "pipe")
    good = tmp_path / "a.wav"
    assert handover.source_file(Source(good, 0, Samples(0), Samples(1))) == good
    for path in (
        Path("a.wav"),
        tmp_path / "pipe",
        tmp_path,
        Path("/dev/zero"),
        tmp_path / "missing",
        tmp_path / "x" / ".." / "a.wav",
    ):
        with pytest.raises(BadAudio):
            handover.source_file(Source(path, 0, Samples(0), Samples(1)))


# The same files in Lua.


@pytest.fixture(params=LUAS)
def interpreter(request: pytest.FixtureRequest, need: Callable[..., None]) -> str:
    need(request.param)
    return str(request.param)


def lua(program: str, *arguments: str, interpreter: str) -> str:
    text = f"local json = assert(loadfile('{LUA.as_posix()}'))(); {program}"
    return subprocess.run(
        [interpreter, "-e", text, "-", *arguments], input="", capture_output=True, text=True, check=True
    ).stdout


def test_lua_reads_what_we_write_and_we_read_what_lua_writes(spool: Spool, job: Path, interpreter: str) -> None:
    record(spool, "running")
    for name in ("request.json", "state.json"):
        wanted = json.loads((job / name).read_text(encoding="utf-8"))
        program = f"io.write(json.encode(assert(json.decode(io.open('{(job / name).as_posix()}'):read('a')))))"
        told = json.loads(lua(program, interpreter=interpreter))
        assert told == {key: [] if value == {} else value for key, value in wanted.items()}


def test_lua_refuses_what_is_no_json_with_a_sentence_and_no_error(tmp_path: Path, interpreter: str) -> None:
    wrong = [
        "",
        "{",
        '{"a":1,}',
        "[01]",
        "nul",
        '"\\x"',
        '"\\ud800"',
        '{"a":1,"a":2}',
        "[1] 2",
        "[" * 5000,
        '"a\nb"',
        "1.",
        "--1",
    ]
    (tmp_path / "all").write_text("\0".join(wrong), encoding="utf-8")
    program = (
        f"for text in (io.open('{(tmp_path / 'all').as_posix()}'):read('a')..'\\0'):gmatch('([^\\0]*)\\0') do "
        "local value, why = json.decode(text); print(value == nil and type(why) == 'string') end"
    )
    assert lua(program, interpreter=interpreter).split() == ["true"] * len(wrong)


def test_lua_keeps_long_positions_and_every_letter(tmp_path: Path, interpreter: str) -> None:
    value = {"start": 2**53 + 1, "half": 0.5, "none": None, "name": 'Ü "♪" \\ / \u0001 😀', "list": [True, [], -3]}
    (tmp_path / "in.json").write_text(json.dumps(value), encoding="utf-8")
    program = f"io.write(json.encode(json.decode(io.open('{(tmp_path / 'in.json').as_posix()}'):read('a'))))"
    assert json.loads(lua(program, interpreter=interpreter)) == value


def test_the_lua_reader_needs_nothing_that_a_hosts_sandbox_lacks() -> None:
    code = "\n".join(line for line in LUA.read_text(encoding="utf-8").splitlines() if not line.startswith("--"))
    assert not [
        word for word in ("require", "rawget", "rawset", "dofile", "debug.", "coroutine", "<const>", "<close>") if word in code
    ]


def test_a_failed_jobs_two_sentences_stay_apart_and_a_file_of_the_version_before_is_read(spool: Spool, job: Path) -> None:
    spool.record(StateFile(Job(JOB, "failed"), 1, 415, "Take 1. Drums.wav is cut off.", "Copy it again."), "fail")
    state = spool.state(JOB)
    assert (state.error, state.todo) == ("Take 1. Drums.wav is cut off.", "Copy it again.")
    path = job / "state.json"
    told = json.loads(path.read_text())
    del told["todo"]
    both = "Take 1. Drums.wav is cut off. Copy it again."
    path.write_text(json.dumps(told | {"error": both}))
    before = spool.state(JOB)
    assert (before.error, before.todo, before.said) == (both, "", both)
