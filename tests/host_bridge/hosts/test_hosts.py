"""What every host of the table must keep to, tested without its DAW: where it looks, what it puts there, how it edits."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

from host_bridge.errors import ZeroStemError
from host_bridge.hosts import HOSTS, load
from host_bridge.hosts.base import Facts, Host
from host_bridge.vocabulary import is_line

FACTS = Facts(("/opt/a b/python", "-P", "-m", "host_bridge"), Path("/music/spool"), Path("/run/engine.json"))
OTHERS = Facts(("/new/python", "-m", "host_bridge"), Path("/elsewhere/spool ü"), Path("/run/other.json"))
AWKWARD = (
    b"",
    b"\n",
    b"one",
    b"one\ntwo\n",
    b"one\r\ntwo\r\n",
    b"one\r\ntwo",
    b"\n\n\n",
    b"\xff\xfe\x00",
    b"[a]\nb=1\n\n",
    b"[Module]\nmod-script-pipe=4\n",
)


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> Host:
    return load(request.param)


def test_the_table_holds_packages_that_exist_and_name_themselves_as_it_does() -> None:
    assert all(importlib.util.find_spec(package) for package in HOSTS.values())
    assert all(load(name).name == name for name in HOSTS)


def test_a_person_can_read_what_it_says(host: Host) -> None:
    assert is_line(host.title)
    assert host.processes
    assert all(is_line(sentence) and sentence.endswith((".", ")")) for sentence in host.advice())


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_it_looks_below_the_home_of_every_system_unless_a_variable_says_otherwise(host: Host, system: str) -> None:
    home = Path("/home of me")
    plain = host.folders(system, home, {})
    assert plain
    assert all(folder.is_relative_to(home) for folder in plain)
    told = {name: f"/moved/{name}" for name in ("APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME")}
    moved = host.folders(system, home, told)
    assert all(folder.is_absolute() for folder in moved)
    assert system == "darwin" or moved != plain


def test_its_files_stay_inside_the_folder_and_are_text(host: Host) -> None:
    for path, data in host.files(FACTS).items():
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert data.decode().isprintable() or "\n" in data.decode()


def test_its_files_hold_no_line_that_the_builder_should_have_replaced(host: Host) -> None:
    assert not [path for path, data in host.files(FACTS).items() if b"\n--@" in b"\n" + data]


@pytest.mark.needs("luac5.4")
def test_lua_finds_no_mistake_in_its_scripts(host: Host, tmp_path: Path) -> None:
    for path, data in host.files(FACTS).items():
        if path.suffix == ".lua":
            (tmp_path / path.name).write_bytes(data)
            subprocess.run(["luac5.4", "-p", path.name], cwd=tmp_path, check=True)


def test_its_edits_can_be_taken_back_byte_for_byte(host: Host) -> None:
    for edit, other in zip(host.edits(FACTS), host.edits(OTHERS), strict=True):
        assert edit.path == other.path
        assert any(edit.add(data) != data for data in (edit.missing, *AWKWARD))
        for before in (edit.missing, *AWKWARD):
            try:
                added = edit.add(before)
            except ZeroStemError:
                assert before != edit.missing
                continue
            assert edit.add(added) == added
            assert edit.remove(before) == before
            assert edit.remove(added) == before
            renewed = other.add(added)
            assert renewed == other.add(before)
            assert edit.remove(renewed) == before
