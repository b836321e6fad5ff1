"""The client gets its jobs done: through loss, over TCP, with 49 others, and says a sentence where nobody answers."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from host_bridge.client import Client, NoDaemon, Refused
from host_bridge.errors import BadRequest, Code
from host_bridge.forms import RequestFile
from host_bridge.messages import Accepted, Cancelled, Done, Fail, Heartbeat, Message, Plan, PlanRow, Progress
from host_bridge.vocabulary import Stem, new_id

if TYPE_CHECKING:
    from tests.host_bridge.conftest import House, Relay


def test_a_job_that_is_submitted_is_done_and_its_result_lies_in_the_spool(
    house: "House", region: Path, request_file: RequestFile
) -> None:
    with Client.find() as client:
        job = client.submit(request_file, region)
        *_, last = client.watch(job)
        assert last == Done(job, "job/submit", 2)
        result = client.spool.result(job)
    assert result
    assert [stem["prompt"] for stem in result["stems"]] == ["drums", "bass"]


def test_progress_is_told_while_it_runs(house: "House", region: Path, request_file: RequestFile) -> None:
    house.work_s = 0.6
    with house.client() as client:
        job = client.submit(request_file, region)
        told = [message.permille for message in client.watch(job) if isinstance(message, Progress)]
    assert len(told) >= 2
    assert told == sorted(told)


def test_the_same_id_submitted_twice_is_one_job(house: "House", region: Path, request_file: RequestFile) -> None:
    job = new_id()
    with house.client() as one, house.client() as other:
        one.submit(request_file, region, job)
        other.submit(request_file, region, job)
        one.ring(job)
        assert [*one.watch(job)][-1] == [*other.watch(job)][-1] == Done(job, "job/submit", 2)
    assert house.ran == [job]


def test_a_job_that_is_done_says_so_when_it_is_submitted_again(house: "House", region: Path, request_file: RequestFile) -> None:
    with house.client() as client:
        job = client.submit(request_file, region)
        [*client.watch(job)]
        client.ring(job)
        assert [*client.watch(job)][-1] == Done(job, "job/submit", 2)
    assert house.ran == [job]


def test_cancelled_is_answered_within_a_second_and_nothing_is_kept(
    house: "House", region: Path, request_file: RequestFile, in_time: Callable[[float, float], None]
) -> None:
    house.hold.set()
    with house.client() as client:
        job = client.submit(request_file, region)
        time.sleep(0.05)
        began = time.monotonic()
        client.cancel(job)
        in_time(time.monotonic() - began, 1)
        assert [*client.watch(job)][-1] == Cancelled(job)
        assert client.job(job).state == "cancelled"
        assert client.spool.result(job) is None


def test_a_job_that_failed_says_why_and_may_be_tried_again(house: "House", region: Path, request_file: RequestFile) -> None:
    def out_of_tune(_id: str) -> None:
        raise BadRequest("The piano is out of tune.", "Call somebody.")

    house.wrong = out_of_tune
    with house.client() as client:
        job = client.submit(request_file, region)
        *_, last = client.watch(job)
        assert last == Fail(job, "job/submit", int(Code.BAD_REQUEST), "The piano is out of tune.", "Call somebody.")
        with pytest.raises(Refused, match="out of tune"):
            client.ring(job)
        house.wrong = lambda _id: None
        client.retry(job)
        assert [*client.watch(job)][-1] == Done(job, "job/submit", 2)


def test_what_the_jobs_state_does_not_allow_is_refused(house: "House", region: Path, request_file: RequestFile) -> None:
    with house.client() as client:
        job = client.submit(request_file, region)
        [*client.watch(job)]
        for ask in (client.cancel, client.retry):
            with pytest.raises(Refused) as refused:
                ask(job)
            assert refused.value.fail.code == Code.NOT_NOW
        with pytest.raises(Refused) as refused:
            client.job(new_id())
        assert refused.value.fail.code == Code.NO_SUCH_THING


def test_a_strength_is_kept_and_a_stem_that_is_not_there_is_refused(
    house: "House", region: Path, request_file: RequestFile
) -> None:
    with house.client() as client:
        job = client.submit(request_file, region)
        [*client.watch(job)]
        client.strength(job, "drums", 400, wait=True)
        assert client.spool.unsettled(job) == {"drums": 400}
        with pytest.raises(Refused, match="no stem"):
            client.strength(job, "tuba", 400)


def test_a_knob_is_tied_and_moved(house: "House", region: Path, request_file: RequestFile) -> None:
    with house.client() as client:
        job = client.submit(request_file, region)
        client.tie(3, job, "drums")
        client.knob(3, 0.25)
        client.ping()
    assert house.ties == {3: (job, "drums")}
    assert house.moved == [(3, 0.25)]


def test_models_devices_plans_and_jobs_come_as_rows(house: "House", region: Path, request_file: RequestFile) -> None:
    with house.client() as client:
        jobs = [client.submit(request_file, region) for _ in range(30)]
        assert [job.id for job in client.jobs()] == jobs
        assert client.models()[0].size == 2**40
        assert [(row.word, row.meaning) for row in client.vocabulary()] == [("drums", "drums"), ("drum kit", "drums")]
        assert client.vocabulary("takes any text") == []
        assert client.devices()[0].name == "cpu"
        assert client.plan("dummy", 90, 2)[0].expected_s == 90
        assert isinstance([*client.fetch("dummy")][-1], Done)
        client.stop_fetch(jobs[0])
        client.deliver(jobs[0], wait=True)
        client.stop()


def test_what_is_only_said_bears_the_token_and_its_answer_comes_to_whoever_listens(house: "House") -> None:
    with house.client() as client:
        client.say(Plan("", "my-own-plan", "dummy", 90, 2))
        row, end = client.listen(3), client.listen(3)
        assert isinstance(row, PlanRow)
        assert (row.id, row.expected_s) == ("my-own-plan", 90)
        assert end == Done("my-own-plan", "plan", 1)


def test_a_fault_inside_a_handler_is_told_and_the_daemon_goes_on(house: "House", caplog: pytest.LogCaptureFixture) -> None:
    with house.client() as client:
        with pytest.raises(Refused) as refused:
            [*client.fetch("a fault")]
        assert refused.value.fail.code == Code.FAULT
        with pytest.raises(Refused, match="no model"):
            [*client.fetch("another")]
        client.ping()
    assert "ZeroDivisionError" in caplog.text


def test_a_name_too_long_for_a_datagram_goes_over_tcp(house: "House", region: Path) -> None:
    long = "ピアノ" * 160
    with house.client() as client:
        job = client.submit(RequestFile((Stem(long),)), region)
        [*client.watch(job)]
        client.strength(job, long, 100, wait=True)
    assert house.spool.strengths(job) == {long: 100}


def test_with_half_of_all_datagrams_lost_both_ways_every_job_completes(
    house: "House", region: Path, request_file: RequestFile, make_relay: "type[Relay]"
) -> None:
    with make_relay(house.endpoint.port, 0.5, seed=1) as relay:
        lossy = replace(house.engine, udp=relay.port)
        jobs = [new_id() for _ in range(6)]

        def one(job: str) -> None:
            with house.client(lossy) as client:
                client.submit(request_file, region, job)
                [*client.watch(job)]

        together(*(partial(one, job) for job in jobs))
        assert relay.lost > 0
    assert sorted(house.ran) == sorted(jobs)
    assert {house.spool.state(job).job.state for job in jobs} == {"done"}


def test_with_half_of_all_datagrams_lost_and_no_tcp_a_bell_that_is_rung_again_is_heard(
    house: "House", region: Path, request_file: RequestFile, make_relay: "type[Relay]"
) -> None:
    nobody = unused_port()
    with make_relay(house.endpoint.port, 0.5, seed=3) as relay:
        lossy = replace(house.engine, udp=relay.port, tcp=nobody)
        job = new_id()
        for _ in range(20):
            with house.client(lossy) as client:
                try:
                    client.submit(request_file, region, job)
                    if isinstance([*client.watch(job)][-1], Done):
                        break
                except NoDaemon:
                    continue
    assert house.ran == [job]


def test_fifty_clients_at_once_are_all_served(house: "House", region: Path, request_file: RequestFile) -> None:
    def one() -> None:
        with house.client() as client:
            client.hello()
            [*client.watch(client.submit(request_file, region))]

    together(*[one] * 50)
    assert len(set(house.ran)) == 50


def test_a_client_that_vanishes_leaves_its_job_which_is_done(house: "House", region: Path, request_file: RequestFile) -> None:
    with house.client() as client:
        client.notify()
        job = client.submit(request_file, region)
    with house.client() as other:
        assert [*other.watch(job)][-1] == Done(job, "job/submit", 2)


def test_whoever_is_notified_hears_of_the_jobs_of_others_and_the_heartbeat(
    house: "House", region: Path, request_file: RequestFile
) -> None:
    with house.client() as listener, house.client() as client:
        listener.notify()
        job = client.submit(request_file, region)
        heard: list[Message] = []
        while not any(isinstance(message, Heartbeat) for message in heard):
            message = listener.listen(3)
            assert message is not None
            heard.append(message)
        assert Done(job, "job/submit", 2) in heard
        listener.notify(on=False)


def test_without_a_daemon_the_job_waits_in_the_spool_and_a_sentence_says_so(
    house: "House", region: Path, request_file: RequestFile, in_time: Callable[[float, float], None]
) -> None:
    nobody = unused_port()
    with house.client(replace(house.engine, udp=nobody, tcp=nobody)) as client:
        job = new_id()
        began = time.monotonic()
        with pytest.raises(NoDaemon, match="zerostem daemon"):
            client.submit(request_file, region, job)
        in_time(time.monotonic() - began, 2)
    assert house.spool.has(job)


def test_without_an_announcement_no_client_is_made() -> None:
    with pytest.raises(NoDaemon, match="zerostem daemon"):
        Client.find()


def test_a_wrong_token_is_refused(house: "House") -> None:
    with house.client(replace(house.engine, token="wrong")) as client:
        with pytest.raises(Refused) as refused:
            client.hello()
        assert refused.value.fail.code == Code.NO_TOKEN
        with pytest.raises(Refused):
            client.jobs()


def test_an_answer_to_something_else_is_not_taken_for_this_one(house: "House", region: Path, request_file: RequestFile) -> None:
    with house.client() as client:
        job = client.submit(request_file, region)
        house.endpoint.tell(Accepted(job, "job/submit"))  # a late copy
        [*client.watch(job)]
        with pytest.raises(Refused):
            client.retry(job)


def unused_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def together(*works: Callable[[], None]) -> None:
    """Run them in threads, and raise what any of them raised."""
    wrong: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise wrong[0]
