"""Everything of ours lies under ZEROSTEM_HOME when it is set, and where the system wants it when it is not."""

from dataclasses import astuple
from pathlib import Path

import pytest

from host_bridge.paths import places


def test_zerostem_home_holds_every_place(home: Path) -> None:
    assert all(place.is_relative_to(home) for place in astuple(places()))


def test_no_two_places_are_the_same_or_inside_each_other(home: Path) -> None:
    found = astuple(places())
    assert not any(a.is_relative_to(b) for a in found for b in found if a is not b)


def test_without_it_the_systems_own_folders_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.delenv("ZEROSTEM_HOME")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    found = astuple(places())
    assert all(place.is_absolute() and "zerostem" in str(place).lower() for place in found)
    assert len(set(found)) == len(found)
    assert not recwarn.list


def test_an_empty_zerostem_home_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEROSTEM_HOME", "")
    assert places().spool != Path("spool").absolute()


def test_a_relative_home_and_a_tilde_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZEROSTEM_HOME", "state")
    assert places().cache == tmp_path / "state" / "cache"
    monkeypatch.setenv("ZEROSTEM_HOME", "~/state")
    assert places().cache == Path.home() / "state" / "cache"


def test_asking_creates_nothing(home: Path) -> None:
    places()
    assert not list(home.iterdir())
