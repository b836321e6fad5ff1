"""The panel's own bench tells what it is for, in lines that can stand in a page."""

import pytest

pytestmark = pytest.mark.usefixtures("qt")


def test_a_line_for_the_first_picture_and_one_for_a_fader(monkeypatch: pytest.MonkeyPatch) -> None:
    from ui import bench

    monkeypatch.setattr(bench, "first_paint_s", lambda: [0.3, 0.5, 0.4])
    paint, preview = bench.told().splitlines()
    assert paint.startswith("first picture of the panel: median 0.40 s, worst 0.50 s")
    assert preview.startswith("another strength of three stems is heard: median ")


def test_each_turn_of_a_fader_is_heard() -> None:
    from ui import bench

    taken = bench.preview_s()
    assert len(taken) == bench.ROUNDS
    assert min(taken) > 0
