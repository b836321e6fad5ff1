"""Python as people use it: arrays in, stems out, with the guarantees of files."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import zerostem

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
QUICK: dict[str, Any] = {"method": "joint", "steps": 2}


@pytest.fixture(scope="module")
def mix() -> NDArray[np.float64]:
    """A second and a bit of the demo: (N, 2) at 44.1 kHz."""
    sound, rate = soundfile.read(ROOT / "presets" / "demo" / "mix.flac", always_2d=True)
    assert rate == 44_100
    return np.asarray(sound[44_100:100_001], dtype=np.float64)


@pytest.fixture(scope="module")
def separator() -> zerostem.Separator:
    return zerostem.Separator("pocket")


def test_stems_and_rest_add_up_to_the_array_in_its_own_shape(separator: zerostem.Separator, mix: NDArray[np.float64]) -> None:
    before = mix.copy()
    result = separator.separate(mix, 44_100, ["drums", "bass"], **QUICK)
    assert list(result.stems) == list(result.found) == ["drums", "bass"]
    assert {each.shape for each in (*result.stems.values(), result.rest)} == {mix.shape}
    assert {each.dtype for each in (*result.stems.values(), result.rest)} == {np.dtype("float32")}
    np.testing.assert_allclose(sum(result.stems.values()) + result.rest, mix, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(mix, before)
    assert result.sidecar["input"]["samples"] == len(mix)
    assert any(np.abs(stem).max() > 1e-3 for stem in result.stems.values())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_one_channel_without_an_axis_comes_back_without_one(
    separator: zerostem.Separator, mix: NDArray[np.float64], dtype: str
) -> None:
    mono = mix[:22_051, 0].astype(dtype)
    result = separator.separate(mono, 44_100, "drums", 0.0, **QUICK)
    assert result.stems["drums"].shape == result.rest.shape == mono.shape
    np.testing.assert_allclose(result.stems["drums"], mono.astype(float), rtol=0, atol=1e-6)  # strength 0 is the mix


def test_an_array_gives_the_stems_that_a_file_gives(
    separator: zerostem.Separator, mix: NDArray[np.float64], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "song.wav", mix, 44_100, subtype="DOUBLE")
    told = zerostem.separate(tmp_path / "song.wav", ["drums"], model="pocket", **QUICK)
    by_file = soundfile.read(told["stems"][0]["path"], dtype="float32")[0]
    np.testing.assert_array_equal(separator.separate(mix, 44_100, ["drums"], **QUICK).stems["drums"], by_file)


def test_progress_is_told_and_can_stop_the_work_with_nothing_left(
    separator: zerostem.Separator, mix: NDArray[np.float64], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    heard: list[float] = []
    separator.separate(mix, 44_100, "bass", seed=7, progress=lambda done, _stage: heard.append(done), **QUICK)
    assert heard[0] == 0
    assert heard[-1] == 1

    def stop(done: float, _stage: str) -> None:
        if done > 0.1:
            raise zerostem.Cancelled

    with pytest.raises(zerostem.Cancelled):
        separator.separate(mix, 44_100, "bass", seed=8, progress=stop, **QUICK)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("audio", "rate", "said"),
    [
        (np.zeros(100, np.int16), 44_100, "int16"),
        (np.zeros((2, 2, 2)), 44_100, "3 dimensions"),
        (np.zeros((0, 2)), 44_100, "empty"),
        (np.zeros((2, 44_100)), 44_100, "44100 channels"),
        (np.zeros(100), 0, "rate 0"),
        (np.zeros(100), 44_100.5, "rate 44100.5"),
        (np.full(100, np.nan), 44_100, "NaN"),
    ],
)
def test_what_is_no_sound_is_refused_in_two_sentences(
    separator: zerostem.Separator, audio: NDArray[np.float64], rate: int, said: str
) -> None:
    with pytest.raises((zerostem.BadRequest, zerostem.BadAudio), match=said) as refused:
        separator.separate(audio, rate, "drums", **QUICK)
    assert refused.value.what
    assert refused.value.todo


def test_a_word_that_only_the_other_embedded_model_knows_is_answered_by_it(mix: NDArray[np.float64]) -> None:
    result = zerostem.Separator().separate(mix, 44_100, "vocals")
    assert result.sidecar["model"]["name"] == "ear"
    with pytest.raises(zerostem.BadRequest):
        zerostem.Separator("pocket").separate(mix, 44_100, "vocals")


def test_importing_loads_no_torch() -> None:
    code = "import sys, zerostem; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0


def test_the_readme_s_example_runs(mix: NDArray[np.float64], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (example,) = [block for block in blocks if "zerostem.Separator" in block]
    soundfile.write(tmp_path / "song.wav", mix[:22_050], 44_100, subtype="FLOAT")
    monkeypatch.chdir(tmp_path)
    names: dict[str, NDArray[np.float64]] = {}
    exec(example, names)
    np.testing.assert_allclose(names["drums"] + names["bass"] + names["rest"], names["mix"], rtol=0, atol=1e-6)
    assert Path("song stems/song - vocals.wav").is_file()
