"""Packets that nobody should send: random ones, legal ones cut short or bent, bundles that make no sense, old ones again."""

import random
import struct
from collections.abc import Iterator

from host_bridge.protocol import wire
from host_bridge.protocol.messages import (
    Cancel,
    Deliver,
    Devices,
    Hello,
    Knob,
    List,
    Message,
    Models,
    Notify,
    Ping,
    PlanQuery,
    Retry,
    Status,
    Strength,
    Submit,
    Sync,
    Tie,
)
from host_bridge.types import new_id


def legal(token: str, job: str, stem: str) -> list[Message]:
    """One of every message that a client may send again and again without harm: all but those that stop or fetch."""
    asked = new_id()
    return [
        *(Hello(token, "torture", "", "1", 1), Notify(0), Ping(), Sync(7), Knob(1, 0.5)),
        *(Submit(token, job), Cancel(token, job), Retry(token, job), Status(token, job), Deliver(token, job)),
        *(Strength(token, job, stem, 500), Tie(token, 1, job, stem)),
        *(List(token, asked), Models(token, asked), Devices(token, asked), PlanQuery(token, asked, "", 10, 1)),
    ]


def packets(count: int, seed: int, token: str, job: str, stem: str) -> Iterator[bytes]:
    """`count` packets, the same ones for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a torture, no secret
    good = [wire.encode(message) for message in legal(token, job, stem)]
    kinds = (_random, _short, _bent, _bundle, _stranger, lambda _chance, packet: packet)
    for _ in range(count):
        yield chance.choice(kinds)(chance, chance.choice(good))


def _random(chance: random.Random, _packet: bytes) -> bytes:
    return chance.randbytes(chance.choice((0, 1, 4, 40, 400, 1400)))


def _short(chance: random.Random, packet: bytes) -> bytes:
    return packet[: chance.randrange(len(packet))]


def _bent(chance: random.Random, packet: bytes) -> bytes:
    bent = bytearray(packet)
    for _ in range(chance.randint(1, 6)):
        bent[chance.randrange(len(bent))] = chance.randrange(256)
    return bytes(bent)


def _bundle(chance: random.Random, packet: bytes) -> bytes:
    size = chance.choice((len(packet), 0, -4, 2**31 - 1, len(packet) + 4))
    inner = b"#bundle\0" + bytes(8) + struct.pack(">i", size) + packet
    return inner if chance.random() < 0.5 else b"#bundle\0" + bytes(8) + struct.pack(">i", len(inner)) + inner


def _stranger(chance: random.Random, packet: bytes) -> bytes:
    head, _, tail = packet.partition(b"/zerostem/1/")
    return head + chance.choice((b"/zerostem/2/", b"/zerostem/0/", b"/ardour/123/", b"/ZEROSTEM/1/")) + tail
