"""Bytes <-> messages: the only file that imports pythonosc.

Of pythonosc we use the builder and the readers of single values. Its other parsers and its servers stay outside: a bundle's
element with a negative size sends them round for ever, an unknown type tag loses an argument in silence, and a float that
is cut off becomes another one.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from typing import Any

from pythonosc.osc_message_builder import BuildError, OscMessageBuilder
from pythonosc.parsing import osc_types

from host_bridge.errors import BadMessage, Code, IllegalStep
from host_bridge.messages import KNOBS, MAJOR, MESSAGES, ROOT, Message, fault, kinds, one_line
from host_bridge.vocabulary import is_id

DATAGRAM = 1400
"""Bytes of the longest datagram that we send: it fits an Ethernet frame, so nothing cuts it."""
RECEIVED = 65_535
"""Bytes of the longest datagram that can come."""
FRAME = 64 * 1024
"""Bytes of the longest frame on TCP."""
DEEPEST = 8
"""Bundles within bundles."""
_FOREIGN = "#reply"
_READERS: dict[str, Callable[[bytes, int], tuple[Any, int]]] = {
    "i": osc_types.get_int,
    "f": osc_types.get_float,
    "h": osc_types.get_int64,
    "d": osc_types.get_double,
    "s": osc_types.get_string,
    "T": lambda _packet, at: (True, at),
    "F": lambda _packet, at: (False, at),
}
"""For each type tag that anyone we listen to uses: the value there, and where the next one begins."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A DAW's own reply to something that we asked it: Ardour sends them to the address `#reply`, which is no OSC."""

    address: str
    arguments: tuple[Any, ...]


def _addresses() -> dict[str, tuple[type[Message], dict[str, int]]]:
    """Every full address with its message and the fields that the address itself holds."""
    told: dict[str, tuple[type[Message], dict[str, int]]] = {}
    for address, message in MESSAGES.items():
        if "{knob}" in address:
            told |= {ROOT + address.format(knob=knob): (message, {"knob": knob}) for knob in KNOBS}
        else:
            told[ROOT + address] = (message, {})
    return told


ADDRESSES = _addresses()


def encode(message: Message) -> bytes:
    """A message as the bytes of one datagram or frame. Raises IllegalStep when it is not as its class wants it."""
    if wrong := fault(message):
        raise IllegalStep(f"A message to {message.address} cannot be sent: {wrong}.", "Report this as a bug.")
    within = {name: getattr(message, name) for name in kinds(type(message)) if f"{{{name}}}" in message.address}
    builder = OscMessageBuilder(ROOT + message.address.format(**within))
    for name, kind in kinds(type(message)).items():
        if name not in within:
            builder.add_arg(getattr(message, name), kind.tag)
    try:
        return bytes(builder.build().dgram)
    except BuildError as error:
        raise IllegalStep(f"A message to {message.address} cannot be built: {error}.", "Report this as a bug.") from error


def decode(packet: bytes) -> Message | Foreign:
    """The message that these bytes are; of a bundle use `unpack` first. Raises BadMessage, whatever the bytes are."""
    try:
        address, at = osc_types.get_string(packet, 0)
        tags, at = osc_types.get_string(packet, at) if at < len(packet) else (",", at)
        if not tags.startswith(",") or {*tags[1:]} - {*_READERS}:
            raise _malformed(f"{_short(address)} has the types {_short(tags)!r}", about=_tail(address))
        arguments = []
        for tag in tags[1:]:
            value, at = _READERS[tag](packet, at)
            arguments.append(value)
    except (osc_types.ParseError, UnicodeDecodeError) as error:
        raise _malformed("it is no OSC message") from error
    if at != len(packet):
        raise _malformed("it does not end where its types say", about=_tail(address))
    if address == _FOREIGN:
        return Foreign(address, tuple(arguments))
    if address not in ADDRESSES:
        raise _unknown(address)
    return _made(address, tags[1:], arguments)


def _made(address: str, tags: str, arguments: list[Any]) -> Message:
    message, within = ADDRESSES[address]
    wanted = {name: kind for name, kind in kinds(message).items() if name not in within}
    if message.sender == "daemon":  # an older daemon says fewer of those that have a default, a newer one more than we know
        needed = sum(field.default is MISSING for field in fields(message) if field.name in wanted)
        wanted = dict([*wanted.items()][: max(needed, len(arguments))])
        arguments, tags = arguments[: len(wanted)], tags[: len(wanted)]
    if len(arguments) != len(wanted):
        raise _malformed(f"it has {len(arguments)} arguments, not {len(wanted)}", about=_tail(address))
    values: dict[str, Any] = {**within, **dict(zip(wanted, arguments, strict=True))}
    named = values.get("id")
    about, id_ = _tail(address), named if isinstance(named, str) and is_id(named) else ""
    for (name, kind), tag in zip(wanted.items(), tags, strict=True):
        if tag not in kind.takes or not kind.fits(values[name]):
            raise _malformed(f"`{name}` must be {kind.means}", about, id_)
        if kind.tag == "f":
            values[name] = float(values[name])
    return message(**values)


def unpack(packet: bytes) -> Iterator[bytes]:
    """The messages of a packet, one by one: itself, or those of a bundle and of bundles in it, in their order.

    Time tags are not waited for: whatever comes is meant now. Raises BadMessage where a bundle makes no sense; what came
    before that place has been handed out already.
    """
    return _unpacked(packet, DEEPEST)


def _unpacked(packet: bytes, depth: int) -> Iterator[bytes]:
    if not packet.startswith(b"#bundle\0"):
        yield packet
        return
    if not depth:
        raise _malformed("its bundles are nested too deeply")
    at = 16  # the name and the time tag
    if len(packet) < at:
        raise _malformed("a bundle ends before its time tag")
    while at < len(packet):
        (size,) = struct.unpack_from(">i", packet, at) if at + 4 <= len(packet) else (-1,)
        at += 4
        if size <= 0 or size % 4 or at + size > len(packet):
            raise _malformed("a bundle holds an element of an impossible size")
        yield from _unpacked(packet[at : at + size], depth - 1)
        at += size


def framed(packet: bytes) -> bytes:
    """A packet as it goes over TCP: its length, four bytes, before it (OSC 1.0)."""
    return struct.pack(">I", len(packet)) + packet


def unframe(buffer: bytearray) -> Iterator[bytes]:
    """Take the whole packets out of what has come over TCP so far. Raises BadMessage where a frame is too long."""
    while len(buffer) >= 4:
        (size,) = struct.unpack_from(">I", buffer)
        if size > FRAME:
            todo = f"Send at most {FRAME} bytes in a frame; the connection is closed."
            raise BadMessage(f"A frame of {size} bytes is too long.", todo, Code.TOO_LONG)
        if len(buffer) < 4 + size:
            return
        packet = bytes(buffer[4 : 4 + size])
        del buffer[: 4 + size]
        yield packet


def _malformed(why: str, about: str = "", id: str = "") -> BadMessage:
    return BadMessage(f"The message cannot be read: {why}.", "See host_bridge/PROTOCOL.md.", about=about, id=id)


def _unknown(address: str) -> BadMessage:
    shown = _short(address)
    if address.startswith("/zerostem/") and not address.startswith(ROOT):
        return BadMessage(
            f"{shown} is of another version of the protocol.",
            f"This daemon speaks version {MAJOR}: update the older side.",
            Code.WRONG_VERSION,
            about=shown,
        )
    todo = f"Every address begins with {ROOT}; see host_bridge/PROTOCOL.md."
    return BadMessage(f"There is no address {shown}.", todo, Code.UNKNOWN_ADDRESS, about=_tail(address))


def _tail(address: str) -> str:
    """An address as `fail` names it: without the root."""
    return _short(address.removeprefix(ROOT))


def _short(text: str) -> str:
    """A peer's text, fit to be said again."""
    return one_line(text, 100)
