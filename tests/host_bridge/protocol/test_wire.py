"""Whatever bytes come, they are a message or a BadMessage; and every message survives the way."""

import random
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from host_bridge.errors import BadMessage, Code, IllegalStep
from host_bridge.protocol import wire
from host_bridge.protocol.messages import (
    ALL,
    ROOT,
    Cancel,
    Fail,
    Kind,
    Knob,
    Message,
    ModelRow,
    Ping,
    ProgressMessage,
    Strength,
    Submit,
    Sync,
    kinds,
)

JOB = "a-job-of-mine"
SAMPLES: dict[str, st.SearchStrategy[object]] = {
    "s": st.sampled_from([JOB, "", "drums", "queued", "Übung ♪", "with blanks, and 'quotes'", "x" * 300]),
    "i": st.sampled_from([0, 1, 7, 8, 500, 1000, 2**31 - 1]),
    "h": st.sampled_from([-1, 0, 2**31, 2**40, 2**63 - 1]),
    "f": st.sampled_from([0.0, 0.25, 0.5, 1.0]),
}


def fitting(kind: Kind) -> st.SearchStrategy[object]:
    return SAMPLES[kind.tag].filter(kind.fits)  # type: ignore[arg-type]


def any_message() -> st.SearchStrategy[Message]:
    return st.sampled_from(ALL).flatmap(
        lambda message: st.builds(message, **{name: fitting(kind) for name, kind in kinds(message).items()})
    )


def built(address: str, *arguments: tuple[str, object]) -> bytes:
    builder = OscMessageBuilder(address)
    for tag, value in arguments:
        builder.add_arg(value, tag)  # type: ignore[arg-type]
    return bytes(builder.build().dgram)


def taken(packet: bytes) -> list[Message | wire.Foreign]:
    return [wire.decode(piece) for piece in wire.unpack(packet)]


@given(any_message())
def test_every_message_comes_back_as_it_went(message: Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@given(any_message())
def test_what_we_send_is_what_pythonosc_reads(message: Message) -> None:
    read = OscMessage(wire.encode(message))
    assert read.address.startswith(ROOT)
    assert len(read.params) == len(kinds(type(message))) - ("{" in message.address)


def survives(packet: bytes) -> None:
    refused: BadMessage | None = None
    try:
        assert all(isinstance(message, Message | wire.Foreign) for message in taken(packet))
    except BadMessage as error:
        refused = error
    if refused:
        wire.encode(Fail.of(refused, refused.id, refused.about))


@given(st.binary(max_size=200))
def test_random_bytes_are_a_message_or_a_bad_one(packet: bytes) -> None:
    survives(packet)


@settings(max_examples=200)
@given(any_message(), st.data())
def test_a_message_that_was_damaged_is_a_message_or_a_bad_one(message: Message, data: st.DataObject) -> None:
    packet = bytearray(wire.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    survives(bytes(packet))
    survives(bytes(packet[: data.draw(st.integers(0, len(packet)))]))
    survives(b"#bundle\0" + bytes(8) + wire.framed(bytes(packet)) + bytes(packet[:8]))


def test_ten_thousand_damaged_messages_never_raise_anything_else() -> None:
    dice = random.Random(4)
    whole = [wire.encode(Submit("token", JOB)), wire.encode(Knob(3, 0.5)), wire.encode(ModelRow(JOB, 1, "a", "b", 1, 5, "c"))]
    for _ in range(10_000):
        packet = bytearray(dice.choice(whole))
        for _ in range(dice.randrange(1, 6)):
            packet[dice.randrange(len(packet))] = dice.randrange(256)
        survives(bytes(packet[: dice.randrange(len(packet) + 1)] if dice.random() < 0.3 else packet))


@given(any_message(), st.integers(0, 400))
def test_a_message_that_was_cut_off_is_never_another_one(message: Message, cut: int) -> None:
    packet = wire.encode(message)
    if cut < len(packet):
        with pytest.raises(BadMessage):
            wire.decode(packet[:cut])


@pytest.mark.parametrize(
    ("packet", "code", "about"),
    [
        (b"", Code.MALFORMED, ""),
        (b"/\xff\xff\0", Code.MALFORMED, ""),
        (built(f"{ROOT}no/such"), Code.UNKNOWN_ADDRESS, "no/such"),
        (built("/mixer/fader1", ("f", 0.5)), Code.UNKNOWN_ADDRESS, "/mixer/fader1"),
        (built("/zerostem/2/ping"), Code.WRONG_VERSION, "/zerostem/2/ping"),
        (built(f"{ROOT}knob/9", ("f", 0.5)), Code.UNKNOWN_ADDRESS, "knob/9"),
        (built(f"{ROOT}job/submit", ("s", "token")), Code.MALFORMED, "job/submit"),
        (built(f"{ROOT}job/submit", ("s", "token"), ("i", 7)), Code.MALFORMED, "job/submit"),
        (built(f"{ROOT}knob/1", ("f", float("nan"))), Code.MALFORMED, "knob/1"),
        (built(f"{ROOT}knob/1", ("f", 1.5)), Code.MALFORMED, "knob/1"),
        (built(f"{ROOT}sync", ("b", b"blob")), Code.MALFORMED, "sync"),
        (built(f"{ROOT}sync", ("T", True)), Code.MALFORMED, "sync"),
        (built(f"{ROOT}sync", ("h", 2**40)), Code.MALFORMED, "sync"),
        (f"{ROOT}sync".encode() + b"\0\0,iXs\0\0\0\0" + bytes(12), Code.MALFORMED, ""),
    ],
)
def test_what_is_no_message_is_refused_with_its_address_and_a_code(packet: bytes, code: Code, about: str) -> None:
    with pytest.raises(BadMessage) as error:
        taken(packet)
    assert error.value.code == code
    if about:
        assert error.value.about == about


def test_a_refusal_names_the_id_where_it_can_be_read() -> None:
    with pytest.raises(BadMessage, match="permille") as error:
        wire.decode(built(f"{ROOT}job/strength", ("s", "token"), ("s", JOB), ("s", "drums"), ("i", 2000)))
    assert (error.value.id, error.value.about) == (JOB, "job/strength")


def test_a_fader_may_send_whole_numbers_and_doubles_and_an_int_may_be_a_long_one() -> None:
    assert wire.decode(built(f"{ROOT}knob/8", ("i", 1))) == Knob(8, 1.0)
    assert wire.decode(built(f"{ROOT}knob/8", ("d", 0.25))) == Knob(8, 0.25)
    assert wire.decode(built(f"{ROOT}sync", ("h", 5))) == Sync(5)


def test_a_message_without_type_tags_is_one_without_arguments() -> None:
    assert wire.decode(f"{ROOT}ping".encode().ljust(20, b"\0")) == Ping()


def test_the_reply_of_ardour_is_read_though_its_address_is_none() -> None:
    packet = built("#reply", ("s", "AT"), ("s", "Audio 1"), ("i", 2), ("f", 0.5), ("T", True))
    assert wire.decode(packet) == wire.Foreign("#reply", ("AT", "Audio 1", 2, 0.5, True))


def test_a_message_that_we_may_not_send_is_our_own_fault() -> None:
    for message in (
        Submit("token", "../up"),
        ProgressMessage(JOB, 2000, "", 0),
        Strength("t", JOB, "a\nb", 1),
        Submit("\ud800", JOB),
    ):
        with pytest.raises(IllegalStep):
            wire.encode(message)


def test_a_bundle_is_its_messages_in_order_and_a_time_to_come_is_not_waited_for() -> None:
    bundle = OscBundleBuilder(int(time.time()) + 3600)
    inner = OscBundleBuilder(0)
    inner.add_content(OscMessage(wire.encode(Sync(1))))
    bundle.add_content(inner.build())
    bundle.add_content(OscMessage(wire.encode(Cancel("token", JOB))))
    assert taken(bundle.build().dgram) == [Sync(1), Cancel("token", JOB)]


@pytest.mark.parametrize("size", [-8, -4, 0, 3, 1000, 2**31 - 1])
def test_an_element_of_an_impossible_size_ends_a_bundle(size: int) -> None:
    packet = b"#bundle\0" + bytes(8) + wire.framed(wire.encode(Ping())) + struct.pack(">i", size) + bytes(8)
    pieces = wire.unpack(packet)
    assert wire.decode(next(pieces)) == Ping()
    with pytest.raises(BadMessage):
        next(pieces)


def test_bundles_in_bundles_without_end_are_refused() -> None:
    packet = wire.encode(Ping())
    for _ in range(2000):
        packet = b"#bundle\0" + bytes(8) + wire.framed(packet)
    with pytest.raises(BadMessage, match="nested"):
        taken(packet)


@given(st.lists(any_message(), max_size=5), st.integers(1, 50))
def test_frames_come_whole_however_they_are_cut(messages: list[Message], cut: int) -> None:
    stream = b"".join(wire.framed(wire.encode(message)) for message in messages)
    buffer, came = bytearray(), []
    for at in range(0, len(stream), cut):
        buffer += stream[at : at + cut]
        came += [wire.decode(packet) for packet in wire.unframe(buffer)]
    assert came == messages
    assert not buffer


def test_a_frame_longer_than_one_may_be_is_refused_before_it_has_come() -> None:
    with pytest.raises(BadMessage) as error:
        list(wire.unframe(bytearray(struct.pack(">I", wire.FRAME + 1))))
    assert error.value.code == Code.TOO_LONG
