"""Ardour's file of actions, `ui_scripts`: our scripts into slots of their own and out again, the user's own ones untouched.

The file is XML around base64 around Lua: statements such as `scripts[3]["n"] = "name" `, with Lua's `%q` quoting, which
Ardour runs to have its actions back, and writes anew, in any order, whenever the user changes one.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from host_bridge.errors import BadSpool

MENU = range(1, 10)
"""The slots that Ardour's menu Edit, Lua Scripts shows."""
EMPTY = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<UIScripts><ActionScript lua="Lua 5.3">c2NyaXB0cyA9IHt9IA==</ActionScript><ActionHooks/></UIScripts>\n'
)
"""No actions, in the form in which Ardour writes that."""
MARK = "zerostem"
"""An argument that only our actions have: it stays with them whatever the user calls them."""

_PAYLOAD = re.compile(rb"(<ActionScript\b[^>]*>)([^<]*)(</ActionScript>)")
_STATEMENT = re.compile(
    rb'scripts\[(?P<slot>\d+)\](?:\["(?P<key>\w+)"\](?:\["(?P<name>[^"]*)"\])?)? = (?:\{\}|"(?:[^"\\]|\\.)*"|[\w.+-]+) ?',
    re.DOTALL,
)


class BadSlots(BadSpool):
    """A file of actions that cannot be read, or has no room."""


@dataclass(frozen=True, slots=True)
class Action:
    """A script as Ardour would take it from its file. slot: where it must be; None: wherever the menu has room.

    arguments: what its factory is given.
    """

    name: str
    script: bytes
    slot: int | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)


def added(file: bytes, actions: Iterable[Action]) -> bytes:
    """The file with these actions, and none of ours from before. Raises BadSlots."""
    head, lua, tail = _opened(removed(file))
    taken = {int(found["slot"]) for found in _STATEMENT.finditer(lua)}
    for action in actions:
        slot = action.slot or next((free for free in MENU if free not in taken), None)
        if slot is None or slot in taken:
            what = f"Ardour has no room for “{action.name}”: {f'its slot {slot} is' if slot else 'its slots 1 to 9 are'} taken."
            raise BadSlots(what, "Free some in Edit, Lua Scripts, Script Manager.")
        taken.add(slot)
        lua += written(slot, replace(action, arguments={**action.arguments, MARK: "1"}))
    return head + base64.b64encode(lua) + tail


def removed(file: bytes) -> bytes:
    """The file without our actions; as it is where it holds none. Raises nothing."""
    try:
        head, lua, tail = _opened(file)
    except BadSlots:
        return file
    ours = {found["slot"] for found in _STATEMENT.finditer(lua) if found["name"] == MARK.encode()}
    if not ours:
        return file
    left = _STATEMENT.sub(lambda found: b"" if found["slot"] in ours else found[0], lua)
    return head + base64.b64encode(left) + tail


def _opened(file: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands before the Lua text, the text, and what stands after it."""
    found = _PAYLOAD.search(file)
    try:
        if found and base64.b64encode(lua := base64.b64decode(found[2], validate=True)) == found[2]:
            return file[: found.end(1)], lua, file[found.start(3) :]
    except binascii.Error:
        pass
    raise BadSlots("Ardour's ui_scripts holds no actions that can be read.", "Move it away, start Ardour, and do this again.")


def written(slot: int, action: Action) -> bytes:
    """One action as Ardour keeps it. As its function any chunk will do: the whole script, which then calls its factory."""
    made = b"local ardour, factory, action_params = function () end\n" + action.script + b"\nreturn factory (...)\n"
    place = f"scripts[{slot}]"
    values = {'["n"]': action.name.encode(), '["s"]': action.script, '["f"]': made}
    values |= {f'["a"]["{name}"]': value.encode() for name, value in action.arguments.items()}
    told = [(place + key).encode() + b" = " + _quoted(value) for key, value in values.items()]
    return b" ".join([f'{place} = {{}} {place}["a"] = {{}}'.encode(), *told, b""])


def _quoted(text: bytes) -> bytes:
    for plain, escaped in ((b"\\", b"\\\\"), (b'"', b'\\"'), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\0", b"\\0")):
        text = text.replace(plain, escaped)
    return b'"' + text + b'"'
