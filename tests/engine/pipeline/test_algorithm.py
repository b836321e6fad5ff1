"""Results of older code are never reused: whatever decides what comes out is in the version, by itself."""

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from engine.backbones.gaussian import Gaussian
from engine.inversion import INVERSIONS
from engine.methods import METHODS, joint
from engine.methods.joint import Joint
from engine.pipeline import algorithm

ENGINE = Path(algorithm.__file__).parents[1]
ASK = """
from engine.pipeline.algorithm import version
from engine.backbones.gaussian import Gaussian
from engine.inversion import INVERSIONS
from engine.methods import METHODS
for method in ("joint", "zerosep", "dgmo"):
    for mode in ("ddpm", "ddim"):
        print(version(Gaussian(), METHODS[method], INVERSIONS[mode]))
"""
PAIRS = [(method, mode) for method in ("joint", "zerosep", "dgmo") for mode in ("ddpm", "ddim")]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The engine, to be edited."""
    for package in ("engine", "host_bridge", "presets"):
        leave = shutil.ignore_patterns("__pycache__", "*.safetensors", "library", "demo")
        shutil.copytree(ENGINE.parent / package, tmp_path / "copy" / package, ignore=leave)
    return tmp_path / "copy"


def versions() -> dict[tuple[str, str], str]:
    """Of each method with each inversion."""
    return {(a, b): algorithm.version(Gaussian(), METHODS[a], INVERSIONS[b]) for a, b in PAIRS}


def test_another_process_with_the_same_code_has_the_same_versions_whatever_else_it_has_imported(copy: Path) -> None:
    import_module("engine.separation")
    import_module("engine.methods.onepass")
    told = subprocess.run([sys.executable, "-c", ASK], cwd=copy, capture_output=True, text=True, check=True).stdout.split()
    assert dict(zip(PAIRS, told, strict=True)) == versions()


def test_a_version_changes_with_every_file_that_may_have_a_say_and_with_no_other(
    copy: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    caches = (algorithm._deciding, algorithm._imports)
    request.addfinalizer(lambda: [cache.cache_clear() for cache in caches])
    monkeypatch.setattr(algorithm, "ROOT", copy / "engine")

    def read() -> dict[tuple[str, str], str]:
        """As a process has them that starts now."""
        for cache in caches:
            cache.cache_clear()
        monkeypatch.setattr(algorithm, "_SOURCES", algorithm._read())
        return versions()

    before = read()
    assert len(set(before.values())) == len(PAIRS)

    def changed(name: str, text: str = "\nNEW = 1\n") -> set[tuple[str, str]]:
        nonlocal before
        with (copy / "engine" / name).open("a", encoding="utf-8") as file:
            file.write(text)
        now = read()
        other = {pair for pair in PAIRS if now[pair] != before[pair]}
        before = now
        return other

    everything = set(PAIRS)
    assert changed("methods/joint.py", "\nPOWER = 4.0\n") == {("joint", "ddpm"), ("joint", "ddim")}
    assert changed("inversion/ddim.py") == {pair for pair in PAIRS if pair[1] == "ddim"}
    assert changed("inversion/ddpm.py") == everything, "ddim builds on it"
    assert changed("pipeline/rendering.py") == everything
    assert changed("a_new_room.py", "X = 1\n") == everything, "nobody has to remember to name it"
    assert changed("methods/a_helper.py", "X = 1\n") == everything
    assert changed("commands/demo.py") | changed("daemon/jobs.py") | changed("backbones/audioldm.py") == set()


def test_an_experiment_that_sets_a_constant_has_a_version_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = algorithm.version(Gaussian(), METHODS["joint"])
    other = algorithm.version(Gaussian(), METHODS["zerosep"])
    with monkeypatch.context() as patch:
        patch.setattr(joint, "POWER", 4.0)
        assert algorithm.version(Gaussian(), METHODS["joint"]) != before
        assert algorithm.version(Gaussian(), METHODS["zerosep"]) == other
    assert algorithm.version(Gaussian(), METHODS["joint"]) == before


class Mine(Joint):
    """Somebody else's method."""


def test_a_method_from_elsewhere_counts_with_its_own_file_and_what_it_builds_on() -> None:
    assert algorithm.version(Gaussian(), Mine()) != algorithm.version(Gaussian(), METHODS["joint"])
    files = algorithm._deciding(frozenset({base.__module__ for base in Mine.__mro__ if base.__module__.startswith("engine.")}))
    assert "methods/joint.py" in files
    assert "methods/dgmo.py" not in files


def test_all_that_is_said_to_decide_nothing_is_there() -> None:
    assert [name for name in algorithm.OUTSIDE if not (ENGINE / name).exists()] == []
