"""The list of jobs says what the daemon says and what lies in the spool, also where these are five hundred."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from host_bridge import forms
from host_bridge.files import write_whole
from host_bridge.forms import RequestFile, StateFile
from host_bridge.messages import Accepted, Cancelled, DeviceRow, Done, Fail, JobRow, ModelRow, PlanRow, Pong, Progress
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job, State, Stem
from ui import texts
from ui.models.devices import devices, forecast
from ui.models.jobs import ACTS, Jobs, Row, in_all
from ui.models.models import Choice, choices, in_bytes

ASK = RequestFile((Stem("drums"), Stem("bass", 0.5)), name="Song", host="reaper", settings={"method": "joint"})
SIDECAR: dict[str, Any] = {"schema": "zerostem-sidecar/1", "stems": [{"prompt": "drums", "strength": 1.0, "path": None}]}


@pytest.fixture
def region(tmp_path: Path) -> Path:
    (tmp_path / "region.wav").write_bytes(b"never read")
    return tmp_path / "region.wav"


@pytest.fixture
def jobs(spool: Spool, region: Path) -> Jobs:
    spool.put("first-job", ASK, region)
    spool.put("second-job", replace(ASK, host="panel", name=""), region)
    made = Jobs(spool)
    made.look()
    return made


def row(jobs: Jobs, job: str = "first-job") -> Row:
    found = jobs.row(job)
    assert found
    return found


def test_what_lies_in_the_spool_is_listed_the_latest_first(jobs: Jobs) -> None:
    assert [each.id for each in jobs.rows()] == ["second-job", "first-job"]
    first = row(jobs)
    assert (first.title, first.prompts, first.host, first.method) == ("Song", ("drums", "bass"), "reaper", "joint")
    assert (first.state, first.line) == ("queued", "waiting")
    assert row(jobs, "second-job").title == "second-job"


def test_a_look_tells_what_has_changed_and_reads_nothing_else(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs.look() == set()
    jobs.spool.record(StateFile(Job("first-job", "running", 430, "separating", 12, "cuda:0"), 1), "start")
    read: list[str] = []
    real = jobs._read

    def counted(job: str) -> Row:
        read.append(job)
        return real(job)

    monkeypatch.setattr(jobs, "_read", counted)
    assert jobs.look() == {"first-job"} == {*read}
    assert row(jobs).line == "running 43 %, separating, 12 s left, on cuda:0"
    jobs.spool.record(StateFile(Job("first-job", "failed"), 1, 415, "Take 1. Drums.wav is gone.", "Put it back."), "fail")
    jobs.look()
    assert row(jobs).line == "failed: Take 1. Drums.wav is gone. Put it back."
    assert (row(jobs).error, row(jobs).todo) == ("Take 1. Drums.wav is gone.", "Put it back.")
    jobs.spool.remove("first-job")
    assert jobs.look() == {"first-job"}
    assert [each.id for each in jobs.rows()] == ["second-job"]


def test_what_the_daemon_says_is_shown_at_once(jobs: Jobs) -> None:
    job = "first-job"
    assert jobs.hear(Progress(job, 100, "loading", -1)) == {job}
    assert row(jobs).line == "running 10 %, loading"
    assert jobs.hear(JobRow("some-request", 0, job, "running", 500, "separating", 65, "cpu")) == {job}
    assert row(jobs).line == "running 50 %, separating, 1 min 05 s left, on cpu"
    assert jobs.hear(Progress(job, 900, "writing", 0)) == {job}
    assert row(jobs).job.device == "cpu"  # progress does not say it, and does not take it away
    assert jobs.hear(Done(job, "job/submit", 2)) == {job}
    assert row(jobs).state == "done"
    assert jobs.hear(Progress(job, 950, "writing", 0)) == set()  # a datagram that came late
    assert jobs.hear(Done(job, "job/strength", 1)) == set()
    assert jobs.hear(Accepted(job, "job/deliver")) == set()


def test_the_end_of_a_job_is_heard(jobs: Jobs) -> None:
    job = "first-job"
    jobs.hear(Fail(job, "job/submit", 424, "No. 5 is missing.", "Fetch it."))
    assert (row(jobs).state, row(jobs).error, row(jobs).todo) == ("failed", "No. 5 is missing.", "Fetch it.")
    jobs.hear(Accepted(job, "job/retry"))
    assert (row(jobs).state, row(jobs).said) == ("queued", "")
    jobs.hear(Fail(job, "job/strength", 500, "Something went wrong."))
    assert row(jobs).state == "queued"
    jobs.hear(Cancelled(job))
    assert row(jobs).line == "cancelled"


def test_what_is_about_no_job_changes_none(jobs: Jobs) -> None:
    for message in (Pong(), Progress("a-model-fetch", 500, "fetching", -1), Done("a-question", "models", 4)):
        assert jobs.hear(message) == set()
    assert len(jobs.rows()) == 2


def test_a_job_that_was_just_put_there_is_known_when_it_is_first_heard_of(jobs: Jobs, region: Path) -> None:
    jobs.spool.put("third-job", ASK, region)
    assert jobs.hear(Accepted("third-job", "job/submit")) == {"third-job"}
    assert jobs.rows()[0].prompts == ("drums", "bass")


@pytest.mark.parametrize(
    ("state", "acts"),
    [
        ("queued", {"cancel", "open"}),
        ("running", {"cancel", "open"}),
        ("done", {"deliver", "rebuild", "show", "open"}),
        ("failed", {"retry", "open"}),
        ("cancelled", {"retry", "open"}),
    ],
)
def test_only_what_can_be_done_is_offered(jobs: Jobs, state: State, acts: set[str]) -> None:
    offered = replace(row(jobs), job=Job("first-job", state))
    assert offered.acts == acts
    assert "deliver" not in replace(offered, host="panel").acts  # nobody to deliver to
    assert ("deliver" in replace(offered, host="panel", delivers=True).acts) == (state == "done")
    assert acts <= {*ACTS}


def test_a_damaged_job_is_shown_with_its_trouble_and_harms_no_other(jobs: Jobs) -> None:
    (jobs.spool.root / "broken-request").mkdir()
    (jobs.spool.root / "broken-request" / "request.json").write_text("{", encoding="utf-8")
    write_whole(jobs.spool.folder("first-job") / "state.json", b"not json")
    assert jobs.look() == {"broken-request", "first-job"}
    assert "broken-request" in row(jobs, "broken-request").title
    assert "not valid JSON" in row(jobs, "broken-request").error
    assert "not valid JSON" in row(jobs).error
    assert row(jobs, "second-job").error == ""


def test_the_result_of_a_job_that_is_done_is_its_sidecar(jobs: Jobs) -> None:
    assert jobs.result("first-job") is None
    jobs.spool.commit("first-job", SIDECAR)
    result = jobs.result("first-job")
    assert result
    assert result.stems[0].prompt == "drums"


def test_five_hundred_jobs_are_listed_quickly_and_looked_through_more_quickly(
    spool: Spool, in_time: Callable[[float, float], None]
) -> None:
    data = forms.write_request(replace(ASK, name="Song"))
    for number in range(500):
        folder = spool.root / f"job-{number:05}"
        folder.mkdir()
        (folder / "request.json").write_bytes(data)
        (folder / "state.json").write_bytes(forms.write_state(StateFile(Job(folder.name, "done", 1000), 1)))
    jobs = Jobs(spool)
    start = time.perf_counter()
    assert len(jobs.look()) == 500
    first_s = time.perf_counter() - start
    start = time.perf_counter()
    assert jobs.look() == set()
    again_s = time.perf_counter() - start
    assert len(jobs.rows()) == 500
    in_time(first_s, 3)  # 0.1 s on an idle machine
    in_time(again_s, 0.5)  # 0.01 s


def test_the_queue_is_summed_up_in_a_line(jobs: Jobs) -> None:
    assert in_all(jobs.rows()) == "2 waiting"
    jobs.hear(Progress("first-job", 1, "loading", -1))
    assert in_all(jobs.rows()) == "1 waiting, 1 running"
    jobs.hear(Done("first-job", "job/submit", 2))
    jobs.hear(Cancelled("second-job"))
    assert in_all(jobs.rows()) == ""


@pytest.mark.parametrize(
    ("eta_s", "said"),
    [
        (-1, ""),
        (0, "0 s left"),
        (59, "59 s left"),
        (60, "1 min 00 s left"),
        (599, "9 min 59 s left"),
        (600, "10 min left"),
        (3599, "60 min left"),
        (3600, "1 h 00 min left"),
        (7380, "2 h 03 min left"),
    ],
)
def test_time_left_is_said_as_people_do(eta_s: int, said: str) -> None:
    assert texts.left(eta_s) == said


# What there is.


def test_models_say_what_their_licence_forbids_and_those_that_are_here_come_first() -> None:
    rows = [
        ModelRow("request-id", 0, "audioldm-m-full", "CC BY-NC-SA 4.0 (non-commercial)", 0, 2_600_000_000, "any sound"),
        ModelRow("request-id", 1, "pocket", "MIT", 1, 22_842_694, "15 instruments"),
        ModelRow("request-id", 2, "of-a-friend", "cc-by-nc-4.0", 0, -1, "cats"),
    ]
    pocket, large, friend = choices(rows)
    assert pocket == Choice("pocket", "MIT", True, 22_842_694, "15 instruments")
    assert (pocket.line, pocket.warning) == ("pocket: 15 instruments", "")
    assert large.line == "audioldm-m-full: any sound (2.6 GB to fetch, non-commercial)"
    assert (large.standing, large.question) == ("2.6 GB to fetch", "Fetch audioldm-m-full, 2.6 GB?")
    assert large.warning == "Not for commercial use: CC BY-NC-SA 4.0 (non-commercial)."
    assert friend.line == "of-a-friend: cats (to be fetched, non-commercial)"
    assert (friend.standing, friend.question) == ("to be fetched", "Fetch of-a-friend?")


@pytest.mark.parametrize(
    ("licence", "commercial", "forbidden"),
    [
        ("MIT", True, False),
        ("Apache-2.0", True, False),
        ("cc-by-nc-4.0", False, True),
        ("CC BY-NC-SA 4.0 (non-commercial)", False, True),
        ("unknown: see the checkpoint's own licence", False, False),
    ],
)
def test_a_licence_is_taken_at_its_word_and_an_unknown_one_is_to_be_read(
    licence: str, commercial: bool, forbidden: bool
) -> None:
    choice = Choice("x", licence, True, 0, "")
    assert (choice.commercial, choice.forbidden) == (commercial, forbidden)
    assert bool(choice.warning) != commercial
    assert (licence in choice.warning) != commercial


def test_devices_and_plans_are_told_in_a_line() -> None:
    (device,) = devices([DeviceRow("request-id", 0, "cuda:0", "NVIDIA RTX 4090", 21_300_000_000)])
    assert device.line == "cuda:0: NVIDIA RTX 4090, 21 GB free"
    (unknown,) = devices([DeviceRow("request-id", 0, "cpu", "8 cores", -1)])
    assert unknown.line == "cpu: 8 cores"
    plan = PlanRow("request-id", 0, "cpu", 4, 1_200_000_000, 130)
    assert forecast(plan) == "about 2 min 10 s on cpu, 4 windows at once in 1.2 GB"
    assert forecast(replace(plan, expected_s=-1, size=-1)) == "on cpu, 4 windows at once"
    assert [in_bytes(size) for size in (900, 22_842_694, 1_700_000_000)] == ["1 kB", "23 MB", "1.7 GB"]
