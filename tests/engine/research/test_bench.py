"""The bench: its figures are what they say, it runs on a tiny set, and it goes on where sounds are not installed."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import butter, sosfiltfilt

from engine.audio.metrics import si_sdr
from engine.backbones.gaussian import Gaussian
from engine.methods import METHODS
from engine.pipeline.cache import DiskCache
from engine.research.bench import command, goals, nulls, presence, quality, speed
from engine.research.bench.quality import FLOOR, ORACLE
from engine.research.bench.tables import mean, table, tenths
from engine.research.bench.windows import RECORDED, SOUNDFONT, Asker, Worlds
from engine.research.pocket_training import heldout
from engine.research.pocket_training.heldout import Mix
from engine.separation import Separator
from host_bridge.errors import CannotWrite, ZeroStemError

pytestmark = pytest.mark.slow

PROMPTS = ["0.5", "-0.5", "1"]
TINY = command.Size(mixes=1, regions=1, files=1, forms=1, seconds=0.2, times=1)


def mix(seed: int, seconds: float = 2.56) -> Mix:
    """Low noise that comes and goes, and a steady high tone; nothing near 20 Hz, below which no stem has anything."""
    at = np.arange(round(seconds * 16_000)) / 16_000
    noise = np.convolve(np.random.default_rng(seed).standard_normal(len(at)), np.ones(16) / 16, "same")
    audible = sosfiltfilt(butter(4, 60, "highpass", fs=16_000, output="sos"), 0.2 * noise * (np.sin(8 * at) > 0))
    parts = np.stack([audible, 0.05 * np.sin(2 * np.pi * 3000 * at)])
    return Mix((PROMPTS[0], PROMPTS[1]), parts.astype(np.float32))


def nothing() -> None:
    pass


@pytest.fixture
def separator(tmp_path: Path) -> Separator:
    return Separator(Gaussian(), DiskCache(tmp_path / "shelf"))


@pytest.fixture(scope="module")
def scores() -> quality.Scores:
    return quality.measure(Asker(Gaussian(), steps=4), [mix(1), mix(2)], PROMPTS, nothing)


def cells(page: str) -> list[list[str]]:
    """The rows of the tables in a page, without headings and rules."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("|")]
    rules = [index for index, row in enumerate(rows) if set("".join(row)) <= set("-:")]
    return [row for index, row in enumerate(rows) if index not in rules and index + 1 not in rules]


def test_a_table_is_aligned_and_names_come_first() -> None:
    assert table(("what", "dB"), [("a", "1.0"), ("longer", "-10.0")]).splitlines() == [
        "| what   |    dB |",
        "| ------ | ----: |",
        "| a      |   1.0 |",
        "| longer | -10.0 |",
    ]


def test_figures_are_tenths_without_a_minus_before_zero() -> None:
    assert [tenths(each) for each in (-0.04, 1.25, -np.inf)] == ["0.0", "1.2", "silence"]
    assert mean([]) == ""


def test_the_ideal_mask_of_sounds_that_do_not_overlap_is_nearly_all_of_them() -> None:
    asker, one = Asker(Gaussian()), mix(1)
    stems = asker.stems(one.parts.sum(0), asker.ideal(one.parts))
    assert stems.shape == one.parts.shape
    assert all(si_sdr(stem, part) > 10 for stem, part in zip(stems, one.parts, strict=True))


def test_masks_of_one_give_back_the_mixture() -> None:
    whole = mix(1).parts.sum(0)
    stems = Asker(Gaussian()).stems(whole, torch.ones(1, 1, 1, 256, 64))
    np.testing.assert_allclose(stems[0], whole, atol=1e-6)


def test_every_method_is_measured_on_every_mix_and_case(scores: quality.Scores) -> None:
    assert {name for name, _ in scores.gains} == {*METHODS, f"dgmo {quality.UNFITTED}", ORACLE}
    assert all(len(gains) == 2 for gains in (*scores.gains.values(), *scores.at_strength.values()))
    assert all(wrong == PROMPTS[2] for wrong in scores.wrong)


def test_the_floor_is_nothing_and_the_oracle_is_the_best(scores: quality.Scores) -> None:
    for case in quality.CASES:
        np.testing.assert_allclose(scores.gains[FLOOR, case], 0, atol=0.01)
    for name in METHODS:
        assert np.mean(scores.gains[name, "one prompt"]) <= np.mean(scores.gains[ORACLE, "one prompt"])


def test_strength_0_gains_nothing_and_strength_1_is_the_estimate(scores: quality.Scores) -> None:
    for name in METHODS:
        np.testing.assert_allclose(scores.at_strength[name, 0.0], 0, atol=0.01)
        np.testing.assert_allclose(scores.at_strength[name, 1.0], scores.gains[name, "one prompt"])


def test_the_page_on_quality_has_floor_and_oracle_beside_every_method(scores: quality.Scores) -> None:
    told = cells(quality.told(scores))
    assert {row[0] for row in told} >= {f"{name}, one prompt" for name in (*METHODS, ORACLE)}
    assert next(row for row in told if row[0] == PROMPTS[0])[1] == "2"


def test_distortion_is_told_as_bss_eval_counts_it(scores: quality.Scores) -> None:
    pytest.importorskip("fast_bss_eval")
    sdr, sir, _ = scores.ratios[ORACLE][0]
    assert sdr > 5
    assert sir > scores.ratios[FLOOR][0][1]


def test_whole_jobs_on_files_give_the_same_figure(separator: Separator) -> None:
    mixes = [mix(1)]
    direct = quality.measure(Asker(separator.backbone), mixes, PROMPTS, nothing)
    row = cells(quality.through_files(separator, mixes, direct))[0]
    assert float(row[2]) == pytest.approx(float(row[1]), abs=0.05)


def test_presence_is_asked_of_every_prompt_in_mixes_of_any_length() -> None:
    told = presence.measure(Asker(Gaussian()), [mix(1), mix(2, 6.0)], PROMPTS, nothing)
    assert told.scores.shape == (2, 3)
    assert told.there.tolist() == [[True, True, False]] * 2
    assert told.found.all()  # without thresholds everything is
    assert "no thresholds" in presence.summary({"these": told}, None)


def told_presence(thresholds_found: list[list[bool]]) -> presence.Told:
    there = np.array([[True, True, False]] * 2)
    scores = np.array([[3.0, 2.0, 1.0], [2.5, 0.5, 1.5]])
    return presence.Told(PROMPTS, there, scores, np.array(thresholds_found), np.zeros((2, 3), bool))


def test_misses_and_false_finds_are_counted_among_present_and_absent_prompts() -> None:
    told = told_presence([[True, False, False], [True, True, True]])
    assert told.auc == 6 / 8
    row = cells(presence.summary({"these": told}, (1.0, 2.0)))[0]
    assert row[1:5] == ["4 / 2", "0.75", "25 %", "50 %"]


def test_what_an_absent_stem_holds_is_told_as_estimated_and_as_delivered(scores: quality.Scores) -> None:
    told = told_presence([[True, True, False]] * 2)
    rows = cells(presence.energies({"these": scores}, {"these": told}))
    floor = next(row for row in rows if row[0].startswith(FLOOR))
    assert floor[1:] == ["0.0", "silence", "0 %", "100 %"]


def test_scores_are_told_in_quantiles_for_present_and_absent() -> None:
    rows = cells(presence.calibration({"these": told_presence([[True] * 3] * 2)}))
    assert [row[0] for row in rows] == ["these, present", "these, absent"]
    assert rows[0][5] == "2.2500"


def test_jobs_null_in_every_format(separator: Separator) -> None:
    forms = (nulls.Form(44_100, 6, 5001), nulls.Form(22_050, 1, 3001), nulls.Form(48_000, 2, 1))
    rows = cells(nulls.told(nulls.measure(separator, forms, PROMPTS[:2], nothing)))
    assert len(rows) == 3
    for _, null, lag, length, blank in rows:
        assert float(null) <= -120
        assert lag in {"0", "none"}
        assert length == "equal"
        assert float(blank) <= -60


def test_every_method_is_timed(separator: Separator) -> None:
    rows = cells(speed.told(speed.measure(separator, 0.2, 1, PROMPTS[:2], nothing)))
    assert [row[0] for row in rows] == list(METHODS)
    assert all(float(cell) > 0 for row in rows for cell in row[1:])


def test_a_new_strength_is_timed_beside_the_whole_job(separator: Separator) -> None:
    rows = cells(speed.new_strength(separator, 0.2, 1, PROMPTS, nothing))
    assert [row[0] for row in rows] == ["joint, 1", "joint, 0.6", "zerosep, 1", "zerosep, 0.6"]
    for _, whole, asked, anew, asked_anew, said in rows:
        items = [int(each.split(" calls, ")[1].removesuffix(" items")) for each in (asked, asked_anew)]
        assert items[0] > items[1]
        ratio, goal = said.removesuffix(")").split(" (goal ")
        assert float(ratio) == pytest.approx(float(anew) / float(whole), rel=0.6)
        assert 0 < float(goal) < 1


def test_every_goal_is_told_with_what_was_found(scores: quality.Scores) -> None:
    form = nulls.Form(44_100, 2, 3)
    formats = [
        nulls.Null(form, -150.0, 0, equal=True, blank_dbfs=-200.0),
        nulls.Null(form, -90.0, 1, equal=False, blank_dbfs=-50.0),
    ]
    told = told_presence([[True, True, False]] * 2)
    rows = {row[0]: row[1:] for row in cells(goals.told({RECORDED: scores}, {RECORDED: told}, formats, (0.1, 0.2)))}
    assert rows["null, worst format, dBFS"] == ["<= -120", "-90.0", "NOT MET"]
    assert rows["lag, worst format, samples"] == ["0", "1", "NOT MET"]
    assert rows["length"] == ["equal", "50 %", "NOT MET"]
    assert rows["strength 0: stem - mix, worst format, dBFS"] == ["<= -60", "-50.0", "NOT MET"]
    assert rows["joint, real recordings: absent stems below -40 dB"] == ["100 %", "100 %", "met"]
    assert rows["seconds per second and prompt"] == ["< 1.5", "0.20", "met"]
    assert f"joint, {SOUNDFONT}, one prompt: mean gain, dB" not in rows


def refuse(*_: object) -> list[Mix]:
    raise ZeroStemError("The soundfont is not there.", "Install it: apt-get install timgm6mb-soundfont.")


def test_the_bench_writes_what_it_prints_and_goes_on_without_what_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], separator: Separator
) -> None:
    monkeypatch.setattr(Separator, "load", lambda *_: separator)
    monkeypatch.setattr(speed, "loading", lambda *_: "in no time")
    monkeypatch.setattr(heldout, "soundfont_mixes", refuse)
    monkeypatch.setattr(heldout, "recorded_mixes", lambda count, seed, seconds: [mix(seed, seconds)] * count)
    monkeypatch.setattr(command, "QUICK", TINY)
    monkeypatch.setattr(command, "PROMPTS", PROMPTS)
    monkeypatch.setattr(Worlds, "prompts", PROMPTS)
    out = tmp_path / "bench" / "RESULTS.md"
    assert command.main(["--quick", "-o", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert capsys.readouterr().out.split() == page.split()
    assert "apt-get install timgm6mb-soundfont" in page
    for heading in (
        "# Bench: gaussian",
        "real recordings",
        "## Presence",
        "## Nulls",
        "## Speed",
        "## What it must reach",
        "in no time",
        "Quick",
    ):
        assert heading in page


def test_a_bench_that_cannot_be_written_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separator: Separator) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setattr(Separator, "load", lambda *_: separator)
    monkeypatch.setattr(speed, "loading", lambda *_: "in no time")
    monkeypatch.setattr(command, "measured", lambda *_: iter(["nothing"]))
    with pytest.raises(CannotWrite, match="Choose another file"):
        command.main(["-o", str(tmp_path / "taken" / "RESULTS.md")])
