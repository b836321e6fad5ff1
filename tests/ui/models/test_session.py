"""What is dialled in becomes the request that was meant, and nothing that cannot be meant gets that far."""

from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import presets
from engine.serving.asked import asked_of
from host_bridge.bwf import Writer
from host_bridge.errors import BadAudio, BadRequest
from host_bridge.forms import RequestFile, Source, Timeline, read_request, write_request
from host_bridge.spool import Spool
from host_bridge.vocabulary import Hertz, Samples, Stem
from ui.models.region import Region, of_file, of_job
from ui.models.session import QUICK_S, Ask, Session

RATE = 8000
SOUND = np.random.default_rng(6).uniform(-1, 1, (30 * RATE, 2)).astype(np.float32)


@pytest.fixture
def song(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "my song.wav", SOUND, RATE, subtype="FLOAT")
    return tmp_path / "my song.wav"


@pytest.fixture
def session(song: Path) -> Session:
    return Session().opened(of_file(song))


def test_a_file_and_a_word_are_enough(session: Session, song: Path) -> None:
    request = session.asking("drums").request()
    assert request == RequestFile(
        stems=(Stem("drums", 1.0),),
        source=(Source(song, 0, Samples(0), Samples(30 * RATE)), Source(song, 1, Samples(0), Samples(30 * RATE))),
        name="my song",
        host="panel",
    )
    assert read_request(write_request(request)) == request


def test_what_is_missing_is_said_in_a_sentence(session: Session) -> None:
    assert Session().trouble == "Drop a file in, or send a region from your DAW."
    assert session.trouble == "Name a sound to take out."
    assert session.asking("drums").trouble is None
    assert "leave a rest" in (session.under(presets.Preset("x", "X", "stems", ("drums",), complete=True)).trouble or "")
    with pytest.raises(BadRequest, match="nothing to separate yet. Name a sound"):
        session.request()


def test_every_dial_reaches_the_engine(session: Session, tmp_path: Path) -> None:
    preset = presets.Preset("x", "X", "stems", ("drums", "bass"), "noise", 0.8, "zerosep", 12, True, -3.0, True)
    made = session.under(preset).using("pocket").strengthened("bass", 0.25)
    request = made.request()
    asked = asked_of(request, {})
    assert asked.prompts == ("drums", "bass")
    assert asked.strengths == (0.8, 0.25)
    assert (asked.unlike, asked.method, asked.steps, asked.complete) == ("noise", "zerosep", 12, True)
    assert request.settings["gain_db"] == -3.0
    assert request.settings["everything_but"] is True
    assert request.model == "pocket"


def test_dials_become_a_preset_and_back(session: Session) -> None:
    preset = presets.load("solo-up")
    made = session.under(preset)
    assert made.preset == "solo-up"
    kept = made.using("pocket").as_preset("mine", "Mine", "highlight")
    assert presets.parse("mine", presets.written(kept)) == kept
    assert session.under(kept).asks == made.asks
    assert session.under(kept).gain_db == 4.0


@pytest.mark.parametrize("name", presets.names())
def test_every_preset_of_the_library_makes_a_request(session: Session, name: str) -> None:
    preset = presets.load(name)
    asked = asked_of(session.asking("piano").under(preset).request(), {})
    assert (asked.prompts, asked.unlike) == (preset.prompts or ("piano",), preset.unlike)
    assert (asked.rounds, asked.draws, asked.guidance) == (preset.rounds, preset.draws, preset.guidance)
    kept = session.asking("piano").under(preset).as_preset("mine", "Mine")
    assert (kept.mode, kept.depth) == (preset.mode, preset.depth)


def test_only_the_selection_is_sent_and_no_sample_beyond_the_end(session: Session) -> None:
    request = session.asking("drums").selected(12.5, 2.25).request()
    assert {(source.start, source.length) for source in request.source} == {(18_000, 82_000)}
    beyond = session.asking("drums").selected(29.0, 99.0)
    assert beyond.stretch_s == (29.0, 30.0)
    assert beyond.request().source[0].length == RATE
    assert session.selected(5.0, 5.0).selection is None
    assert session.selected(5.0, 6.0).unselected().stretch_s == (0.0, 30.0)
    sliver = session.asking("drums").selected(5.0, 5.0 + 1e-9).request()
    assert sliver.source[0].length == 1


def test_sounds_are_named_once_each_on_one_line(session: Session) -> None:
    asked = session.asking("  lead   vocal ").asking("drums")
    assert [ask.prompt for ask in asked.asks] == ["lead vocal", "drums"]
    with pytest.raises(BadRequest, match="already"):
        asked.asking("DRUMS")
    for wrong in ("", "a/b", "x" * 501):
        with pytest.raises(BadRequest, match="cannot name a stem"):
            asked.asking(wrong)
    assert asked.renamed("lead vocal", "singer").asks == (Ask("singer"), Ask("drums"))
    with pytest.raises(BadRequest, match="already"):
        asked.renamed("lead vocal", "drums")
    assert asked.without("drums").asks == (Ask("lead vocal"),)


def test_strength_is_a_share(session: Session) -> None:
    asked = session.asking("drums")
    assert [asked.strengthened("drums", each).asks[0].strength for each in (-1, 0.3, 7)] == [0, 0.3, 1]


def test_what_the_stems_are_not_is_one_line(session: Session) -> None:
    asked = session.asking("drums").but_not("  bass   and\nkeys ")
    assert asked.request().settings == {"unlike": "bass and keys"}
    assert asked.but_not("").request().settings == {}
    with pytest.raises(BadRequest, match="no description"):
        asked.but_not("x" * 501)


def test_nothing_is_a_value_too(session: Session) -> None:
    preset = replace(presets.load("solo-up"), name="mine", method="zerosep", gain_db=0.0)
    settings = replace(session.under(preset), dials=(("renew", 0.0),)).asking("drums").request().settings
    assert (settings["renew"], settings["gain_db"]) == (0.0, 0.0)
    assert not {key for key, value in settings.items() if value is None or value is False or value == ""}


def test_a_session_cannot_be_changed(session: Session) -> None:
    with pytest.raises(FrozenInstanceError):
        session.model = "pocket"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("selection", "at_s", "expected"),
    [
        (None, None, (0, QUICK_S)),
        (None, 15.0, (12.5, 22.5)),
        (None, 29.0, (20.0, 30.0)),
        ((5.0, 8.0), 20.0, (5.0, 8.0)),
        ((5.0, 25.0), 0.0, (5.0, 15.0)),
    ],
)
def test_the_estimate_is_quick_whole_and_around_what_is_heard(
    session: Session, selection: tuple[float, float] | None, at_s: float | None, expected: tuple[float, float]
) -> None:
    made = session.under(presets.load("solo-up")).strengthened("electric guitar", 0.3)
    made = made.selected(*selection) if selection else made
    request = made.quick(at_s)
    assert request.stems == (Stem("electric guitar", 1.0),)
    assert request.settings == {"method": "contrast"}
    start, length = request.source[0].start, request.source[0].length
    assert (start / RATE, (start + length) / RATE) == expected


# Regions.


def test_a_file_of_a_daw_knows_its_place_and_a_part_of_it_too(tmp_path: Path) -> None:
    with Writer(tmp_path / "take.wav", Hertz(RATE), 1, Samples(80_000)) as file:
        file.write(SOUND[:, :1])
    region = of_file(tmp_path / "take.wav")
    assert region.timeline == Timeline(Samples(80_000), Hertz(RATE))
    request = Session().opened(region).asking("drums").selected(2, 3).request()
    assert request.region == Timeline(Samples(96_000), Hertz(RATE))


def test_a_file_may_be_named_by_any_way_to_it(song: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (song.parent / "sub").mkdir()
    monkeypatch.chdir(song.parent / "sub")
    (song.parent / "sub" / "link.wav").symlink_to(song)
    for way, title in ((Path("../my song.wav"), "my song"), (Path("link.wav"), "link")):
        request = Session().opened(of_file(way)).asking("drums").request()
        assert (request.source[0].path, request.name) == (song, title)


def test_a_file_that_is_no_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    with pytest.raises(BadAudio, match="notes.txt is not audio"):
        of_file(tmp_path / "notes.txt")
    with pytest.raises(BadAudio, match="does not exist"):
        of_file(tmp_path / "gone.wav")
    soundfile.write(tmp_path / "empty.wav", SOUND[:0], RATE)
    with pytest.raises(BadAudio, match="no sound"):
        of_file(tmp_path / "empty.wav")


def test_a_region_that_a_daw_rendered_is_opened_from_its_job(spool: Spool, song: Path) -> None:
    where = Timeline(Samples(441_000), Hertz(44_100))
    spool.put("a-daws-job", RequestFile((Stem("bass"),), region=where, name="Gtr 1", host="reaper"), song)
    region = of_job(spool, "a-daws-job")
    assert region
    assert (region.title, region.host, region.job, region.length_s) == ("Gtr 1", "reaper", "a-daws-job", 30.0)
    request = Session().opened(region).asking("drums").selected(1, 2).request()
    assert request.region == Timeline(Samples(485_100), Hertz(44_100))  # at the timeline's own rate
    assert request.host == "panel"  # the DAW waits for its own job alone
    assert request.source[0].path == spool.folder("a-daws-job") / "region.wav"


def test_a_region_that_is_a_stretch_of_a_file_is_heard_as_such(spool: Spool, song: Path) -> None:
    sources = tuple(Source(song, channel, Samples(1000), Samples(5000)) for channel in (0, 1))
    spool.put("stretch-job", RequestFile((Stem("bass"),), source=sources))
    region = of_job(spool, "stretch-job")
    assert region
    assert (region.audio, region.start, region.frames) == (song, 1000, 5000)
    np.testing.assert_array_equal(region.sound().read(-10, 5020)[10:-10], SOUND[1000:6000])
    part = Session().opened(region).asking("drums").selected(0.25, 0.5).request()
    assert (part.source[0].start, part.source[0].length) == (3000, 2000)


def test_a_region_of_several_files_waits_for_the_daemon_to_cut_it(spool: Spool, song: Path) -> None:
    for name, sources in (
        ("one-channel", (Source(song, 1, Samples(0), Samples(5000)),)),
        ("swapped-channels", tuple(Source(song, channel, Samples(0), Samples(5000)) for channel in (1, 0))),
        ("two-places", tuple(Source(song, channel, Samples(channel), Samples(5000)) for channel in (0, 1))),
    ):
        spool.put(name, RequestFile((Stem("bass"),), source=sources))
        assert of_job(spool, name) is None


def test_a_whole_region_is_its_file_and_a_part_only_the_part(song: Path) -> None:
    whole = of_file(song)
    assert whole.sound().frames == len(SOUND)
    part = Region(song, Samples(5), Samples(10), whole.rate, 2, "part")
    np.testing.assert_array_equal(part.sound().read(0, 20)[:10], SOUND[5:15])
    assert not part.sound().read(10, 10).any()
