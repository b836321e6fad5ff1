"""The conformance suite of trained separators: what every one of the table must do; and what the ear does beyond it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine import separators
from engine.backbones import mel
from engine.backbones.batching import BatchedModel
from engine.execution.base import difference
from engine.execution.table import EXECUTIONS
from engine.methods.onepass import OnePass, presence, shared
from engine.models import catalogue
from engine.pipeline.inference import WindowRunner
from engine.request import Request
from engine.separators import SEPARATORS
from engine.separators.base import TrainedSeparator
from engine.separators.ear import bands
from engine.separators.ear.model import FOLDER, Ear
from host_bridge.errors import BadModel, BadRequest

CPU = torch.device("cpu")
WORDS = {"ear": ["drums", "vocals"]}
"""Two prompts that a model of few words follows."""


@pytest.fixture(scope="module", params=SEPARATORS)
def separator(request: pytest.FixtureRequest) -> TrainedSeparator:
    return separators.load(request.param, CPU)


@pytest.fixture(scope="module")
def ear() -> Any:
    return Ear(CPU)


@pytest.fixture(scope="module")
def windows(separator: TrainedSeparator) -> torch.Tensor:
    """Two windows, one of them quiet."""
    sound = 0.2 * torch.randn(2, separator.channels, separator.window, generator=torch.Generator().manual_seed(0))
    sound[1] *= 1e-3
    return sound


def words(separator: TrainedSeparator) -> list[str]:
    return WORDS.get(separator.name, ["a dog", "rain on a roof"])


def heard(separator: TrainedSeparator, sound: torch.Tensor) -> torch.Tensor:
    return separator.analyse(sound * separator.gain(sound)[:, None, None])


def test_it_has_all_that_the_protocol_names(separator: TrainedSeparator) -> None:
    named = {*vars(TrainedSeparator), *TrainedSeparator.__annotations__}
    assert all(hasattr(separator, name) for name in named if not name.startswith("_"))


def test_features_lie_on_the_grid(separator: TrainedSeparator, windows: torch.Tensor) -> None:
    features = separator.analyse(windows)
    assert features.shape == (2, separator.channels, separator.window // separator.grid.hop, separator.grid.bands)
    assert separator.magnitude(features).min() >= 0


def test_a_click_is_found_in_the_frame_where_it_lies(separator: TrainedSeparator) -> None:
    grid, frame = separator.grid, 30
    click = torch.zeros(1, separator.channels, separator.window)
    click[..., round(grid.first + frame * grid.hop)] = 0.9
    loudness = separator.magnitude(separator.analyse(click)).square().sum((0, 1, 3))
    heavy = (loudness * torch.arange(len(loudness))).sum() / loudness.sum()
    assert abs(float(heavy) - frame) < 0.6


@pytest.mark.parametrize("hertz", [440.0, 3000.0, 10_000.0])
def test_a_tone_is_found_in_the_bands_that_carry_masks_to_it(separator: TrainedSeparator, hertz: float) -> None:
    time = torch.arange(separator.window) / separator.rate
    tone = (0.5 * torch.sin(2 * torch.pi * hertz * time)).expand(1, separator.channels, -1)
    loudness = separator.magnitude(separator.analyse(tone)).square().sum((0, 1, 2))
    weights = separator.grid.spread(torch.tensor([hertz]))[0]
    assert abs(int(loudness.argmax()) - int(weights.argmax())) <= 1
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))


def test_gain_brings_loud_and_quiet_to_one_level_and_leaves_silence_alone(
    separator: TrainedSeparator, windows: torch.Tensor
) -> None:
    gain = separator.gain(torch.cat([windows, torch.zeros_like(windows[:1])]))
    assert gain.shape == (3,)
    assert gain[2] == 1
    torch.testing.assert_close(separator.gain(windows[:1] / 100), 100 * gain[:1])


def test_masks_are_shares_and_follow_their_own_prompt(separator: TrainedSeparator, windows: torch.Tensor) -> None:
    features, rows = heard(separator, windows), separator.embed(words(separator))
    together = separator.masks(features, rows)
    assert together.shape == features.shape
    assert together.dtype == torch.float32
    assert together.min() >= 0
    assert together.max() <= 1
    for item in range(2):
        only = torch.tensor([item])
        alone = separator.masks(features[only], rows.rows(only))
        assert difference(alone, together[only]) < 0.02  # networks round differently in batches of other sizes
    swapped = separator.masks(features, rows.rows(torch.tensor([1, 0])))
    assert difference(swapped, together) > 0.01


def test_the_level_of_a_mix_does_not_change_its_masks(separator: TrainedSeparator, windows: torch.Tensor) -> None:
    rows = separator.embed(words(separator)[:1])
    loud, soft = (separator.masks(heard(separator, windows[:1] * factor), rows) for factor in (1.0, 0.01))
    assert difference(soft, loud) < 0.01


def test_a_prompt_does_not_depend_on_its_neighbours(separator: TrainedSeparator) -> None:
    first, second = words(separator)
    both, alone = separator.embed([second, first]), separator.embed([first])
    for name, tensor in alone.tensors.items():
        torch.testing.assert_close(both.tensors[name][1:], tensor)


def test_what_it_cannot_follow_is_refused(separator: TrainedSeparator) -> None:
    if separator.sources is None:
        pytest.skip("it follows any text")
    with pytest.raises(BadRequest, match="thunderstorm"):
        separator.embed(["thunderstorm"])


def test_two_of_one_kind_have_one_fingerprint(separator: TrainedSeparator) -> None:
    again = separators.load(separator.name, CPU)
    assert again.fingerprint == separator.fingerprint
    assert len(separator.fingerprint) == 16


@pytest.mark.parametrize("execution", [name for name, way in EXECUTIONS.items() if way.quick and not way.missing(CPU)])
def test_every_quick_execution_runs_its_network(separator: TrainedSeparator, execution: str) -> None:
    if separator.network_spec is None:
        pytest.skip("there is nothing to choose")
    network_spec = separator.network_spec
    reference = EXECUTIONS["torch-fp32"].prepare(network_spec)(network_spec.example)
    assert difference(EXECUTIONS[execution].prepare(network_spec)(network_spec.example), reference) < 0.02


def test_nothing_is_learned_while_it_answers(separator: TrainedSeparator, windows: torch.Tensor) -> None:
    with torch.no_grad():
        masks = separator.masks(heard(separator, windows), separator.embed(words(separator)))
    assert not masks.requires_grad


def test_the_catalogue_knows_which_models_were_trained_to_separate() -> None:
    assert {*SEPARATORS} == {*catalogue.SEPARATING}
    assert {model.name for model in catalogue.CATALOGUE.values() if model.trained_to_separate} == {"ear"}


# One pass, as a method


def answered(ear: Any, sound: torch.Tensor, *prompts: str, **settings: Any) -> Any:
    method = OnePass("ear")
    request = Request.of(prompts, **settings)
    return WindowRunner(ear, method, request, None, BatchedModel(ear), ear.embed(request.words)).answer(sound, 0)


def test_all_prompts_are_one_batch_of_one_pass_each(ear: Any) -> None:
    sound = 0.1 * torch.randn(3, 1, ear.window, generator=torch.Generator().manual_seed(1))
    method, passes = OnePass("ear"), BatchedModel(ear)
    request = Request.of(["drums", "bass", "piano"])
    WindowRunner(ear, method, request, None, passes, ear.embed(request.words)).answer(sound, 0)
    assert passes.done.passes == 9
    assert method.cost(request, ear) * 3 == passes.done


def test_where_the_prompts_name_everything_the_stems_share_all_of_it(ear: Any) -> None:
    sound = 0.1 * torch.randn(2, 1, ear.window, generator=torch.Generator().manual_seed(1))
    whole = answered(ear, sound, "drums", "bass", complete=True)
    torch.testing.assert_close(whole.masks.sum(0), torch.ones_like(whole.masks[0]))
    apart = answered(ear, sound, "drums", "bass")
    assert (apart.masks.sum(0) - 1).abs().max() > 0.05


def test_silence_is_not_asked_about(ear: Any) -> None:
    passes, request = BatchedModel(ear), Request.of(["drums"])
    told = WindowRunner(ear, OnePass("ear"), request, None, passes, ear.embed(request.words)).answer(
        torch.zeros(2, 1, ear.window), 0
    )
    assert passes.done.passes == 0
    assert not told.masks.any()


@pytest.mark.parametrize("kind", ["noise", "sine", "clipped", "constant", "click"])
def test_odd_sounds_have_finite_masks(ear: Any, kind: str) -> None:
    time = torch.arange(ear.window) / ear.rate
    sound = {
        "noise": torch.randn(ear.window, generator=torch.Generator().manual_seed(0)),
        "sine": 0.5 * torch.sin(2 * torch.pi * 1000 * time),
        "clipped": torch.sign(torch.sin(2 * torch.pi * 100 * time)),
        "constant": torch.ones(ear.window),
        "click": torch.nn.functional.one_hot(torch.tensor(1000), ear.window).float(),
    }[kind]
    told = answered(ear, sound[None, None], "drums", "vocals")
    assert told.masks.isfinite().all()
    assert told.presence.isfinite().all()


def test_presence_is_the_level_of_a_stem_in_its_mixture() -> None:
    magnitudes = torch.rand(2, 1, 5, 4) + 0.1
    levels = presence(torch.stack([torch.ones(2, 1, 5, 4), 0.1 * torch.ones(2, 1, 5, 4), torch.zeros(2, 1, 5, 4)]), magnitudes)
    torch.testing.assert_close(levels, torch.tensor([[0.0, 0.0], [-20.0, -20.0], [-80.0, -80.0]]), atol=0.01, rtol=0)


def test_shares_of_nothing_are_equal() -> None:
    torch.testing.assert_close(shared(torch.zeros(4, 1, 1, 2, 2)), torch.full((4, 1, 1, 2, 2), 0.25))


# The ear's own


def test_the_lowest_bands_are_those_of_pocket() -> None:
    time = np.arange(bands.WINDOW) / bands.RATE
    rng = np.random.default_rng(0)
    tones = sum(rng.uniform(0.01, 0.1) * np.sin(2 * np.pi * hertz * time) for hertz in np.geomspace(60, 6000, 40))
    sound = torch.tensor(tones, dtype=torch.float32)
    mine = bands.log_mel(bands.spectrum(sound[None]))[:, :, : mel.MELS]
    theirs = mel.log_mel(sound[None, ::2])  # nothing lies above 8 kHz
    inside = (theirs > theirs.max() - 5)[:, 4:-4]
    assert (mine - theirs)[:, 4:-4].abs()[inside].max() < 0.05


def test_bands_reach_sixteen_kilohertz_without_a_gap() -> None:
    rows = bands.filters(CPU)
    bins = np.fft.rfftfreq(bands.SIZE, 1 / bands.RATE)
    covered = rows.sum(0).numpy()[(bins > 40) & (bins < 15_800)]
    assert covered.min() > 0
    widths = np.diff(bands.edges())
    assert (widths > 0).all()
    assert bands.edges()[-1] == pytest.approx(16_000)


def test_every_source_of_the_weights_is_a_word_that_is_known(ear: Any) -> None:
    from engine.models import instruments

    assert len(ear.vectors) == len(ear.sources)
    for source in ear.sources:
        assert instruments.sources(source, ear.sources) == (source,)
    assert "vocals" in ear.sources


@pytest.mark.parametrize("flaw", ["missing", "cut", "words"])
def test_weights_that_cannot_be_read_are_told(tmp_path: Path, flaw: str) -> None:
    for name in ("ear.safetensors", "ear.json"):
        shutil.copy(FOLDER / name, tmp_path)
    if flaw == "missing":
        (tmp_path / "ear.safetensors").unlink()
    elif flaw == "cut":
        (tmp_path / "ear.safetensors").write_bytes((FOLDER / "ear.safetensors").read_bytes()[:100_000])
    else:
        (tmp_path / "ear.json").write_text(json.dumps({"bands": 64}))
    with pytest.raises(BadModel, match="cannot be read") as told:
        Ear(CPU, tmp_path)
    assert told.value.todo
