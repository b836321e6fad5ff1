"""What holds of the Lua that is installed into Ardour, without an Ardour."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_bridge.hosts.ardour import HOST, SCRIPTS
from host_bridge.hosts.base import Facts

FACTS = Facts(("/opt/a b/python", "-P", "-m", "host_bridge"), Path("/music/spool"), Path("/run/engine.json"))
GIVEN = "Session Editor ARDOUR ArdourUI C PBD Temporal Editing LuaDialog os.forkexec".split()
MADE = "ardour factory action_params".split()
TAKEN = "dofile require package debug coroutine rawget rawset os.exit".split()
"""What Ardour's sandbox has not."""


@pytest.fixture
def built(tmp_path: Path) -> list[Path]:
    """The scripts as they are installed."""
    for path, data in HOST.files(FACTS).items():
        (tmp_path / path.name).write_bytes(data)
    return sorted(tmp_path.iterdir())


def test_luacheck_has_nothing_to_say_of_what_is_installed(built: list[Path], need: Callable[..., None]) -> None:
    need("luacheck")
    words = ["--no-color", "--std", "lua53", "--read-globals", *GIVEN, "--globals", *MADE, "--not-globals", *TAKEN]
    done = subprocess.run(
        ["luacheck", *map(str, built), *words, "--ignore", "43.", "631"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_action_can_be_found_under_its_name(built: list[Path]) -> None:
    assert len(built) == len(SCRIPTS)
    told = [path.read_text(encoding="utf-8") for path in built]
    assert all('["type"] = "EditorAction"' in text for text in told)
    assert all(any(f'name = "{name}"' in text for text in told) for name in SCRIPTS.values())


def test_no_action_lets_an_error_out_for_ardour_would_forget_it(built: list[Path]) -> None:
    assert all("say.guarded" in path.read_text(encoding="utf-8") for path in built)
