"""The self-test of a model: what passes it, what fails it and by which question, and its report on the command line."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from copy import copy
from pathlib import Path
from types import MethodType
from typing import Any

import pytest
import torch
from torch import Tensor

from engine import selftest, weights
from engine.backbones import load
from engine.backbones.base import Backbone
from engine.backbones.mel_latent import Voiced
from engine.backbones.stable_audio import StableAudio
from engine.commands import models
from engine.selftest import Finding, examine, flatness, steadiness
from host_bridge.errors import BadModel, Cancelled
from host_bridge.vocabulary import Samples

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
RATE, LENGTH = 16_000, 40_960
QUESTIONS = ["shapes", "noise", "round trip", "sound", "presence", "speed"]


def white(seed: int = 0) -> Tensor:
    return torch.randn(LENGTH, generator=torch.Generator().manual_seed(seed))


def coloured(power: float) -> Tensor:
    """Noise whose amplitude falls by this power of the frequency."""
    spectrum = torch.fft.rfft(white())
    sound: Tensor = torch.fft.irfft(spectrum / torch.arange(1, len(spectrum) + 1).pow(power), LENGTH)
    return sound


def is_noise(audio: Tensor) -> bool:
    model = load("pocket", CPU)
    made = [audio.float()[None, None] / audio.abs().max() / 2] * 2
    return "noise" in selftest.sounding(model, made).said


@pytest.fixture(scope="module")
def pocket() -> Backbone:
    return load("pocket", CPU)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps, and a short window for checkpoints of random numbers."""
    monkeypatch.setattr(selftest, "STEPS", 4)
    monkeypatch.setattr(selftest, "TRIP_STEPS", 3)
    monkeypatch.setattr(selftest, "PRESENCE_DRAWS", 1)
    monkeypatch.setattr(Voiced, "window", Samples(64 * 160))


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_noise_is_known_whatever_its_level_and_colour() -> None:
    time = torch.arange(LENGTH) / RATE
    tone, struck = torch.sin(2 * math.pi * 440 * time), torch.exp(-12 * (time % 0.5)) * white()
    assert flatness(white()) > 0.95
    assert flatness(tone) < 0.01
    assert steadiness(white()) == pytest.approx(math.exp(-0.5772), abs=0.03)
    assert steadiness(coloured(0.5)) == pytest.approx(math.exp(-0.5772), abs=0.03)
    assert steadiness(tone) > 0.9
    assert steadiness(struck) < 0.3
    assert [is_noise(each) for each in (white(), 1e-3 * white(), coloured(0.25), coloured(0.5))] == [True] * 4
    chord = sum(torch.sin(2 * math.pi * pitch * time) * torch.exp(-3 * (time % 0.64)) for pitch in (220.0, 277.2, 329.6))
    assert isinstance(chord, Tensor)
    assert not is_noise(chord)
    assert not is_noise(tone)


def test_silence_and_what_is_not_finite_are_no_sound(pocket: Backbone) -> None:
    silent, broken = torch.zeros(1, 1, LENGTH), torch.full((1, 1, LENGTH), torch.nan)
    found = selftest.sounding(pocket, [silent, broken])
    assert not found.passed
    assert found.said == "drums is silent; violin is not finite"


def test_the_model_that_comes_along_passes(pocket: Backbone) -> None:
    told: list[float] = []
    found = by_name(examine(pocket, lambda done, _: told.append(done)))
    assert [*found] == QUESTIONS
    assert {name: finding.passed for name, finding in found.items()} == dict.fromkeys(QUESTIONS[:-1], True) | {"speed": None}
    assert found["round trip"].values["error"] < 1e-4
    assert found["speed"].values["seconds_per_step"] > 0
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert all(0 <= share <= 1 for share in told)


def changed(model: Backbone, **methods: Callable[..., Any]) -> Backbone:
    other = copy(model)
    vars(other).update({name: MethodType(method, model) for name, method in methods.items()})
    return other


def test_a_model_that_does_not_listen_to_words_fails(pocket: Backbone, quick: None) -> None:
    deaf = changed(pocket, embed=lambda model, prompts: type(model).embed(model, [""] * len(prompts)))
    found = by_name(examine(deaf))
    assert found["noise"].passed
    assert "sound alike" in found["sound"].said
    assert (found["sound"].passed, found["presence"].passed) == (False, False)


def test_a_wrong_scale_fails(pocket: Backbone, quick: None) -> None:
    loud = changed(pocket, encode=lambda model, features: 6 * type(model).encode(model, features))
    assert by_name(examine(loud))["noise"].passed is False


def test_noise_told_with_the_wrong_sign_fails(pocket: Backbone, quick: None) -> None:
    def upside_down(model: Any, *asked: Any) -> Tensor:
        return -type(model).noise(model, *asked)  # type: ignore[no-any-return]

    assert by_name(examine(changed(pocket, noise=upside_down)))["noise"].passed is False


def test_a_network_whose_answers_depend_on_when_it_is_asked_fails_the_round_trip(pocket: Backbone, quick: None) -> None:
    asked = 0

    def moody(model: Any, *given: Any) -> Tensor:
        nonlocal asked
        asked += 1
        return type(model).noise(model, *given) * (1 + 0.1 * (asked % 2))  # type: ignore[no-any-return]

    assert by_name(examine(changed(pocket, noise=moody)))["round trip"].passed is False


def test_numbers_that_are_none_end_the_test_at_the_shapes(pocket: Backbone, quick: None) -> None:
    found = examine(changed(pocket, noise=lambda _, latent, *__: torch.full_like(latent, torch.nan)))
    assert [(finding.name, finding.passed) for finding in found] == [("shapes", False)]
    assert found[0].said == "the noise is not finite"
    short = changed(pocket, decode=lambda model, latent: type(model).decode(model, latent)[:, :, 1:])
    assert examine(short)[0].said == "the decoded sound has another shape than it should"


@pytest.mark.parametrize(
    "key", ["audioldm", "audioldm, music", "audioldm2", "tango", "auffusion", "auffusion, plain", "stable_audio"]
)
def test_every_family_is_tested_to_the_end_and_random_numbers_do_not_pass(
    tiny: Callable[[str], Path], key: str, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny(key)
    model = load(weights.at(folder).weights.backbone, CPU, folder)
    if isinstance(model, StableAudio):
        monkeypatch.setattr(model, "window", Samples(32_768))
        monkeypatch.setattr(model, "_frames", 32_768 // model.hop)
    found = by_name(examine(model))
    assert [*found] == QUESTIONS
    assert found["shapes"].passed
    assert found["noise"].passed is False


def test_the_report_is_for_people_and_for_programs(
    capsys: pytest.CaptureFixture[str], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = [Finding("shapes", True, "as they should be", {}), Finding("speed", None, "0.1 s per step", {})]
    monkeypatch.setattr(selftest, "examine", lambda *_: findings)
    assert models.main(["verify", "pocket", "--device", "cpu"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert "  pocket.safetensors: whole as far as can be seen: nothing here says what its bytes must be" in told
    assert "  shapes     passed  as they should be" in told
    assert "  speed              0.1 s per step" in told
    assert any(line.startswith("Self-test of pocket (pocket, ") and "torch" in line for line in told)
    assert told[-1].startswith("It passed, in ")
    assert models.main(["verify", "pocket", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {"folder", "files", "model", "zerostem", "torch", "system", "device", "checks", "passed", "seconds"} <= {*report}
    assert report["passed"] is True
    assert report["checks"][1] == {"name": "speed", "passed": None, "said": "0.1 s per step", "values": {}}


def test_a_model_that_fails_is_said_with_all_lines_before_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = [Finding("shapes", True, "right", {}), Finding("sound", False, "drums is noise", {})]
    monkeypatch.setattr(selftest, "examine", lambda *_: findings)
    with pytest.raises(BadModel, match=r"pocket did not pass its self-test \(sound\)") as caught:
        models.main(["verify", "pocket"])
    assert "report the lines above" in caught.value.todo
    assert "  sound      FAILED  drums is noise" in capsys.readouterr().out
    assert models.main(["verify", "pocket", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["passed"] is False


def test_a_model_that_cannot_be_loaded_has_a_report_too(
    tiny: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    folder = shutil.copytree(tiny("audioldm"), tmp_path / "copy")
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"mid_block_type": None}))
    assert models.main(["verify", str(folder), "--json"]) == 1
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert (check["name"], check["passed"]) == ("load", False)
    assert "has no place for" in check["said"]


def test_the_test_is_stopped_between_two_passes(pocket: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def stop(_done: float, said: str) -> None:
        told.append(said)
        if said == "making two sounds":
            raise Cancelled

    with pytest.raises(Cancelled):
        examine(pocket, stop)
    assert told[-1] == "making two sounds"
    assert told.count("making two sounds") == 1


def test_comparing_files_alone_needs_no_torch() -> None:
    code = "import sys; from engine.commands.models import main; main(['verify', 'pocket', '--files'])"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
