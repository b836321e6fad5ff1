"""A job from its folder to its stems, in this process: what it survives, what it leaves behind, who goes first."""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from pythonosc.osc_message import OscMessage
from torch import Tensor

from engine import measure
from engine.backbones.base import Conditioning
from engine.backbones.gaussian import Gaussian
from engine.cache import Shelf
from engine.separation import Separator
from engine.serving.bells import Bells
from engine.serving.desk import Desk
from engine.serving.jobs import Jobs
from engine.serving.turns import NOW, Turns
from engine.serving.warm import Warm
from engine.serving.work import RENDERING, Work
from host_bridge import atomic
from host_bridge.bwf import time_reference
from host_bridge.errors import BadModel, BadRequest, Code
from host_bridge.exchange import Exchange, Peer
from host_bridge.forms import RequestFile, Source, Timeline
from host_bridge.messages import Accepted, Cancelled, Deliver, Done, Fail, Message, Progress, Strength, Submit, Tie, Welcome
from host_bridge.recovery import recover
from host_bridge.spool import ASIDE, KEPT, Spool
from host_bridge.vocabulary import Hertz, Samples, Stem, new_id

pytestmark = pytest.mark.slow

RATE = 16_000
ASK = RequestFile((Stem("0.5"), Stem("-0.5", 0.5)), settings={"steps": 2})


class Slow(Gaussian):
    """The model in closed form, whose passes wait while it is held, and whose memory ends where a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.at_work = threading.Event(), threading.Event()
        self.free.set()
        self.most: float = torch.inf
        self.full = False
        self.wrong: Exception | None = None

    def noise(self, latent: Tensor, levels: Tensor, conditioning: Conditioning) -> Tensor:
        self.at_work.set()
        assert self.free.wait(30)
        if self.wrong:
            raise self.wrong
        if len(latent) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().noise(latent, levels, conditioning)

    def magnitude(self, features: Tensor) -> Tensor:
        if self.full:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: ...")
        return super().magnitude(features)

    def hold(self) -> None:
        self.at_work.clear()
        self.free.clear()


class House:
    """Everything between the sockets and the model."""

    work: Work

    def __init__(self, root: Path, bells: Bells, idle_s: float = 60.0) -> None:
        self.model, self.loads = Slow(), 0
        self.spool = Spool(root / "spool")
        self.spool.prepare()
        self.exchange = Exchange("token", Welcome("test", "", "1", 1), time.monotonic)
        self.said: Queue[Message] = Queue()
        self.turns = Turns()
        whole, stem = (lambda job: self.work.await_whole(job)), (lambda job: self.work.await_stem(job))  # noqa: PLW0108
        self.jobs = Jobs(self.spool, self.exchange, self.said.put, whole, stem)
        self.warm = Warm(lambda name: self.load(name, root))
        self.work = Work(self.jobs, self.turns, self.warm, bells, idle_s)

    def load(self, name: str, root: Path) -> Separator:
        if name == "huge":
            raise torch.OutOfMemoryError("CUDA out of memory")
        if name == "missing":
            raise BadModel("The model is not here.", "Fetch it.")
        self.loads += 1
        return Separator(self.model, Shelf(root / "cache"))

    def ask(self, region: Path | None, request: RequestFile = ASK) -> str:
        job = new_id()
        self.spool.put(job, request, region)
        assert self.jobs.submit(job) == Accepted(job, Submit.address)
        return job

    def hear(self, wanted: Callable[[Message], bool]) -> list[Message]:
        """Everything said up to the message that is wanted."""
        heard: list[Message] = []
        while not heard or not wanted(heard[-1]):
            heard.append(self.said.get(timeout=30))
        return heard

    def end(self, job: str) -> list[Message]:
        whole = ("", Submit.address)

        def ends(said: Message) -> bool:
            return isinstance(said, Done | Fail | Cancelled) and said.id == job and getattr(said, "what", "") in whole

        return self.hear(ends)

    def done(self, job: str) -> dict[str, Any]:
        assert isinstance(self.end(job)[-1], Done), self.spool.state(job)
        result = self.spool.result(job)
        assert result is not None
        return result

    def settle(self) -> None:
        """Wait until the device's thread has ended what it had begun."""
        ready = threading.Event()
        self.turns.put(ready.set)
        assert ready.wait(30)

    def close(self) -> None:
        self.model.free.set()
        self.jobs.close()
        self.work.close()
        self.jobs.settle()


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    """Where a DAW would listen."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.bind(("127.0.0.1", 0))
        line.settimeout(10)
        yield line


@pytest.fixture
def house(tmp_path: Path, ear: socket.socket) -> Iterator[House]:
    (tmp_path / "hosts.toml").write_text(f"[reaper]\nport = {ear.getsockname()[1]}\n")
    built = House(tmp_path, Bells.read(tmp_path))
    built.work.start()
    yield built
    built.close()


@pytest.fixture
def region(tmp_path: Path) -> Path:
    path = tmp_path / "take.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=(RATE, 2)), RATE, subtype="FLOAT")
    return path


def listing(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def total(result: dict[str, Any]) -> Any:
    return np.sum([soundfile.read(file)[0] for file in (*(stem["path"] for stem in result["stems"]), result["rest"])], 0)


def test_a_job_becomes_stems_that_add_up_to_its_region(house: House, region: Path) -> None:
    job = house.ask(region)
    result = house.done(job)
    np.testing.assert_allclose(total(result), soundfile.read(region)[0], atol=1e-6)
    assert listing(house.spool.folder(job)) == {*KEPT, "stems", "result.json"} - {"strengths.json", "cancel"}
    assert {path.name for path in (house.spool.folder(job) / "stems").iterdir()} == result["files"].keys()
    assert house.spool.state(job).job.device == "cpu"


def test_progress_rises_and_names_its_stage(house: House, region: Path) -> None:
    heard = house.end(house.ask(region))
    progress = [said for said in heard if isinstance(said, Progress)]
    assert progress
    assert [said.permille for said in progress] == sorted(said.permille for said in progress)
    assert all(said.stage for said in progress)


def test_the_same_id_twice_is_one_job_and_tells_how_it_ended(house: House, region: Path) -> None:
    job = house.ask(region)
    assert house.jobs.submit(job) == Accepted(job, Submit.address)
    house.done(job)
    house.settle()
    assert house.jobs.submit(job) == Accepted(job, Submit.address)
    assert house.end(job)[-1] == Done(job, Submit.address, 2)


def test_the_disk_is_read_by_the_clerk_and_not_by_whoever_brings_a_message(
    house: House, region: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, readers = house.ask(region), set[str]()
    house.done(job)
    house.settle()
    inner = os.open

    def watched(*words: Any, **more: Any) -> int:
        readers.add(threading.current_thread().name)
        return inner(*words, **more)

    monkeypatch.setattr(os, "open", watched)
    desk = Desk(house.jobs, house.work, lambda: None)
    ours = threading.current_thread().name
    for stem in ("0.5", "no such stem"):
        assert desk.handle(Tie("token", 3, job, stem), Peer("udp", "127.0.0.1", 1)) == []
        said = house.hear(lambda message: isinstance(message, Done | Fail) and message.what == Tie.address)[-1]
        assert isinstance(said, Done) == (stem == "0.5")
        assert desk._ties == {3: (job, "0.5")}
    assert house.jobs.submit(job) == Accepted(job, Submit.address)
    house.end(job)
    assert readers
    assert ours not in readers
    desk.close()
    journal = (house.spool.folder(job) / "journal.jsonl").read_text().splitlines()
    assert [line.count('"start"') for line in journal].count(1) == 1


def test_a_cancel_is_answered_while_a_pass_is_in_flight_and_nothing_is_kept(
    house: House, region: Path, in_time: Callable[[float, float], None]
) -> None:
    house.model.hold()
    job = house.ask(region)
    assert house.model.at_work.wait(30)
    began = time.monotonic()
    house.jobs.cancel(job)
    assert house.end(job)[-1] == Cancelled(job)
    in_time(time.monotonic() - began, 1)
    house.model.free.set()
    house.settle()
    assert listing(house.spool.folder(job)) <= KEPT
    assert house.spool.state(job).job.state == "cancelled"
    assert house.jobs.submit(job) == Accepted(job, Submit.address)
    assert house.end(job)[-1] == Cancelled(job)


def test_a_file_named_cancel_stops_a_job_that_waits(house: House, region: Path) -> None:
    house.model.hold()
    first, second = house.ask(region), house.ask(region)
    house.spool.drop_cancel(second)
    house.jobs.look()
    assert house.end(second)[-1] == Cancelled(second)
    house.model.free.set()
    house.done(first)
    house.settle()
    assert house.spool.result(second) is None


def test_a_cancelled_job_is_done_when_it_is_tried_again(house: House, region: Path) -> None:
    house.model.hold()
    job = house.ask(region)
    assert house.model.at_work.wait(30)
    house.jobs.cancel(job)
    house.jobs.retry(job)
    house.end(job)
    house.model.free.set()
    house.done(job)
    assert house.spool.state(job).attempt == 2


def test_a_folder_that_came_without_a_bell_is_found(house: House, region: Path) -> None:
    job = new_id()
    house.spool.put(job, ASK, region)
    house.jobs.look()
    house.done(job)


def test_a_folder_that_is_taken_away_is_forgotten(house: House, region: Path) -> None:
    job = house.ask(region)
    house.done(job)
    house.spool.remove(job)
    house.jobs.look()
    assert house.exchange.state(job) is None


def test_another_strength_renders_again_without_another_climb(house: House, region: Path) -> None:
    job = house.ask(region)
    before = house.done(job)
    house.jobs.strengthen(job, "0.5", 250)
    heard = house.hear(lambda said: said == Done(job, Strength.address, 1))
    assert Accepted(job, Strength.address) in heard
    assert Progress(job, 0, RENDERING, -1) in heard
    after = house.spool.result(job)
    assert after is not None
    assert [stem["strength"] for stem in after["stems"]] == [0.25, 0.5]
    assert after["files"] != before["files"]
    assert after["network_passes"] < before["network_passes"]
    assert all(measure.sha256(house.spool.folder(job) / "stems" / name) == was for name, was in after["files"].items())
    np.testing.assert_allclose(total(after), soundfile.read(region)[0], atol=1e-6)
    assert house.spool.state(job).job.state == "done"


def test_a_stem_somebody_listens_to_goes_before_the_job_at_work(house: House, region: Path) -> None:
    first = house.ask(region)
    house.done(first)
    house.model.hold()
    second = house.ask(region, replace(ASK, settings={"steps": 3}))
    assert house.model.at_work.wait(30)
    house.jobs.strengthen(first, "0.5", 700)
    house.hear(lambda said: said == Accepted(first, Strength.address))
    house.model.free.set()
    ends = [said for said in house.end(second) if isinstance(said, Done)]
    assert ends == [Done(first, Strength.address, 1), Done(second, Submit.address, 2)]


def test_a_strength_that_changes_under_a_running_job_counts_in_the_end(house: House, region: Path) -> None:
    house.model.hold()
    job = house.ask(region)
    assert house.model.at_work.wait(30)
    house.jobs.strengthen(job, "-0.5", 900)
    house.hear(lambda said: said == Accepted(job, Strength.address))
    house.model.free.set()
    house.hear(lambda said: said == Done(job, Strength.address, 1))
    result = house.spool.result(job)
    assert result is not None
    assert [stem["strength"] for stem in result["stems"]] == [1.0, 0.9]


def test_a_strength_for_a_stem_that_is_not_there_is_refused(house: House, region: Path) -> None:
    job = house.ask(region)
    house.done(job)
    house.jobs.strengthen(job, "cowbell", 500)
    said = house.said.get(timeout=30)
    assert isinstance(said, Fail)
    assert (said.what, said.code) == (Strength.address, Code.NO_SUCH_THING)


@pytest.mark.parametrize(
    ("request_file", "code", "words"),
    [
        (replace(ASK, model="missing"), Code.BAD_MODEL, "not here"),
        (replace(ASK, model="huge"), Code.BAD_MODEL, "does not fit"),
        (replace(ASK, stems=(Stem("a word"),)), Code.BAD_REQUEST, "numbers"),
        (replace(ASK, settings={"method": "magic"}), Code.BAD_REQUEST, "magic"),
        (replace(ASK, settings={"complete": True}, stems=(Stem("0.5"),)), Code.BAD_REQUEST, "every sound"),
        (replace(ASK, deliver=Path("/nowhere/at/all")), Code.DISK, "not a folder"),
    ],
)
def test_what_cannot_be_done_fails_with_a_code_and_two_sentences(
    house: House, region: Path, request_file: RequestFile, code: Code, words: str
) -> None:
    job = house.ask(region, request_file)
    fail = house.end(job)[-1]
    assert isinstance(fail, Fail)
    assert fail.code == code
    assert words in fail.said
    house.settle()
    assert listing(house.spool.folder(job)) <= KEPT
    assert house.jobs.submit(job) == Accepted(job, Submit.address)
    assert house.end(job)[-1] == fail


def test_a_job_that_failed_is_done_once_it_can_be(house: House, region: Path) -> None:
    house.model.wrong = ZeroDivisionError("inside the model")
    job = house.ask(region)
    fail = house.end(job)[-1]
    assert isinstance(fail, Fail)
    assert fail.code == Code.FAULT
    assert "inside the model" in fail.said
    house.model.wrong = None
    house.jobs.retry(job)
    house.done(job)


def test_without_memory_the_batch_is_halved_and_everybody_is_told(house: House, region: Path) -> None:
    house.model.most = 2
    before = house.model.batch
    job = house.ask(region)
    heard = house.end(job)
    assert isinstance(heard[-1], Done)
    house.settle()
    assert house.model.batch == before, "the next job may have all of it again"
    said = [message.stage for message in heard if isinstance(message, Progress)]
    assert any("out of memory" in stage for stage in said), said


def test_a_model_that_does_not_fit_at_all_is_a_failure(house: House, region: Path) -> None:
    house.model.most = 0
    fail = house.end(house.ask(region))[-1]
    assert isinstance(fail, Fail)
    assert fail.code == Code.BAD_MODEL


@pytest.mark.parametrize("where", ["network", "codec"])
def test_a_model_outlives_a_job_that_ran_out_of_memory(house: House, region: Path, where: str) -> None:
    before = house.model.batch
    house.model.most, house.model.full = (0, False) if where == "network" else (torch.inf, True)
    fail = house.end(house.ask(region))[-1]
    assert isinstance(fail, Fail)
    assert fail.code == Code.BAD_MODEL
    house.model.most, house.model.full = torch.inf, False
    house.done(house.ask(region))
    assert (house.loads, house.model.batch) == (1, before)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EIO])
def test_progress_that_cannot_be_shown_fails_no_job(
    house: House, region: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    write = atomic.write

    def refused(path: Path, data: bytes, mode: int | None = 0o600, *, durable: bool = True) -> None:
        if not durable:
            raise OSError(number, os.strerror(number))
        write(path, data, mode, durable=durable)

    monkeypatch.setattr(atomic, "write", refused)
    house.done(house.ask(region))
    said = [record.getMessage() for record in caplog.records]
    assert said.count("progress not shown") == 1


def test_the_model_is_loaded_once_and_let_go_after_a_while(tmp_path: Path, region: Path) -> None:
    house = House(tmp_path, Bells({}), idle_s=0.2)
    house.work.start()
    try:
        first, second = house.ask(region), house.ask(region)
        house.done(first)
        house.done(second)
        assert house.loads == 1
        until = time.monotonic() + 30
        while not house.warm.empty and time.monotonic() < until:
            threading.Event().wait(0.02)
        assert house.warm.empty
        house.done(house.ask(region))
        assert house.loads == 2
    finally:
        house.close()


def test_sources_are_cut_into_a_region_with_its_place_on_the_timeline(house: House, region: Path) -> None:
    cut = tuple(Source(region, channel, Samples(100), Samples(9000)) for channel in (1, 0))
    job = house.ask(None, replace(ASK, source=cut, region=Timeline(Samples(96_000), Hertz(48_000))))
    result = house.done(job)
    made = house.spool.folder(job) / "region.wav"
    np.testing.assert_array_equal(soundfile.read(made)[0], soundfile.read(region)[0][100:9100, ::-1].astype(np.float32))
    assert time_reference(made) == time_reference(Path(result["stems"][0]["path"])) == 32_000


def test_a_region_of_the_hosts_own_is_stamped_too(house: House, region: Path) -> None:
    job = house.ask(region, replace(ASK, region=Timeline(Samples(1234), Hertz(RATE))))
    assert time_reference(Path(house.done(job)["rest"])) == 1234


@pytest.mark.skipif(os.name == "nt", reason="pipes with names are of Unix")
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "missing", "text", "too short", "no such channel", "two rates"])
def test_a_source_that_is_no_sound_to_cut_is_refused_at_once(house: House, region: Path, tmp_path: Path, kind: str) -> None:
    path, channel, start = tmp_path / "source", 0, 0
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "text":
        path.write_text("la la la")
    elif kind == "two rates":
        soundfile.write(path, np.zeros(100), 8000, format="WAV")
    elif kind != "missing":
        path, channel, start = region, 2 if kind == "no such channel" else 0, RATE if kind == "too short" else 0
    sources = (Source(region, 0, Samples(0), Samples(50)), Source(path, channel, Samples(start), Samples(50)))
    fail = house.end(house.ask(None, replace(ASK, source=sources)))[-1]
    assert isinstance(fail, Fail)
    assert fail.code in (Code.BAD_AUDIO, Code.BAD_REQUEST)


def test_a_link_in_the_place_of_the_region_is_not_followed(house: House, region: Path) -> None:
    job = new_id()
    house.spool.put(job, ASK, region)
    (house.spool.folder(job) / "region.wav").unlink()
    (house.spool.folder(job) / "region.wav").symlink_to(region)
    house.jobs.submit(job)
    fail = house.end(job)[-1]
    assert isinstance(fail, Fail)
    assert "not a regular file" in fail.said


def test_stems_are_added_to_the_folder_that_was_named_and_nothing_there_is_touched(
    house: House, region: Path, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (media / "take - 0.5.wav").write_bytes(b"somebody's own")
    job = house.ask(region, replace(ASK, deliver=media, name="take"))
    result = house.done(job)
    assert listing(media) == {"take - 0.5.wav", "take - 0.5 (2).wav", "take - -0.5.wav", "take - rest.wav"}
    assert (media / "take - 0.5.wav").read_bytes() == b"somebody's own"
    assert {*result["delivered"]} == {str(media / name) for name in listing(media) - {"take - 0.5.wav"}}
    (media / "take - rest.wav").unlink()
    house.work.await_delivery(job)
    house.hear(lambda said: said == Done(job, Deliver.address, 2))
    assert (media / "take - rest.wav").exists()


def test_a_delivery_that_a_crash_kept_from_happening_is_made_up_for(house: House, region: Path, tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    job = house.ask(region, replace(ASK, deliver=media))
    result = house.done(job)
    for file in media.iterdir():
        file.unlink()
    del result["delivered"]
    house.spool.commit(job, result)
    house.work.await_overdue(job)
    house.settle()
    assert len(listing(media)) == 3


def test_only_the_rest_is_written_when_everything_but_is_wanted(house: House, region: Path) -> None:
    result = house.done(house.ask(region, replace(ASK, settings={**ASK.settings, "everything_but": True})))
    assert [stem["path"] for stem in result["stems"]] == [None, None]
    assert Path(result["rest"]).is_file()


def test_a_host_that_asked_is_told_in_its_own_words(house: House, region: Path, ear: socket.socket) -> None:
    house.done(house.ask(region, replace(ASK, host="reaper")))
    heard = OscMessage(ear.recv(2000))
    assert (heard.address, heard.params) == ("/action/str", ["_ZEROSTEM_IMPORT"])


def test_a_bell_says_what_the_user_has_set_for_it(tmp_path: Path, ear: socket.socket) -> None:
    (tmp_path / "hosts.toml").write_text(f'[ardour]\nport = {ear.getsockname()[1]}\naction = "LuaAction/script-7"\n')
    assert Bells.read(tmp_path).ring("ardour")
    heard = OscMessage(ear.recv(2000))
    assert (heard.address, heard.params) == ("/access_action", ["LuaAction/script-7"])
    assert not Bells.read(tmp_path).ring("reaper")


@pytest.mark.parametrize(
    "text", ["[cubase]\nport = 1", "[reaper]\nport = 'x'", "[reaper]\nport = 99999", "[reaper", "[reaper]\nprot = 8000"]
)
def test_settings_of_hosts_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "hosts.toml").write_text(text)
    with pytest.raises(BadRequest, match="hosts.toml"):
        Bells.read(tmp_path)


def test_what_runs_when_the_daemon_ends_is_queued_for_the_next_one(tmp_path: Path, region: Path) -> None:
    house = House(tmp_path, Bells({}))
    house.work.start()
    house.model.hold()
    job = house.ask(region)
    assert house.model.at_work.wait(30)
    house.jobs.close()
    house.turns.close()
    house.close()
    (found,) = recover(house.spool)
    assert found.state.job.state == "queued"
    assert listing(house.spool.folder(job)) <= KEPT


def test_stems_that_a_killed_rendering_had_begun_to_replace_are_rendered_anew(house: House, region: Path) -> None:
    job = house.ask(region)
    before = house.done(job)
    folder = house.spool.folder(job)
    house.settle()
    (folder / ASIDE).mkdir()  # as a kill leaves it: the strength is again what it was, one stem is not
    Path(before["stems"][0]["path"]).write_bytes(b"of another strength")
    [found] = recover(house.spool)
    assert found.rerender
    house.work.await_stem(job)
    house.hear(lambda message: isinstance(message, Done) and message.what == Strength.address)
    after = house.spool.result(job)
    assert after is not None
    assert after["files"] == before["files"]
    assert {name: measure.sha256(folder / "stems" / name) for name in after["files"]} == after["files"]
    assert not (folder / ASIDE).exists()
    assert not recover(house.spool)[0].rerender


def test_a_strength_that_is_refused_is_forgotten(house: House, region: Path) -> None:
    house.model.most = 0
    job = house.ask(region)
    house.end(job)
    for stem in ("0.5", "no such stem"):
        house.jobs.strengthen(job, stem, 300)
        house.hear(lambda message: isinstance(message, Fail) and message.what == Strength.address)
    assert house.jobs._wanted == {}


def test_turns_come_by_rank_and_then_in_order() -> None:
    turns, taken = Turns(), []
    for name, rank in (("a", 1), ("b", 1), ("c", NOW), ("d", NOW)):
        turns.put(lambda name=name: taken.append(name), rank)  # type: ignore[misc]
    assert turns.take(0, NOW)
    while turn := turns.take(0):
        turn()
    assert taken == ["d", "a", "b"]
