"""Ardour's file of actions: ours go in and out, the user's stay, also after Ardour has written the file anew."""

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from host_bridge.hosts.ardour import BELL_SLOT, HOST, SCRIPTS, slots
from host_bridge.hosts.base import Facts
from host_bridge.hosts.build import quoted

FACTS = Facts(("/opt/a b/python", "-P", "-m", "host_bridge"), Path("/music/spool"), Path("/run/engine.json"))
MINE = slots.Action("Mine", b'-- scripts[2] = {} scripts[2]["a"]["zerostem"] = "1" \nfunction factory () end')

Run = Callable[[Path, bytes], bytes]


def file_with(lua: bytes) -> bytes:
    return slots.EMPTY.replace(b"c2NyaXB0cyA9IHt9IA==", base64.b64encode(lua))


def users(*taken: int) -> bytes:
    return file_with(b"scripts = {} " + b"".join(slots.written(slot, MINE) for slot in taken))


def lua_of(file: bytes) -> bytes:
    return base64.b64decode(file.partition(b'Lua 5.3">')[2].partition(b"<")[0])


@pytest.fixture
def run(need: Callable[..., None]) -> Run:
    """Run Lua in a folder -> what it printed."""
    need("lua5.4")

    def done(folder: Path, code: bytes) -> bytes:
        (folder / "slots.lua").write_bytes(code)
        return subprocess.run(["lua5.4", "slots.lua"], cwd=folder, capture_output=True, check=True).stdout

    return done


def names(file: bytes, folder: Path, run: Run) -> dict[int, str]:
    """Slot -> name, as Lua itself reads the file."""
    show = b'\nfor slot, each in pairs (scripts) do assert (load (each.f)); print (slot .. " " .. each.n) end'
    said = run(folder, lua_of(file) + show).decode()
    return {int(line.split(" ", 1)[0]): line.split(" ", 1)[1] for line in said.splitlines()}


def ours(file: bytes) -> bytes:
    (edit,) = HOST.edits(FACTS)
    return edit.add(file)


@pytest.mark.parametrize("taken", [(), (1,), (2, 20), (1, 3, 5, 7, 9)])
def test_the_users_actions_keep_their_slots_and_ours_take_the_free_ones(
    tmp_path: Path, taken: tuple[int, ...], run: Run
) -> None:
    before = users(*taken)
    found = names(ours(before), tmp_path, run)
    assert {slot for slot, name in found.items() if name == "Mine"} == set(taken)
    assert found[BELL_SLOT] == SCRIPTS["bell.lua"]
    assert [found[slot] for slot in sorted(found) if slot not in {*taken, BELL_SLOT}] == list(SCRIPTS.values())[:-1]
    assert slots.removed(ours(before)) == before


def test_ours_are_known_after_ardour_has_written_the_file_anew(tmp_path: Path, run: Run) -> None:
    again = """
        local function told (value)
            return type (value) == "string" and string.format ("%q", value) or tostring (value)
        end
        local function write (name, value)
            if type (value) ~= "table" then return name .. " = " .. told (value) .. " " end
            local out = name .. " = {} "
            for key, each in pairs (value) do out = out .. write (name .. "[" .. told (key) .. "]", each) .. " " end
            return out
        end
        for _, each in pairs (scripts) do each.f = string.dump (assert (load (each.f))) end
        io.write (write ("scripts", scripts))
    """
    rewritten = file_with(run(tmp_path, lua_of(ours(users(2, 20))) + again.encode()))
    assert len(names(rewritten, tmp_path, run)) == len(SCRIPTS) + 2
    assert names(slots.removed(rewritten), tmp_path, run) == {2: "Mine", 20: "Mine"}


@pytest.mark.parametrize("taken", [range(1, 10), (BELL_SLOT,)])
def test_no_room_is_said_in_two_sentences(taken: range | tuple[int, ...]) -> None:
    with pytest.raises(slots.BadSlots, match=r"taken\. Free some in Edit"):
        ours(users(*taken))


@pytest.mark.parametrize(
    "file", [b"", b"<UIScripts/>", slots.EMPTY.replace(b"c2Ny", b"c2N*"), slots.EMPTY.replace(b"A==", b"B==")]
)
def test_a_file_that_cannot_be_read_is_left_alone(file: bytes) -> None:
    with pytest.raises(slots.BadSlots):
        ours(file)
    assert slots.removed(file) == file


def test_what_lua_reads_is_what_was_given(tmp_path: Path, run: Run) -> None:
    script = b'-- "quotes", \\ backslashes\r\n\0 and \xc3\xbc'
    action = slots.Action('A "name" \\', script, arguments={"sounds": 'a "big" drum\n'})
    check = b"assert (scripts[3].s == %s and scripts[3].n == %s and scripts[3].a.sounds == %s)" % tuple(
        quoted(text).encode() for text in (script.decode(), action.name, action.arguments["sounds"])
    )
    run(tmp_path, b"scripts = {} " + slots.written(3, action) + check)
