"""Odd files on their whole way: `separate` and the daemon judge them alike, and nothing of them is lost."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from engine.backbones.pocket import Pocket
from engine.commands import separate, submit
from engine.daemon.region import prepare_region
from engine.pipeline.cache import DiskCache
from engine.request import Request
from engine.separation import OutputOptions, Separator
from host_bridge.errors import BadAudio
from host_bridge.sound.reading import AudioFile
from host_bridge.spool.documents import RequestFile
from host_bridge.types import Stem, quietly


def _odd() -> ModuleType:
    place = Path(__file__).parents[1] / "host_bridge" / "sound" / "odd.py"
    spec = importlib.util.spec_from_file_location("odd", place)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


odd = _odd()


@pytest.fixture(scope="module")
def pocket() -> Pocket:
    return Pocket(torch.device("cpu"))


@pytest.mark.parametrize("name", odd.CASES)
def test_separate_and_the_daemon_take_all_of_an_odd_file_or_refuse_it_alike(pocket: Pocket, tmp_path: Path, name: str) -> None:
    path, folder = tmp_path / name, tmp_path / "job"
    folder.mkdir()
    expected = odd.CASES[name](path)
    separator, request = Separator(pocket, DiskCache(tmp_path / "cache")), Request.of(["drums"], method="mixture")

    def cut() -> tuple[Path, tuple[str, ...]]:
        stem = Stem("drums", 1.0)
        return prepare_region(folder, RequestFile((stem,), source=submit._sources(path, None, None)), quietly)

    if isinstance(expected, str):
        said = expected.format(name=name)
        with pytest.raises(BadAudio) as by_separate:
            separator.separate(path, request, OutputOptions(out=tmp_path / "out"))
        with pytest.raises(BadAudio) as by_daemon:
            cut()
        assert (str(by_separate.value), str(by_daemon.value)) == (said, said)
        return
    told = separator.separate(path, request, OutputOptions(out=tmp_path / "out"))
    assert told["input"]["samples"] == expected
    assert told["null_dbfs"] <= -120
    assert soundfile.info(told["rest"]).frames == expected
    assert bool(told["warnings"]) == (name in odd.NOTED)
    region, notes = cut()
    assert soundfile.info(region).frames == expected
    assert list(notes) == told["warnings"]
    mix = sum(soundfile.read(file)[0] for file in (told["stems"][0]["path"], told["rest"]))
    np.testing.assert_allclose(soundfile.read(region)[0], mix, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["two-data-chunks.wav", "joined.mp3", "cut-off.wav", "cut-off-without-xing.mp3"])
def test_the_command_says_what_became_of_it(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / name
    expected = odd.CASES[name](path)
    words = [str(path), "-p", "drums", "--method", "mixture", "-o", str(tmp_path / "out")]
    if isinstance(expected, str):
        with pytest.raises(BadAudio, match="cut off or damaged"):
            separate.main(words)
        return
    assert separate.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)[0]
    assert told["input"]["samples"] == expected
    assert separate.main(words) == 0
    assert ("may be cut off" in capsys.readouterr().out) == (name in odd.NOTED)


def test_a_stretch_of_two_files_is_cut_and_each_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    for name in ("two-data-chunks.wav", "joined.wav"):
        odd.CASES[name](tmp_path / name)
    real = AudioFile.opened

    def counted(file: AudioFile) -> Any:
        opened.append(file.path.name)
        return real(file)

    monkeypatch.setattr(AudioFile, "opened", counted)
    sources = [each for name in ("two-data-chunks.wav", "joined.wav") for each in submit._sources(tmp_path / name, 0.0, 0.1)]
    (tmp_path / "job").mkdir()
    region, _ = prepare_region(tmp_path / "job", RequestFile((Stem("drums", 1.0),), source=tuple(sources)), quietly)
    assert soundfile.info(region).channels == 4
    assert opened == ["two-data-chunks.wav", "joined.wav"]


def save(path: Path, offset: float) -> Path:
    """2 s of hits and notes, moved up."""
    rng, t = np.random.default_rng(0), np.arange(2 * 44_100) / 44_100
    hits = 0.1 * rng.normal(size=len(t)) * np.exp(-30 * (t % 0.5))
    notes = 0.1 * np.sin(2 * np.pi * 220 * t) * np.exp(-2 * (t % 1))
    mix = np.stack([hits + notes, hits - 0.5 * notes], 1)
    soundfile.write(path, mix - mix.mean(0) + offset, 44_100, subtype="DOUBLE")
    return path


@pytest.mark.parametrize("method", ["joint", "contrast"])
def test_an_offset_goes_to_the_rest_and_changes_neither_verdict_nor_stem(pocket: Pocket, tmp_path: Path, method: str) -> None:
    separator, request = Separator(pocket, DiskCache(tmp_path / "cache")), Request.of(["drums"], method=method, steps=2)
    plain = separator.separate(save(tmp_path / "plain.wav", 0.0), request, OutputOptions(out=tmp_path / "plain"))
    expected = soundfile.read(plain["stems"][0]["path"])[0]
    for offset in (0.02, 0.1, 0.4):
        told = separator.separate(save(tmp_path / "moved.wav", offset), request, OutputOptions(out=tmp_path / f"{offset}"))
        stem = soundfile.read(told["stems"][0]["path"])[0]
        verdicts = [[each["stems"][0][key] for key in ("found", "doubtful")] for each in (told, plain)]
        assert verdicts[0] == verdicts[1]
        assert np.abs(stem.mean(axis=0)).max() < 1e-4
        assert np.abs(stem - expected).max() < 1e-4  # at the edges as well: no step
        assert np.abs(soundfile.read(told["rest"])[0].mean(axis=0) - offset).max() < 1e-4
        assert told["null_dbfs"] <= -120


@pytest.mark.parametrize("prompts", [["drums"], ["drums", "piano"]])
def test_at_strength_0_a_stem_is_the_mix_with_its_offset(pocket: Pocket, tmp_path: Path, prompts: list[str]) -> None:
    separator, path = Separator(pocket, DiskCache(tmp_path / "cache")), save(tmp_path / "moved.wav", 0.4)
    told = separator.separate(path, Request.of(prompts, 0.0, method="joint", steps=2), OutputOptions(out=tmp_path / "out"))
    for stem in told["stems"]:
        np.testing.assert_allclose(soundfile.read(stem["path"])[0], soundfile.read(path)[0], rtol=0, atol=1e-6)
    assert told["null_dbfs"] <= -120


def test_what_nobody_hears_goes_to_the_rest(pocket: Pocket, tmp_path: Path) -> None:
    t = np.arange(4 * 44_100) / 44_100
    rumble = 0.2 * np.sin(2 * np.pi * 6 * t)
    mix = soundfile.read(save(tmp_path / "x.wav", 0.0))[0]
    soundfile.write(tmp_path / "y.wav", np.tile(mix, (2, 1)) + rumble[:, None], 44_100, subtype="DOUBLE")
    separator = Separator(pocket, DiskCache(tmp_path / "cache"))
    told = separator.separate(
        tmp_path / "y.wav", Request.of(["drums"], method="joint", steps=3), OutputOptions(out=tmp_path / "out")
    )
    stem = soundfile.read(told["stems"][0]["path"])[0][:, 0]
    left = abs(np.vdot(np.exp(2j * np.pi * 6 * t), stem)) * 2 / len(t)
    assert left < 0.2 * 10 ** (-30 / 20)
