"""Each host goes in and comes out again on fake homes of three systems; what comes out is, byte for byte, what went in."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import psutil
import pytest

from engine.daemon.notify_host import HostNotifier
from host_bridge.cli import main
from host_bridge.hosts import HOSTS, load
from host_bridge.hosts.base import Edit, Facts, Host
from installers import host_port, hosts, record
from installers.file_transaction import take
from installers.service import CannotInstall

FACTS = Facts(("/opt/python", "-P", "-m", "host_bridge"), Path("/music/spool"), Path("/run/engine.json"))
OTHERS = Facts(("/new/python", "-m", "host_bridge"), Path("/elsewhere"), Path("/run/engine.json"))
OWN_SETTINGS = {"audacity": b"[Locale]\nLanguage=en\n[Module]\nmod-script-pipe=0\n[GUI]\n"}
"""What a host must find in its file to have something to edit."""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the fake homes need names and links that Windows refuses")


@dataclass(frozen=True)
class Pretend:
    """A DAW of files in two folders, one settings file that may be there and one that is not."""

    name: str = "pretend"
    title: str = "Pretend"
    processes: tuple[str, ...] = ("pretend",)
    port: int | None = 4711
    names: tuple[str, ...] = ("Scripts/ZeroStem/one.lua", "Scripts/ZeroStem/two.lua", "osc/zerostem.osc")

    def folders(self, system: str, home: Path, environment: Mapping[str, str]) -> list[Path]:
        return [home / system / "Pretend", home / system / "Pretend2"]

    def files(self, facts: Facts) -> dict[PurePosixPath, bytes]:
        return {PurePosixPath(name): f"-- {name} {facts.command[0]}\n".encode() for name in self.names}

    def edits(self, facts: Facts) -> tuple[Edit, ...]:
        line = f"ZEROSTEM {facts.command[0]}\n".encode()
        return tuple(Edit(PurePosixPath(name), self._add(line), self._remove) for name in ("keys.ini", "deep/er/new.ini"))

    def advice(self) -> tuple[str, ...]:
        return ("Press the button.",)

    def _add(self, line: bytes) -> Callable[[bytes], bytes]:
        return lambda data: line + self._remove(data)

    def _remove(self, data: bytes) -> bytes:
        return b"".join(line for line in data.splitlines(keepends=True) if not line.startswith(b"ZEROSTEM "))


class Process:
    """What psutil says of one; whose it is may stay hidden."""

    def __init__(self, name: str | None, user: str | None = None) -> None:
        self.info = {"name": name, "username": user}


@dataclass(frozen=True)
class Machine:
    """A fake home in which the DAW has been started once, so that its folder and some settings of the user's are there."""

    host: Host
    home: Path
    folder: Path
    said: list[str]

    def install(self, facts: Facts = FACTS, **words: Any) -> None:
        hosts.install(self.host, None, facts, self.said.append, **words)

    def uninstall(self, **words: Any) -> None:
        hosts.uninstall(self.host, None, FACTS, self.said.append, **words)

    def tree(self) -> dict[str, bytes | int | None]:
        every = sorted(self.home.rglob("*"))
        return {str(path.relative_to(self.home)): path.read_bytes() if path.is_file() else None for path in every} | {
            f"mode of {path.relative_to(self.home)}": path.lstat().st_mode for path in every
        }

    def files(self) -> list[Path]:
        return [self.folder / path for path in self.host.files(FACTS)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a home"
    folder.mkdir()
    monkeypatch.setattr(Path, "home", lambda: folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("ZEROSTEM_HOME", str(folder / "zerostem"))
    for name in ("APPDATA", "LOCALAPPDATA", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(psutil, "process_iter", lambda _attributes: iter(()))  # the DAWs of this machine are not meant
    (folder / "zerostem").mkdir()
    return folder


def machine_of(host: Host, system: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(sys, "platform", system)
    folder = host.folders(system, home, {})[0]
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    for edit in host.edits(FACTS)[:1]:
        path = folder / edit.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(OWN_SETTINGS.get(host.name, edit.missing))
        path.chmod(0o640)
    return Machine(host, home, folder, [])


@pytest.fixture(
    params=[(name, system) for name in ("pretend", *HOSTS) for system in ("linux", "darwin", "win32")], ids="-".join
)
def machine(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    name, system = request.param
    return machine_of(Pretend() if name == "pretend" else load(name), system, home, monkeypatch)


@pytest.fixture
def pretend(home: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return machine_of(Pretend(), "linux", home, monkeypatch)


def test_what_comes_out_is_just_what_went_in(machine: Machine) -> None:
    before = machine.tree()
    machine.install()
    assert machine.tree() != before
    assert all(path.is_file() for path in machine.files())
    machine.uninstall()
    assert machine.tree() == before


def test_a_second_install_changes_nothing_and_says_so(machine: Machine) -> None:
    before = machine.tree()
    machine.install()
    first = machine.tree()
    machine.said.clear()
    machine.install()
    assert machine.tree() == first
    assert "Nothing to do" in machine.said[0]
    machine.uninstall()
    assert machine.tree() == before


def test_an_install_with_other_facts_replaces_the_first(machine: Machine) -> None:
    before = machine.tree()
    machine.install()
    machine.install(OTHERS)
    for path, data in machine.host.files(OTHERS).items():
        assert (machine.folder / path).read_bytes() == data
    machine.uninstall()
    assert machine.tree() == before


def test_a_dry_run_touches_nothing_and_names_every_file(machine: Machine) -> None:
    before = machine.tree()
    machine.install(dry=True)
    assert machine.tree() == before
    assert all(str(path) in "\n".join(machine.said) for path in machine.files())
    machine.install()
    installed = machine.tree()
    machine.uninstall(dry=True)
    assert machine.tree() == installed


def test_a_second_uninstall_says_that_there_is_nothing(machine: Machine) -> None:
    machine.install()
    machine.uninstall()
    before = machine.tree()
    machine.uninstall()
    assert machine.tree() == before
    assert "Nothing" in machine.said[-1]


def test_what_the_user_writes_into_the_daws_own_files_stays(machine: Machine) -> None:
    edits = machine.host.edits(FACTS)
    if not edits:
        pytest.skip("it edits no file of the DAW's")
    path = machine.folder / edits[0].path
    before = path.read_bytes()
    machine.install()
    path.unlink()
    path.write_bytes(before)  # the user brought an old copy back
    machine.install()
    assert edits[0].add(before) == path.read_bytes()
    machine.uninstall()
    assert path.read_bytes() == before


def test_a_file_of_ours_that_was_edited_is_kept_under_another_name(machine: Machine) -> None:
    machine.install()
    for path in machine.files():
        path.write_bytes(b"-- better\n")
    machine.install()
    for name, data in machine.host.files(FACTS).items():
        assert (machine.folder / name).read_bytes() == data
    for path in machine.files():
        path.write_bytes(b"-- best\n")
    machine.uninstall()
    for path in machine.files():
        assert not path.exists()
        assert path.with_name(f"{path.name}.changed").read_bytes() == b"-- better\n"
        assert path.with_name(f"{path.name}.changed (2)").read_bytes() == b"-- best\n"


def test_strangers_in_the_way_are_set_aside_and_brought_back(machine: Machine) -> None:
    for number, path in enumerate(machine.files()):
        path.parent.mkdir(parents=True, exist_ok=True)
        if number == 1:
            path.mkdir()
        elif number == 2:
            path.symlink_to(machine.home / "elsewhere")
        else:
            path.write_bytes(b"a stranger's")
    before = machine.tree()
    machine.install()
    machine.install()
    assert all(path.is_file() and not path.is_symlink() for path in machine.files())
    machine.uninstall()
    assert machine.tree() == before


def test_nothing_is_edited_while_the_daw_runs(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    if not machine.host.edits(FACTS):
        pytest.skip("it edits no file of the DAW's")

    name = machine.host.processes[0]
    before = machine.tree()
    runs = [Process("python"), Process(f"{name}.exe")]
    with monkeypatch.context() as patch:
        patch.setattr(psutil, "process_iter", lambda _attributes: iter(runs))
        with pytest.raises(CannotInstall, match="Close it"):
            machine.install()
    assert machine.tree() == before
    machine.install()
    monkeypatch.setattr(psutil, "process_iter", lambda _attributes: iter(runs))
    machine.install()  # nothing is left to edit, so nobody minds
    with pytest.raises(CannotInstall, match="Close it"):
        machine.uninstall()


def test_a_bell_is_hung_for_the_daemon_to_ring_and_taken_down_again(machine: Machine) -> None:
    machine.install()
    config = machine.home / "zerostem" / "config"
    assert (machine.host.name in (config / host_port.FILE).read_text()) if machine.host.port else not config.exists()
    machine.uninstall()
    assert not config.exists()


def test_a_daemon_that_runs_must_be_started_again_to_hear_of_the_bell(
    pretend: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host_bridge.discovery.found", lambda: "a daemon")
    pretend.install()
    assert [line for line in pretend.said if "once it has been started again" in line]
    pretend.said.clear()
    pretend.install()
    assert not [line for line in pretend.said if "started again" in line]


def test_a_program_is_known_by_its_name_whatever_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*names: str | None, user: str | None = None) -> str | None:
        monkeypatch.setattr(psutil, "process_iter", lambda _attributes: (Process(name, user) for name in names))
        return hosts.running(("Ardour", "reaper"))

    assert found("ardour-7.3.0~ds0") == "ardour-7.3.0~ds0"
    assert found("x", None, "REAPER.exe") == "REAPER.exe"
    assert found("reaper") == "reaper"
    assert found("tmpreaper", "reapers", "ardours", "") is None
    assert found("reaper", user=psutil.Process().username())
    assert not found("reaper", user="somebody else")


def test_when_something_cannot_be_written_everything_is_as_it_was(pretend: Machine) -> None:
    (pretend.folder / "deep").write_text("a file where a folder should be")
    before = pretend.tree()
    with pytest.raises(CannotInstall, match="as it was"):
        pretend.install()
    assert pretend.tree() == before


def test_an_uninstall_that_fails_leaves_everything_as_it_was(pretend: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend.install()
    before = pretend.tree()
    real = Path.unlink

    def refusing(path: Path, missing_ok: bool = False) -> None:
        if path.name == record.FILE:
            raise PermissionError(13, "Permission denied", str(path))
        real(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refusing)
        with pytest.raises(CannotInstall, match=r"zerostem-installed.json cannot be changed"):
            pretend.uninstall()
    assert pretend.tree() == before


def test_every_folder_of_the_daw_that_exists_gets_it(pretend: Machine) -> None:
    other = pretend.home / "linux" / "Pretend2"
    other.mkdir()
    before = pretend.tree()
    pretend.install()
    assert (other / "Scripts/ZeroStem/one.lua").is_file()
    pretend.uninstall()
    assert pretend.tree() == before


def test_a_portable_folder_is_named_and_may_travel(pretend: Machine, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    hosts.install(pretend.host, stick, FACTS, pretend.said.append)
    assert not (pretend.folder / record.FILE).exists()
    moved = stick.rename(tmp_path / "another drive")
    hosts.uninstall(pretend.host, moved, FACTS, pretend.said.append)
    assert not list(moved.iterdir())


def test_a_daw_that_is_not_there_is_told_with_where_it_was_looked_for(pretend: Machine, tmp_path: Path) -> None:
    (pretend.folder / "mine.txt").unlink()
    (pretend.folder / "keys.ini").unlink()
    pretend.folder.rmdir()
    with pytest.raises(CannotInstall, match=r"looked for: .*Pretend, .*Pretend2\. Start Pretend once, or .*--path"):
        pretend.install()
    with pytest.raises(CannotInstall, match="is no folder"):
        hosts.install(pretend.host, tmp_path / "nowhere", FACTS, pretend.said.append)


def test_what_an_earlier_version_installed_goes_unless_it_was_edited(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = machine_of(Pretend(), "linux", home, monkeypatch)
    before = now.tree()
    earlier = Machine(Pretend(names=("Scripts/old.lua", "Scripts/kept.lua")), home, now.folder, [])
    earlier.install()
    (now.folder / "Scripts/kept.lua").write_text("-- mine now")
    now.install()
    assert not (now.folder / "Scripts/old.lua").exists()
    assert (now.folder / "Scripts/kept.lua").read_text() == "-- mine now"
    (now.folder / "Scripts/kept.lua").unlink()
    now.uninstall()
    assert now.tree() == before


def test_a_settings_file_that_is_a_link_stays_one(pretend: Machine) -> None:
    real = pretend.home / "dotfiles.ini"
    real.write_bytes(b"mine\n")
    (pretend.folder / "keys.ini").unlink()
    (pretend.folder / "keys.ini").symlink_to(real)
    before = pretend.tree()
    pretend.install()
    assert (pretend.folder / "keys.ini").is_symlink()
    assert real.read_bytes() == b"ZEROSTEM /opt/python\nmine\n"
    pretend.uninstall()
    assert (pretend.folder / "keys.ini").is_symlink()
    assert pretend.tree() == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": []}', '{"files": 1, "aside": {}, "folders": [], "made": []}'])
def test_a_record_that_is_damaged_is_told(pretend: Machine, text: str) -> None:
    (pretend.folder / record.FILE).write_text(text)
    before = pretend.tree()
    with pytest.raises(CannotInstall, match="not as we wrote it"):
        pretend.install()
    assert pretend.tree() == before


OWN = ["", "# a note\n", "[ardour]\nport = 3819", "\n\n[ardour]\r\nport = 3819\r\n", "# a note\n[ardour]\nport = 1\n# end"]


@pytest.mark.parametrize("own", OWN)
def test_a_bell_is_read_by_the_daemon_and_comes_out_byte_for_byte(own: str, home: Path) -> None:
    path = home / host_port.FILE
    path.write_bytes(own.encode())
    for step in host_port.added(home, "reaper", 8000):
        take([step])
    assert HostNotifier.read(home).packets["reaper"][0] == 8000
    assert host_port.added(home, "reaper", 8000) == []
    take(host_port.taken(home, "reaper"))
    assert (path.read_bytes() if path.exists() else b"") == own.encode()


def test_a_bell_of_the_users_stays(home: Path) -> None:
    path = home / host_port.FILE
    path.write_text("[reaper]\nport = 9000\n")
    assert host_port.added(home, "reaper", 8000) == []
    assert host_port.taken(home, "reaper") == []
    path.unlink()
    take(host_port.added(home, "ardour", 3819))
    path.write_text(path.read_text() + 'action = "LuaAction/script-3"\n')
    assert host_port.taken(home, "ardour") == []
    path.write_text("[reaper\n")
    with pytest.raises(CannotInstall, match="Mend it"):
        host_port.added(home, "reaper", 8000)


def test_the_facts_are_of_this_installation_and_carry_its_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = hosts.here()
    assert facts.command[:2] == ("/usr/bin/env", f"ZEROSTEM_HOME={home / 'zerostem'}")
    assert facts.command[-4:] == (sys.executable, "-P", "-m", "host_bridge")
    assert facts.spool == home / "zerostem" / "spool"
    monkeypatch.setattr(sys, "platform", "win32")
    assert hosts.here().command[0] == sys.executable


def test_the_command_installs_into_a_named_folder(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in HOSTS:
        folder = home / f"portable {name}"
        folder.mkdir()
        words = [name, "--path", str(folder)]
        assert main(["install", *words, "--dry-run"]) == 0
        assert not list(folder.iterdir())
        assert main(["install", *words]) == 0
        assert (folder / record.FILE).is_file() == bool(load(name).files(FACTS))
        assert main(["uninstall", *words]) == 0
        assert not list(folder.iterdir())
    assert main(["install", "service", "--path", str(home)]) == 2
    assert "Leave out --path" in capsys.readouterr().err
