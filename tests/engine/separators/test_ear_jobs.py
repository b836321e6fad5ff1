"""Whole jobs with the trained separator: every guarantee that a separation has, and what is said where it has no answer."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine import choose_model
from engine.audio.metrics import sha256
from engine.pipeline.cache import DiskCache
from engine.request import Request
from engine.separation import OutputOptions, Separator
from engine.suggest import by_model
from host_bridge.errors import BadRequest
from presets import DEMO


@pytest.fixture(scope="module")
def separator(tmp_path_factory: pytest.TempPathFactory) -> Separator:
    import torch

    from engine.backbones import load

    return Separator(load("ear", torch.device("cpu")), DiskCache(tmp_path_factory.mktemp("shelf")))


def sound(path: Path, seconds: float, rate: int = 44_100, channels: int = 2) -> Path:
    rng = np.random.default_rng(0)
    soundfile.write(path, 0.1 * rng.standard_normal((int(seconds * rate), channels)), rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize(("rate", "channels"), [(44_100, 2), (48_000, 1), (96_000, 2), (16_000, 1), (8_000, 2)])
def test_stems_have_the_rate_and_channels_of_the_region_and_null_with_the_rest(
    separator: Separator, tmp_path: Path, rate: int, channels: int
) -> None:
    path = sound(tmp_path / "in.wav", 1.3, rate, channels)
    told = separator.separate(path, Request.of(["drums", "vocals"]), OutputOptions(tmp_path / "out"))
    mix, _ = soundfile.read(path, always_2d=True)
    files = [stem["path"] for stem in told["stems"]] + [told["rest"]]
    parts = [soundfile.read(file, always_2d=True)[0] for file in files]
    assert all(part.shape == mix.shape for part in parts)
    assert np.abs(sum(parts) - mix).max() < 1e-6
    assert told["null_dbfs"] < -120
    assert told["lag_samples"] in (0, None)


def test_the_sidecar_says_which_method_answered_and_that_it_was_trained_to(separator: Separator, tmp_path: Path) -> None:
    told = separator.separate(sound(tmp_path / "in.wav", 1.0), Request.of(["drums"]), OutputOptions(tmp_path / "out"))
    assert told["method"] == "ear"
    assert told["model"]["name"] == "ear"
    assert told["model"]["trained_to_separate"] is True
    assert told["mode"] is told["steps"] is told["depth"] is None
    assert told["network_passes"] == 1
    json.dumps(told)


def test_a_new_strength_asks_the_network_nothing_and_is_the_mask_to_that_power(separator: Separator, tmp_path: Path) -> None:
    path = sound(tmp_path / "in.wav", 2.0)
    first = separator.separate(path, Request.of(["drums"], 1.0), OutputOptions(tmp_path / "a"))
    again = separator.separate(path, Request.of(["drums"], 0.5), OutputOptions(tmp_path / "b"))
    none = separator.separate(path, Request.of(["drums"], 0.0), OutputOptions(tmp_path / "c"))
    assert first["network_passes"] == 1
    assert again["network_passes"] == none["network_passes"] == 0
    whole = soundfile.read(path)[0]
    full, half, all_of_it = (soundfile.read(each["stems"][0]["path"])[0] for each in (first, again, none))
    np.testing.assert_allclose(all_of_it, whole, atol=1e-6)
    assert np.abs(full).sum() < np.abs(half).sum() < np.abs(all_of_it).sum()


def test_what_another_model_remembered_is_not_taken_for_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from engine.backbones import load

    disk_cache, path = DiskCache(tmp_path / "shelf"), sound(tmp_path / "in.wav", 1.0)
    ear = Separator(load("ear", torch.device("cpu")), disk_cache)
    ear.separate(path, Request.of(["drums"]), OutputOptions(tmp_path / "a"))
    other = Separator(load("ear", torch.device("cpu")), disk_cache)
    monkeypatch.setattr(other.backbone, "fingerprint", "of another training")
    assert other.separate(path, Request.of(["drums"]), OutputOptions(tmp_path / "b"))["network_passes"] == 1


def test_prompts_that_name_everything_leave_next_to_no_rest(separator: Separator, tmp_path: Path) -> None:
    request = Request.of(["drums", "bass", "trumpet"], complete=True)
    told = separator.separate(DEMO / "mix.flac", request, OutputOptions(tmp_path, length_s=4.0))
    assert all(stem["found"] for stem in told["stems"])
    rest, rate = soundfile.read(told["rest"])
    spectrum = np.abs(np.fft.rfft(rest[:, 0])) ** 2
    heard = np.fft.rfftfreq(len(rest), 1 / rate) > 60  # below that lies what is no part of any stem
    assert spectrum[heard].sum() < 1e-6 * (np.abs(np.fft.rfft(soundfile.read(DEMO / "mix.flac")[0][: len(rest), 0])) ** 2).sum()


def test_a_region_of_ten_milliseconds_and_silence_and_a_sine(separator: Separator, tmp_path: Path) -> None:
    path = sound(tmp_path / "in.wav", 1.0)
    told = separator.separate(path, Request.of(["drums"]), OutputOptions(tmp_path / "a", start_s=0.3, length_s=0.01))
    assert told["region"]["length"] == 441
    soundfile.write(tmp_path / "silence.wav", np.zeros((44_100, 2)), 44_100, subtype="FLOAT")
    told = separator.separate(tmp_path / "silence.wav", Request.of(["drums"]), OutputOptions(tmp_path / "b"))
    assert not told["stems"][0]["found"]
    assert told["network_passes"] == 0
    sine = 0.5 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    soundfile.write(tmp_path / "sine.wav", sine, 44_100, subtype="FLOAT")
    told = separator.separate(tmp_path / "sine.wav", Request.of(["drums", "vocals"]), OutputOptions(tmp_path / "c"))
    assert told["null_dbfs"] < -120


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "joint"}, "trained to separate"),
        ({"unlike": "bass"}, "inversion prompt"),
        ({"steps": 10}, "steps"),
        ({"depth": 0.5}, "depth"),
        ({"generative": True}, "voice"),
        ({"draws": 3}, "draws"),
        ({"renew": 0.4}, "fresh noise"),
    ],
)
def test_dials_that_it_does_not_have_are_refused(separator: Separator, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said) as told:
        separator.check(Request.of(["drums"], **settings))
    assert told.value.todo


def test_two_words_for_one_sound_are_refused_before_anything_is_read(separator: Separator, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="same sound"):
        separator.separate(tmp_path / "nothing.wav", Request.of(["drums", "batterie"]), OutputOptions(tmp_path))


def test_a_hundred_prompts_are_answered_or_refused_in_one_sentence(separator: Separator, tmp_path: Path) -> None:
    with pytest.raises(BadRequest):
        separator.check(Request.of([f"drum number {number}" for number in range(100)]))
    backbone: Any = separator.backbone
    known = list(backbone.sources)
    told = separator.separate(sound(tmp_path / "in.wav", 1.0), Request.of(known), OutputOptions(tmp_path / "out"))
    assert told["network_passes"] == len(known)
    assert told["null_dbfs"] < -120


def test_stems_are_the_same_from_run_to_run(separator: Separator, tmp_path: Path) -> None:
    path = sound(tmp_path / "in.wav", 1.0)
    fresh = Separator(separator.backbone, DiskCache(tmp_path / "another"))
    one = separator.separate(path, Request.of(["bass"]), OutputOptions(tmp_path / "a"))
    two = fresh.separate(path, Request.of(["bass"]), OutputOptions(tmp_path / "b"))
    assert sha256(Path(one["stems"][0]["path"])) == sha256(Path(two["stems"][0]["path"]))


def test_it_suggests_from_its_own_words(separator: Separator) -> None:
    from engine.audio.source import open_source

    backbone: Any = separator.backbone
    found = by_model(backbone, backbone.sources, open_source(DEMO / "mix.flac", None, 4.0))
    assert {each.prompt for each in found} == set(backbone.sources)
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
    assert {"drums", "bass", "trumpet"} & {each.prompt for each in found[:4]}


def test_a_word_that_only_the_ear_knows_is_answered_by_it_unless_somebody_chose_otherwise() -> None:
    assert choose_model.model_for(None, ["drums"]) == "pocket"
    assert choose_model.model_for(None, ["Gesang"]) == "ear"
    assert choose_model.model_for(None, ["drums", "vocals"]) == "ear"
    assert choose_model.model_for(None, ["didgeridoo"]) == "pocket"
    assert choose_model.model_for("pocket", ["vocals"]) == "pocket"
    assert choose_model.model_for(None, ["vocals"], "joint") == "pocket"
    assert choose_model.model_for(None, ["vocals"], None, "audioldm-s-full-v2") == "audioldm-s-full-v2"


def test_the_other_embedded_model_says_who_knows_the_word() -> None:
    from engine.backbones.pocket.vocabulary import sources

    with pytest.raises(BadRequest) as told:
        sources("vocals")
    assert "-n ear" in told.value.todo
