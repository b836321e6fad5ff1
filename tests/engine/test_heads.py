"""How many attention heads a checkpoint was trained with: found by asking, on networks of which it is known, and remembered."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from engine import heads
from engine.backbones import load
from engine.backbones.mel_latent import Voiced
from engine.backbones.network import heads_by_width
from engine.separation import Separator
from host_bridge.errors import Cancelled
from host_bridge.settings import places
from host_bridge.vocabulary import Samples

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
BY_WIDTH = (8, 2)
"""Heads of 32 channels, of a U-Net with 32 and 64 whose first level does not attend."""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the window, for time."""
    monkeypatch.setattr(Voiced, "window", Samples(256 * 160))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, builders: ModuleType) -> Callable[..., Path]:
    """A checkpoint of a family that was trained with some heads, and whose config says others."""
    made: dict[str, Path] = {}

    def folder(family: str, trained: object, said: object) -> Path:
        key = f"{family} {trained} {said}"
        if key not in made:
            made[key] = tmp_path_factory.mktemp("heads") / "checkpoint"
            made[key].mkdir()
            torch.manual_seed(0)
            builders.known_heads(made[key], trained, said, family)
        return made[key]

    return folder


@pytest.mark.parametrize("family", ["audioldm", "audioldm, music", "audioldm2"])
def test_heads_of_32_channels_are_found_where_the_network_was_trained_with_them(
    known: Callable[..., Path], family: str
) -> None:
    plain = load(family.partition(",")[0], CPU, known(family, [8, 2], 8))
    choice = heads.chosen(plain)
    assert choice is not None
    assert choice.taken == BY_WIDTH
    assert choice.by_width < choice.by_config
    assert choice.nearer > choice.draws / 2
    assert choice.told.startswith("32 channels each (")
    model = heads.settled(plain)
    assert model.fingerprint != plain.fingerprint
    latent, words = model.encode(model.analyse(heads.demo_window(model, model.window))), model.embed(["a dog"])
    levels = torch.tensor([300])
    config = known(family, [8, 2], 8) / "unet" / "config.json"
    told = config.read_text()
    try:  # what was trained, said by the config itself
        config.write_text(json.dumps(json.loads(told) | {"attention_head_dim": [8, 2]}))
        meant = load(family.partition(",")[0], CPU, known(family, [8, 2], 8))
        assert heads.chosen(meant) is None
        torch.testing.assert_close(model.noise(latent, levels, words), meant.noise(latent, levels, words))
    finally:
        config.write_text(told)
    assert (model.noise(latent, levels, words) - plain.noise(latent, levels, words)).abs().max() > 1e-3


@pytest.mark.parametrize("family", ["audioldm", "audioldm2"])
def test_the_configs_heads_are_kept_where_the_network_was_trained_with_those(known: Callable[..., Path], family: str) -> None:
    plain = load(family, CPU, known(family, 8, 8))
    choice = heads.chosen(plain)
    assert choice is not None
    assert choice.taken is None
    assert choice.told.startswith("as the config says (")
    assert heads.settled(plain) is plain


def test_a_first_load_asks_and_says_which_and_the_next_one_remembers(
    known: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = str(known("audioldm", [8, 2], 8))
    with caplog.at_level(logging.INFO, "engine.heads"):
        first = Separator.load(folder, "cpu").backbone
    assert "attention heads 32 channels each" in caplog.text
    assert first.heads == BY_WIDTH  # type: ignore[attr-defined]

    def refuse(*_: object) -> None:
        raise AssertionError("asked again")

    with monkeypatch.context() as patch:
        patch.setattr(heads, "draw_errors", refuse)
        assert Separator.load(folder, "cpu").backbone.fingerprint == first.fingerprint
        kept = places().cache / "heads.json"
        kept.write_text("{")  # a file that makes no sense is as good as none
        with pytest.raises(AssertionError, match="asked again"):
            Separator.load(folder, "cpu")
    (Path(folder) / "model_index.json").touch()  # another checkpoint, as far as anybody can see
    assert heads.chosen(first) is not None


def test_asking_can_be_stopped(known: Callable[..., Path]) -> None:
    model, told = load("audioldm", CPU, known("audioldm", [8, 2], 8)), list[tuple[float, str]]()

    def stop(done: float, said: str) -> None:
        told.append((done, said))
        if len(told) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        heads.settled(model, stop)
    assert told[-1][1] == "asking with attention heads as the config says"
    assert not (places().cache / "heads.json").exists()


def test_without_memory_for_the_question_the_config_counts_and_it_is_asked_another_time(
    known: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load("audioldm", CPU, known("audioldm", [8, 2], 8))

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with monkeypatch.context() as patch:
        patch.setattr(heads, "draw_errors", full)
        assert heads.settled(model) is model
    assert heads.settled(model) is not model


@pytest.mark.parametrize(
    ("channels", "said", "found"),
    [
        ((128, 256, 384, 640), 8, (8, 8, 12, 20)),  # AudioLDM-S as diffusers' script turned it
        ((128, 256, 384, 640), None, (8, 8, 12, 20)),  # the same, not written down
        ((128, 256, 384, 640), [4, 8, 12, 20], None),
        ((128, 256, 384, 640), [8, 8, 12, 20], None),  # where nothing attends the number means nothing
        ((192, 384, 576, 960), 8, (8, 12, 18, 30)),
        ((8, 16, 24, 40), 8, None),
        ((128, 256, 384), 8, None),
    ],
)
def test_heads_of_32_channels_are_an_alternative_only_where_they_differ_and_fit(
    channels: tuple[int, ...], said: object, found: tuple[int, ...] | None
) -> None:
    kinds = ("DownBlock2D", *["CrossAttnDownBlock2D"] * 3)
    config = {"block_out_channels": list(channels), "down_block_types": kinds, "attention_head_dim": said}
    if said is None:
        del config["attention_head_dim"]
    assert heads_by_width(config) == found


def test_other_families_are_not_asked(tiny: Callable[[str], Path]) -> None:
    assert heads.chosen(load("pocket", CPU)) is None
    assert heads.chosen(load("auffusion", CPU, tiny("auffusion"))) is None
