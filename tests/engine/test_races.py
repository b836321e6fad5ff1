"""The races with the published recipe: the same result, far fewer passes, and a page and a picture about it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.backbones import load
from engine.backbones.base import Backbone
from engine.backbones.gaussian import Gaussian
from engine.bench import plots, published, races
from engine.bench.races import Course, Result
from engine.commands import bench_speed
from engine.passes import Work
from host_bridge.errors import BadRequest

pytestmark = pytest.mark.slow

PROMPTS = ("0.5", "-1", "0.3")
CPU = torch.device("cpu")


def run(model: Backbone, mode: str, prompts: tuple[str, ...], windows: int = 2, steps: int = 4) -> published.Race:
    sound = races.sound(model, 0.9 * windows * model.window / model.rate)
    assert sound.shape == (windows, model.channels, model.window)
    return published.races(model, [model], sound, prompts, steps, mode)[0]


@pytest.mark.parametrize("mode", ["ddpm", "ddim"])
def test_the_engine_gives_what_the_recipe_gives(mode: str) -> None:
    assert run(Gaussian(), mode, PROMPTS).difference < 1e-5


@pytest.mark.parametrize("key", ["audioldm", "audioldm2"])
@pytest.mark.parametrize("mode", ["ddpm", "ddim"])
def test_on_published_networks_too_and_with_as_few_passes_as_there_can_be(
    key: str, mode: str, tiny: Callable[[str], Path]
) -> None:
    model = load(key, CPU, tiny(key))
    race = run(model, mode, ("a dog", "rain", "a car"), windows=1, steps=3)
    assert race.difference < 1e-4
    assert race.recipe_work == Work(3 * {"ddpm": 3, "ddim": 4}[mode] * 3, encodes=3, decodes=3)
    assert race.engine_work == Work(3 + 3 * 3, encodes=1, decodes=3 + 1)


def test_a_page_for_each_way_and_a_row_for_each_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(races, "PROMPTS", PROMPTS)
    said, kept = list[str](), list[Result]()
    course = Course("closed form", Gaussian, goals={("ddpm", 2): 2.5})
    pages = [*races.told(course, 2, (1, 2), (3.0, 6.0), said.append, kept)]
    assert len(said) == len(kept) == 6
    assert "closed form, torch-fp32" in pages[0]
    assert {(each.mode, each.prompts, each.seconds, each.goal) for each in kept} >= {
        ("ddpm", 2, 3.0, 2.5),
        ("ddim", 1, 6.0, None),
    }
    assert "(goal 2.5)" in pages[-1]


def test_the_picture_shows_every_race(tmp_path: Path) -> None:
    plots.draw(
        tmp_path / "speed.png",
        [Result("pocket", "ddpm", 1, 10.0, 1.4, 2.9, 2.5), Result("pocket", "ddim", 4, 10.0, 2, 5, None)],
    )
    assert (tmp_path / "speed.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_writes_the_page_beside_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("engine.backbones.pocket.model.Pocket", Gaussian)
    monkeypatch.setattr(races, "PROMPTS", PROMPTS)
    out = tmp_path / "bench" / "SPEED.md"
    words = ["--only", "machine", "--only", "pocket", "--only", "gpu", "-d", "cpu", "--steps", "2", "--prompts", "1", "3"]
    assert bench_speed.main([*words, "--seconds", "3", "-o", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert "![Times as fast as the published recipe](SPEED.png)" in page
    assert "## A GPU\n\nNot measured" in page
    assert "ddim, 3, 3 s" in page
    assert out.with_suffix(".png").stat().st_size > 1000
    assert "# Speed on cpu" in capsys.readouterr().out


def test_more_prompts_than_there_are_names_for_are_refused() -> None:
    with pytest.raises(BadRequest, match="1 to 8 prompts"):
        bench_speed.main(["--prompts", "9"])
