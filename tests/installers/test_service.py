"""The service goes in and comes out again on each system: on fake homes, with stand-ins for the systems' own commands.

No launchd and no Windows ran these; what their files say is checked by parsing them.
"""

import os
import plistlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from host_bridge.cli import main
from host_bridge.hosts import HOSTS
from installers import launchd, logon_task, receipt, service, systemd
from installers.system import Program, System

TOOLS = {"linux": "systemctl", "darwin": "launchctl", "win32": "schtasks"}
NS = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")

STAND_IN = """#!/bin/sh
printf '%s\\n' "${0##*/} $*" >> "$CALLED"
case "$*" in $REFUSE) echo "the $1 was refused" >&2; exit 1;; esac
"""


@dataclass(frozen=True)
class Machine:
    """A fake home, and what its stand-ins were called with."""

    system: System
    home: Path
    called: Path
    program: Program
    said: list[str]

    def install(self) -> None:
        service.install(self.system, self.program, service.call, self.said.append)

    def uninstall(self) -> None:
        service.uninstall(self.system, service.call, self.said.append)

    def calls(self) -> list[str]:
        lines = self.called.read_text().splitlines() if self.called.exists() else []
        self.called.unlink(missing_ok=True)
        return lines

    def text(self) -> str:
        return self.system.path().read_bytes().decode(self.system.encoding)

    def tree(self) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(self.home)): path.read_bytes() if path.is_file() else None for path in self.home.rglob("*")
        }


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins on PATH; $CALLED lists what they were called with, and they refuse what matches $REFUSE."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS.values():
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("CALLED", str(tmp_path / "called"))
    monkeypatch.setenv("REFUSE", "nothing")
    return folder


@pytest.fixture
def fake_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(Path, "home", lambda: folder)
    for name in ("XDG_CONFIG_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(params=sorted(service.SYSTEMS))
def machine(request: pytest.FixtureRequest, fake_home: Path, tools: Path) -> Machine:
    program = Program((sys.executable, "-m", "host_bridge", "daemon"), {"ZEROSTEM_HOME": "/a b"}, fake_home.parent / "log")
    return Machine(service.SYSTEMS[request.param], fake_home, fake_home.parent / "called", program, [])


def test_what_is_installed_names_this_interpreter_and_the_daemon(machine: Machine) -> None:
    machine.install()
    text = machine.text()
    assert sys.executable in text
    assert "daemon" in text
    assert machine.calls()
    assert str(machine.system.path()) in " ".join(machine.said)


def test_what_comes_out_is_just_what_went_in(machine: Machine) -> None:
    (machine.home / "mine.txt").write_text("mine")
    before = machine.tree()
    machine.install()
    assert machine.tree() != before
    machine.uninstall()
    assert machine.tree() == before


def test_a_second_install_changes_nothing_and_does_not_stop_the_daemon(machine: Machine) -> None:
    machine.install()
    first, _ = machine.tree(), machine.calls()
    machine.install()
    assert machine.tree() == first
    assert machine.calls() == [" ".join(words) for words in machine.system.nudge]
    assert "already" in machine.said[-1]
    machine.uninstall()
    assert machine.tree() == {}


def test_a_second_install_of_something_else_replaces_the_first(machine: Machine) -> None:
    machine.install()
    machine.calls()
    other = Machine(machine.system, machine.home, machine.called, Program(("/new/python",), {}, machine.program.log), [])
    other.install()
    assert "/new/python" in other.text()
    leave, start = machine.system.leave, machine.system.start(machine.system.path())
    assert other.calls() == [" ".join(words) for words in (*leave, *start)]
    other.uninstall()
    assert machine.tree() == {}


def test_a_second_uninstall_says_that_there_is_nothing(machine: Machine) -> None:
    machine.install()
    machine.uninstall()
    machine.calls()
    machine.uninstall()
    assert machine.calls() == []
    assert "not installed" in machine.said[-1]


def test_a_strangers_file_is_set_aside_said_and_brought_back(machine: Machine) -> None:
    path = machine.system.path()
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe\x00 a stranger's")
    before = machine.tree()
    machine.install()
    aside = path.with_name(f"{path.name}.before-zerostem")
    assert aside.read_bytes() == b"\xff\xfe\x00 a stranger's"
    assert str(aside) in " ".join(machine.said)
    machine.uninstall()
    assert machine.tree() == before
    machine.calls()
    machine.uninstall()
    assert machine.tree() == before
    assert machine.calls() == []
    assert "not ours" in machine.said[-1]


def test_our_file_with_changes_of_the_users_is_kept_under_another_name(machine: Machine) -> None:
    machine.install()
    path = machine.system.path()
    changed = machine.text().replace("python", "my-python", 1)
    path.write_bytes(changed.encode(machine.system.encoding))
    machine.uninstall()
    kept = path.with_name(f"{path.name}.changed")
    assert kept.read_bytes().decode(machine.system.encoding) == changed
    assert not path.exists()
    assert str(kept) in " ".join(machine.said)


def test_when_the_system_refuses_everything_is_as_it_was(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSE", "*")
    with pytest.raises(service.CannotInstall, match="was refused"):
        machine.install()
    assert machine.tree() == {}
    path = machine.system.path()
    path.parent.mkdir(parents=True)
    path.write_text("a stranger's")
    before = machine.tree()
    with pytest.raises(service.CannotInstall):
        machine.install()
    assert machine.tree() == before


def test_a_change_that_the_system_refuses_leaves_the_former_service(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.install()
    before = machine.tree()
    monkeypatch.setenv("REFUSE", "*")
    other = Machine(machine.system, machine.home, machine.called, Program(("/new/python",), {}, machine.program.log), [])
    with pytest.raises(service.CannotInstall):
        other.install()
    assert machine.tree() == before


def test_a_system_without_its_own_command_is_told_in_two_sentences(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(machine.home))
    with pytest.raises(service.CannotInstall, match=r"cannot be run.*`zerostem daemon`"):
        machine.install()
    assert machine.tree() == {}


def test_a_home_that_cannot_be_written_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    top = machine.system.path().relative_to(machine.home).parts[0]
    (machine.home / top).write_text("a file where a folder should be")
    with pytest.raises(service.CannotInstall, match="cannot be written"):
        machine.install()
    assert list(machine.tree()) == [top]


AWKWARD = Program(("/opt/my music/py%thon", 'say "hi"', "a\\b", "$HOME", "<&>"), {"HF_HOME": '/a "b" %c $d\\'}, Path("/log"))


def test_the_unit_survives_awkward_words() -> None:
    text = systemd.text(AWKWARD)
    assert 'ExecStart="/opt/my music/py%%thon" "say \\"hi\\"" "a\\\\b" "$$HOME" "<&>"' in text
    assert 'Environment="HF_HOME=/a \\"b\\" %%c $d\\\\"' in text


@pytest.mark.needs("systemd-analyze")
def test_systemd_itself_finds_no_fault_with_the_unit(tmp_path: Path) -> None:
    program = Program((sys.executable, "-m", "host bridge", "%h"), {"ZEROSTEM_HOME": '/a "b" %c $d\\'}, tmp_path)
    (tmp_path / systemd.UNIT).write_text(receipt.signed(systemd.text(program), systemd.SYSTEM.comment, 0))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    command = ["systemd-analyze", "--user", "verify", str(tmp_path / systemd.UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert systemd.UNIT not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_the_property_list_says_the_same_words() -> None:
    text = receipt.signed(launchd.text(AWKWARD), launchd.SYSTEM.comment, 2)
    told = plistlib.loads(text.encode())
    assert told["ProgramArguments"] == list(AWKWARD.words)
    assert told["EnvironmentVariables"] == AWKWARD.variables
    assert told["KeepAlive"] == {"SuccessfulExit": False}


def test_the_task_says_the_same_words_and_is_never_ended_by_the_clock() -> None:
    text = receipt.signed(logon_task.text(AWKWARD), logon_task.SYSTEM.comment, 2)
    root = ET.fromstring(text.encode("utf-16"))
    found: Callable[[str], str | None] = lambda name: root.findtext(f".//{NS}{name}")  # noqa: E731 - one word for three uses
    assert found("Command") == AWKWARD.words[0]
    assert found("Arguments") == subprocess.list2cmdline(AWKWARD.words[1:])
    assert found("ExecutionTimeLimit") == "PT0S"


def test_a_task_of_a_strangers_is_never_replaced() -> None:
    assert not any("/F" in words for words in logon_task.SYSTEM.start(Path("task.xml")))


def test_a_receipt_knows_a_text_that_was_changed() -> None:
    text = receipt.signed("one\ntwo\n", ("# ", ""), 3)
    assert receipt.read(text) == receipt.Receipt(whole=True, folders_made=3)
    assert receipt.read(text.replace("\n", "\r\n")) == receipt.Receipt(whole=True, folders_made=3)
    assert receipt.read(text.replace("two", "too")) == receipt.Receipt(whole=False, folders_made=3)
    assert receipt.read("one\ntwo\n") is None


def test_the_daemon_finds_what_this_shell_finds() -> None:
    program = service.program({"ZEROSTEM_HOME": "/music", "HF_HOME": "/models", "SECRET": "x", "HF_HUB_OFFLINE": ""})
    assert program.variables == {"ZEROSTEM_HOME": "/music", "HF_HOME": "/models"}
    assert program.words[0] == sys.executable
    assert program.words[-1] == "daemon"


@pytest.mark.parametrize("platform", sorted(service.SYSTEMS))
def test_the_command_installs_and_a_dry_run_touches_nothing(
    platform: str, fake_home: Path, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    system = service.here()
    assert main(["install", "service", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert str(system.path()) in said
    assert TOOLS[platform] in said
    assert not list(fake_home.rglob("*"))
    assert main(["install", "service"]) == 0
    assert main(["uninstall", "service", "--dry-run"]) == 0
    assert system.path().exists()
    assert str(system.path()) in capsys.readouterr().out
    assert main(["uninstall", "service"]) == 0
    assert not list(fake_home.rglob("*"))


def test_a_system_that_nobody_knows_is_told_in_two_sentences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "haiku")
    assert main(["install", "service"]) == 1
    assert "haiku" in capsys.readouterr().err


def test_the_table_of_parts_is_what_the_help_lists(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["install", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("service", *HOSTS))
