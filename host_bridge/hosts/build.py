"""Makes one Lua file of a host script: the modules that it names and the facts are written into it.

A host's sandbox may know no `require`, and a script should find what it needs however it was copied. Two kinds of lines
are replaced, each as a whole:

    --@include job.lua      becomes  local job = (function () ... end) (): a file beside the script, or else of `lua/`
    --@facts                becomes  local FACTS = { command = { ... }, spool = "...", engine_file = "..." }

A script that is built with the facts USUAL finds them itself when it runs, as `lua/default_paths.lua` says.
"""

import re
from pathlib import Path

from host_bridge.hosts.base import Facts

USUAL = Facts(("zerostem",), Path(), Path())
"""Of a machine that nobody knows yet."""
SHARED = Path(__file__).parents[1] / "lua"
_WANTED = re.compile(r"^--@(?:include (?P<file>(?P<name>[A-Za-z_]\w*)\.lua)|facts)[ \t]*$", re.MULTILINE)


def build(script: Path, facts: Facts) -> bytes:
    """The script with all that it names written into it. Raises FileNotFoundError where a module is missing."""

    def written(line: re.Match[str]) -> str:
        if not line["file"]:
            return f"local FACTS = {_facts(facts)}"
        beside = script.with_name(line["file"])
        module = beside if beside.is_file() else SHARED / line["file"]
        return f"local {line['name']} = (function ()\n{_read(module)}\nend) ()"

    return _WANTED.sub(written, _read(script)).encode()


def quoted(word: str) -> str:
    """A text as Lua reads it back, byte for byte; a path's name may hold bytes that are no UTF-8."""
    data = word.encode("utf-8", "surrogateescape")
    plain = range(0x20, 0x7F)
    return '"' + "".join(chr(byte) if byte in plain and byte not in b'"\\' else f"\\{byte:03}" for byte in data) + '"'


def _facts(facts: Facts) -> str:
    if facts == USUAL:
        return f"(function ()\n{_read(SHARED / 'default_paths.lua')}\nend) () ()"
    command = ", ".join(map(quoted, facts.command))
    spool, engine_file = quoted(str(facts.spool)), quoted(str(facts.engine_file))
    return f"{{ command = {{ {command} }}, spool = {spool}, engine_file = {engine_file} }}"


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
