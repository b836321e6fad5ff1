"""Checkpoints in the forms in which people have them: names of 2023, shards, variants, tensors too many."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from engine import weights
from engine.backbones import load
from engine.backbones.base import Backbone
from host_bridge.errors import BadModel

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
SEED = torch.Generator

UNET = "unet/diffusion_pytorch_model"


def answer(model: Backbone) -> Tensor:
    """What a model makes of a sound and a prompt, in one tensor: every network of the checkpoint has a part in it."""
    seconds = 40_960 if model.channels == 1 else model.window
    sound = 0.1 * torch.randn(1, model.channels, seconds, generator=SEED().manual_seed(1))
    features = model.analyse(sound)
    latent, words = model.encode(features), model.embed(["a dog"])
    levels = torch.tensor([model.schedule.level(0.4)])
    said = model.noise(latent, levels, words)
    parts = (*words.tensors.values(), latent, said, model.decode(latent), model.render(features))
    return torch.cat([part.float().flatten() / part.float().norm().clamp_min(1e-9) for part in parts])


def loaded(folder: Path) -> Backbone:
    return load(weights.at(folder).weights.backbone, CPU, folder)


@pytest.fixture(scope="module")
def plain(tiny: Callable[[str], Path]) -> Callable[[str], Tensor]:
    """The answer of a checkpoint as it was saved."""
    kept: dict[str, Tensor] = {}

    def ask(key: str) -> Tensor:
        if key not in kept:
            kept[key] = answer(loaded(tiny(key)))
        return kept[key]

    return ask


@pytest.fixture
def copied(tiny: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    def copy(key: str) -> Path:
        return Path(shutil.copytree(tiny(key), tmp_path / "copy", ignore=shutil.ignore_patterns("converted-*")))

    return copy


def held(folder: Path) -> tuple[Path, dict[str, Tensor]]:
    (file,) = folder.glob("*.safetensors")
    return file, load_file(file)


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], *, pickled: bool = False) -> None:
    """A network's tensors, changed; `pickled`: in a `.bin` as of old."""
    file, tensors = held(folder)
    tensors = {name: tensor.clone() for name, tensor in change(tensors).items()}
    if pickled:
        file.unlink()
        stem = "pytorch_model" if file.name == "model.safetensors" else file.stem
        torch.save(tensors, file.with_name(f"{stem}.bin"))
    else:
        save_file(tensors, file, {"format": "pt"})


def divide(folder: Path, suffix: str = "safetensors") -> list[Path]:
    """A network's weights in two files with an index, as the libraries save large ones."""
    file, tensors = held(folder)
    file.unlink()
    stem = file.stem if suffix == "safetensors" or file.stem != "model" else "pytorch_model"
    names = sorted(tensors)
    places: dict[str, str] = {}
    for number, part in enumerate((names[::2], names[1::2]), 1):
        shard = f"{stem}-{number:05}-of-00002.{suffix}"
        some = {name: tensors[name] for name in part}
        save_file(some, folder / shard, {"format": "pt"}) if suffix == "safetensors" else torch.save(some, folder / shard)
        places |= dict.fromkeys(part, shard)
    index = {"metadata": {"total_size": 1}, "weight_map": places}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))
    return sorted(folder.glob(f"{stem}-*"))


def same(folder: Path, expected: Tensor) -> None:
    torch.testing.assert_close(answer(loaded(folder)), expected, atol=2e-6, rtol=1e-4)


def renamed(pattern: str, replacement: str) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: {re.sub(pattern, replacement, name): tensor for name, tensor in tensors.items()}


def with_more(**more: Tensor) -> Callable[[dict[str, Tensor]], dict[str, Tensor]]:
    return lambda tensors: {**tensors, **{name.replace("__", "."): tensor for name, tensor in more.items()}}


# --- names of 2023 ---


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize(("kind", "folder"), [("auffusion", "text_encoder_0"), ("auffusion, plain", "text_encoder")])
def test_clip_under_its_names_of_2023(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], kind: str, folder: str, pickled: bool
) -> None:
    checkpoint = copied(kind)

    def old(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        found = {name if name.startswith("text_model.") else f"text_model.{name}": each for name, each in tensors.items()}
        return {**found, "text_model.embeddings.position_ids": torch.arange(77)[None]}

    rewrite(checkpoint / folder, old, pickled=pickled)
    same(checkpoint, plain(kind))


@pytest.mark.parametrize("pickled", [False, True])
def test_clap_with_all_its_buffers_and_ears_of_2023(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], pickled: bool
) -> None:
    checkpoint = copied("audioldm")
    buffers = with_more(
        text_model__embeddings__position_ids=torch.arange(34)[None],
        text_model__embeddings__token_type_ids=torch.zeros(1, 34, dtype=torch.long),
        audio_model__audio_encoder__batch_norm__weight=torch.ones(4),
        audio_projection__linear1__weight=torch.ones(4, 4),
        logit_scale_a=torch.ones(()),
        logit_scale_t=torch.ones(()),
    )
    rewrite(checkpoint / "text_encoder", buffers, pickled=pickled)
    same(checkpoint, plain("audioldm"))


def test_clap_without_the_buffers_that_conversion_left_out(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path]
) -> None:
    checkpoint = copied("audioldm")
    rewrite(
        checkpoint / "text_encoder",
        lambda tensors: {name: each for name, each in tensors.items() if not name.endswith(("position_ids", "token_type_ids"))},
    )
    same(checkpoint, plain("audioldm"))


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_gpt2_with_its_masks_its_head_and_its_prefix_of_2023(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], prefix: str
) -> None:
    checkpoint = copied("audioldm2")

    def old(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        found = {f"{prefix}{name}": each for name, each in tensors.items()}
        masks = {
            f"{prefix}h.0.attn.bias": torch.ones(1, 1, 64, 64).tril().bool(),
            f"{prefix}h.0.attn.masked_bias": torch.tensor(-1e4),
        }
        return {**found, **masks, **({"lm_head.weight": tensors["wte.weight"]} if prefix else {})}

    rewrite(checkpoint / "language_model", old, pickled=True)
    same(checkpoint, plain("audioldm2"))


@pytest.mark.parametrize(
    "kept", [("shared.weight",), ("encoder.embed_tokens.weight",), ("shared.weight", "encoder.embed_tokens.weight")]
)
def test_t5_with_either_name_of_its_embedding_or_both_and_with_its_decoder(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], kept: tuple[str, ...]
) -> None:
    checkpoint = copied("audioldm2")

    def old(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        table = next(tensors[name] for name in ("shared.weight", "encoder.embed_tokens.weight") if name in tensors)
        rest = {name: each for name, each in tensors.items() if name not in ("shared.weight", "encoder.embed_tokens.weight")}
        more = {"decoder.block.0.layer.0.SelfAttention.q.weight": torch.zeros(16, 16), "lm_head.weight": torch.zeros(32, 16)}
        return {**rest, **more, **dict.fromkeys(kept, table)}

    rewrite(checkpoint / "text_encoder_2", old, pickled=True)
    same(checkpoint, plain("audioldm2"))


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("kind", ["audioldm", "auffusion"])
def test_a_vae_under_its_names_of_2023(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], kind: str, pickled: bool
) -> None:
    checkpoint = copied(kind)

    def old(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        for new, name in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), (r"to_out\.0", "proj_attn")):
            tensors = renamed(new, name)(tensors)
        return tensors

    rewrite(checkpoint / "vae", old, pickled=pickled)
    same(checkpoint, plain(kind))


@pytest.mark.parametrize("pickled", [False, True])
def test_a_vocoder_without_the_normalisation_that_only_speech_uses(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], pickled: bool
) -> None:
    checkpoint = copied("audioldm")
    without = lambda tensors: {name: each for name, each in tensors.items() if name not in ("mean", "scale")}  # noqa: E731 - one line
    rewrite(checkpoint / "vocoder", without, pickled=pickled)
    same(checkpoint, plain("audioldm"))


# --- several files, variants ---


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("audioldm", "unet"),
        ("audioldm", "vae"),
        ("audioldm", "text_encoder"),
        ("audioldm", "vocoder"),
        ("audioldm2", "projection_model"),
        ("audioldm2", "text_encoder_2"),
        ("audioldm2", "language_model"),
        ("auffusion", "text_encoder_0"),
        ("stable_audio", "transformer"),
    ],
)
def test_weights_in_several_files_are_the_same_weights(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], kind: str, folder: str, suffix: str
) -> None:
    checkpoint = copied(kind)
    parts = divide(checkpoint / folder, suffix)
    found = weights.at(checkpoint)
    assert {f"{folder}/{part.name}" for part in parts} < set(found.files)
    same(checkpoint, plain(kind))
    parts[1].unlink()
    with pytest.raises(BadModel, match=re.escape(f"has no {folder}/{parts[1].name}")):
        weights.at(checkpoint)


def test_a_shard_cut_short_and_an_index_that_makes_no_sense_are_named(copied: Callable[[str], Path]) -> None:
    checkpoint = copied("audioldm")
    first, _ = divide(checkpoint / "unet")
    whole = first.read_bytes()
    first.write_bytes(whole[:-10])
    with pytest.raises(BadModel, match=f"{re.escape(first.name)} is damaged"):
        weights.at(checkpoint)
    first.write_bytes(whole)
    index = checkpoint / f"{UNET}.safetensors.index.json"
    for told in ("{}", "[]", '{"weight_map": {}}', '{"weight_map": {"x": "../../vae/diffusion_pytorch_model.safetensors"}}'):
        index.write_text(told)
        with pytest.raises(BadModel, match=r"index\.json is damaged"):
            weights.at(checkpoint)


def test_the_fingerprint_covers_every_shard(copied: Callable[[str], Path]) -> None:
    checkpoint = copied("audioldm")
    _, second = divide(checkpoint / "unet")
    before = weights.at(checkpoint).fingerprint
    tensors = load_file(second)
    save_file({**tensors, "more": torch.zeros(3)}, second, {"format": "pt"})
    assert weights.at(checkpoint).fingerprint != before


@pytest.mark.parametrize("folder", ["unet", "vae", "text_encoder", "vocoder"])
@pytest.mark.parametrize("beside", ["fp16.safetensors", "non_ema.safetensors", "fp16.bin", "fp16.safetensors.index.json"])
def test_a_whole_bin_is_taken_beside_any_variant(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], folder: str, beside: str
) -> None:
    """As `hf download` brings a repository with variants."""
    checkpoint = copied("audioldm")
    rewrite(checkpoint / folder, lambda tensors: tensors, pickled=True)
    (whole,) = (checkpoint / folder).glob("*.bin")
    stem = "model" if beside.startswith("fp16.safe") and whole.stem == "pytorch_model" else whole.stem
    other = {name: torch.ones_like(each) for name, each in torch.load(whole, weights_only=True).items()}
    variant = checkpoint / folder / f"{stem}.{beside}"
    if beside.endswith(".json"):
        variant.write_text('{"weight_map": {"x": "elsewhere.safetensors"}}')
    elif beside.endswith(".bin"):
        torch.save(other, variant)
    else:
        save_file(other, variant, {"format": "pt"})
    assert f"{folder}/{whole.name}" in weights.at(checkpoint).files
    same(checkpoint, plain("audioldm"))


@pytest.mark.parametrize("folder", ["unet", "vae", "text_encoder", "vocoder"])
def test_half_precision_alone_is_taken_and_is_nearly_the_same(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], folder: str
) -> None:
    checkpoint = copied("audioldm")
    file, tensors = held(checkpoint / folder)
    file.unlink()
    halves = {name: each.half() if each.is_floating_point() else each for name, each in tensors.items()}
    save_file(halves, file.with_name(f"{file.stem}.fp16.safetensors"), {"format": "pt"})
    assert f"{folder}/{file.stem}.fp16.safetensors" in weights.at(checkpoint).files
    found, expected = answer(loaded(checkpoint)), plain("audioldm")
    assert 0 < (found - expected).norm() / expected.norm() < 0.01


def test_a_variant_that_is_not_read_is_named_for_what_it_is(copied: Callable[[str], Path]) -> None:
    checkpoint = copied("audioldm")
    (checkpoint / f"{UNET}.safetensors").rename(checkpoint / f"{UNET}.non_ema.safetensors")
    with pytest.raises(BadModel, match=r"only diffusion_pytorch_model\.non_ema\.safetensors, which is another variant"):
        weights.at(checkpoint)


@pytest.mark.parametrize("folder", ["unet", "text_encoder"])
def test_an_index_left_behind_beside_the_whole_weights_hides_nothing(
    plain: Callable[[str], Tensor], copied: Callable[[str], Path], folder: str
) -> None:
    checkpoint = copied("audioldm")
    file, _ = held(checkpoint / folder)
    file.with_name(f"{file.name}.index.json").write_text('{"weight_map": {"x": "part-00001-of-00002.safetensors"}}')
    if folder == "text_encoder":  # transformers prefers the whole
        same(checkpoint, plain("audioldm"))
        return
    with pytest.raises(BadModel, match="not all there") as caught:
        loaded(checkpoint)
    assert caught.value.todo == f"Remove {file.name}.index.json from that folder."


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("audioldm2", "tokenizer_2"), ("stable_audio", "tokenizer"), ("tango", "google/flan-t5-large")],
)
def test_a_t5_tokenizer_of_one_file_that_cannot_be_read_is_said(copied: Callable[[str], Path], kind: str, folder: str) -> None:
    checkpoint = copied(kind)
    (checkpoint / folder / "tokenizer.json").rename(checkpoint / folder / "spiece.model")
    with pytest.raises(BadModel) as caught:
        loaded(checkpoint)
    assert "tokenizer" in caught.value.what
    assert "tiktoken" not in caught.value.what
    assert "tokenizer.json" in caught.value.todo


# --- more tensors than the config has a place for ---


@pytest.mark.parametrize(
    ("kind", "folder"),
    [
        ("audioldm", "unet"),
        ("audioldm", "vae"),
        ("audioldm", "text_encoder"),
        ("audioldm", "vocoder"),
        ("audioldm2", "unet"),
        ("audioldm2", "projection_model"),
        ("audioldm2", "text_encoder"),
        ("audioldm2", "text_encoder_2"),
        ("audioldm2", "language_model"),
        ("auffusion", "text_encoder_0"),
        ("stable_audio", "transformer"),
        ("stable_audio", "vae"),
        ("stable_audio", "projection_model"),
    ],
)
def test_tensors_that_the_config_has_no_place_for_are_refused(copied: Callable[[str], Path], kind: str, folder: str) -> None:
    checkpoint = copied(kind)
    more = {f"film.{name}.weight": torch.zeros(4) for name in "dcba"}
    rewrite(checkpoint / folder, lambda tensors: {**tensors, **more})
    with pytest.raises(BadModel, match=r"film\.a\.weight, film\.b\.weight, film\.c\.weight and 1 more"):
        loaded(checkpoint)


def test_a_config_that_lost_its_middle_block_is_found_out_by_the_tensors(copied: Callable[[str], Path]) -> None:
    """It would load without a word, and answer half as far off again as its answer is long."""
    checkpoint = copied("audioldm")
    file = checkpoint / "unet" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"mid_block_type": None}))
    with pytest.raises(BadModel, match=r"unet has tensors that its config has no place for: mid_block\."):
        loaded(checkpoint)


@pytest.mark.parametrize(
    ("kind", "folder", "key"),
    [("audioldm", "text_encoder", "num_hidden_layers"), ("auffusion", "text_encoder_0", "num_hidden_layers")],
)
def test_a_config_with_fewer_layers_than_the_weights_is_found_out(
    copied: Callable[[str], Path], kind: str, folder: str, key: str
) -> None:
    checkpoint = copied(kind)
    file = checkpoint / folder / "config.json"
    told: dict[str, Any] = json.loads(file.read_text())
    assert told[key] == 2
    file.write_text(json.dumps(told | {key: 1}))
    with pytest.raises(BadModel, match="has no place for"):
        loaded(checkpoint)


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("auffusion", "condition_adapter_0/condition_adapter.pt"),
        ("tango", "pytorch_model_main.bin"),
        ("tango", "pytorch_model_vae.bin"),
        ("auffusion", "vocoder/vocoder.pt"),
    ],
)
def test_pickles_with_more_tensors_are_refused(copied: Callable[[str], Path], kind: str, file: str) -> None:
    checkpoint = copied(kind)
    told = torch.load(checkpoint / file, weights_only=True)
    told.get("generator", told)["film.weight"] = torch.zeros(4)
    torch.save(told, checkpoint / file)
    with pytest.raises(BadModel, match=r"film\.weight"):
        loaded(checkpoint)


def test_an_adapter_that_is_not_all_there_is_refused_when_it_is_loaded(copied: Callable[[str], Path]) -> None:
    checkpoint = copied("auffusion")
    file = checkpoint / "condition_adapter_0" / "condition_adapter.pt"
    told = torch.load(file, weights_only=True)
    del told["norm.bias"]
    torch.save(told, file)
    with pytest.raises(BadModel, match=r"has no norm\.bias"):
        loaded(checkpoint)
