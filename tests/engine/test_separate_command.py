"""`zerostem separate` as people and scripts call it: options, output, exit codes, and every bad input in two sentences."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.commands.separate import parser
from host_bridge.cli import main

pytestmark = pytest.mark.slow

RATE = 16_000


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    t = np.arange(RATE) / RATE
    soundfile.write(path, 0.2 * np.sin(2 * np.pi * 220 * t) + 0.05 * np.random.default_rng(0).normal(size=RATE), RATE)
    return path


def separate(*words: object) -> int:
    return main(["separate", "--steps", "2", "--device", "cpu", *map(str, words)])


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_a_table_says_what_came_out(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert separate(song, "-p", "drums", "-p", "piano", "-w", "0.5") == 0
    out = capsys.readouterr().out
    for word in ("song - drums.wav", "song - piano.wav", "song - rest.wav", "0.5", "null", "lag", "pocket (MIT)", "song stems"):
        assert word in out


def test_json_is_one_array_and_nothing_else(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.wav"
    other.write_bytes(song.read_bytes())
    assert separate(song, other, "-p", "drums", "--json", "-o", tmp_path / "out") == 0
    sidecars: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [Path(sidecar["input"]["path"]).name for sidecar in sidecars] == ["song.wav", "other.wav"]
    needed = {"schema", "input", "model", "method", "mode", "steps", "seed", "region", "stems", "rest", "null_dbfs",
              "lag_samples", "network_passes", "codec", "plan", "seconds"}  # fmt: skip
    for sidecar in sidecars:
        assert needed <= sidecar.keys()
        assert sidecar["stems"][0].keys() >= {"prompt", "strength", "path", "generative", "highlight", "found", "peak_dbfs"}


def test_every_option_reaches_the_request(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["-p", "drums", "-p", "bass", "-w", "0.2", "-w", "1.5", "--beyond", "--not", "piano", "--depth", "0.5"]
    words += ["--method", "zerosep", "--mode", "ddim", "--seed", "3", "--start", "0.25", "--length", "0.5", "--complete"]
    words += ["--no-rest", "--generative", "--gain", "-3", "--json", "-o", str(tmp_path / "out"), "-n", "pocket"]
    assert separate(song, *words) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert [stem["strength"] for stem in told["stems"]] == [0.2, 1.5]
    assert (told["not"], told["depth"], told["method"], told["mode"]) == ("piano", 0.5, "zerosep", "ddim")
    assert (told["seed"], told["complete"], told["gain_db"], told["rest"]) == (3, True, -3, None)
    assert told["region"] == {"start": 4000, "length": 8000}
    kinds = [f"song - {prompt}{kind}.wav" for prompt in ("drums", "bass") for kind in ("", " (generative)", " (highlight)")]
    assert listing(tmp_path / "out") == sorted([*kinds, "song.json"])


def test_a_preset_sets_what_options_leave_open(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert separate(song, "--preset", "band", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert [stem["prompt"] for stem in told["stems"]] == ["drums", "bass", "electric guitar"]


def test_a_preset_of_ones_own_may_want_everything_but(song: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = home / "config" / "presets"
    own.mkdir(parents=True)
    (own / "no-drums.toml").write_text('title = "No drums"\nkind = "clean-up"\nprompts = ["drums"]\neverything_but = true\n')
    assert separate(song, "--preset", "no-drums", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert told["stems"][0]["path"] is None
    assert listing(song.parent / "song stems") == ["song - rest.wav", "song.json"]
    assert separate(song, "--preset", "no-drums", "--no-rest") == 2


def test_inputs_that_would_collide_keep_their_extension(song: Path, tmp_path: Path) -> None:
    sound, rate = soundfile.read(song)
    soundfile.write(tmp_path / "song.flac", sound, rate)
    assert separate(song, tmp_path / "song.flac", "-p", "drums") == 0
    names = listing(tmp_path / "song stems")
    assert {"song.wav - drums.wav", "song.flac - drums.wav"} <= set(names)


def test_one_bad_input_does_not_stop_the_others(song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert separate(tmp_path / "missing.wav", song, "-p", "drums") == 1
    said = capsys.readouterr()
    assert "missing.wav does not exist" in said.err
    assert "song - drums.wav" in said.out


@pytest.mark.parametrize("samples", [1, 2, 159, 161, 40_961])
def test_any_length_works(tmp_path: Path, samples: int, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "short.wav", 0.1 * np.random.default_rng(0).normal(size=samples), RATE)
    assert separate(tmp_path / "short.wav", "-p", "drums", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert soundfile.info(told["stems"][0]["path"]).frames == samples
    assert told["null_dbfs"] <= -120


def test_silence_works_and_finds_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "quiet.wav", np.zeros((RATE, 2)), RATE)
    assert separate(tmp_path / "quiet.wav", "-p", "drums") == 0
    assert "not found" in capsys.readouterr().out


@pytest.mark.parametrize(
    "name", ["Señor Größe 日本語 🎵", "a  lot of   spaces ", "x" * 245, "語" * 80, "-dash", "[red]markup[bold]"]
)
def test_any_name_works(song: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.wav"
    song.rename(path)
    assert separate(f"{tmp_path}/{name}.wav", "-p", "the drum kit", "-o", tmp_path / "out") == 0
    names = listing(tmp_path / "out")
    assert len(names) == 3
    assert all(len(each.encode()) <= 255 for each in names)


BAD_OPTIONS = {
    "no prompt": [],
    "an empty prompt": ["-p", ""],
    "a blank prompt": ["-p", "  "],
    "10,000 characters": ["-p", "drum " * 2000],
    "unknown to pocket": ["-p", "didgeridoo"],
    "a prompt of two lines": ["-p", "drums\nbass"],
    "the same prompt twice": ["-p", "drums", "-p", "Drums "],
    "strength below 0": ["-p", "drums", "-w", "-0.1"],
    "strength above 1": ["-p", "drums", "-w", "1.1"],
    "strength not a number": ["-p", "drums", "-w", "nan"],
    "strength not even a word": ["-p", "drums", "-w", "loud"],
    "more strengths than prompts": ["-p", "drums", "-w", "1", "-w", "0.5"],
    "a start beyond the end": ["-p", "drums", "--start", "7"],
    "a negative start": ["-p", "drums", "--start", "-1"],
    "a length of nothing": ["-p", "drums", "--length", "0"],
    "an unknown model": ["-p", "drums", "-n", "demucs"],
    "an unknown device": ["-p", "drums", "-d", "tpu"],
    "an unknown method": ["-p", "drums", "--method", "magic"],
    "an unknown mode": ["-p", "drums", "--mode", "sde"],
    "an unknown preset": ["--preset", "kazoo"],
    "no steps": ["-p", "drums", "--steps", "0"],
    "too deep": ["-p", "drums", "--depth", "2"],
    "a seed below 0": ["-p", "drums", "--seed", "-1"],
    "a gain without end": ["-p", "drums", "--gain", "inf"],
    "one prompt that is everything": ["-p", "drums", "--complete"],
    "an option that does not exist": ["-p", "drums", "--loudly"],
}


@pytest.mark.parametrize("case", BAD_OPTIONS)
def test_a_request_that_cannot_be_meant_is_refused_in_two_sentences(
    song: Path, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert separate(song, *BAD_OPTIONS[case]) == 2
    assert_two_sentences(capsys.readouterr())
    assert listing(song.parent) == ["song.wav"]


def assert_two_sentences(said: Any) -> None:
    assert said.out == ""
    (line,) = said.err.strip().split("\n")
    assert line.startswith("zerostem: ")
    assert re.search(r"[.?!] \S.*[.?!]$", line), line
    assert "Traceback" not in line


def bad_file(tmp_path: Path, song: Path, kind: str) -> Path:
    path = tmp_path / f"{kind}.wav"
    whole = song.read_bytes()
    sound = soundfile.read(song)[0]
    match kind:
        case "missing":
            pass
        case "empty":
            path.touch()
        case "truncated":
            path.write_bytes(whole[: len(whole) // 2])
        case "text":
            path.write_text("no sound at all" * 100)
        case "nan" | "inf":
            sound[500] = float(kind)
            soundfile.write(path, sound, RATE, subtype="FLOAT")
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "device":
            return Path("/dev/zero")
    return path


@pytest.mark.parametrize("kind", ["missing", "empty", "truncated", "text", "nan", "inf", "folder", "pipe", "device"])
def test_a_file_that_cannot_be_used_is_refused_in_two_sentences(
    song: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert separate(bad_file(tmp_path, song, kind), "-p", "drums", "-o", tmp_path / "out") == 1
    assert_two_sentences(capsys.readouterr())
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert separate(song, "-p", "drums", "-o", "/proc/stems") == 1
    assert_two_sentences(capsys.readouterr())


def test_a_full_disk_is_said_and_leaves_nothing(
    song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "out"))

    monkeypatch.setattr("engine.rendering.np.pad", full)  # as late as can be: in the middle of writing stems
    assert separate(song, "-p", "drums", "-o", tmp_path / "out") == 1
    assert_two_sentences(capsys.readouterr())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["pocket.safetensors", "pocket.json"])
def test_a_checkpoint_with_a_file_missing_is_named(
    song: Path, tmp_path: Path, missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from engine.backbones.pocket.model import FOLDER

    folder = tmp_path / "checkpoint"
    folder.mkdir()
    for name in {"pocket.safetensors", "pocket.json"} - {missing}:
        (folder / name).write_bytes((FOLDER / name).read_bytes())
    assert separate(song, "-p", "drums", "-n", folder) in (1, 2)
    assert_two_sentences(capsys.readouterr())


def test_cuda_where_there_is_none_says_why(song: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    assert main(["separate", str(song), "-p", "drums", "-d", "cuda"]) == 1
    assert_two_sentences(capsys.readouterr())


def test_help_explains_every_option_without_loading_a_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["separate", "--help"]) == 0
    said = capsys.readouterr().out
    for action in parser()._actions:
        assert action.help
        assert action.option_strings == [] or action.option_strings[-1] in said


def test_ctrl_c_stops_within_a_second_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=(120 * RATE)), RATE)
    out = tmp_path / "out"
    command: list[str | Path] = [sys.executable, "-m", "host_bridge", "separate", path, "-p", "drums", "-o", out, "-d", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        while not any(out.glob(".zerostem-*/masks")):  # in the middle of separating
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Stopped" in said
    assert "Traceback" not in said
    assert not out.exists()
