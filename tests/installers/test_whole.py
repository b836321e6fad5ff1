"""All of ZeroStem goes onto a machine and off it: shell scripts really run, with stand-ins for pip, systemd and the rest.

The environment that the scripts make is a stand-in too, in which this checkout answers; no macOS and no Windows ran them.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from host_bridge import discovery
from host_bridge.client import NoDaemon
from host_bridge.errors import BadRequest
from host_bridge.hosts import HOSTS, load
from installers import door, linux, macos, smoke, whole, windows
from installers.door import Door

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "installers"
pytestmark = [pytest.mark.process, pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")]

PYTHON = """#!/bin/sh
# Stands in for a Python: `-m venv` makes an environment whose python is this one, pip only says what it was asked for.
case "$*" in
	"-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python" ;;
	"-m pip "*) echo "pip $*" >> "$CALLED" ;;
	*) exec "$REAL" "$@" ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
# Stands in for systemd: what the unit says is really started, and ended again.
echo "systemctl $*" >> "$CALLED"
case "$*" in
	*"enable --now"*) nohup "$REAL" -P -m host_bridge daemon --port 0 > "$CALLED.daemon" 2>&1 & echo $! > "$CALLED.pid" ;;
	*"disable --now"*) kill "$(cat "$CALLED.pid")" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path, home: Path) -> dict[str, str]:
    """The variables of a fake machine with REAPER on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("python", PYTHON), ("systemctl", SYSTEMCTL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (tmp_path / "a home" / ".config" / "REAPER").mkdir(parents=True)
    return {
        "HOME": str(tmp_path / "a home"),
        "PATH": f"{folder}:/usr/bin:/bin",
        "PYTHON": str(folder / "python"),
        "PYTHONPATH": str(ROOT),
        "REAL": sys.executable,
        "CALLED": str(tmp_path / "called"),
        "ZEROSTEM_HOME": str(home),
        "OMP_NUM_THREADS": "1",
    }


def run(script: str, machine: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(SCRIPTS / script), *words]
    return subprocess.run(command, env=machine, cwd=machine["HOME"], capture_output=True, text=True, check=False, timeout=120)


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is systemd's")
@pytest.mark.parametrize("script", ["linux.sh", "macos.sh"])
def test_everything_goes_in_answers_and_comes_out_again(script: str, machine: dict[str, str], tmp_path: Path) -> None:
    house = Path(machine["HOME"])
    before = tree(house)
    try:
        done = run(script, machine, "reaper")
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.splitlines()[-1].startswith("It works: zerostem ")
        assert f"{house}/.local/bin/zerostem" in done.stdout
        assert (house / ".config/REAPER/zerostem-installed.json").is_file()
        called = (tmp_path / "called").read_text()
        assert f"-c {ROOT}/constraints.txt {ROOT}" in called
        version = subprocess.check_output([house / ".local/bin/zerostem", "--version"], env=machine, text=True)
        assert version.startswith("zerostem ")
        again = run(script, machine, "reaper")
        assert again.returncode == 0, again.stdout + again.stderr
        assert "Nothing to do" in again.stdout
    finally:
        gone = run(script, machine, "--uninstall")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert {name for name in tree(house) - before if not name.startswith((".local/share", "Library"))} <= {".local"}
    assert not [name for name in tree(house) if "zerostem-app" in name]
    assert run(script, machine, "--uninstall").returncode == 1


def test_an_old_python_and_a_strangers_folder_are_told_before_anything_is_done(machine: dict[str, str], tmp_path: Path) -> None:
    before = tree(Path(machine["HOME"]))
    old = run("linux.sh", {**machine, "PYTHON": "/bin/false"})
    assert (old.returncode, old.stdout) == (1, "")
    assert "older than 3.11, or missing" in old.stderr
    (tmp_path / "mine").mkdir()
    for words in ((), ("--uninstall",)):
        assert run("linux.sh", {**machine, "ZEROSTEM_APP": str(tmp_path / "mine")}, *words).returncode == 1
    assert (tmp_path / "mine").is_dir()
    assert tree(Path(machine["HOME"])) == before
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("script", ["linux.sh", "macos.sh", "windows.ps1"])
def test_the_scripts_are_short_and_call_their_module(script: str) -> None:
    lines = (SCRIPTS / script).read_text(encoding="utf-8").splitlines()
    assert len(lines) < 30
    assert f"-m installers.{Path(script).stem}" in "\n".join(lines)
    if script.endswith(".sh"):
        subprocess.run(["sh", "-n", str(SCRIPTS / script)], check=True)


def test_what_the_two_shell_scripts_do_differs_in_their_places_alone() -> None:
    def plain(script: str) -> list[str]:
        text = (SCRIPTS / script).read_text().replace("macOS", "Linux").replace("macos", "linux")
        return [line for line in text.splitlines() if "zerostem-app}" not in line and "zerostem-app)" not in line]

    assert plain("linux.sh") == plain("macos.sh")


DOORS = {"linux": linux.door, "macos": macos.door, "windows": windows.door}


@pytest.fixture(params=DOORS)
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    return DOORS[request.param]()


def test_the_command_goes_in_twice_without_harm_and_comes_out(way: Door, tmp_path: Path) -> None:
    said: list[str] = []
    door.put_in(way, said.append)
    first = way.path.read_bytes()
    door.put_in(way, said.append)
    assert way.path.read_bytes() == first
    assert sys.executable.encode() in first
    assert way.found in said
    door.take_out(way, said.append)
    assert tree(tmp_path) == set()
    door.take_out(way, said.append)


def test_a_command_that_is_not_as_we_write_it_stays(way: Door) -> None:
    said: list[str] = []
    door.put_in(way, said.append)
    for data in (way.path.read_bytes() + b"# mine\n", b"a stranger's", b"\xff"):
        way.path.write_bytes(data)
        door.put_in(way, said.append)
        assert "stays" in said[-1]
        door.take_out(way, said.append)
        assert way.path.read_bytes() == data


def test_a_command_of_an_earlier_environment_is_replaced(way: Door) -> None:
    door.put_in(way, lambda _text: None)
    door.put_in(Door(way.path, way.text.replace(sys.executable, "/new/python"), way.comment, way.found), lambda _text: None)
    assert b"/new/python" in way.path.read_bytes()


def test_a_python_with_awkward_signs_in_its_path_is_called_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / 'it\'s "$HOME" %PATH%'
    python.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    way = linux.door()
    door.put_in(way, lambda _text: None)
    assert subprocess.check_output([way.path, "a b", "*"], text=True) == "-P|-m|host_bridge|a b|*|"
    assert "%%PATH%%" in windows.door().text


SYSTEMS = {"linux": ("systemctl", linux.door), "darwin": ("launchctl", macos.door), "win32": ("schtasks", windows.door)}


@pytest.mark.parametrize("platform", SYSTEMS)
def test_on_each_system_everything_goes_in_and_comes_out_again(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, made = SYSTEMS[platform]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / tool).write_text('#!/bin/sh\necho "$*" >> "$CALLED"\n')
    (tmp_path / "bin" / tool).chmod(0o755)
    house = tmp_path / "a home"
    for name in HOSTS:
        load(name).folders(platform, house, {})[0].mkdir(parents=True)
    before = tree(house)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    for name in ("APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: house)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(psutil, "process_iter", lambda _attributes: iter(()))
    monkeypatch.setattr(whole, "_check", lambda _no_service, say: say("checked"))
    said: list[str] = []
    assert whole.main(made(), [], said.append) == 0, said
    assert said[-1] == "checked"
    assert made().path.is_file()
    assert (tmp_path / "called").is_file()
    assert whole.main(made(), ["--uninstall"], said.append) == 0, said
    assert tree(house) == before


def test_parts_that_fail_are_told_and_the_others_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(whole, "_check", lambda _no_service, say: say("checked"))
    (tmp_path / ".config" / "ardour8").mkdir(parents=True)
    (tmp_path / ".config" / "ardour8" / "zerostem-installed.json").write_text("{")
    said: list[str] = []
    assert whole.main(linux.door(), [], said.append) == 1
    text = "\n".join(said)
    assert "not as we wrote it" in text
    assert "`systemctl` cannot be run" in text
    assert said[-1] == "checked"
    with pytest.raises(BadRequest, match="known are reaper, ardour, audacity"):
        whole.main(linux.door(), ["cubase"], said.append)


def test_the_smoke_check_tells_that_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NoDaemon):
        smoke.check(lambda _text: None, 0.0)
    assert smoke.main(["0"]) == 1
    assert "No daemon runs" in capsys.readouterr().err


def test_the_smoke_check_hears_a_daemon(home: Path) -> None:
    command = [sys.executable, "-m", "host_bridge", "daemon", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}) as daemon:
        said: list[str] = []
        try:
            smoke.check(said.append)
        finally:
            daemon.send_signal(signal.SIGINT)
    assert said
    assert f"process {daemon.pid}" in said[0]


def test_without_a_service_a_daemon_is_started_that_an_uninstall_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    said: list[str] = []
    assert whole.main(linux.door(), ["--no-service"], said.append) == 0
    assert "It works" in said[-1]
    assert any("No DAW was found" in line for line in said)
    assert whole.main(linux.door(), ["--uninstall"], said.append) == 0
    until = time.monotonic() + 20
    while discovery.found() and time.monotonic() < until:
        time.sleep(0.02)
    assert not discovery.found()
