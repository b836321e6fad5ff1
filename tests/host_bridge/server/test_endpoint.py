"""The endpoint answers whoever asks, on this machine only, and nobody's flood, silence or nonsense keeps it from the others."""

import os
import random
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped, unused-ignore]
import pytest

from host_bridge import discovery
from host_bridge.discovery import AlreadyRuns
from host_bridge.errors import BadSpool, BridgeError, Code
from host_bridge.paths import places
from host_bridge.protocol import wire
from host_bridge.protocol.messages import (
    ROOT,
    Accepted,
    Done,
    Fail,
    Hello,
    JobRow,
    Knob,
    List,
    Message,
    Models,
    Notified,
    Notify,
    Ping,
    Pong,
    Submit,
    Sync,
    Synced,
    Welcome,
)
from host_bridge.server import connection, endpoint
from host_bridge.server.endpoint import Endpoint
from host_bridge.spool.documents import EngineFile, RequestFile
from host_bridge.spool.job_folders import Spool
from host_bridge.types import new_id

if TYPE_CHECKING:
    from tests.host_bridge.conftest import House

pytestmark = pytest.mark.slow


@contextmanager
def datagrams(house: "House") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("127.0.0.1", house.endpoint.port))
        line.settimeout(3)
        yield line


@contextmanager
def stream(house: "House") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", house.endpoint.port), 3) as line:
        yield line


def asked(line: socket.socket, message: Message) -> Message:
    line.send(wire.encode(message))
    return heard(line)


def heard(line: socket.socket) -> Message:
    told = wire.decode(line.recv(wire.RECEIVED))
    assert isinstance(told, Message)
    return told


def framed(line: socket.socket) -> Message:
    head = line.recv(4, socket.MSG_WAITALL)
    (size,) = struct.unpack(">I", head)
    told = wire.decode(line.recv(size, socket.MSG_WAITALL))
    assert isinstance(told, Message)
    return told


def still_answers(house: "House") -> None:
    with datagrams(house) as line:
        assert asked(line, Sync(99)) == Synced(99)


@pytest.fixture
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """To be named before `house`, which then beats every 50 ms."""
    monkeypatch.setattr(endpoint, "BEAT_S", 0.05)


def test_answers_go_to_the_address_and_port_that_asked(house: "House") -> None:
    with datagrams(house) as one, datagrams(house) as other:
        assert asked(one, Sync(1)) == Synced(1)
        assert asked(other, Sync(2)) == Synced(2)


def test_both_ways_lead_to_the_same_port(house: "House") -> None:
    with stream(house) as line:
        line.sendall(wire.framed(wire.encode(Ping())) * 3)
        assert [framed(line) for _ in range(3)] == [Pong()] * 3


def test_a_frame_may_come_byte_by_byte(house: "House") -> None:
    with stream(house) as line:
        for byte in wire.framed(wire.encode(Sync(5))):
            line.sendall(bytes([byte]))
        assert framed(line) == Synced(5)


def test_hello_is_answered_with_who_the_daemon_is(house: "House") -> None:
    with datagrams(house) as line:
        assert isinstance(asked(line, Hello(house.engine.token, "panel", "", "1", 1)), Welcome)


def test_an_unknown_address_and_nonsense_are_answered_with_fail(house: "House") -> None:
    with datagrams(house) as line:
        for packet, code in ((b"/no/such/address\0\0\0\0,\0\0\0", Code.UNKNOWN_ADDRESS), (b"nonsense", Code.MALFORMED)):
            line.send(packet)
            told = heard(line)
            assert isinstance(told, Fail)
            assert told.code == code
        line.send(b"/zerostem/2/hello\0\0\0,\0\0\0")
        assert "version" in getattr(heard(line), "error", "")


def test_an_answer_is_not_answered_nor_is_the_reply_of_a_daw(house: "House") -> None:
    quiet = [
        wire.encode(Fail("", "", 400, "No.")),
        f"{ROOT}fail".encode().ljust(20, b"\0"),
        b"/zerostem/2/fail\0\0\0\0,\0\0\0",
        b"#reply\0\0,s\0\0end\0",
        wire.encode(Knob(1, 0.5)),
    ]
    with datagrams(house) as line:
        for packet in quiet:
            line.send(packet)
        assert asked(line, Sync(1)) == Synced(1)


def test_a_bundle_is_answered_message_by_message_up_to_where_it_is_damaged(house: "House") -> None:
    packet = b"#bundle\0" + struct.pack(">II", 2**32 - 1, 0) + wire.framed(wire.encode(Sync(1))) * 2 + b"\xff\xff\xff\xf0"
    with datagrams(house) as line:
        line.send(packet)
        assert [heard(line), heard(line)] == [Synced(1)] * 2
        assert isinstance(heard(line), Fail)


def test_a_message_without_the_token_reads_and_writes_nothing(house: "House", region: Path, request_file: RequestFile) -> None:
    job = new_id()
    house.spool.put(job, request_file, region)
    before = {path: path.stat().st_mtime_ns for path in house.spool.root.rglob("*")}
    with datagrams(house) as line:
        for message in (Submit("", job), Submit("a guess", job), List("", job), Models("", job)):
            told = asked(line, message)
            assert isinstance(told, Fail)
            assert told.code == Code.NO_TOKEN
    assert {path: path.stat().st_mtime_ns for path in house.spool.root.rglob("*")} == before
    assert house.state_machine.states() == {}


def test_the_socket_is_not_reachable_from_another_address(house: "House") -> None:
    addresses = {
        each.address
        for several in psutil.net_if_addrs().values()
        for each in several
        if each.family == socket.AF_INET and each.address != "127.0.0.1"
    } | {"127.0.0.2"}
    for address in addresses:
        with socket.socket() as line:
            line.settimeout(1)
            with pytest.raises(OSError, match=r"refused|timed out|unreachable|assign"):
                line.connect((address, house.endpoint.port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.settimeout(0.1)
            line.connect((address, house.endpoint.port))
            line.send(wire.encode(Ping()))
            with pytest.raises(OSError, match=r"refused|timed out|unreachable"):
                line.recv(100)
    ours = [each.laddr.ip for each in psutil.Process().net_connections() if each.laddr.port == house.endpoint.port]
    assert set(ours) == {"127.0.0.1"}


def test_thousands_of_bad_datagrams_do_no_harm(house: "House") -> None:
    dice = random.Random(7)
    whole = [wire.encode(message) for message in (Submit(house.engine.token, new_id()), Sync(1), Notify(1), Knob(2, 0.1))]
    with datagrams(house) as line:
        line.setblocking(False)
        for number in range(4000):
            packet = bytearray(dice.choice(whole)) if number % 3 else bytearray(dice.randbytes(dice.randrange(1, 300)))
            if number % 3 == 1:
                packet[dice.randrange(len(packet))] = dice.randrange(256)
            try:
                line.send(packet)
            except OSError:
                continue
            if number % 200 == 0:
                still_answers(house)
    still_answers(house)
    assert house.endpoint.counts["bad"] > 100


def test_thousands_of_bad_frames_do_no_harm(house: "House") -> None:
    dice = random.Random(8)
    for _ in range(60):
        with stream(house) as line:
            try:
                for _ in range(30):
                    line.sendall(wire.framed(dice.randbytes(dice.randrange(0, 200))))
                line.sendall(dice.randbytes(64))
            except OSError:  # hung up on us, and rightly
                continue
    still_answers(house)
    until = time.monotonic() + 3
    while house.endpoint._connections and time.monotonic() < until:
        time.sleep(0.01)
    assert not house.endpoint._connections


def test_a_frame_longer_than_one_may_be_is_refused_and_the_line_hung_up(house: "House") -> None:
    with stream(house) as line:
        line.sendall(struct.pack(">I", 2**31))
        told = framed(line)
        assert isinstance(told, Fail)
        assert told.code == Code.TOO_LONG
        assert line.recv(1) == b""


def test_a_reader_that_does_not_read_is_hung_up_on_and_nobody_waits_for_it(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "MOST_WAITING", 50_000)
    ask = wire.framed(wire.encode(Models(house.engine.token, new_id())))
    with stream(house) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.setblocking(False)
        until = time.monotonic() + 60
        while house.endpoint.counts["came"] == 0 or house.endpoint._connections:
            try:
                line.send(ask * 300)
            except BlockingIOError:
                still_answers(house)
            except OSError:
                break
            assert time.monotonic() < until
    still_answers(house)


def test_half_a_frame_keeps_nobody_waiting_and_ends_with_its_lease(
    quick_beats: None, house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "LEASE_S", 0.1)
    with stream(house) as line:
        line.sendall(wire.framed(wire.encode(Ping()))[:7])
        still_answers(house)
        line.settimeout(5)
        assert line.recv(1) == b""


def test_more_connections_than_may_be_are_turned_away_and_the_others_served(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "MOST_CONNECTIONS", 5)
    lines = [socket.create_connection(("127.0.0.1", house.endpoint.port), 3) for _ in range(8)]
    try:
        assert lines[7].recv(1) == b""
        lines[0].sendall(wire.framed(wire.encode(Ping())))
        assert framed(lines[0]) == Pong()
    finally:
        for line in lines:
            line.close()


def test_an_answer_too_long_for_a_datagram_is_a_fail_that_says_how_to_get_it(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new_id()
    long = JobRow(job, 0, job, "running", 1, "ü" * 1000, 0, "")
    house.endpoint._handle = lambda _message, _peer: [long]
    with datagrams(house) as line:
        told = asked(line, List(house.engine.token, job))
    assert isinstance(told, Fail)
    assert (told.code, told.id) == (Code.TOO_LONG, job)


def test_a_heartbeat_that_fails_does_not_silence_the_daemon(
    quick_beats: None, house: "House", caplog: pytest.LogCaptureFixture
) -> None:
    def full(_beat: int) -> None:
        raise OSError("the disk is full")

    house.endpoint._on_beat = full
    with datagrams(house) as line:
        assert asked(line, Notify(1)) == Notified(1, 30)
        assert heard(line).address == "heartbeat"
        assert heard(line).address == "heartbeat"
    assert "the disk is full" in caplog.text


def test_what_is_told_from_many_threads_all_arrives(house: "House") -> None:
    ids = [new_id() for _ in range(40)]
    with stream(house) as line:
        for id_ in ids:
            line.sendall(wire.framed(wire.encode(List(house.engine.token, id_))))
            framed(line)
        threads = [threading.Thread(target=house.endpoint.tell, args=(Accepted(id_, "model/fetch"),)) for id_ in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {framed(line) for _ in ids} == {Accepted(id_, "model/fetch") for id_ in ids}


def test_submit_is_accepted_within_milliseconds(
    house: "House", region: Path, request_file: RequestFile, in_time: Callable[[float, float], None]
) -> None:
    took = []
    house.hold.set()
    with datagrams(house) as line:
        for _ in range(100):
            job = new_id()
            house.spool.put(job, request_file, region)
            began = time.perf_counter()
            while getattr(asked(line, Submit(house.engine.token, job)), "id", "") != job:
                continue
            took.append(time.perf_counter() - began)
    in_time(sorted(took)[50], 0.01)
    for job in house.spool.ids():
        if house.state_machine.state(job) == "queued":
            house.state_machine.step(job, "cancel")


def test_the_next_free_port_is_taken(house: "House") -> None:
    first = Endpoint(house.state_machine, house.handle, port=0)
    try:
        second = Endpoint(house.state_machine, house.handle, port=first.port)
        second.close()
        assert first.port < second.port < first.port + endpoint.PORTS
    finally:
        first.close()


def test_when_no_port_is_free_a_sentence_says_so(house: "House", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "PORTS", 1)
    with pytest.raises(BridgeError, match="--port"):
        Endpoint(house.state_machine, house.handle, port=house.endpoint.port)


def test_closing_twice_and_without_starting_leaves_nothing_open(house: "House") -> None:
    never = Endpoint(house.state_machine, house.handle, port=0)
    never.tell(Done(new_id(), "job/list", 0))
    never.close()
    never.close()
    never.tell(Done(new_id(), "job/list", 0))


# How it is found.


def test_the_announcement_is_for_its_user_alone_and_says_where_the_daemon_is(house: "House") -> None:
    assert discovery.found() == house.engine
    if os.name != "nt":
        assert stat.S_IMODE(places().runtime.stat().st_mode) == 0o600
    assert house.engine.token not in repr(house.engine)


def test_only_the_daemon_that_announced_itself_takes_it_back(house: "House") -> None:
    discovery.withdraw(replace(house.engine, pid=2))
    assert discovery.found() == house.engine
    discovery.withdraw(house.engine)
    assert discovery.found() is None


def test_a_second_daemon_is_refused_with_a_sentence(house: "House", tmp_path: Path) -> None:
    other = Spool(tmp_path / "other")
    other.prepare()
    with discovery.only_one(house.spool.root):
        for spool in (house.spool, other):
            with pytest.raises(AlreadyRuns, match="runs already, process 1"), discovery.only_one(spool.root):
                pass
    with discovery.only_one(house.spool.root):
        pass


def test_a_daemon_that_was_killed_leaves_the_place_free(house: "House") -> None:
    code = (
        "import sys, time; from pathlib import Path; from host_bridge import discovery\n"
        "with discovery.only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(house.spool.root)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(AlreadyRuns), discovery.only_one(house.spool.root):
            pass
        process.kill()
    with discovery.only_one(house.spool.root):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no such owner")
def test_an_announcement_of_another_user_is_not_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine = EngineFile(os.getpid(), 1, 1, "1", tmp_path, "token")
    discovery.announce(engine)
    assert discovery.found() == engine
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with pytest.raises(BadSpool, match="another user"):
        discovery.found()
