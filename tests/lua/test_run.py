"""The tests that are written in Lua, which somebody without Python runs by `lua5.4 tests/lua/run.lua`."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_bridge.hosts import reaper
from host_bridge.hosts.base import Facts
from host_bridge.hosts.build import build

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(os.name == "nt", reason="it wants a Unix shell")


@pytest.fixture(params=["lua5.4", "lua5.3"])
def lua(request: pytest.FixtureRequest, need: Callable[..., None]) -> str:
    need(request.param)
    return str(request.param)


def run(lua: str, *words: object) -> subprocess.CompletedProcess[str]:
    command = [lua, str(HERE / "run.lua"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_every_test_in_lua_passes(lua: str) -> None:
    done = run(lua)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {line.split()[1].rstrip(":") for line in done.stdout.splitlines() if line.startswith("ok")} == {
        path.name for path in HERE.glob("test_*.lua")
    }


def test_a_test_that_fails_is_named_and_fails_the_run(lua: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.lua").write_text('local t = ... t.test ("one", function () t.same ({ 1 }, { 2 }) end)')
    done = run(lua, tmp_path / "test_it.lua")
    assert done.returncode == 1
    assert "FAILED  test_it.lua: one" in done.stdout
    assert "found { [1] = 1 }, wanted { [1] = 2 }" in done.stdout


def test_lua_puts_a_script_together_as_we_install_it(lua: str) -> None:
    script = Path(reaper.__file__).with_name("main.lua")
    command = [lua, str(HERE / "build.lua"), str(script), "/a spool", "/run/ü.json", "/a b/python", 'say "hi"', "\\"]
    facts = Facts(("/a b/python", 'say "hi"', "\\"), Path("/a spool"), Path("/run/ü.json"))
    assert subprocess.run(command, capture_output=True, check=True).stdout == build(script, facts)
