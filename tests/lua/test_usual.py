"""A script that no installer has told finds ZeroStem where the settings and the installers put it: asked of Lua itself."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from platformdirs.macos import MacOS
from platformdirs.unix import Unix

from host_bridge.hosts.build import SHARED, USUAL, build
from host_bridge.settings import places
from installers import linux, windows

ASK = """
local told = ...
local variables = {}
for name, value in told:gmatch ("([%w_]+)=([^\\n]*)\\n") do variables[name] = value end
local facts = loadfile (USUAL_FILE) () (SYSTEM, function (name) return variables[name] end)
io.write (facts.command[1], "\\n", facts.spool, "\\n", facts.engine_file)
"""


@pytest.fixture
def lua(need: Callable[..., None]) -> str:
    need("lua5.4")
    return "lua5.4"


def usual(lua: str, system: str, variables: Mapping[str, str]) -> list[str]:
    """Command, spool and engine file as Lua finds them."""
    code = ASK.replace("USUAL_FILE", json.dumps(str(SHARED / "usual.lua"))).replace("SYSTEM", json.dumps(system))
    told = "".join(f"{name}={value}\n" for name, value in variables.items())
    script = f"local code = {json.dumps(code)}; load (code) ({json.dumps(told)})"
    return subprocess.check_output([lua, "-e", script], text=True).split("\n")


@pytest.mark.parametrize("variables", [{}, {"XDG_DATA_HOME": "/data", "XDG_RUNTIME_DIR": "/run/me"}])
def test_on_linux(lua: str, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZEROSTEM_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home of/me")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    system = Unix("zerostem", appauthor=False)
    command, spool, engine = usual(lua, "linux", {"HOME": "/home of/me", **variables})
    assert command == str(linux.door().path)
    assert spool == f"{system.user_data_dir}/spool"
    if variables:
        assert engine == f"{system.user_runtime_dir}/engine.json"


def test_on_a_mac(lua: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/Users of/me")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    system = MacOS("zerostem", appauthor=False)
    _, spool, engine = usual(lua, "mac", {"HOME": "/Users of/me"})
    assert (spool, engine) == (f"{system.user_data_dir}/spool", f"{system.user_runtime_dir}/engine.json")


def test_on_windows(lua: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    command, spool, engine = usual(lua, "windows", {"LOCALAPPDATA": "/local"})
    assert command.replace("\\", "/") == str(windows.door().path)
    assert (spool, engine) == ("/local\\zerostem\\spool", "/local\\Temp\\zerostem\\engine.json")


@pytest.mark.skipif(os.name == "nt", reason="the paths are of another form")
def test_a_home_of_its_own_counts_first_and_a_built_script_finds_it(lua: str, tmp_path: Path, home: Path) -> None:
    (tmp_path / "x.lua").write_text("--@facts\nio.write (FACTS.spool, '\\n', FACTS.engine_file)")
    (tmp_path / "built.lua").write_bytes(build(tmp_path / "x.lua", USUAL))
    told = subprocess.check_output([lua, "built.lua"], cwd=tmp_path, text=True).split("\n")
    assert told == [str(places().spool), str(places().runtime)]
    assert told[0].startswith(str(home))
