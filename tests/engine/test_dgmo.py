"""DGMO's fit: the optimiser against torch's own, what it reaches, and a whole job by it on files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from engine.backbones.gaussian import Gaussian
from engine.cache import Shelf
from engine.fit import Fit as Frames
from engine.methods import METHODS
from engine.methods.dgmo import DGMO, START, STEPS, Fit, fitted, mask
from engine.request import Request
from engine.separation import Separator, Wish
from host_bridge.errors import Cancelled
from host_bridge.vocabulary import Hertz, Samples

pytestmark = pytest.mark.slow

FIT = Frames(Gaussian.grid, Gaussian.rate, Hertz(22_050))


def bands(frames: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    """Magnitudes (frames, F) of noise, shares (frames, 64) that neighbours partly contradict, and the spread."""
    generator, spread = torch.Generator().manual_seed(0), FIT.spread.float()
    return torch.rand(frames, len(spread), generator=generator), torch.rand(frames, 64, generator=generator), spread


def unhindered(_: float) -> None:
    return


def test_the_optimiser_is_adam_on_the_gradient_that_autograd_finds() -> None:
    sound, shares, spread = bands()
    logits = torch.full_like(sound, START)
    ours = fitted(sound, shares, spread, 40, logits, unhindered)
    theirs = logits.clone().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.01)
    for _ in range(40):
        adam.zero_grad()
        masked = ((sound * theirs.sigmoid()) @ spread).log() - (sound @ spread).log()
        (masked - shares.log()).square().sum().backward()
        adam.step()
    torch.testing.assert_close(ours, theirs.detach(), atol=1e-3, rtol=1e-3)


def test_a_fitted_mask_brings_bands_to_their_shares_better_than_interpolation() -> None:
    sound, shares, spread = bands()
    shares = 0.1 + 0.8 * shares

    def off(bins: Tensor) -> float:
        return float((((sound * bins) @ spread) / (sound @ spread) / shares).log().abs().mean())

    found = mask(fitted(sound, shares, spread, 3 * STEPS, torch.full_like(sound, START), unhindered))
    assert off(found) < 0.5 * off(shares @ spread.T)


def test_rounds_limit_how_far_a_mask_shuts() -> None:
    sound, _, spread = bands(2)
    start = torch.full_like(sound, START)
    once, twice = (mask(fitted(sound, torch.zeros(2, 64), spread, n * STEPS, start, unhindered)) for n in (1, 2))
    torch.testing.assert_close(once, torch.full_like(once, 0.154), atol=0.01, rtol=0)
    assert twice.max() < 0.005


def test_frames_are_fitted_apart() -> None:
    sound, shares, spread = bands(6)
    whole = fitted(sound, shares, spread, 50, torch.full_like(sound, START), unhindered)
    part = fitted(sound[2:4], shares[2:4], spread, 50, torch.full_like(sound[2:4], START), unhindered)
    torch.testing.assert_close(whole[2:4], part, atol=1e-4, rtol=1e-4)


def test_every_channel_is_fitted_at_its_own_level() -> None:
    sound, shares, _ = bands(4)
    channels = torch.stack([sound.T, 1e-3 * sound.T, torch.zeros_like(sound.T)])
    request = Request.of(["a"], method="dgmo", mode="ddim")
    loud, faint, silent = DGMO().refine(request, channels, shares[None, None], FIT.spread, unhindered)[0]
    torch.testing.assert_close(loud, faint, atol=1e-3, rtol=1e-3)
    assert torch.isfinite(silent).all()


def test_what_is_nearly_whole_is_whole() -> None:
    assert mask(torch.tensor([2.3, 5.0])).tolist() == [1.0, 1.0]
    assert mask(torch.tensor([2.1])).item() == pytest.approx(0.891, abs=1e-3)


def test_a_fit_stops_at_the_next_step() -> None:
    sound, shares, spread = bands()
    told: list[float] = []

    def stop(done: float) -> None:
        told.append(done)
        if len(told) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        fitted(sound, shares, spread, 100, torch.full_like(sound, START), stop)
    assert told == [0.01, 0.02, 0.03]


class Short(Gaussian):
    """The closed form on short windows."""

    window = Samples(Gaussian.grid.hop * 32)


@pytest.fixture
def separator(tmp_path: Path) -> Separator:
    return Separator(Short(), Shelf(tmp_path / "shelf"))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    sound = 0.1 * np.random.default_rng(0).standard_normal((9000, 2))
    soundfile.write(tmp_path / "song.wav", sound, 22_050, subtype="FLOAT")
    return tmp_path / "song.wav"


def test_a_whole_job_nulls_at_the_regions_own_rate_and_channels(separator: Separator, song: Path, tmp_path: Path) -> None:
    request = Request.of(["-0.4", "-1"], method="dgmo", mode="ddim", steps=5, rounds=1)
    told = separator.separate(song, request, Wish(tmp_path / "out"))
    stems = [soundfile.read(stem["path"])[0] for stem in told["stems"]]
    mix = soundfile.read(song)[0]
    assert [stem.shape for stem in stems] == [mix.shape] * 2
    assert told["null_dbfs"] <= -120
    assert (told["rounds"], told["draws"], told["guidance"]) == (1, 1, 1.0)
    energies = [float(np.square(stem).sum() / np.square(mix).sum()) for stem in stems]
    assert 0.5 > energies[0] > energies[1] > 0.01


def test_at_strength_zero_the_stem_is_the_mix(separator: Separator, song: Path, tmp_path: Path) -> None:
    told = separator.separate(song, Request.of(["-1"], 0.0, method="dgmo", mode="ddim", steps=3), Wish(tmp_path / "out"))
    np.testing.assert_allclose(soundfile.read(told["stems"][0]["path"])[0], soundfile.read(song)[0], atol=1e-6)


@pytest.mark.parametrize("stage", ["separating", "fitting"])
def test_a_job_is_cancelled_in_the_middle_of_a_fit(separator: Separator, song: Path, tmp_path: Path, stage: str) -> None:
    heard = 0

    def stop(_: float, said: str) -> None:
        nonlocal heard
        heard += said == stage
        if heard == 50:
            raise Cancelled

    request = Request.of(["-1"], method="dgmo", mode="ddim", steps=3, rounds=2)
    with pytest.raises(Cancelled):
        separator.separate(song, request, Wish(tmp_path / "out"), stop)
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_the_table_knows_who_refines() -> None:
    assert [name for name, method in METHODS.items() if method.refine is not None] == ["dgmo"]


def test_the_optimiser_goes_on_from_round_to_round() -> None:
    """As one optimiser of torch's that meets other references after some steps, and no new one."""
    sound, shares, spread = bands()
    others = shares.flip(0)
    start = torch.full_like(sound, START)
    ours = Fit.begun(start).further(sound, shares, spread, 30, unhindered).further(sound, others, spread, 30, unhindered)
    theirs = start.clone().requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.01)
    for step in range(60):
        adam.zero_grad()
        masked = ((sound * theirs.sigmoid()) @ spread).log() - (sound @ spread).log()
        (masked - (shares if step < 30 else others).log()).square().sum().backward()
        adam.step()
    torch.testing.assert_close(ours.logits, theirs.detach(), atol=1e-3, rtol=1e-3)
    anew = fitted(sound, others, spread, 30, fitted(sound, shares, spread, 30, start, unhindered), unhindered)
    assert float((anew - ours.logits).abs().max()) > 0.01


def test_all_rounds_of_a_job_are_steps_of_one_optimiser(
    separator: Separator, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[int] = []
    further = Fit.further

    def noted(fit: Fit, magnitudes: Tensor, shares: Tensor, spread: Tensor | None, steps: int, progress: Any) -> Fit:
        if spread is None:
            begun.append(fit.steps)
        return further(fit, magnitudes, shares, spread, steps, progress)

    monkeypatch.setattr(Fit, "further", noted)
    separator.separate(song, Request.of(["-1"], method="dgmo", mode="ddim", steps=3, rounds=3), Wish(tmp_path / "out"))
    assert begun == [0, STEPS]


def test_fitting_four_references_is_fitting_their_mean() -> None:
    """By squares in log-magnitude, as the released code fits four mels at once and ours their mean: one mask, one loss but for
    what the four differ from each other."""
    sound, shares, spread = bands()
    several = (shares.log() + 0.3 * torch.randn(4, *shares.shape, generator=torch.Generator().manual_seed(1))).clamp(-9, -0.01)
    ours = fitted(sound, several.mean(0).exp(), spread, STEPS, torch.full_like(sound, START), unhindered)
    theirs = torch.full_like(sound, START).requires_grad_()
    adam = torch.optim.Adam([theirs], lr=0.01)
    for _ in range(STEPS):
        adam.zero_grad()
        masked = ((sound * theirs.sigmoid()) @ spread).log() - (sound @ spread).log()
        (masked - several).square().mean(0).sum().backward()
        adam.step()
    torch.testing.assert_close(mask(ours), mask(theirs.detach()), atol=5e-3, rtol=5e-3)


def test_the_loss_reached_with_interpolation_weights_and_with_the_mel_filters_agree_to_one_per_cent() -> None:
    """Which of the two carries a mask from bins to bands matters to the mask's details, not to how well bands are met, judged
    by the released code's own loss: squares of log-mel against four references."""
    from engine.backbones import mel

    frames, generator = 24, torch.Generator().manual_seed(3)
    sound = torch.randn(1, mel.HOP * frames, generator=generator).mul(0.1)
    padded = torch.nn.functional.pad(sound, (mel.EDGE, mel.EDGE), mode="reflect")
    hann = torch.hann_window(mel.WINDOW)
    magnitudes = torch.stft(padded, mel.WINDOW, mel.HOP, mel.WINDOW, hann, center=False, return_complex=True).abs()[0].T
    filters = mel.filters(torch.device("cpu")).T
    interpolated = mel.spread(torch.fft.rfftfreq(mel.WINDOW, 1 / mel.RATE, dtype=torch.float64)).float()
    bands = magnitudes @ filters
    smooth = torch.nn.functional.avg_pool1d(torch.rand(1, frames, 64 + 8, generator=generator), 9, 1)[0] - 0.5
    wanted = (0.5 + 2 * smooth).clamp(0.05, 0.95)  # neighbours ask for much the same, as in any real spectrum
    several = wanted.log() + 0.5 * torch.randn(4, frames, 64, generator=generator)
    losses = []
    for weights in (interpolated, filters):
        start = torch.full_like(magnitudes, START)
        found = mask(fitted(magnitudes, several.mean(0).exp(), weights, 3 * STEPS, start, unhindered))
        heard = ((magnitudes * found) @ filters).log()
        losses.append(float((heard - (bands.log() + several)).square().mean()))
    assert losses[0] == pytest.approx(losses[1], rel=0.01)
