"""ReaPack's index has the form that ReaPack reads, and lists just the scripts that lie beside it."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest

from host_bridge.errors import BadRequest
from host_bridge.hosts import load
from host_bridge.hosts.base import Facts
from installers import reapack

URL = "https://example.org/zero stem/"
WHEN = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def test_every_script_is_a_package_whose_source_lies_where_the_index_says(tmp_path: Path) -> None:
    written = reapack.publish(tmp_path, URL, WHEN)
    root = ET.parse(tmp_path / "index.xml").getroot()
    assert (root.tag, root.attrib) == ("index", {"version": "1", "name": "ZeroStem"})
    packages = root.findall("category/reapack")
    facts = Facts(("x",), Path("/s"), Path("/e"))
    assert [package.get("name") for package in packages] == sorted(
        path.name for path in load("reaper").files(facts) if path.suffix == ".lua"
    )
    for package in packages:
        assert package.get("type") == "script"
        assert (package.get("desc") or "").startswith("ZeroStem: ")
        (version,) = package.findall("version")
        assert version.get("time") == "2026-11-21T12:00:00Z"
        assert version.get("name")
        (source,) = version.findall("source")
        assert source.attrib == {"main": "main", "platform": "all"}
        address = source.text or ""
        assert " " not in address.removeprefix(URL)
        assert (tmp_path / unquote(address).removeprefix(URL)).is_file()
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())


def test_a_second_publication_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    first = {path: path.read_bytes() for path in reapack.publish(tmp_path, URL, WHEN)}
    assert {path: path.read_bytes() for path in reapack.publish(tmp_path, URL, WHEN)} == first


def test_the_scripts_hold_no_fact_of_this_machine() -> None:
    for name, data in reapack.scripts().items():
        assert str(Path.home()).encode() + b"/" not in data
        assert b"WindowsApps" in data, name


@pytest.mark.needs("luac5.4")
def test_the_scripts_are_whole_lua(tmp_path: Path) -> None:
    for name, data in reapack.scripts().items():
        (tmp_path / name).write_bytes(data)
        subprocess.run(["luac5.4", "-p", name], cwd=tmp_path, check=True)


def test_the_command_needs_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadRequest, match="--url"):
        reapack.main([str(tmp_path)])
    assert reapack.main([str(tmp_path), "--url", URL]) == 0
    assert str(tmp_path / "index.xml") in capsys.readouterr().out
