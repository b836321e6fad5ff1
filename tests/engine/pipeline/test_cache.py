"""The cache: what was climbed once is not climbed again, and nothing damaged is ever used."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.backbones.batching import BatchedModel
from engine.backbones.gaussian import Gaussian
from engine.inversion import INVERSIONS
from engine.inversion.base import InversionResult, Timesteps
from engine.methods import METHODS
from engine.methods.base import WindowBatch
from engine.pipeline.cache import CachedModel, DiskCache
from engine.request import Request

MODEL = Gaussian()
LADDER = Timesteps.build(MODEL.schedule, 10)


def latents(count: int = 3) -> Tensor:
    return torch.randn(count, 1, 16, 64, generator=torch.Generator().manual_seed(0))


def invert(folder: Path, latent: Tensor, mode: str = "ddpm", source: str = "", seed: int = 0) -> tuple[InversionResult, int]:
    passes = BatchedModel(MODEL)
    recall = CachedModel(DiskCache(folder), passes)
    seeds = [seed + i for i in range(len(latent))]
    return recall.invert(INVERSIONS[mode], LADDER, latent, MODEL.embed([source] * len(latent)), seeds), passes.done.passes


@pytest.mark.parametrize("mode", INVERSIONS)
def test_the_second_climb_asks_the_network_nothing_and_is_the_same(tmp_path: Path, mode: str) -> None:
    first, asked = invert(tmp_path, latents(), mode)
    again, asked_again = invert(tmp_path, latents(), mode)
    assert (asked, asked_again) == (30, 0)
    assert torch.equal(first.latent, again.latent)
    assert torch.equal(first.noises, again.noises)


def test_only_the_windows_that_are_new_are_climbed(tmp_path: Path) -> None:
    invert(tmp_path, latents()[:2])
    inverted, asked = invert(tmp_path, latents())
    assert asked == 10
    assert torch.equal(inverted.noises, invert(tmp_path / "elsewhere", latents())[0].noises)


@pytest.mark.parametrize("change", [{"mode": "ddim"}, {"source": "1"}, {"seed": 5}])
def test_whatever_changes_the_climb_changes_the_key(tmp_path: Path, change: dict[str, str]) -> None:
    invert(tmp_path, latents())
    assert invert(tmp_path, latents(), **change)[1] == 30  # type: ignore[arg-type]


def test_other_sound_is_another_entry(tmp_path: Path) -> None:
    invert(tmp_path, latents())
    assert invert(tmp_path, latents() + 1e-3)[1] == 30


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_entry_is_computed_again_and_reported(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    whole, _ = invert(tmp_path, latents(1))
    (entry,) = tmp_path.iterdir()
    packed = bytearray(entry.read_bytes())
    packed[len(packed) // 2] ^= 1
    entry.write_bytes({"flip": bytes(packed), "cut": bytes(packed[:100]), "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        again, asked = invert(tmp_path, latents(1))
    assert asked == 10
    assert "damaged" in caplog.text
    assert torch.equal(whole.noises, again.noises)
    assert invert(tmp_path, latents(1))[1] == 0, "the entry was made whole again"


def test_the_folder_is_bounded_and_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    disk_cache = DiskCache(tmp_path, bound=3000)
    for index, key in enumerate(["old", "middle", "new"]):
        disk_cache.put(key, {"x": torch.zeros(300)})
        os.utime(tmp_path / key, (index, index))
    assert disk_cache.get("old") is not None, "reading counts as use"
    disk_cache.trim()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


@pytest.mark.parametrize("call", ["utime", "unlink", "stat"])
@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_an_entry_that_another_process_removes_or_holds_costs_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: type[OSError]
) -> None:
    whole, _ = invert(tmp_path, latents(2))
    first, second = sorted(tmp_path.iterdir())
    inner = getattr(os, call)

    def refused(path: Path, *words: object, **more: object) -> object:
        if Path(path) == first:
            raise error(path)
        return inner(path, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refused)
        again, _ = invert(tmp_path, latents(2))
        assert torch.equal(whole.noises, again.noises)
        DiskCache(tmp_path, bound=0).trim()
    assert not second.exists()
    assert first.exists() == (call != "utime")


def test_an_entry_that_goes_between_reading_and_marking_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk_cache = DiskCache(tmp_path)
    disk_cache.put("key", {"x": torch.ones(3)})
    inner: Callable[..., None] = os.utime

    def late(path: Path, *words: object, **more: object) -> None:
        Path(path).unlink()
        inner(path, *words, **more)

    monkeypatch.setattr(os, "utime", late)
    kept = disk_cache.get("key")
    assert kept is not None
    assert torch.equal(kept["x"], torch.ones(3))


def batch(folder: Path, windows: int) -> WindowBatch:
    passes, request = BatchedModel(MODEL), Request.of(["0.5", "-0.5"], steps=4, method="joint")
    features = MODEL.decode(latents(windows))
    return WindowBatch(
        passes, CachedModel(DiskCache(folder), passes), MODEL.embed(request.words), features, [*range(windows)], request
    )


@pytest.mark.parametrize("kind", ["presence", "answer"])
def test_one_new_window_does_not_have_its_whole_group_asked_again(tmp_path: Path, kind: str) -> None:
    def ask(windows: int, folder: Path) -> tuple[Tensor, BatchedModel]:
        each = batch(folder, windows)
        if kind == "presence":
            return each.model_cache.score_presence(each), each.model
        return each.model_cache.estimate(METHODS["joint"], each).masks, each.model

    first, asked = ask(2, tmp_path)
    again, rest = ask(3, tmp_path)
    whole, _ = ask(3, tmp_path / "elsewhere")
    torch.testing.assert_close(again, whole)
    assert torch.equal(again[:, :2], first)
    assert rest.done.passes * 2 == asked.done.passes
    assert rest.skipped.passes == asked.done.passes


def test_a_disk_that_refuses_costs_a_warning_and_no_job(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    inverted, asked = invert(tmp_path / "file" / "cache", latents())
    assert asked == 30
    assert inverted.noises.shape[1] == 10
    assert "could not be kept" in caplog.text
