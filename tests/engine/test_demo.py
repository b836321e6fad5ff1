"""The demo: true stems that are true, and on a short piece of its mix the table, the files and the picture."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.bench.spectrograms import MAKER
from engine.commands import demo
from engine.request import Request
from host_bridge.errors import BadRequest, CannotWrite
from presets import DEMO

pytestmark = pytest.mark.slow

STEMS = ("bass", "drums", "trumpet")
PIECE = slice(0, 44_100 + 1)


def integers(name: str) -> np.ndarray[tuple[int, int], np.dtype[np.int32]]:
    sound, _ = soundfile.read(DEMO / f"{name}.flac", dtype="int16", always_2d=True)
    wide: np.ndarray[tuple[int, int], np.dtype[np.int32]] = sound.astype(np.int32)
    return wide


def piece(folder: Path) -> tuple[Path, dict[str, Path]]:
    """The first second of the demo's files."""
    for name in ("mix", *STEMS):
        soundfile.write(folder / f"{name}.wav", integers(name)[PIECE].astype(np.int16), 44_100, subtype="PCM_16")
    return folder / "mix.wav", {name: folder / f"{name}.wav" for name in STEMS}


def test_the_true_stems_add_up_to_the_mix_in_every_stored_integer() -> None:
    assert np.array_equal(sum(integers(name) for name in STEMS), integers("mix"))


def test_the_mix_is_twenty_seconds_of_stereo_that_does_not_clip() -> None:
    info = soundfile.info(DEMO / "mix.flac")
    assert (info.samplerate, info.channels, info.frames, info.format) == (44_100, 2, 20 * 44_100, "FLAC")
    assert abs(integers("mix")).max() < 32_767


def test_the_stems_are_panned_and_within_a_few_db_of_each_other() -> None:
    rms = {name: np.sqrt(np.square(integers(name), dtype=np.float64).mean(0)) for name in STEMS}
    levels_db = [20 * np.log10(np.linalg.norm(each)) for each in rms.values()]
    assert max(levels_db) - min(levels_db) < 3
    assert rms["trumpet"][1] > 1.3 * rms["trumpet"][0]


def test_the_files_of_the_demo_are_small_enough_to_come_along() -> None:
    assert sum(path.stat().st_size for path in DEMO.glob("*.flac")) < 8e6


def test_a_piece_of_the_demo_is_separated_told_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix, truths = piece(tmp_path)
    demo.demonstrate(mix, truths, Request.of(STEMS, complete=True, steps=4), tmp_path / "out")
    told = capsys.readouterr().out
    assert all(word in told for word in (*STEMS, "gain", "oracle", "null dBFS", "lag", "seconds", "together", "alone"))
    sidecar = json.loads((tmp_path / "out" / "mix.json").read_text())
    assert sidecar["null_dbfs"] <= -120
    assert sidecar["complete"]
    picture = tmp_path / "out" / "mix - picture.png"
    head = picture.read_bytes()
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(head[at : at + 4]) for at in (16, 20))
    assert width > 1000
    assert height > 600
    assert len(head) > 50_000
    assert sorted(file.name for file in (tmp_path / "out").glob("*.wav")) == [
        f"mix - {name}.wav" for name in ("bass", "drums", "rest", "trumpet")
    ]


def test_a_file_of_ones_own_has_no_truth_to_be_held_against(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mix, _ = piece(tmp_path)
    assert demo.main([str(mix), "-p", "drums", "-o", str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "drums" in told
    assert "gain" not in told
    assert (tmp_path / "out" / "mix - picture.png").is_file()
    demo.main([str(mix), "-p", "drums", "-o", str(tmp_path / "out")])  # over its own results


def test_a_file_of_ones_own_needs_a_prompt(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="No prompt"):
        demo.main([str(tmp_path / "song.wav")])


def test_a_picture_of_somebody_elses_is_left_alone(tmp_path: Path) -> None:
    mix, truths = piece(tmp_path)
    theirs = tmp_path / "mix - picture.png"
    theirs.write_bytes(b"a cat")
    with pytest.raises(CannotWrite, match="none of our pictures"):
        demo.demonstrate(mix, truths, Request.of(["drums"]), tmp_path)
    assert theirs.read_bytes() == b"a cat"
    assert MAKER.encode() not in theirs.read_bytes()
