"""Delivering: names that always fit, everything in place at once, and not one file of a musician's overwritten."""

import errno
import json
import os
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import delivery
from engine.delivery import Delivery, folder_beside, input_names, names
from engine.measure import sha256
from host_bridge.errors import CannotWrite

FILES = ("song - drums.wav", "song - rest.wav")


def deliver(out: Path, files: tuple[str, ...] = FILES, words: str = "sound", **record: object) -> None:
    with Delivery(out, files, "song.json") as room:
        for name in files:
            room.temporary(name).write_text(f"{words} of {name}")
        room.commit(record)


def listing(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir())


def told(out: Path) -> Any:
    return json.loads((out / "song.json").read_text(encoding="utf-8"))


# Names


def test_names_are_input_dash_prompt() -> None:
    given_names = names("song", ["bass drum", "café"])
    assert given_names.stems == ("song - bass drum.wav", "song - café.wav")
    assert given_names.generative == ("song - bass drum (generative).wav", "song - café (generative).wav")
    assert given_names.highlights == ("song - bass drum (highlight).wav", "song - café (highlight).wav")
    assert (given_names.rest, given_names.sidecar) == ("song - rest.wav", "song.json")


def test_the_default_folder_lies_beside_the_input() -> None:
    assert folder_beside(Path("a/My Song.v2.flac")) == Path("a/My Song.v2 stems")
    assert len(folder_beside(Path("é" * 124 + ".flac")).name.encode()) <= 255


@pytest.mark.parametrize(
    ("sources", "chosen"),
    [
        (["a.wav", "b.wav"], ["a", "b"]),
        (["a.wav", "a.flac"], ["a.wav", "a.flac"]),
        (["x/a.wav", "y/A.WAV"], ["a.wav", "A.WAV (2)"]),
        (["x/a.wav", "y/a.wav", "z/a.wav"], ["a.wav", "a.wav (2)", "a.wav (3)"]),
        (["a.wav", "a.flac", "a.wav.mp3"], ["a.wav (2)", "a.flac", "a.wav"]),
        (["caf\u00e9.wav", "cafe\u0301.flac"], ["café.wav", "café.flac"]),
        (["a?.wav", "a*.wav"], ["a_.wav", "a_.wav (2)"]),
        (["con.wav", "lpt1 .x.wav", "console.wav"], ["_con", "_lpt1 .x", "console"]),
        (["a. .wav"], ["a__"]),
    ],
)
def test_inputs_keep_their_extension_and_then_a_number_where_two_would_clash(sources: list[str], chosen: list[str]) -> None:
    assert input_names([Path(source) for source in sources]) == [unicodedata.normalize("NFC", name) for name in chosen]


@pytest.mark.parametrize(
    ("prompts", "labels"),
    [
        (['a/b\\c:d*e?f"g<h>i|j\tk\x7f'], ["a_b_c_d_e_f_g_h_i_j_k_"]),
        (["wait..."], ["wait___"]),
        (["../../etc/passwd"], [".._.._etc_passwd"]),
        (["Drums", "drums"], ["Drums", "drums (2)"]),
        (["rest", "REST"], ["rest (2)", "REST (3)"]),
        (["a/b", "a:b", "a_b"], ["a_b", "a_b (2)", "a_b (3)"]),
        (["a (generative)", "a"], ["a (generative)", "a (2)"]),
        (["cafe\u0301", "caf\u00e9"], ["caf\u00e9", "caf\u00e9 (2)"]),
        ([""], ["_"]),
        (["bad \udcff byte"], ["bad _ byte"]),
    ],
)
def test_prompts_become_names_that_no_file_system_refuses(prompts: list[str], labels: list[str]) -> None:
    assert names("song", prompts).stems == tuple(f"song - {label}.wav" for label in labels)


def test_a_long_prompt_is_cut_before_the_input_name_is() -> None:
    [name] = input_names([Path("s" * 200 + ".wav")])
    assert name == "s" * 200
    [stem] = names(name, ["太鼓" * 40]).stems
    assert stem == f"{name} - {'太鼓太鼓太鼓太鼓太鼓'}….wav"
    [longer] = input_names([Path("s" * 240 + ".wav")])
    assert longer == "s" * 197 + "…"


@settings(max_examples=150, deadline=None)
@given(
    stem=st.text(min_size=1, max_size=300),
    prompts=st.lists(st.text(max_size=300) | st.sampled_from(["a" * 299, "A" * 299, "rest"]), max_size=5),
)
def test_names_always_fit_and_never_clash(stem: str, prompts: list[str]) -> None:
    sources = [Path("x") / (stem.replace("/", "").replace("\0", "") + end) for end in (".wav", ".flac", ".wav")]
    chosen = input_names(sources)
    made = [names(name, prompts) for name in chosen]
    every = [n for m in made for n in (*m.stems, *m.generative, *m.highlights, m.rest, m.sidecar)]
    assert all(len(name.encode()) <= 255 for name in every)
    assert not any(set(name) & set('/\\:*?"<>|\0\n') for name in every)
    assert all(unicodedata.is_normalized("NFC", name) for name in every)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in every}) == len(every)


# Deliveries


def test_everything_lies_in_place_with_its_hash_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "new" / "Ünïcode 太鼓"
    deliver(out, prompts=["太鼓"])
    assert listing(out) == sorted([*FILES, "song.json"])
    assert told(out) == {
        "schema": "zerostem-sidecar/1",
        "prompts": ["太鼓"],
        "files": {name: sha256(out / name) for name in FILES},
        "earlier": {},
    }
    assert '  "prompts": [\n    "太鼓"' in (out / "song.json").read_text(encoding="utf-8")


def test_a_relative_folder_stays_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Delivery(Path("out"), ["song - rest.wav"], "song.json") as room:
        room.temporary("song - rest.wav").write_text("x")
        monkeypatch.chdir(tmp_path / "elsewhere")
        room.commit({})
    assert listing(tmp_path / "out") == ["song - rest.wav", "song.json"]


def test_files_are_written_aside_on_the_same_file_system_and_hidden(tmp_path: Path) -> None:
    with Delivery(tmp_path / "out", FILES, "song.json") as room:
        path = room.temporary(FILES[0])
        assert path.parent.parent == tmp_path / "out"
        assert path.parent.name.startswith(".")
        with pytest.raises(ValueError, match="announced"):
            room.temporary("other.wav")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("there", [True, False])
def test_a_delivery_that_raises_leaves_everything_as_it_was(tmp_path: Path, error: type[BaseException], there: bool) -> None:
    out = tmp_path / "a" / "out"
    if there:
        out.mkdir(parents=True)

    def interrupted() -> None:
        with Delivery(out, FILES, "song.json") as room:
            room.temporary(FILES[0]).write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert out.exists() == there
    assert list(tmp_path.rglob("*.wav")) == []
    assert not there or listing(out) == []
    assert (tmp_path / "a").exists() == there


def test_without_a_commit_nothing_is_delivered(tmp_path: Path) -> None:
    with Delivery(tmp_path / "out", FILES, "song.json") as room:
        room.temporary(FILES[0]).write_text("x")
    assert listing(tmp_path) == []


def test_a_folder_that_we_made_stays_when_somebody_else_put_something_in(tmp_path: Path) -> None:
    with Delivery(tmp_path / "out", FILES, "song.json"):
        (tmp_path / "out" / "notes.txt").write_text("mine")
    assert listing(tmp_path / "out") == ["notes.txt"]


def test_our_own_results_are_replaced_by_a_second_run(tmp_path: Path) -> None:
    deliver(tmp_path, words="old")
    deliver(tmp_path, words="new")
    assert (tmp_path / FILES[0]).read_text() == f"new of {FILES[0]}"
    assert told(tmp_path)["files"][FILES[0]] == sha256(tmp_path / FILES[0])
    assert listing(tmp_path) == sorted([*FILES, "song.json"])


def refused(out: Path, name: str) -> None:
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    with pytest.raises(CannotWrite) as caught, Delivery(out, FILES, "song.json"):
        pytest.fail("the long work began")
    assert name in caught.value.what
    assert caught.value.todo.startswith("Move or rename it")
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_a_file_of_the_users_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / FILES[1]).write_text("precious")
    refused(tmp_path, FILES[1])


def test_a_stem_that_the_user_has_edited_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path)
    (tmp_path / FILES[0]).write_text("edited")
    refused(tmp_path, FILES[0])


def test_a_stem_that_the_sidecar_does_not_list_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path, FILES[:1])
    (tmp_path / FILES[1]).write_bytes((tmp_path / FILES[0]).read_bytes())
    refused(tmp_path, FILES[1])


def test_a_stem_whose_sidecar_is_gone_is_refused(tmp_path: Path) -> None:
    deliver(tmp_path)
    (tmp_path / "song.json").unlink()
    refused(tmp_path, FILES[0])


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"schema": "other/1"}', '{"schema": 1}', "[" * 100_000, "\xff"])
def test_a_sidecar_that_is_not_ours_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "song.json").write_text(text, encoding="latin-1")
    refused(tmp_path, "song.json")


def test_a_folder_or_a_link_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a" / FILES[0]).mkdir(parents=True)
    refused(tmp_path / "a", FILES[0])
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FILES[0]).symlink_to("nowhere")
    refused(tmp_path / "b", FILES[0])
    deliver(tmp_path / "c")
    (tmp_path / "c" / FILES[0]).rename(tmp_path / "kept.wav")
    (tmp_path / "c" / FILES[0]).symlink_to(tmp_path / "kept.wav")
    refused(tmp_path / "c", FILES[0])


@pytest.mark.parametrize("name", [FILES[0], FILES[1], "song.json"])
def test_a_file_that_comes_into_the_way_during_the_work_stops_the_commit(tmp_path: Path, name: str) -> None:
    def late() -> None:
        with Delivery(tmp_path / "out", FILES, "song.json") as room:
            for file in FILES:
                room.temporary(file).write_text("ours")
            (tmp_path / "out" / name).write_text("precious")
            room.commit({})

    with pytest.raises(CannotWrite, match="in the way"):
        late()
    assert listing(tmp_path / "out") == [name]
    assert (tmp_path / "out" / name).read_text() == "precious"


@pytest.mark.parametrize("renames", range(5))
def test_a_commit_that_is_interrupted_brings_the_old_results_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    deliver(tmp_path, words="old")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    left = renames
    rename, replace = Path.rename, Path.replace

    def stopped(how: Any) -> Any:
        def move(self: Path, target: Path) -> Any:
            nonlocal left
            left -= 1
            if left == -1:
                raise KeyboardInterrupt
            return how(self, target)

        return move

    monkeypatch.setattr(Path, "rename", stopped(rename))
    monkeypatch.setattr(Path, "replace", stopped(replace))
    with pytest.raises(KeyboardInterrupt):
        deliver(tmp_path, words="new")
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_sidecar_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace
    seen: list[list[str]] = []

    def watched(self: Path, target: Path) -> Path:
        seen.append([name for name in listing(tmp_path) if not name.startswith(".")])
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    deliver(tmp_path)
    assert seen == [sorted(FILES)]


def test_earlier_results_stay_and_stay_ours(tmp_path: Path) -> None:
    deliver(tmp_path, ("song - drums.wav", "song - bass.wav"))
    deliver(tmp_path, ("song - voice.wav",))
    assert set(told(tmp_path)["earlier"]) == {"song - drums.wav", "song - bass.wav"}
    (tmp_path / "song - bass.wav").unlink()
    deliver(tmp_path, ("song - drums.wav",), words="new")
    assert set(told(tmp_path)["files"]) == {"song - drums.wav"}
    assert set(told(tmp_path)["earlier"]) == {"song - voice.wav"}
    assert (tmp_path / "song - drums.wav").read_text() == "new of song - drums.wav"


def test_an_earlier_result_that_was_edited_is_not_ours_any_more(tmp_path: Path) -> None:
    deliver(tmp_path)
    deliver(tmp_path, ("song - voice.wav",))
    (tmp_path / FILES[0]).write_text("edited")
    refused(tmp_path, FILES[0])


@pytest.mark.parametrize("key", ["schema", "files", "earlier"])
def test_a_record_may_not_speak_for_the_delivery(tmp_path: Path, key: str) -> None:
    def speak() -> None:
        with Delivery(tmp_path / "out", [], "song.json") as room:
            room.commit({key: 0})

    with pytest.raises(ValueError, match=key):
        speak()
    assert listing(tmp_path) == []


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(CannotWrite, match="is a file"):
        deliver(tmp_path / "out")
    with pytest.raises(CannotWrite, match="below a file"):
        deliver(tmp_path / "out" / "deeper")
    assert (tmp_path / "out").read_text() == "precious"


def test_a_folder_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="too long"):
        deliver(tmp_path / ("n" * 300))


REFUSALS = [
    (errno.ENOSPC, "has no space left"),
    (errno.EDQUOT, "has no space left"),
    (errno.EROFS, "may not be written to"),
    (errno.EACCES, "may not be written to"),
    (errno.EIO, "cannot be written"),
]


@pytest.mark.parametrize(("code", "words"), REFUSALS)
@pytest.mark.parametrize("call", ["mkdir", "fsync", "rename"])
def test_a_disk_that_refuses_is_two_sentences_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str, call: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr({"mkdir": os, "fsync": os, "rename": Path}[call], call, fail)
        with pytest.raises(CannotWrite) as caught:
            deliver(tmp_path / "out")
    assert words in caught.value.what
    assert str(tmp_path / "out") in caught.value.what
    assert caught.value.todo.endswith(".")
    assert listing(tmp_path) == []


# The dead


def dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def killed(out: Path, process: int) -> Path:
    """The temporary folder that a run leaves when it is killed in the middle of its commit: one file is placed."""
    deliver(out.parent / "whole", words="killed")
    aside = out / f"{delivery.MARK}{process}-abc"
    shutil.move(out.parent / "whole", aside)
    (aside / FILES[0]).rename(out / FILES[0])
    return aside


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    killed(out, dead())
    deliver(out, words="new")
    assert listing(out) == sorted([*FILES, "song.json"])
    assert (out / FILES[0]).read_text() == f"new of {FILES[0]}"


def test_the_dead_take_nothing_with_them_that_was_edited_or_committed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    killed(out, dead())
    (out / FILES[0]).write_text("edited")
    with Delivery(out, ["song - voice.wav"], "song.json"):
        pass
    assert listing(out) == [FILES[0]]
    (out / FILES[0]).unlink()
    deliver(out, words="killed")
    killed(out, dead())
    with Delivery(out, ["song - voice.wav"], "song.json"):
        pass
    assert listing(out) == sorted([*FILES, "song.json"])


KILLS = """
import json, os, shutil, signal, sys
from pathlib import Path
from engine.delivery import Delivery, clear_the_dead
from engine.measure import sha256

FILES = ("song - drums.wav", "song - rest.wav")


def deliver(out, words, files=FILES):
    with Delivery(out, files, "song.json") as room:
        for name in files:
            room.temporary(name).write_text(words + " of " + name)
        room.commit({"words": words})


def died(left, act):
    \"\"\"In a process of its own, which is killed at its `left`-th step: before it where that is even, else behind it.\"\"\"
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    steps = [left]

    def at_risk(call):
        def step(*words, **more):
            for behind in (0, 1):
                if behind:
                    answer = call(*words, **more)
                if steps[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                steps[0] -= 1
            return answer
        return step

    for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "fsync", "link"):
        setattr(os, name, at_risk(getattr(os, name)))
    act()
    os._exit(0)


def whole(out):
    \"\"\"The words of the version that lies there, all of it and nothing else.\"\"\"
    told = json.loads((out / "song.json").read_text())
    assert {path.name for path in out.iterdir()} == {*told["files"], "song.json"}, sorted(out.iterdir())
    for name, was in told["files"].items():
        assert sha256(out / name) == was, name
    return told["words"]


home, seen, point = Path(sys.argv[1]), [], 0
while True:
    out = home / str(point)
    lost = sys.argv[2] == "one stem is gone"
    if sys.argv[2] != "nothing is there":
        deliver(out, "old")
        if lost:
            (out / FILES[0]).unlink()
    if not died(point, lambda: deliver(out, "new")):
        break
    again = 0
    while died(again, lambda: clear_the_dead(out)):  # and killed while it is put right
        again += 1
    if (out / "song.json").exists() and not (lost and json.loads((out / "song.json").read_text())["words"] == "old"):
        seen.append(whole(out))
    deliver(out, "new")
    assert whole(out) == "new"
    point += 1
print(json.dumps([point, seen]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("before", ["nothing is there", "old results are there", "one stem is gone"])
def test_a_run_that_is_killed_at_any_step_can_be_run_again_and_leaves_one_whole_version(tmp_path: Path, before: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLS, tmp_path, before], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    points, seen = json.loads(run.stdout)
    assert points > 20
    assert set(seen) == {"nothing is there": {"new"}, "one stem is gone": {"new"}}.get(before, {"old", "new"})


def test_a_number_that_another_process_has_by_now_keeps_no_killed_run_alive(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    os.utime(killed(out, os.getpid()), (1, 1))
    delivery.clear_the_dead(out)
    assert listing(out) == []


def test_a_file_put_where_a_killed_run_had_cleared_the_way_stays_and_so_does_the_older_one(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    deliver(out, words="old")
    (tmp_path / "copy").mkdir()
    aside = killed(tmp_path / "copy", dead())
    (aside / "replaced").mkdir()
    (out / FILES[0]).rename(aside / "replaced" / FILES[0])
    (out / FILES[0]).write_text("somebody's")
    shutil.move(aside, out)
    with pytest.raises(CannotWrite):
        deliver(out, words="new")
    assert (out / FILES[0]).read_text() == "somebody's"
    (out / FILES[0]).unlink()
    deliver(out, words="new")
    assert (out / FILES[0]).read_text() == f"new of {FILES[0]}"


def test_the_folder_of_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    aside = killed(out, os.getppid())
    with pytest.raises(CannotWrite):
        deliver(out)
    assert aside.exists()
    (out / ".zerostem-another_machine-1-x").mkdir()
    deliver(out, ("song - voice.wav",))
    assert (out / ".zerostem-another_machine-1-x").exists()
