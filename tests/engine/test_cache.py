"""The cache: what was climbed once is not climbed again, and nothing damaged is ever used."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.backbones.gaussian import Gaussian
from engine.cache import Recall, Shelf
from engine.inversion import INVERSIONS
from engine.inversion.base import Ladder, Trail
from engine.methods import METHODS
from engine.methods.base import Scene
from engine.passes import Passes
from engine.request import Request

MODEL = Gaussian()
LADDER = Ladder.build(MODEL.schedule, 10)


def latents(count: int = 3) -> Tensor:
    return torch.randn(count, 1, 16, 64, generator=torch.Generator().manual_seed(0))


def climb(folder: Path, latent: Tensor, mode: str = "ddpm", source: str = "", seed: int = 0) -> tuple[Trail, int]:
    passes = Passes(MODEL)
    recall = Recall(Shelf(folder), passes)
    seeds = [seed + i for i in range(len(latent))]
    return recall.climb(INVERSIONS[mode], LADDER, latent, MODEL.embed([source] * len(latent)), seeds), passes.done.passes


@pytest.mark.parametrize("mode", INVERSIONS)
def test_the_second_climb_asks_the_network_nothing_and_is_the_same(tmp_path: Path, mode: str) -> None:
    first, asked = climb(tmp_path, latents(), mode)
    again, asked_again = climb(tmp_path, latents(), mode)
    assert (asked, asked_again) == (30, 0)
    assert torch.equal(first.top, again.top)
    assert torch.equal(first.noises, again.noises)


def test_only_the_windows_that_are_new_are_climbed(tmp_path: Path) -> None:
    climb(tmp_path, latents()[:2])
    trail, asked = climb(tmp_path, latents())
    assert asked == 10
    assert torch.equal(trail.noises, climb(tmp_path / "elsewhere", latents())[0].noises)


@pytest.mark.parametrize("change", [{"mode": "ddim"}, {"source": "1"}, {"seed": 5}])
def test_whatever_changes_the_climb_changes_the_key(tmp_path: Path, change: dict[str, str]) -> None:
    climb(tmp_path, latents())
    assert climb(tmp_path, latents(), **change)[1] == 30  # type: ignore[arg-type]


def test_other_sound_is_another_entry(tmp_path: Path) -> None:
    climb(tmp_path, latents())
    assert climb(tmp_path, latents() + 1e-3)[1] == 30


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_entry_is_computed_again_and_reported(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    whole, _ = climb(tmp_path, latents(1))
    (entry,) = tmp_path.iterdir()
    packed = bytearray(entry.read_bytes())
    packed[len(packed) // 2] ^= 1
    entry.write_bytes({"flip": bytes(packed), "cut": bytes(packed[:100]), "empty": b""}[damage])
    with caplog.at_level(logging.WARNING):
        again, asked = climb(tmp_path, latents(1))
    assert asked == 10
    assert "damaged" in caplog.text
    assert torch.equal(whole.noises, again.noises)
    assert climb(tmp_path, latents(1))[1] == 0, "the entry was made whole again"


def test_the_folder_is_bounded_and_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, bound=3000)
    for index, key in enumerate(["old", "middle", "new"]):
        shelf.put(key, {"x": torch.zeros(300)})
        os.utime(tmp_path / key, (index, index))
    assert shelf.get("old") is not None, "reading counts as use"
    shelf.trim()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "old"]


@pytest.mark.parametrize("call", ["utime", "unlink", "stat"])
@pytest.mark.parametrize("error", [FileNotFoundError, PermissionError])
def test_an_entry_that_another_process_removes_or_holds_costs_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, error: type[OSError]
) -> None:
    whole, _ = climb(tmp_path, latents(2))
    first, second = sorted(tmp_path.iterdir())
    inner = getattr(os, call)

    def refused(path: Path, *words: object, **more: object) -> object:
        if Path(path) == first:
            raise error(path)
        return inner(path, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refused)
        again, _ = climb(tmp_path, latents(2))
        assert torch.equal(whole.noises, again.noises)
        Shelf(tmp_path, bound=0).trim()
    assert not second.exists()
    assert first.exists() == (call != "utime")


def test_an_entry_that_goes_between_reading_and_marking_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("key", {"x": torch.ones(3)})
    inner: Callable[..., None] = os.utime

    def late(path: Path, *words: object, **more: object) -> None:
        Path(path).unlink()
        inner(path, *words, **more)

    monkeypatch.setattr(os, "utime", late)
    kept = shelf.get("key")
    assert kept is not None
    assert torch.equal(kept["x"], torch.ones(3))


def scene(folder: Path, windows: int) -> Scene:
    passes, request = Passes(MODEL), Request.of(["0.5", "-0.5"], steps=4, method="joint")
    features = MODEL.decode(latents(windows))
    return Scene(passes, Recall(Shelf(folder), passes), MODEL.embed(request.words), features, [*range(windows)], request)


@pytest.mark.parametrize("kind", ["presence", "answer"])
def test_one_new_window_does_not_have_its_whole_group_asked_again(tmp_path: Path, kind: str) -> None:
    def ask(windows: int, folder: Path) -> tuple[Tensor, Passes]:
        each = scene(folder, windows)
        if kind == "presence":
            return each.memory.judge(each), each.model
        return each.memory.estimate(METHODS["joint"], each).masks, each.model

    first, asked = ask(2, tmp_path)
    again, rest = ask(3, tmp_path)
    whole, _ = ask(3, tmp_path / "elsewhere")
    torch.testing.assert_close(again, whole)
    assert torch.equal(again[:, :2], first)
    assert rest.done.passes * 2 == asked.done.passes
    assert rest.spared.passes == asked.done.passes


def test_a_disk_that_refuses_costs_a_warning_and_no_job(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("in the way")
    trail, asked = climb(tmp_path / "file" / "cache", latents())
    assert asked == 30
    assert trail.noises.shape[1] == 10
    assert "could not be kept" in caplog.text
