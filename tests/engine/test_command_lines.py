"""Whatever is wrong with a command line, every command says so in two sentences, never by a page of usage, with exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.commands import separation_options
from host_bridge.arguments import Parser
from host_bridge.cli import COMMANDS, main
from host_bridge.errors import BadRequest
from installers import install_all, linux

NEEDED = {
    "separate": ["x.wav"], "suggest": ["x.wav"], "inbox": ["x"], "project": ["x.rpp", "--track=x"], "submit": ["x.wav"],
    "cancel": ["x"],
    "install": ["service"], "uninstall": ["service"], "ring": ["x"], "strength": ["x", "drums", "1"], "deliver": ["x"],
    "rebuild": ["x.json"], "models": ["list"],
}  # fmt: skip
"""What each command cannot do without; the others need nothing."""
LISTS = [
    ("install", ["cubase"]), ("uninstall", ["cubase"]), ("panel", ["--theme", "pink"]), ("bench", ["--heldout", "x"]),
    ("models", ["burn"]),
    ("bench", ["speed", "--only", "x"]), ("inbox", ["x", "--jobs", "x"]), ("separate", ["x", "--steps", "1.5"]),
    ("strength", ["x", "drums", "loud"]),
]  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "usage:" not in said.err
    assert said.err.startswith("zerostem: ")
    assert said.err.count("\n") == 1
    assert len([end for end in (". ", "? ", ".\n", "?\n") if end in said.err]) == 2, said.err
    return said.err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_that_a_command_does_not_have(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--no-such-option" in refused(capsys, command, *NEEDED.get(command, []), "--no-such-option")


@pytest.mark.parametrize("command", NEEDED)
def test_an_argument_that_is_missing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "required" in refused(capsys, command, *NEEDED[command][:-1])


@pytest.mark.parametrize(("command", "words"), LISTS)
def test_a_choice_or_a_number_that_cannot_be(command: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert f"`zerostem {command}" in refused(capsys, command, *words)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["separate", "x.wav", "--prom", "drums"], "--prompt"),
        (["separate", "x.wav", "--st", "1"], "--start"),
        (["submit", "x.wav", "--promt=drums"], "--prompt"),
        (["status", "--js"], "--json"),
        (["models", "list", "--js"], "--json"),
        (["install", "service", "--dry"], "--dry-run"),
        (["panel", "--screen", "x.png"], "--screenshot"),
        (["doctor", "--jsn"], "--json"),
    ],
)
def test_an_option_that_is_abbreviated_or_misspelt_is_refused_with_what_was_meant(
    words: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"Did you mean {meant}?" in refused(capsys, *words)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_and_ends_well(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    said = capsys.readouterr()
    assert f"usage: zerostem {command}" in said.out
    assert not said.err


def test_what_steers_a_terminal_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, "status", "--\x1b[2J\nzerostem: all is well. Really")
    assert r"\x1b[2J\n" in told
    assert "\x1b" not in told


def test_the_installers_of_the_shell_scripts_refuse_in_the_same_way() -> None:
    with pytest.raises(BadRequest, match="--no-such-option"):
        install_all.main(linux.launcher(), ["--no-such-option"])
    done = subprocess.run(
        [sys.executable, "-m", "installers.linux", "cubase"], cwd=Path(install_all.__file__).parents[1],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "zerostem: There is no DAW called cubase. Those known are reaper, ardour, audacity.\n"


def test_no_other_parser_is_used_by_what_people_call() -> None:
    """Those for training are left out: developers' tools."""
    root = Path(install_all.__file__).parents[1]
    files = [file for floor in ("engine", "host_bridge", "installers", "ui") for file in (root / floor).rglob("*.py")]
    own = [file for file in files if " argparse.ArgumentParser(" in file.read_text(encoding="utf-8")]
    training = [f"engine/research/{name}_training/__main__.py" for name in ("ear", "pocket")]
    assert sorted(file.relative_to(root).as_posix() for file in own) == training


@pytest.mark.parametrize(
    ("old", "new", "value"),
    [
        ("--depth", "--start-ratio", ["0.5"]), ("--draws", "--num-inversions", ["3"]), ("--renew", "--fresh-noise", ["0.4"]),
        ("--rounds", "--iterations", ["2"]), ("--complete", "--exhaustive", []), ("--beyond", "--allow-extrapolation", []),
        ("--not", "--source-prompt", ["speech"]),
    ],
)  # fmt: skip
def test_an_options_former_name_means_the_same_as_its_present_one(old: str, new: str, value: list[str]) -> None:
    made = Parser()
    separation_options.add_options(made)
    asked, neutral = made.parse_args(["-p", "drums", old, *value]), made.parse_args(["-p", "drums"])
    assert vars(asked) == vars(made.parse_args(["-p", "drums", new, *value]))
    assert vars(asked) != vars(neutral)
