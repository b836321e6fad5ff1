"""What is put into REAPER's folder fits together: ids, scripts, the bell and the pattern."""

import re
from pathlib import Path, PurePosixPath

from engine.daemon.notify_host import ACTIONS as BELLS
from host_bridge.hosts import load
from host_bridge.hosts.base import Facts
from host_bridge.hosts.reaper import ACTIONS, HERE, PATTERN, command_id
from host_bridge.paths import PORT
from host_bridge.protocol.messages import Knob

FACTS = Facts(("/a b/python", "-m", "host_bridge"), Path("/spool"), Path("/engine.json"))
HOST = load("reaper")
LINE = re.compile(r'^SCR 4 0 (?P<id>\w+) "Custom: (?P<title>[^"]+)" "(?P<path>[^"]+)"$', re.MULTILINE)


def test_every_registration_names_a_script_that_is_installed() -> None:
    (edit,) = HOST.edits(FACTS)
    registered = [*LINE.finditer(edit.add(b"").decode())]
    files = HOST.files(FACTS)
    assert [match["title"] for match in registered] == [*ACTIONS.values()]
    assert len({match["id"] for match in registered}) == len(ACTIONS)
    assert all(PurePosixPath("Scripts", match["path"]) in files for match in registered)


def test_each_script_says_its_title_first_and_performs_its_own_action_last() -> None:
    scripts = [data.decode().splitlines() for path, data in HOST.files(FACTS).items() if path.suffix == ".lua"]
    assert [(lines[0], lines[-1]) for lines in scripts] == [(f"-- {ACTIONS[name]}", f"perform ('{name}')") for name in ACTIONS]


def test_the_daemons_bell_runs_the_import_action_by_an_address_that_the_pattern_has() -> None:
    address, action = BELLS["reaper"]
    assert action == command_id("import")
    assert f" s{address}" in (HERE / PATTERN).read_text(encoding="utf-8")


def test_the_patterns_faders_are_our_knobs_and_its_ports_ours() -> None:
    text = (HERE / PATTERN).read_text(encoding="utf-8")
    assert f"n/zerostem/1/{Knob.address.replace('{knob}', '@')}" in text
    assert f"device port {PORT}" in text
    assert f"local listen port {HOST.port}" in text


def test_a_persons_own_lines_stay_where_they_are() -> None:
    (edit,) = HOST.edits(FACTS)
    own = b'ACT 1 0 "x" "y" 40001\r\nSCR 4 0 RSabc "Custom: mine.lua" mine.lua\r\nKEY 1 65 _ZEROSTEM_SEPARATE 0'
    added = edit.add(own)
    assert added.endswith(own)
    assert added.count(b"\r\n") == len(ACTIONS) + 2
    assert edit.remove(added) == own
    as_reaper_may_write_it = own + b'\r\nSCR 4 0 ZEROSTEM_IMPORT "Custom: ZeroStem: Import finished stems" "ZeroStem/x.lua"\r\n'
    assert edit.remove(as_reaper_may_write_it) == own + b"\r\n"
