"""CLAP's figures on a tiny random CLAP, and the Frechet distance against its closed form."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.bench import clap
from engine.bench.clap import Clap
from host_bridge.errors import BadModel

pytestmark = pytest.mark.slow

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP of the real shape with few channels, as `save_pretrained` leaves it."""
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizer

    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("clap")
    vocabulary = {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *LETTERS, "Ġ"])}
    RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=32).save_pretrained(made)
    text = {"vocab_size": 32, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    heard = {"patch_embeds_hidden_size": 16, "hidden_size": 64, "depths": [1, 1, 1], "num_attention_heads": [2, 2, 2]}
    config = ClapConfig(
        text_config=text | {"max_position_embeddings": 34, "projection_dim": 8},
        audio_config=heard | {"num_hidden_layers": 3, "projection_dim": 8, "spec_size": 256, "window_size": 8},
        projection_dim=8,
    )
    ClapModel(config).save_pretrained(made)
    ClapFeatureExtractor(feature_size=64, truncation="rand_trunc").save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def model(folder: Path) -> Clap:
    return Clap.load(folder)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    made, t = tmp_path_factory.mktemp("sounds"), np.arange(16_000) / 16_000
    sounds = [np.sin(2 * np.pi * 300 * t), np.random.default_rng(0).standard_normal(16_000), np.sin(2 * np.pi * 3000 * t**2)]
    for index, sound in enumerate(sounds):
        soundfile.write(made / f"{index}.wav", 0.2 * sound / np.abs(sound).max(), 16_000)
    return [made / f"{index}.wav" for index in range(3)]


def test_embeddings_have_unit_length_and_differ(model: Clap, files: list[Path]) -> None:
    sounds, words = model.of_sounds(files), model.of_words(["a dog", "rain"])
    assert (sounds.shape, words.shape) == ((3, 8), (2, 8))
    for vectors in (sounds, words):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert not np.allclose(sounds[0], sounds[1], atol=1e-4)


def test_a_prompts_embedding_does_not_depend_on_its_neighbours(model: Clap) -> None:
    np.testing.assert_allclose(
        model.of_words(["a dog", "a much longer description"])[0], model.of_words(["a dog"])[0], atol=1e-7
    )


def test_clap_a_is_one_for_the_same_sound_and_less_for_another(model: Clap, files: list[Path]) -> None:
    assert clap.clap_a(model, files, files) == pytest.approx([1.0] * 3, abs=1e-6)
    assert clap.clap_a(model, files[:1], files[1:2])[0] < 0.9999


def test_clap_t_is_the_cosine_with_the_prompt(model: Clap, files: list[Path]) -> None:
    expected = [float(model.of_sounds([file])[0] @ model.of_words(["rain"])[0]) for file in files]
    assert clap.clap_t(model, files, ["rain"] * 3) == pytest.approx(expected, abs=1e-6)


def test_lpaps_is_nothing_for_the_same_sound_and_grows_with_noise(tmp_path: Path, model: Clap, files: list[Path]) -> None:
    sound, rate = soundfile.read(files[0])
    hiss = np.random.default_rng(1).standard_normal(len(sound))
    near, far = tmp_path / "near.wav", tmp_path / "far.wav"
    soundfile.write(near, sound + 1e-3 * hiss, rate, subtype="FLOAT")
    soundfile.write(far, sound + 0.3 * hiss, rate, subtype="FLOAT")
    same, close, distant = clap.lpaps(model, [files[0], near, far], [files[0]] * 3)
    assert same == pytest.approx(0, abs=1e-6)
    assert 0 < close < distant


def test_lpaps_looks_into_every_stage(model: Clap, files: list[Path]) -> None:
    stages = model.patches(files[0])
    assert len(stages) >= 3
    assert all(stage.dim() == 4 for stage in stages)


def test_the_frechet_distance_of_two_gaussians_is_its_closed_form() -> None:
    rng = np.random.default_rng(0)
    spread = np.array([1.0, 2.0, 0.5])
    one, other = rng.standard_normal((200_000, 3)), 3.0 + spread * rng.standard_normal((200_000, 3))
    assert clap.frechet(one, other) == pytest.approx(3 * 9.0 + ((1 - spread) ** 2).sum(), rel=0.01)


def test_the_frechet_distance_agrees_with_a_matrix_square_root() -> None:
    from scipy.linalg import sqrtm

    rng = np.random.default_rng(1)
    one, other = rng.standard_normal((50, 6)) @ rng.standard_normal((6, 6)), rng.standard_normal((40, 6))
    first, second = np.cov(one.T), np.cov(other.T)
    means = one.mean(0) - other.mean(0)
    expected = means @ means + np.trace(first + second - 2 * np.real(sqrtm(first @ second)))
    assert clap.frechet(one, other) == pytest.approx(expected, rel=1e-6)
    assert clap.frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_stands_fewer_files_than_dimensions_but_not_one() -> None:
    vectors = np.random.default_rng(2).standard_normal((3, 20))
    assert clap.frechet(vectors, vectors + 1) == pytest.approx(20, rel=1e-6)
    with pytest.raises(ValueError, match="two vectors"):
        clap.frechet(vectors[:1], vectors)


def test_fad_is_the_distance_between_the_embeddings(model: Clap, files: list[Path]) -> None:
    expected = clap.frechet(model.of_sounds(files), model.of_sounds(files[::-1][:2]))
    assert clap.fad(model, files, files[::-1][:2]) == pytest.approx(expected, abs=1e-9)
    assert clap.fad(model, files, files) == pytest.approx(0, abs=1e-9)


def test_a_folder_without_a_clap_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="holds no CLAP"):
        Clap.load(tmp_path)
