"""What the public ZeroSep code gets wrong, a to j: each is a probe that must stay right here, on whole files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine import planner
from engine.backbones.base import Conditioning, guided
from engine.backbones.gaussian import Gaussian
from engine.backbones.pocket import Pocket
from engine.cache import Shelf
from engine.execution.plain import REFERENCE
from engine.inversion import INVERSIONS
from engine.inversion.base import Ladder, descend
from engine.request import Request
from engine.separation import Separator, Wish

pytestmark = pytest.mark.slow

Sound = NDArray[np.float64]
Run = Callable[..., tuple[Sound, Sound, dict[str, Any]]]


@pytest.fixture(scope="module")
def pocket() -> Pocket:
    return Pocket(torch.device("cpu"))


@pytest.fixture
def separate(pocket: Pocket, tmp_path: Path) -> Run:
    """A sound through the whole chain: its stems summed, the rest, the sidecar."""

    def run(
        sound: Sound, rate: int, prompts: tuple[str, ...] = ("drums",), **settings: object
    ) -> tuple[Sound, Sound, dict[str, Any]]:
        path = tmp_path / f"{len(sound)}-{rate}.wav"
        soundfile.write(path, sound, rate, subtype="DOUBLE")
        request = Request.of(prompts, **{"steps": 2, **settings})  # type: ignore[arg-type]
        sidecar = Separator(pocket, Shelf(tmp_path / "cache")).separate(path, request, Wish(out=tmp_path / f"out-{path.stem}"))
        stems = [soundfile.read(stem["path"], always_2d=True)[0] for stem in sidecar["stems"]]
        return np.sum(stems, 0), soundfile.read(sidecar["rest"], always_2d=True)[0], sidecar

    return run


def music(seconds: float, rate: int, channels: int = 1) -> Sound:
    rng = np.random.default_rng(3)
    t = np.arange(max(1, round(seconds * rate))) / rate
    notes = sum(np.sin(2 * np.pi * hz * t) for hz in (196, 247, 294)) * np.exp(-2 * (t % 0.7))
    hits = rng.normal(size=len(t)) * np.exp(-40 * (t % 0.35))
    return np.stack([0.1 * notes + (0.15 + 0.05 * channel) * hits for channel in range(channels)], 1)


@pytest.mark.parametrize("samples", [16_000 + 160 * k + odd for k in (0, 1, 2, 3) for odd in (0, 1)])
def test_a_no_length_delays_or_grows_a_stem(separate: Run, samples: int) -> None:
    sound = music(samples / 16_000, 16_000)
    stem, rest, sidecar = separate(sound, 16_000)
    assert len(stem) == len(rest) == len(sound) == samples
    assert sidecar["lag_samples"] == 0
    assert np.abs(stem + rest - sound).max() < 1e-6


@pytest.mark.parametrize(
    ("rate", "channels", "samples"),
    [(48_000, 2, 48_000), (44_100, 1, 44_101), (96_000, 2, 50_001), (22_050, 6, 30_000), (8000, 1, 1)],
)
def test_b_rate_channels_and_length_stay_the_users(separate: Run, rate: int, channels: int, samples: int) -> None:
    sound = music(samples / rate, rate, channels)
    stem, rest, sidecar = separate(sound, rate, ("drums", "piano"))
    assert stem.shape == rest.shape == (samples, channels)
    assert soundfile.info(sidecar["stems"][0]["path"]).samplerate == rate
    assert sidecar["null_dbfs"] <= -120
    assert np.abs(stem + rest - sound).max() < 1e-6


def test_c_silence_in_is_silence_out(separate: Run) -> None:
    stem, rest, sidecar = separate(np.zeros((20_000, 2)), 44_100)
    assert not stem.any()
    assert not rest.any()
    assert [found["found"] for found in sidecar["stems"]] == [False]
    assert (sidecar["null_dbfs"], sidecar["lag_samples"]) == (-200, None)


def test_d_a_ddpm_round_trip_is_the_latent_to_rounding() -> None:
    pocket = Pocket(torch.device("cpu"))
    # in bf16 the rounding itself is 0.6 %, since a batch rounds its sums otherwise than an item
    planner.settle(pocket, REFERENCE)
    sound = torch.tensor(music(2.56, 16_000)[:, 0], dtype=torch.float32)[None, None]
    latent, ladder, null = pocket.encode(pocket.analyse(sound)), Ladder.build(pocket.schedule, 20), pocket.embed([""])
    trail = INVERSIONS["ddpm"].climb(pocket.noise, ladder, latent, null, [1])
    back = descend(pocket.noise, ladder, INVERSIONS["ddpm"], trail, null, null, torch.ones(1))[0]
    assert (back - latent).norm() / latent.norm() < 1e-4


def test_e_at_full_strength_one_branch_equals_two(pocket: Pocket) -> None:
    x = torch.randn(1, 32, 32, 16, generator=torch.Generator().manual_seed(0))
    levels, prompt, null = torch.tensor([401]), pocket.embed(["drums"]), pocket.embed([""])
    once = guided(pocket.noise, x, levels, prompt, null, torch.ones(1))
    blank, told = pocket.noise(x, levels, null), pocket.noise(x, levels, prompt)
    torch.testing.assert_close(once, blank + 1.0 * (told - blank), atol=1e-5, rtol=1e-5)


def test_f_a_batched_inversion_is_a_sequential_one_with_the_same_noise(pocket: Pocket) -> None:
    latent = torch.randn(1, 32, 32, 16, generator=torch.Generator().manual_seed(0))
    ladder, null = Ladder.build(pocket.schedule, 6), pocket.embed([""])

    def sequential(x: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        rows = [torch.tensor([i]) for i in range(len(x))]
        return torch.cat([pocket.noise(x[row], levels[row], conditioning.rows(row)) for row in rows])

    batched, single = (INVERSIONS["ddpm"].climb(noise, ladder, latent, null, [1]) for noise in (pocket.noise, sequential))
    assert torch.equal(batched.top, single.top)
    assert (batched.noises - single.noises).norm() / batched.noises.norm() < 0.02


@pytest.mark.parametrize("gain_db", [-40, 12])
def test_g_a_stem_keeps_the_level_of_its_mix(separate: Run, gain_db: float) -> None:
    sound, gain = music(2, 44_100, 2), 10 ** (gain_db / 20)
    plain, _, _ = separate(sound, 44_100)
    louder, _, _ = separate(sound[:-1] * gain, 44_100)  # another length, or the same file would be meant
    assert np.sqrt(np.mean(louder**2) / np.mean(plain**2)) == pytest.approx(gain, rel=0.1)


def test_h_a_v_predicting_network_comes_back_from_ddim() -> None:
    model = Gaussian(speaks_v=True)
    latent = 0.5 * torch.randn(1, 1, 16, 64, generator=torch.Generator().manual_seed(0))
    ladder, null = Ladder.build(model.schedule, 100), model.embed([""])
    trail = INVERSIONS["ddim"].climb(model.noise, ladder, latent, null, [0])
    assert float(trail.top.std()) == pytest.approx(1, abs=0.1), "taken for epsilon, v would leave 0.2"
    back = descend(model.noise, ladder, INVERSIONS["ddim"], trail, null, null, torch.ones(1))[0]
    assert (back - latent).norm() / latent.norm() < 0.05


@pytest.mark.parametrize("mode", INVERSIONS)
def test_i_a_prompt_is_a_string_in_every_mode(pocket: Pocket, tmp_path: Path, mode: str) -> None:
    soundfile.write(tmp_path / "in.wav", music(0.5, 16_000), 16_000)
    request = Request.of(["the drum kit"], mode=mode, steps=2, unlike="piano")
    sidecar = Separator(pocket, Shelf(tmp_path / "cache")).separate(tmp_path / "in.wav", request, Wish())
    assert sidecar["stems"][0]["prompt"] == "the drum kit"


def test_j_several_prompts_at_once_are_as_many_runs(separate: Run, tmp_path: Path) -> None:
    sound = music(2, 16_000)
    _, _, together = separate(sound, 16_000, ("drums", "flute"), method="zerosep", steps=6)
    stems = [soundfile.read(stem["path"])[0] for stem in together["stems"]]
    alone = [
        separate(sound[: -1 - k], 16_000, (prompt,), method="zerosep", steps=6)[0][:, 0]
        for k, prompt in enumerate(["drums", "flute"])
    ]
    passes = together["network_passes"]
    assert passes == 6 + 2 * 6 + 8 * 3, "one climb, two descents, one question of each prompt and null"
    for stem, single in zip(stems, alone, strict=True):
        # where two stems claim more than there is they share it, so each is at most what it is alone
        n = len(single) - 2000
        assert np.square(stem[:n]).sum() <= 1.05 * np.square(single[:n]).sum()
        assert np.corrcoef(stem[:n], single[:n])[0, 1] > 0.9
