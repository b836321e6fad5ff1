"""The embedded model: its codec, its words, its weights."""

import shutil
from pathlib import Path

import pytest
import torch

from engine.backbones import BACKBONES, backbone_class
from engine.backbones.pocket import Pocket
from engine.backbones.pocket.codec import PatchCodec
from engine.backbones.pocket.model import FOLDER
from engine.backbones.pocket.vocabulary import NAMES, SOURCES, sources
from host_bridge.errors import BadModel, BadRequest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pocket() -> Pocket:
    return Pocket(torch.device("cpu"))


@pytest.mark.parametrize("key", BACKBONES)
def test_every_backbone_of_the_table_is_where_the_table_says(key: str) -> None:
    assert backbone_class(key).__name__.lower() == key.replace("_", "")


def test_the_codec_loses_nothing(pocket: Pocket) -> None:
    mel = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 3 - 5
    torch.testing.assert_close(pocket.decode(pocket.encode(mel)), mel, atol=1e-4, rtol=1e-4)


def test_a_fitted_codec_brings_its_sound_near_unit_size() -> None:
    mel = torch.randn(8, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 3 - 5
    latent = PatchCodec.fit(mel).encode(mel)
    assert latent.mean().abs() < 1e-3
    assert 0.5 < latent.std() <= 1.01


@pytest.mark.parametrize(
    ("prompt", "known"),
    [
        ("drums", ("drums",)),
        ("Drum Kit", ("drums",)),
        ("the bass guitar", ("bass",)),
        ("drums and bass", ("drums", "bass")),
        ("a saxophone, piano & drums.", ("saxophone", "piano", "drums")),
        ("drums + drum kit", ("drums",)),
        ("violins", ("violin",)),
        ("sound of a flute", ("flute",)),
        ("", ()),
    ],
)
def test_people_may_say_it_in_their_own_words(prompt: str, known: tuple[str, ...]) -> None:
    assert sources(prompt) == known


@pytest.mark.parametrize("prompt", ["didgeridoo", "drums and didgeridoo", "🥁", "and", "x" * 400])
def test_a_word_it_does_not_know_is_refused_with_what_it_knows(prompt: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        sources(prompt)
    assert all(source in refusal.value.what for source in SOURCES)
    assert "models list" in refusal.value.todo


def test_every_word_means_one_of_its_sources() -> None:
    assert {*NAMES.values()} == {*SOURCES}
    assert all(sources(word) == (source,) for word, source in NAMES.items())


def test_the_weights_know_exactly_the_vocabulary(pocket: Pocket) -> None:
    assert sorted(pocket.sources) == sorted(SOURCES)
    assert pocket.vectors.shape == (len(SOURCES), 64)


def test_the_null_prompt_is_the_zero_vector_and_several_sources_are_their_scaled_sum(pocket: Pocket) -> None:
    null, drums, bass, both = pocket.embed(["", "drums", "bass", "drums and bass"]).tensors["vector"]
    assert null.abs().max() == 0
    torch.testing.assert_close(both, (drums + bass) / 2**0.5)


def test_it_predicts_noise_far_better_than_nothing_and_as_well_in_a_batch(pocket: Pocket) -> None:
    t = torch.arange(pocket.window) / pocket.rate
    tone = (0.1 * torch.sin(2 * torch.pi * 440 * t))[None, None]
    clean = pocket.encode(pocket.analyse(tone)).repeat(3, 1, 1, 1)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    levels = torch.tensor([201, 401, 801])
    kept = pocket.schedule.alpha_bar(levels).float().reshape(-1, 1, 1, 1)
    x, null = kept.sqrt() * clean + (1 - kept).sqrt() * noise, pocket.embed([""] * 3)
    told = pocket.noise(x, levels, null)
    assert ((told - noise).square().mean((1, 2, 3)) < torch.tensor([0.4, 0.2, 0.1])).all()
    for i in range(3):
        row = torch.tensor([i])
        assert (pocket.noise(x[row], levels[row], null.rows(row)) - told[row]).abs().mean() < 0.02


def test_gain_brings_a_window_to_the_trained_level_and_leaves_silence_alone(pocket: Pocket) -> None:
    loud = torch.randn(1, 1, 16000, generator=torch.Generator().manual_seed(0))
    windows = torch.cat([loud, 1e-3 * loud, torch.zeros_like(loud)])
    gain = pocket.gain(windows)
    rms_db = 20 * (windows[:2] * gain[:2, None, None]).square().mean((1, 2)).sqrt().log10()
    assert rms_db.tolist() == pytest.approx([-25, -25], abs=0.01)
    assert gain[2] == 1


def test_its_own_voice_has_the_length_and_nearly_the_spectrum_that_was_asked_for(pocket: Pocket) -> None:
    t = torch.arange(pocket.rate) / pocket.rate
    features = pocket.analyse((0.3 * torch.sin(2 * torch.pi * 500 * t) * (1 - t))[None, None])
    sound = pocket.render(features)
    assert sound.shape == (1, 1, pocket.rate)
    wanted, heard = pocket.magnitude(features), pocket.magnitude(pocket.analyse(sound))
    assert (heard - wanted).norm() / wanted.norm() < 0.2


@pytest.mark.parametrize("damage", ["missing", "cut", "other"])
def test_weights_that_cannot_be_used_are_named(tmp_path: Path, damage: str) -> None:
    for name in ("pocket.safetensors", "pocket.json"):
        shutil.copy(FOLDER / name, tmp_path)
    weights = tmp_path / "pocket.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:100_000])
    else:
        weights.write_bytes(b"something else entirely")
    with pytest.raises(BadModel, match="cannot be read"):
        Pocket(torch.device("cpu"), tmp_path)
