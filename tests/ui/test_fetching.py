"""A model on its way from a hub to the panel's page, with the real daemon between: asked once, seen, stopped, failed."""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from safetensors.numpy import save

from engine.models import catalogue

if TYPE_CHECKING:
    from ui.panel import Panel
    from ui.widgets.machine import Machine

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("qt")]

NAME, REPOSITORY = "audioldm-s-full-v2", "cvssp/audioldm-s-full-v2"
Panels = Callable[..., "Panel"]


@pytest.fixture
def hub() -> Iterator[Any]:
    """The engine's hub on loopback, with the smallest files that count as a whole model."""
    spec = importlib.util.spec_from_file_location("hub", Path(__file__).parents[1] / "engine" / "hub.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    files = {}
    for names in catalogue.LAYOUTS["audioldm"]:
        name = names[0]
        files[name] = save({"weight": np.zeros(500, np.float32)}) if name.endswith(".safetensors") else b"{}"
    with module.Hub({REPOSITORY: files}).open() as made:
        yield made
        made.free.set()


@pytest.fixture
def served(daemon: Any, hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon of this test's own that fetches from that hub."""
    for key, value in {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "hub"),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": "0",
    }.items():
        monkeypatch.setenv(key, value)
    daemon.start()


@pytest.fixture
def page(panels: Panels, until: Any) -> "Machine":
    from ui.widgets.machine import Machine

    panel = panels()
    page = panel.card(Machine)
    panel.pages.setCurrentWidget(page)
    until(lambda: NAME in page.lines and panel.controller.engine_state.devices)
    return page


def words(page: "Machine") -> str:
    from PyQt6.QtWidgets import QLabel

    return "\n".join(line.text() for line in page.lines[NAME].findChildren(QLabel) if line.isVisibleTo(page.lines[NAME]))


def notice(page: "Machine") -> str:
    from ui.widgets.notice import NoticeLine

    said = page.window().cards["notice"]  # type: ignore[union-attr]
    assert isinstance(said, NoticeLine)
    return f"{said.words.text()} {said.todo.text()}"


def test_choosing_a_model_that_is_not_here_asks_once_fetches_it_and_uses_it(
    served: None, hub: Any, page: "Machine", until: Any
) -> None:
    lines = page.lines[NAME]
    hub.free.clear()
    lines.pick.click()
    assert f"Fetch {NAME}, " in words(page)
    assert "MB?" in words(page) or "GB?" in words(page)
    assert "Not for commercial use: " in words(page)
    assert not hub.requests  # nothing moves before it was said
    assert page.controller.session.model is None
    lines.agree.setFocus()
    lines.agree.click()
    until(lambda: lines.bar.isVisible() and "%" in lines.far.text())
    assert page.window().focusWidget() is lines.cross  # type: ignore[union-attr]
    assert not lines.offer.isVisible()
    hub.free.set()
    until(lambda: page.controller.session.model == NAME)
    until(lambda: page.lines[NAME].choice.installed)
    assert page.lines[NAME].pick.isChecked()
    assert not page.lines[NAME].bar.isVisible()
    assert notice(page) == f"{NAME} is here. Your next jobs use it."


def test_who_does_not_want_it_is_back_where_they_were(served: None, hub: Any, page: "Machine") -> None:
    lines = page.lines[NAME]
    lines.pick.click()
    assert lines.pick.isChecked()
    lines.refuse.click()
    assert page.lines["pocket"].pick.isChecked()
    assert "?" not in words(page)
    assert not page.engine_state.fetches
    assert not hub.requests


def test_a_fetch_is_stopped_and_can_begin_again(served: None, hub: Any, page: "Machine", until: Any) -> None:
    lines = page.lines[NAME]
    hub.free.clear()
    lines.offer.click()
    assert page.window().focusWidget() is lines.agree  # type: ignore[union-attr]
    lines.agree.click()
    until(lambda: "%" in lines.far.text())
    lines.cross.click()
    assert not lines.cross.isEnabled()
    hub.free.set()
    until(lambda: not page.engine_state.fetches)
    assert "is not fetched any more" in notice(page)
    assert page.controller.session.model is None
    assert lines.offer.isVisible()
    lines.offer.click()
    lines.agree.click()
    until(lambda: page.controller.session.model == NAME)


def test_what_goes_wrong_is_said_at_the_model_with_what_to_do_and_can_be_tried_again(
    served: None, hub: Any, page: "Machine", until: Any
) -> None:
    hub.gated.add(REPOSITORY)
    lines = page.lines[NAME]
    lines.offer.click()
    lines.agree.click()
    until(lines.again.isVisible)
    assert lines.trouble.text()
    assert lines.todo.text()
    assert notice(page) == f"{lines.trouble.text()} {lines.todo.text()}"
    lines.pick.click()  # it says already what can be done
    assert not lines.agree.isVisible()
    hub.gated.clear()
    lines.again.click()
    until(lambda: page.controller.session.model == NAME)


def test_a_daemon_that_dies_meanwhile_costs_nothing_but_time(
    served: None, daemon: Any, hub: Any, page: "Machine", until: Any
) -> None:
    lines = page.lines[NAME]
    hub.free.clear()
    lines.offer.click()
    lines.agree.click()
    until(lambda: "%" in lines.far.text())
    daemon.kill()
    until(lambda: page.controller.standing == "gone", 20)
    assert lines.far.text() == "It goes on when the daemon is back."
    hub.free.set()
    daemon.start()
    until(lambda: page.controller.session.model == NAME)


def test_another_model_that_was_chosen_meanwhile_stays(served: None, hub: Any, page: "Machine", until: Any) -> None:
    lines = page.lines[NAME]
    hub.free.clear()
    lines.offer.click()
    lines.agree.click()
    page.controller.use_model("another")
    hub.free.set()
    until(lambda: page.lines[NAME].choice.installed)
    assert page.controller.session.model == "another"
    assert notice(page).strip() == f"{NAME} is here."


def test_how_long_it_would_take_is_told_while_the_page_is_looked_at(
    served: None, page: "Machine", song: Path, until: Any
) -> None:
    assert "Open a region" in page.plan.text()
    page.controller.open_file(song)
    until(lambda: page.controller.session.region is not None)
    page.controller.ask_for("drums")
    until(lambda: "windows at once" in page.plan.text())
    told = page.plan.text()
    assert told.startswith("1 stem out of 3 s:\nabout ")
    assert "on cpu" in told
    page.controller.ask_for("bass")
    until(lambda: page.plan.text().startswith("2 stems") and "windows at once" in page.plan.text())
    page.hide()
    page.controller.drop("bass")
    assert not page.engine_state.reckoning
