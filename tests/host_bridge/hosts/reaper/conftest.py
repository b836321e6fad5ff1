"""A stage on which our actions run in a strict REAPER: `play` performs a scene in Lua and returns all that can be seen."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from host_bridge.bwf import Writer
from host_bridge.hosts import load
from host_bridge.hosts.base import Facts
from host_bridge.vocabulary import Hertz

LUA = Path(__file__).parents[3] / "lua"
RATE = 8_000
LONGEST_S = 0.030
"""REAPER draws about 30 pictures a second: a step that is longer is seen."""


@dataclass(frozen=True)
class Told:
    """What a scene came to, by the keys that `stage.lua` prints."""

    everything: dict[str, Any]

    def __getattr__(self, key: str) -> Any:
        try:
            return self.everything[key]
        except KeyError as error:
            raise AttributeError(key) from error

    def track(self, name: str) -> dict[str, Any]:
        """The one track of that name."""
        (found,) = [track for track in self.tracks if track["name"] == name]
        return dict(found)

    def item(self, name: str) -> dict[str, Any]:
        """The one item of the one track of that name."""
        (found,) = self.track(name)["items"]
        return dict(found)


Play = Callable[..., Told]


@pytest.fixture(scope="session")
def lua(need: Callable[..., None]) -> str:
    """The interpreter; REAPER has 5.4 inside, and 5.3 before its version 7."""
    need("lua5.4")
    return "lua5.4"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with our scripts installed below `reaper`, and a home of ours below `home`."""
    program = tmp_path / "zerostem here" / "python"
    program.parent.mkdir()
    program.write_text("")
    return installed(tmp_path, (str(program), "-P", "-m", "host_bridge"))


def installed(folder: Path, command: tuple[str, ...]) -> Path:
    """Put the host's files and registrations where a scene looks for them."""
    host = load("reaper")
    facts = Facts(command, folder / "home" / "spool", folder / "home" / "engine.json")
    for path, data in host.files(facts).items():
        (folder / "reaper" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "reaper" / path).write_bytes(data)
    for edit in host.edits(facts):
        (folder / "reaper" / edit.path).write_bytes(edit.add(edit.missing))
    return folder


@pytest.fixture
def song(place: Path) -> Path:
    """Two channels, three seconds, every sample another one."""
    path = place / "song ü.wav"
    with Writer(path, Hertz(RATE), 2) as writer:
        writer.write(np.random.default_rng(0).uniform(-0.5, 0.5, (3 * RATE, 2)))
    return path


@pytest.fixture
def play(lua: str, place: Path, song: Path) -> Play:
    """Perform a scene; FILE is the song. real: with the real daemon, in real time. No step may be long."""

    def perform(scene: str, *, real: bool = False, lua: str = lua, **words: str) -> Told:
        names = {"FILE": str(song), **words}
        values = "".join(f"local {name} = [==[{value}]==] " for name, value in names.items())
        set_up = f"stage.options.real = true stage.options.execute = [==[{place / 'complaints'}]==] " if real else ""
        done = subprocess.run(
            [lua, str(LUA / "stage.lua"), str(place), values + set_up + scene],
            capture_output=True, text=True, check=False, timeout=300, env={**os.environ, "ZEROSTEM_HOME": str(place / "home")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        told = Told(json.loads(done.stdout))
        assert (told.refresh, told.depth) == (0, 0)
        assert "Something went wrong" not in told.console
        assert told.longest < LONGEST_S
        return told

    return perform


@pytest.fixture(scope="session")
def install() -> Callable[[Path, tuple[str, ...]], Path]:
    return installed
