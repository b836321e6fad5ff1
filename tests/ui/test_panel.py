"""The panel with a real daemon behind it: what a musician does from the file to the stem, and what may go wrong meanwhile."""

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from host_bridge.errors import ZeroStemError
from host_bridge.forms import RequestFile, StateFile
from host_bridge.settings import places
from host_bridge.spool import Spool
from host_bridge.vocabulary import Job, Stem

if TYPE_CHECKING:
    from ui.panel import Panel

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("qt")]

Panels = Callable[..., "Panel"]
Until = Callable[..., None]
SLOW_MS = 50.0


def opened(panel: "Panel", song: Path, until: Until) -> None:
    panel.open(song)
    until(lambda: panel.playback.player is not None and panel.studio.session.region is not None)


def prompts_of(panel: "Panel") -> Any:
    from ui.widgets.prompts import Prompts

    return panel.card(Prompts)


def stems_of(panel: "Panel") -> Any:
    from ui.widgets.stems import Stems

    return panel.card(Stems)


def notice_of(panel: "Panel") -> Any:
    from ui.widgets.notice import NoticeLine

    return panel.card(NoticeLine)


def separated(panel: "Panel", song: Path, until: Until, *prompts: str) -> None:
    """From the file to the stems, in as few steps as the model allows."""
    opened(panel, song, until)
    for prompt in prompts:
        panel.studio.ask_for(prompt)
    panel.studio.session = replace(panel.studio.session, steps=2)
    panel.studio.separate()
    until(lambda: panel.studio.take is not None and panel.studio.take.result is not None)
    until(lambda: panel.playback.ready)


def test_from_a_file_to_stems_to_another_strength_without_blocking_the_window(
    panels: Panels, served: None, song: Path, until: Until, in_time: Callable[[float, float], None]
) -> None:
    from PyQt6.QtCore import QTimer

    panel = panels()
    until(lambda: panel.studio.standing == "there")
    gaps_ms: list[float] = []
    busy_ms: list[float] = []
    gc.collect()
    gc.freeze()  # what all tests before this one have left behind is none of the panel's
    last = [time.perf_counter(), time.thread_time()]

    def beat() -> None:
        now = [time.perf_counter(), time.thread_time()]
        gaps_ms.append(1000 * (now[0] - last[0]))
        busy_ms.append(1000 * (now[1] - last[1]))
        last[:] = now

    heart = QTimer(panel)
    heart.timeout.connect(beat)
    heart.start(5)
    separated(panel, song, until, "drums", "bass")
    heart.stop()
    # Another process may take the core away from us, so of the pauses only all but the longest few must be short; what
    # the window's thread itself computed between two beats must be short always.
    in_time(max(busy_ms), SLOW_MS)
    in_time(float(np.quantile(gaps_ms, 0.995)), SLOW_MS)
    assert not panel.playback.silent

    take = panel.studio.take
    assert take is not None
    assert take.result is not None
    assert take.result.null_dbfs is not None
    assert take.result.null_dbfs < -100
    row = stems_of(panel).rows["bass"]
    bass = take.result.stems[1].path
    assert bass is not None
    before, exact = bass.read_bytes(), panel.playback._scene
    row.fader.setSliderDown(True)
    row.fader.setValue(400)
    heard = panel.playback.scene()
    assert heard is not None
    assert exact is not None
    assert heard.parts[1].sound is not exact.parts[1].sound  # the approximation is heard at once
    row.fader.setSliderDown(False)
    until(lambda: panel.studio.take and panel.studio.take.strengths.get("bass") == 0.4)
    assert bass.read_bytes() != before
    until(lambda: not panel.playback._moved)
    assert row.fader.strength == 0.4
    assert row.value.text() == "0.40"


def test_all_stems_can_be_dragged_out_at_once_as_copies(panels: Panels, served: None, song: Path, until: Until) -> None:
    from PyQt6.QtCore import QMimeData

    from ui.widgets.drag import mime_of

    panel = panels()
    separated(panel, song, until, "drums")
    stems = stems_of(panel)
    data: QMimeData = mime_of(stems.files())
    paths = [Path(url.toLocalFile()) for url in data.urls()]
    assert {path.name for path in paths} == {"song - drums.wav", "song - rest.wav"}
    assert all(path.is_file() for path in paths)
    stems.bundle.click()  # for those who do not drag
    from PyQt6.QtGui import QGuiApplication

    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    held = clipboard.mimeData()
    assert held is not None
    assert held.urls() == data.urls()
    assert stems.bundle.isEnabled()


def test_a_selection_is_separated_and_heard_where_it_lies(panels: Panels, served: None, song: Path, until: Until) -> None:
    from ui.widgets.listen import Listen

    panel = panels()
    opened(panel, song, until)
    panel.studio.select(1.0, 2.0)
    panel.studio.ask_for("drums")
    panel.studio.session = replace(panel.studio.session, steps=2)
    panel.studio.separate()
    until(lambda: panel.playback.ready)
    take, scene = panel.studio.take, panel.playback.scene("stem")
    assert take is not None
    assert scene is not None
    rate = int(scene.mix.rate)
    assert take.offset == rate
    assert not scene.at(0, rate // 2).any()
    rest, mix = panel.playback.scene("rest"), panel.playback.scene("mix")
    assert rest is not None
    assert mix is not None
    assert np.array_equal(rest.at(0, rate // 2), mix.at(0, rate // 2))

    listen = panel.card(Listen)  # and compared blind with the mix, equally loud
    listen.compare.setChecked(True)
    listen.blind.begin.click()
    until(lambda: listen.blind.trial is not None)
    trial = listen.blind.trial
    assert trial is not None
    assert panel.playback._instead in (trial.scene("x"), trial.scene("y"))
    listen.blind._voted("same")
    listen.blind.reveal.click()
    assert "no difference: 1" in listen.blind.words.text()
    assert panel.playback._instead is None


def test_a_rough_estimate_is_heard_where_the_playhead_is(panels: Panels, served: None, song: Path, until: Until) -> None:
    from ui import texts

    panel = panels()
    opened(panel, song, until)
    panel.studio.ask_for("drums")
    panel.studio.select(1.0, 3.0)
    prompts_of(panel).quick.click()
    until(lambda: panel.playback.ready)
    take = panel.studio.take
    assert take is not None
    assert take.result is not None
    assert (take.result.method, take.offset) == ("contrast", 22_050)
    assert notice_of(panel).words.text() == texts.ESTIMATED


def test_a_picture_of_the_panel_is_written_without_a_screen_and_leaves_nothing_behind(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "panel.png"
    environment = {
        key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    command = [sys.executable, "-m", "host_bridge", "panel", "--screenshot", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(b"\x89PNG")
    assert not places().runtime.exists()
    without = subprocess.run(command[:-2], env=environment, capture_output=True, text=True, check=False, timeout=60)
    if sys.platform.startswith("linux"):
        assert without.returncode == 1
        assert "no screen" in without.stderr


def test_a_daemon_that_dies_is_told_of_and_found_again(panels: Panels, daemon: Any, song: Path, until: Until) -> None:
    from ui import texts

    daemon.start()
    panel = panels()
    until(lambda: panel.studio.standing == "there")
    daemon.kill()
    until(lambda: panel.studio.standing == "gone", 20)
    assert notice_of(panel).words.text() == texts.GONE
    assert panel.wake.isVisible()
    opened(panel, song, until)  # a file can be looked at without it
    panel.studio.ask_for("drums")
    panel.studio.session = replace(panel.studio.session, steps=2)
    panel.studio.separate()
    daemon.start()
    until(lambda: panel.studio.standing == "there", 20)
    until(lambda: panel.studio.take is not None and panel.studio.take.result is not None)
    assert not panel.wake.isVisible()


def test_a_panel_that_may_starts_a_daemon_which_outlives_it(panels: Panels, home: Path, until: Until) -> None:
    from host_bridge.client import Client

    panel = panels(wake=True)
    until(lambda: panel.studio.standing == "there", 30)
    panel.close()
    with Client.find("test") as client:
        client.ping()
        client.stop()
    end = time.monotonic() + 20
    while places().runtime.exists():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_region_from_a_daw_opens_by_itself(panels: Panels, home: Path, song: Path, until: Until) -> None:
    panel = panels()
    until(lambda: panel.studio.standing == "gone")
    spool = Spool(places().spool)
    spool.prepare()
    spool.put("20261121-000000-aaaaaaaa", RequestFile((Stem("lead vocal", 0.7),), name="Chorus", host="reaper"), song)
    until(lambda: panel.studio.session.region is not None)
    region = panel.studio.session.region
    assert region is not None
    assert (region.title, region.host) == ("Chorus", "reaper")
    assert [(ask.prompt, ask.strength) for ask in panel.studio.session.asks] == [("lead vocal", 0.7)]
    spool.put("20261121-000001-bbbbbbbb", RequestFile((Stem("drums"),), name="Verse", host="ardour"), song)
    until(lambda: "Verse" in notice_of(panel).words.text())
    assert region is panel.studio.session.region  # what one works at is not taken away
    notice_of(panel).deed.click()
    until(lambda: getattr(panel.studio.session.region, "title", "") == "Verse")


def test_five_hundred_jobs_are_listed_and_each_change_is_cheap(panels: Panels, home: Path, song: Path, until: Until) -> None:
    from ui.widgets.jobs import JobList

    spool = Spool(places().spool)
    spool.prepare()
    ids = [f"20261121-{index:06}-00000000" for index in range(500)]
    for index, job in enumerate(ids):
        spool.put(job, RequestFile((Stem("drums"),), name=f"song {index}"), song)
        if index < 499:
            spool.record(StateFile(Job(job, "failed"), 1, 500, "It went wrong. Try again."), "fail")
    panel = panels()
    jobs = panel.card(JobList)
    until(lambda: len(jobs.rows.rows) == 500)
    newest = jobs.rows.rows[0]
    assert newest.id == ids[-1]
    jobs.list.setCurrentIndex(jobs.rows.index(400, 0))
    chosen = jobs.chosen
    assert chosen is not None
    before = time.thread_time()
    for permille in range(0, 1000, 100):
        told = replace(newest, job=Job(newest.id, "running", permille, "climbing", 3, "cpu"))
        panel.studio.queue.show([told, *jobs.rows.rows[1:]])
    assert time.thread_time() - before < 10 * SLOW_MS / 1000
    panel.grab()
    assert jobs.chosen is not None
    assert jobs.chosen.id == chosen.id
    assert jobs.buttons["retry"].isEnabled()
    assert not jobs.buttons["cancel"].isEnabled()


def test_without_a_sound_card_one_line_says_why_and_the_rest_works(
    panels: Panels, song: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ui import playback
    from ui.widgets.listen import Listen

    def none(_player: object) -> None:
        raise ZeroStemError("This machine has no sound card.", "You can still separate.")

    monkeypatch.setattr(playback, "Speaker", none)
    panel = panels()
    opened(panel, song, until)
    panel.card(Listen).play.click()
    until(lambda: notice_of(panel).words.text() == "This machine has no sound card.")
    assert not panel.playback.playing
    panel.playback.seek(1.0)
    assert panel.playback.position_s == pytest.approx(1.0)


def test_a_file_that_is_no_sound_is_refused_in_the_line_and_what_was_said_can_be_copied(
    panels: Panels, tmp_path: Path, until: Until
) -> None:
    from PyQt6.QtGui import QGuiApplication

    path = tmp_path / "notes.txt"
    path.write_text("not a sound")
    panel = panels()
    panel.open(path)
    until(lambda: "notes.txt" in notice_of(panel).words.text())
    assert notice_of(panel).todo.text()
    notice_of(panel).copy.click()
    clipboard = QGuiApplication.clipboard()
    assert clipboard is not None
    assert "notes.txt" in clipboard.text()


def test_presets_of_ones_own_are_saved_renamed_and_deleted(
    panels: Panels, song: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PyQt6.QtWidgets import QInputDialog

    panel = panels()
    opened(panel, song, until)
    panel.studio.ask_for("rain")
    prompts = prompts_of(panel)
    monkeypatch.setattr(QInputDialog, "getText", lambda *_a, **_k: ("My rain", True))
    prompts._save()
    until(lambda: [row.preset.title for row in panel.studio.presets if row.own] == ["My rain"])
    panel.studio.drop("rain")
    menu = prompts.presets()
    next(act for act in menu.actions() if act.text() == "My rain").trigger()
    assert [ask.prompt for ask in panel.studio.session.asks] == ["rain"]
    assert prompts.preset.text() == "My rain"
    monkeypatch.setattr(QInputDialog, "getText", lambda *_a, **_k: ("Storm", True))
    prompts._rename(next(row.preset for row in panel.studio.presets if row.own))
    until(lambda: [row.preset.title for row in panel.studio.presets if row.own] == ["Storm"])
    prompts._delete(next(row.preset for row in panel.studio.presets if row.own))
    until(lambda: not [row for row in panel.studio.presets if row.own])


def test_the_window_comes_back_as_it_was_left(panels: Panels, home: Path, until: Until) -> None:
    panel = panels()
    panel.resize(1100, 700)
    panel.sides.setSizes([700, 340])
    left = panel.sides.saveState()
    panel.close()
    again = panels()
    assert again.sides.saveState() == left
