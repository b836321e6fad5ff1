"""A host script becomes one file: read back by Lua itself where there is one."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_bridge.hosts.base import Facts
from host_bridge.hosts.build import SHARED, build, quoted

FACTS = Facts(("/a b/python", "-P", 'say "hi"'), Path("/spool/ü\\n\udcff"), Path("/run/engine.json"))

Run = Callable[[Path, bytes], bytes]


def script(folder: Path, text: str) -> Path:
    file = folder / "script.lua"
    file.write_text(text)
    return file


@pytest.fixture
def run(need: Callable[..., None]) -> Run:
    """Run Lua in a folder -> what it printed."""
    need("lua5.4")

    def done(folder: Path, text: bytes) -> bytes:
        (folder / "built.lua").write_bytes(text)
        return subprocess.run(["lua5.4", "built.lua"], cwd=folder, capture_output=True, check=True).stdout

    return done


def test_a_module_beside_the_script_comes_before_a_shared_one_and_is_a_local_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "json.lua").write_text("-- mine\nreturn { 42 }")
    made = build(script(tmp_path, "--@include json.lua\nprint (json[1])"), FACTS)
    assert made == b"local json = (function ()\n-- mine\nreturn { 42 }\nend) ()\nprint (json[1])"


def test_a_shared_module_is_found_in_its_folder(tmp_path: Path) -> None:
    made = build(script(tmp_path, "--@include json.lua\n"), FACTS)
    assert (SHARED / "json.lua").read_bytes() in made


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.lua"):
        build(script(tmp_path, "--@include nowhere.lua\n"), FACTS)


@pytest.mark.parametrize("line", ["print '--@facts'", " --@facts", "--@include ../x.lua", "--@include x y.lua", "--@factsheet"])
def test_what_is_not_such_a_line_stays(tmp_path: Path, line: str) -> None:
    assert build(script(tmp_path, line), FACTS) == line.encode()


def test_lua_reads_the_facts_back_byte_for_byte(tmp_path: Path, run: Run) -> None:
    ask = "--@facts\nio.write (table.concat (FACTS.command, '|'), '|', FACTS.spool, '|', FACTS.engine_file)"
    made = build(script(tmp_path, ask), FACTS)
    assert made.isascii()
    words = (*FACTS.command, str(FACTS.spool), str(FACTS.engine_file))
    assert run(tmp_path, made) == "|".join(words).encode("utf-8", "surrogateescape")


def test_a_built_script_runs_with_what_it_includes(tmp_path: Path, run: Run) -> None:
    made = build(script(tmp_path, "--@include json.lua\n--@facts\nio.write (json.encode ({ FACTS.command[2] }))"), FACTS)
    assert run(tmp_path, made) == b'["-P"]'


def test_quotes_and_line_ends_cannot_end_a_text() -> None:
    assert quoted('"\\\n1') == '"\\034\\092\\0101"'
