"""Files of any name, told on any terminal: no name stops the work, and nothing that was done goes without being told."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile

from engine import delivery
from engine.batch.crew import Watch, _attended
from engine.batch.task import Outcome, Task
from engine.commands.submit import _request, parser
from engine.separation import Separator, _loaded
from engine.serving.asked import wish_of
from host_bridge import forms
from host_bridge.cli import main
from host_bridge.errors import CannotWrite
from host_bridge.forms import RequestFile
from host_bridge.vocabulary import Stem

WORDS = ["-p", "drums", "--method", "mixture", "--steps", "2", "-d", "cpu"]
linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems take no such names")


class Here:
    """Does a crew's work in this process."""

    def __init__(self, *_: object) -> None:
        """Nothing to begin."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def run(self, tasks: Sequence[Task], watch: Watch) -> Iterator[Outcome]:
        for task in tasks:
            watch(task, 0.5, "separating")
            yield _attended(_loaded("pocket", "cpu"), task, lambda _done, _stage: None)


@pytest.fixture(autouse=True)
def one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is loaded once for all, and batches run in this process."""
    monkeypatch.setattr(Separator, "load", lambda *_: _loaded("pocket", "cpu"))
    monkeypatch.setattr("engine.commands.folders.Crew", Here)


@pytest.fixture
def song(tmp_path: Path) -> Callable[[bytes], Path]:
    """Makes a file of a name in `tmp_path/in`."""
    (tmp_path / "in").mkdir()

    def make(name: bytes) -> Path:
        path = tmp_path / "in" / os.fsdecode(name)
        with path.open("wb") as file:
            soundfile.write(file, 0.1 * np.random.default_rng(len(name)).normal(size=4000), 16_000, format="WAV")
        return path

    return make


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[], tuple[bytes, bytes]]]:
    """Puts stdout and stderr of an encoding in place; what was made tells their bytes."""

    def put(encoding: str) -> Callable[[], tuple[bytes, bytes]]:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", write_through=True) for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        return lambda: (streams[0].buffer.getvalue(), streams[1].buffer.getvalue())

    return put


@linux
@pytest.mark.parametrize(
    "name",
    [b"bad\xff.wav", b"new\nline.wav", b"\x1b[2Jred\x1b[31m.wav", "🥁 mix.wav".encode(), b"x" * 251 + b".wav", b":car:.wav"],
)
def test_a_file_of_any_name_is_separated_and_told(
    name: bytes, song: Callable[[bytes], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = song(name), tmp_path / "out"
    assert main(["separate", str(path), *WORDS, "-o", str(out)]) == 0
    said = capsys.readouterr()
    assert not said.err
    assert "\x1b" not in said.out
    names = [os.fsencode(each.name) for each in out.iterdir()]
    assert len(names) == 3
    assert all(len(each) <= 255 and each.decode().isprintable() for each in names)
    assert all(each.decode() in said.out for each in names if each.endswith(b".wav"))
    told = json.loads(next(out.glob("*.json")).read_text(encoding="utf-8"))
    assert os.fsencode(told["input"]["path"]) == os.fsencode(path)
    assert main(["separate", str(path), *WORDS, "-o", str(out), "--json"]) == 0
    (sidecar,) = json.loads(capsys.readouterr().out)
    assert os.fsencode(sidecar["input"]["path"]) == os.fsencode(path)


@linux
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_no_encoding_of_the_terminal_stops_the_work_and_json_is_always_utf_8(
    encoding: str,
    song: Callable[[bytes], Path],
    tmp_path: Path,
    written: Callable[[str], Callable[[], tuple[bytes, bytes]]],
) -> None:
    path = song("🥁 Übung.wav".encode())
    streams = written(encoding)
    assert main(["separate", str(path), *WORDS, "-o", str(tmp_path / "out")]) == 0
    out, err = streams()
    assert "null" in out.decode(encoding)
    assert not err
    streams = written(encoding)
    assert main(["separate", str(path), *WORDS, "-o", str(tmp_path / "out"), "--json"]) == 0
    (told,) = json.loads(streams()[0].decode("utf-8"))
    assert told["input"]["path"] == str(path)
    streams = written(encoding)
    assert main(["separate", str(path.with_name("🎻.wav")), *WORDS]) == 1
    out, err = streams()
    assert not out
    assert b"zerostem: " in err


@linux
def test_a_folder_with_one_odd_name_gets_its_whole_report(
    song: Callable[[bytes], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [b"a.wav", b"bad\xff.wav", b"z\n.wav"]
    for name in names:
        song(name)
    (tmp_path / "in" / os.fsdecode(b"broken\xfe.wav")).write_bytes(b"no sound")
    out = tmp_path / "out"
    assert main(["separate", str(tmp_path / "in"), *WORDS, "-o", str(out)]) == 1
    said = capsys.readouterr()
    assert "3 done, 0 skipped, 1 failed" in said.out
    assert r"bad\xff.wav: done" in said.out
    assert r"z\n.wav: done" in said.out
    assert r"broken\xfe.wav" in said.err
    told = json.loads((out / "report.json").read_text(encoding="utf-8"))
    ways = {os.path.basename(os.fsencode(row["input"])): row for row in told["inputs"]}  # noqa: PTH119 - bytes
    assert {name: row["state"] for name, row in ways.items()} == dict.fromkeys(names, "done") | {b"broken\xfe.wav": "failed"}
    assert ways[b"broken\xfe.wav"]["error"]
    assert ways[b"broken\xfe.wav"]["todo"]
    with (out / "report.csv").open(encoding="utf-8", newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == [row["state"] for row in told["inputs"]]


def test_a_fault_or_a_stop_in_one_file_costs_nothing_of_the_others(
    song: Callable[[bytes], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(song(name)) for name in (b"one.wav", b"two.wav", b"three.wav")]
    real = Separator.separate

    def failing(error: BaseException) -> None:
        def separate(self: Separator, path: Path, *rest: Any) -> dict[str, Any]:
            if path.name == "two.wav":
                raise error
            return real(self, path, *rest)

        monkeypatch.setattr(Separator, "separate", separate)

    failing(UnicodeError("a fault of ours"))
    assert main(["separate", *paths, *WORDS, "-o", str(tmp_path / "out"), "--json"]) == 1
    said = capsys.readouterr()
    assert [Path(told["input"]["path"]).name for told in json.loads(said.out)] == ["one.wav", "three.wav"]
    assert "Something went wrong inside ZeroStem" in said.err
    failing(KeyboardInterrupt())
    assert main(["separate", *paths, *WORDS, "-o", str(tmp_path / "out"), "--json"]) == 130
    assert [Path(told["input"]["path"]).name for told in json.loads(capsys.readouterr().out)] == ["one.wav"]


@pytest.mark.parametrize("columns", ["40", "20", "200"])
def test_no_terminal_is_so_narrow_that_a_name_is_cut(
    columns: str,
    song: Callable[[bytes], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    for terminal in ("0", "1"):
        monkeypatch.setenv("FORCE_COLOR" if terminal == "1" else "UNUSED", "1")
        name = "a rather long name of a song that nobody would cut"
        assert main(["separate", str(song(f"{name}.wav".encode())), *WORDS, "-o", str(tmp_path / "out")]) == 0
        said = capsys.readouterr().out
        assert f"{name} - drums.wav" in said
        assert f"{name} - rest.wav" in said
        assert f"in {tmp_path / 'out'}" in said


def test_names_that_some_file_system_takes_for_the_same_get_files_of_their_own(
    song: Callable[[bytes], Path], tmp_path: Path
) -> None:
    names = ["Take.wav", "take.wav", "é.wav", "e\u0301.wav", "x" * 240 + ".wav", "x" * 241 + ".wav"]
    paths = [str(song(name.encode())) for name in names]
    assert main(["separate", *paths, *WORDS, "-o", str(tmp_path / "out")]) == 0
    made = [path.name for path in (tmp_path / "out").iterdir()]
    assert len({delivery._key(name) for name in made}) == len(made) == 3 * len({Path(path).resolve() for path in paths})


@linux
@pytest.mark.parametrize("name", [b"bad\xff.wav", b"new\nline.wav", b"\x1b[31m.wav", b"x" * 251 + b".wav"])
def test_a_file_of_any_name_can_be_submitted(name: bytes, song: Callable[[bytes], Path], tmp_path: Path) -> None:
    path = song(name)
    request = forms.read_request(forms.write_request(_request(parser().parse_args([str(path), "-p", "drums"]))))
    assert os.fsencode(request.source[0].path) == os.fsencode(path)
    assert request.name.isprintable()
    names = delivery.names(wish_of(request, tmp_path).name or "", ["drums"])
    assert len(names.stems[0].encode()) <= 255
    assert names.stems[0].endswith(" - drums.wav")


@pytest.mark.parametrize("name", ["é" * 200, "a/b\\c", "con", "..."])
def test_what_a_host_calls_a_region_is_made_a_name_that_every_file_system_takes(name: str, tmp_path: Path) -> None:
    wish = wish_of(RequestFile((Stem("drums"),), name=name), tmp_path)
    stem = delivery.names(wish.name or "", ["drums"]).stems[0]
    assert len(stem.encode()) <= 255
    assert not {*"/\\"} & {*stem}
    (tmp_path / stem).touch()


def test_a_result_folder_that_is_a_link_to_nowhere_is_told_as_such(
    song: Callable[[bytes], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "nowhere")
    for out in (link, link / "below"):
        assert main(["separate", str(song(b"a.wav")), *WORDS, "-o", str(out)]) == 1
        assert "a link to a folder that is not there. Make the folder that it leads to" in capsys.readouterr().err


def test_what_cannot_be_kept_for_a_while_is_no_matter_of_the_results() -> None:
    with pytest.raises(CannotWrite, match="set ZEROSTEM_HOME"), delivery.spoken(Path("/x"), "Or set ZEROSTEM_HOME."):
        raise PermissionError(13, "no")
