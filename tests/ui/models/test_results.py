"""A result says what came out and how well, and can be made again to the byte."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.backbones.gaussian import Gaussian
from engine.cache import Shelf
from engine.commands import rebuild as command
from engine.request import Request
from engine.separation import Separator, Wish
from engine.serving.asked import asked_of, wish_of
from engine.serving.region import region_of
from engine.sidecar import settings
from host_bridge.errors import BadRequest, BadSpool
from host_bridge.forms import RequestFile, Source
from host_bridge.rules import SETTINGS
from host_bridge.spool import Spool
from host_bridge.vocabulary import Samples, Stem, quietly
from ui.models import results
from ui.models.results import Result, rebuild, rebuilt

RATE = 16_000


@pytest.fixture(scope="module")
def separator(tmp_path_factory: pytest.TempPathFactory) -> Separator:
    return Separator(Gaussian(), Shelf(tmp_path_factory.mktemp("inversions")))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    sound = 0.1 * np.random.default_rng(8).standard_normal((4 * RATE, 2))
    soundfile.write(tmp_path / "a - song.wav", sound, RATE, subtype="PCM_24")
    return tmp_path / "a - song.wav"


def separated(separator: Separator, song: Path, out: Path, **wish: Any) -> dict[str, Any]:
    request = Request.of(["0.5", "-0.5"], [1.0, 0.25], steps=4, method="joint", seed=7)
    return separator.separate(song, request, Wish(out, "a - song", 0.5, 2.5, **wish))


def test_everything_of_a_sidecar_is_there(separator: Separator, song: Path, tmp_path: Path) -> None:
    told = separated(separator, song, tmp_path / "out", gain_db=6.0)
    result = Result.of(told)
    assert [stem.prompt for stem in result.stems] == ["0.5", "-0.5"]
    assert [stem.strength for stem in result.stems] == [1.0, 0.25]
    assert {path.name for path in result.files} == {*told["files"]}
    assert all(path.is_file() for path in result.files)
    assert (result.mix, result.start, result.folder) == (song, RATE // 2, tmp_path / "out")
    assert (result.model, result.licence, result.method) == (told["model"]["name"], told["model"]["licence"], "joint")
    assert result.null_dbfs is not None
    assert result.null_dbfs < -120
    assert f"null {result.null_dbfs:.1f} dBFS" in result.facts
    assert f"with {result.model} ({result.licence}) on cpu" in result.facts
    sidecar = tmp_path / "out" / "a - song.json"
    assert Result.of(results.read(sidecar)).files == result.files


@pytest.mark.parametrize("wish", [{}, {"gain_db": -3.0}, {"stems": False}, {"rest": False}])
def test_a_result_is_made_again_to_the_byte_as_a_job(
    separator: Separator, song: Path, tmp_path: Path, spool: Spool, wish: dict[str, Any]
) -> None:
    old = separated(separator, song, tmp_path / "out", **wish)
    spool.put("the-same-again", rebuild(old))
    file, folder = spool.request("the-same-again"), spool.folder("the-same-again")
    again = Separator(separator.backbone, Shelf(tmp_path / "other"))
    new = again.separate(region_of(folder, file, quietly)[0], asked_of(file, {}), wish_of(file, folder / "stems"))
    assert rebuilt(old, new) == dict.fromkeys(old["files"], True)
    other = again.separate(song, replace(asked_of(file, {}), seed=8), Wish(tmp_path / "b", "a - song", 0.5, 2.5))
    assert not any(rebuilt(old, other).values())
    # and once more, from the job's own result
    once_more = rebuild(new)
    assert once_more.source[0].path == folder / "region.wav"
    assert (once_more.stems, once_more.settings, once_more.name) == (file.stems, file.settings, file.name)
    assert once_more.region == file.region


ZEROSEP = {"method": "zerosep"}
VARIATIONS: dict[str, tuple[dict[str, Any], ...]] = {
    "unlike": ({"unlike": "0.1"},),
    "method": ({"method": "zerosep"}, {"method": "nmf"}),
    "mode": ({"mode": "ddim"},),
    "steps": ({"steps": 3},),
    "depth": ({"depth": 0.5}, {"depth": 0.0}),
    "seed": ({"seed": 0}, {"seed": 7}),
    "complete": ({"complete": True},),
    "beyond": ({"beyond": True},),
    "unlike_others": ({"unlike_others": True, **ZEROSEP},),
    "renew": ({"renew": 0.0, **ZEROSEP}, {"renew": 0.3, **ZEROSEP}),
    "rounds": ({"rounds": 2, **ZEROSEP}, {"rounds": 1, "method": "dgmo"}),
    "draws": ({"draws": 2},),
    "guidance": ({"guidance": 0.0, "method": "dgmo"}, {"guidance": 2.0, "method": "dgmo"}),
    "generative": ({"generative": True},),
    "gain_db": ({"gain_db": 0.0}, {"gain_db": -3.5}),
    "rest": ({"rest": False},),
    "everything_but": ({"everything_but": True},),
}
"""Every setting of a request, with values unlike those of one that was left out, 0 among them where it means something."""


def test_every_setting_is_tried_on_its_way_to_a_sidecar_and_back() -> None:
    assert VARIATIONS.keys() == SETTINGS.keys()
    asked = {each.name for each in fields(Request)} - {"prompts", "strengths"}
    written = {each.name for each in fields(Wish)} - {"out", "name", "start_s", "length_s", "stems"} | {"everything_but"}
    assert asked | written == SETTINGS.keys(), "a request file can say whatever a request can"


@pytest.mark.parametrize(("key", "given"), [(key, given) for key, each in VARIATIONS.items() for given in each], ids=str)
def test_every_setting_comes_back_from_the_sidecar(
    separator: Separator, song: Path, tmp_path: Path, spool: Spool, key: str, given: dict[str, Any]
) -> None:
    strengths = (2.0, 0.25) if key == "beyond" else (1.0, 0.25)
    stems = tuple(Stem(prompt, strength) for prompt, strength in zip(("0.5", "-0.5"), strengths, strict=True))
    source = (Source(song, 0, Samples(0), Samples(RATE // 4)),)
    spool.put("the-first-one", RequestFile(stems, settings={"steps": 2, **given}, source=source, name="song"))
    file = spool.request("the-first-one")
    first, wish = asked_of(file, {}), wish_of(file, tmp_path / "out")
    region, _ = region_of(spool.folder("the-first-one"), file, quietly)
    told = separator.separate(region, first, wish)

    spool.put("the-same-again", rebuild(told))
    again = spool.request("the-same-again")
    for request, kept in (
        (asked_of(again, {}), wish_of(again, tmp_path / "out")),
        (command._request(told, Path("song.json")), command._wish(told, Path("song.json"), tmp_path / "out")),
    ):
        assert settings(request, separator.backbone, kept.gain_db) == settings(first, separator.backbone, wish.gain_db)
        for name in ("prompts", "strengths", "beyond", "generative"):
            assert getattr(request, name) == getattr(first, name)
        assert (kept.name, kept.stems, kept.rest, kept.gain_db) == (wish.name, wish.stems, wish.rest, wish.gain_db)
        value = getattr(request, key, None) if hasattr(request, key) else getattr(kept, key, not kept.stems)
        assert value == given[key]


def test_what_cannot_be_made_again_is_refused_in_words(separator: Separator, song: Path, tmp_path: Path) -> None:
    told = separated(separator, song, tmp_path / "out")
    with pytest.raises(BadRequest, match="does not say 'seed'"):
        rebuild({key: value for key, value in told.items() if key != "seed"})
    song.unlink()
    with pytest.raises(BadRequest, match="is gone"):
        rebuild(told)


def test_a_file_that_is_no_sidecar_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="does not exist"):
        results.read(tmp_path / "none.json")
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadSpool, match="schema"):
        results.read(tmp_path / "other.json")


def test_a_stem_says_whether_it_is_there() -> None:
    rows = [
        {"prompt": "a", "strength": 1, "path": "/a.wav", "found": True, "doubtful": False},
        {"prompt": "b", "strength": 1, "path": "/b.wav", "found": True, "doubtful": True},
        {"prompt": "c", "strength": 1, "path": "/c.wav", "found": False, "doubtful": False},
    ]
    notes = [stem.note for stem in Result.of({"stems": rows}).stems]
    assert notes == ["", "may not be here", "not found: the stem is silent"]


def test_a_sidecar_that_says_the_least_is_a_result_without_facts() -> None:
    result = Result.of({"stems": [{"prompt": "a", "strength": 1, "path": None}]})
    assert (result.files, result.folder, result.facts, result.mix) == ((), None, "", None)
