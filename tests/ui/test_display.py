"""A display that cannot be used is told in a sentence, before Qt would end the panel for it."""

import os
import sys

import pytest

from host_bridge import cli
from host_bridge.errors import BridgeError
from ui import display

pytestmark = [
    pytest.mark.usefixtures("qt"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a display"),
]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in display.SCREENS:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value"), [("DISPLAY", ":99"), ("WAYLAND_DISPLAY", "wayland-9"), ("QT_QPA_PLATFORM", "nonsense")]
)
def test_a_display_that_is_not_there_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert cli.main(["panel"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("zerostem: Qt cannot open a window")
    assert f"{name}={value}" in said
    assert said.count("\n") == 1


def test_without_any_display_nothing_is_tried_and_a_picture_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "")  # so that it is set back afterwards
    with pytest.raises(BridgeError, match="There is no screen"):
        display.DisplayProbe().check(picture=False)
    display.DisplayProbe().check(picture=True)
    assert os.environ["QT_QPA_PLATFORM"] == "offscreen"


def test_a_display_that_can_be_used_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    display.DisplayProbe().check(picture=False)


def test_a_library_that_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(display._PACKAGES, "libnobody-has-it.so.0", "libnobody-has-it0")
    monkeypatch.setattr(display, "_TRY", "import sys; sys.exit('Could not load the Qt platform plugin \"xcb\"')")
    monkeypatch.setenv("DISPLAY", ":0")
    with pytest.raises(BridgeError, match=r"libnobody-has-it.so.0.* cannot be loaded \(DISPLAY=:0\)") as told:
        display.DisplayProbe().check(picture=False)
    assert "libnobody-has-it0`" in told.value.todo


def test_a_traceback_is_told_by_its_last_line() -> None:
    said = "Traceback (most recent call last):\n  File 'x', line 1\nImportError: libGL.so.1: cannot open shared object file\n"
    assert display._reason(said) == ": libGL.so.1: cannot open shared object file"
