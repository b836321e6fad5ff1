"""Comparisons: every separator answers the same questions, between the floor and the oracle, and a page tells it."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from engine.backbones.gaussian import Gaussian
from engine.bench import report
from engine.bench.clap import Clap
from engine.bench.comparison import Ceiling, Mixture, Ours, Outside, Row, System, compare, request_for
from engine.bench.manifest import Question, write
from engine.bench.mixing import written
from engine.cache import Shelf
from engine.commands import bench
from engine.separation import Separator
from host_bridge.errors import BadRequest

pytestmark = pytest.mark.slow

PROMPTS = ("0.5", "-0.5")
CLIPS = Path(__file__).parent / "clips"


def nothing() -> None:
    pass


@pytest.fixture
def separator(tmp_path: Path) -> Separator:
    return Separator(Gaussian(), Shelf(tmp_path / "shelf"))


@pytest.fixture
def questions(tmp_path: Path) -> list[Question]:
    """Low noise that comes and goes, a steady high tone, and a sound that is not there."""
    at = np.arange(16_000) / 16_000
    noise = np.convolve(np.random.default_rng(1).standard_normal(len(at)), np.ones(16) / 16, "same") * (np.sin(20 * at) > 0)
    there = written(tmp_path, "one", {PROMPTS[0]: 0.2 * noise, PROMPTS[1]: 0.05 * np.sin(2 * np.pi * 3000 * at)}, 16_000)
    return [*there, Question("one absent", there[0].mixture, "1", None)]


def test_floor_ours_and_ceiling_answer_every_question(tmp_path: Path, separator: Separator, questions: list[Question]) -> None:
    systems: list[System] = [Mixture(), Ours(separator, "contrast"), Ceiling(separator)]
    rows = [*compare(systems, questions, tmp_path / "keep", nothing)]
    assert [row.system for row in rows] == [
        name for name in ("mixture", "gaussian contrast", "gaussian oracle mask") for _ in range(3)
    ]
    assert not [row.refused for row in rows if row.refused]
    gains = {row.system: row.figures["si_sdr_gain"] for row in rows if row.question is questions[0]}
    assert gains["mixture"] == 0
    assert gains["gaussian oracle mask"] > max(10, gains["gaussian contrast"])
    ours = rows[3].figures
    assert ours["null"] <= -120
    assert ours["realtime"] == pytest.approx(ours["seconds"], rel=1e-6)  # of one second
    assert ours["memory_mib"] > 10
    assert rows[8].figures == {"energy": -200.0}  # what is not there is silence, for the oracle
    assert rows[2].figures["energy"] == pytest.approx(0, abs=1e-6)


def test_other_peoples_stems_are_judged_alike(tmp_path: Path, questions: list[Question]) -> None:
    made = tmp_path / "theirs"
    made.mkdir()
    target = questions[0].target
    assert target
    soundfile.write(made / f"{questions[0].id}.wav", soundfile.read(target)[0][::2], 8_000)
    rows = [*compare([Outside("theirs", made)], questions[:2], tmp_path / "keep", nothing)]
    assert rows[0].figures["si_sdr"] > 10
    assert f"has no {questions[1].id}.wav" in rows[1].refused


def test_a_method_is_one_of_ours_or_a_preset_that_is_a_way_of_working() -> None:
    assert request_for("nmf", "drums").method == "nmf"
    audioedit = request_for("audioedit", "drums")
    assert (audioedit.mode, audioedit.beyond, audioedit.depth) == ("ddpm", True, 0.5)
    assert audioedit.strengths[0] > 1
    for name in ("band", "joynt"):
        with pytest.raises(BadRequest, match=f'called "{name}"'):
            request_for(name, "drums")


def rows_of(figures: dict[str, list[float]], prompt: str = "drums") -> list[Row]:
    asked = [Question(str(n), Path("m.wav"), prompt, Path("t.wav")) for n in range(3)]
    return [
        Row(system, question, {"sir": value, "lag": -value})
        for system, values in figures.items()
        for question, value in zip(asked, values, strict=True)
    ]


def test_ratios_are_medians_and_lags_the_worst() -> None:
    page = report.summary(rows_of({"a": [1.0, 2.0, float("inf")], "b": [5.0, 6.0, 7.0]}), {})
    a = next(line for line in page.splitlines() if line.startswith("| a"))
    assert [cell.strip() for cell in a.strip("|").split("|")] == ["a", "3", "2.0", "-inf"]
    assert "3 questions about sounds that are there, 0 about sounds that are not" in page


def test_what_one_refuses_counts_for_nobody_unless_it_refuses_all() -> None:
    rows = rows_of({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]})
    rows[4] = Row("b", rows[4].question, refused="It fell over.")
    rows += [Row("c", row.question, refused="It knows no drums.") for row in rows[:3]]
    page = report.summary(rows, {})
    lines = {line.strip("|").split("|")[0].strip(): line for line in page.splitlines() if line.startswith("|")}
    assert [cell.strip() for cell in lines["a"].strip("|").split("|")] == ["a", "2", "2.0", "-3"]
    assert "c" not in lines
    assert "b refused 1 questions, and they count for nobody; the first: It fell over." in page
    assert "c could answer none; the first: It knows no drums." in page


class Ear(Clap):
    """A CLAP that hears nothing but how loud a file is, and takes every word for quiet."""

    def __init__(self) -> None:
        super().__init__(None, None, None)

    def of_sounds(self, files: Sequence[Path]) -> NDArray[np.float64]:
        angles = [float(np.abs(soundfile.read(file)[0]).max()) for file in files]
        return np.stack([np.cos(angles), np.sin(angles)], 1)

    def of_words(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        return np.tile([1.0, 0.0], (len(prompts), 1))

    def patches(self, file: Path) -> list[torch.Tensor]:
        return [torch.from_numpy(self.of_sounds([file]))[..., None, None]]


def test_embedded_figures_are_of_stems_whose_sound_is_there(tmp_path: Path, questions: list[Question]) -> None:
    rows, crowd = report.embedded([*compare([Mixture()], questions, tmp_path / "keep", nothing)], Ear())
    assert len(rows) == len(questions)
    told = {row.question.id: row.figures for row in rows}
    assert "clap_a" not in told["one absent"]
    for question in questions[:2]:
        assert question.target
        loud, wanted = (float(np.abs(soundfile.read(file)[0]).max()) for file in (question.mixture, question.target))
        figures = told[question.id]
        assert figures["clap_a"] == pytest.approx(np.cos(loud - wanted), abs=1e-6)
        assert figures["clap_t"] == pytest.approx(np.cos(loud), abs=1e-6)
        assert figures["lpaps"] == pytest.approx(2 - 2 * np.cos(loud - wanted), abs=1e-5)
    assert crowd["mixture"] >= 0
    page = report.summary(rows, crowd)
    assert f"{crowd['mixture']:.3f}" in page
    assert "CLAP-A" in page


def test_the_command_line_compares_on_a_manifest_and_leaves_a_page_figures_a_picture_and_samples(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    separator: Separator,
    questions: list[Question],
) -> None:
    monkeypatch.setattr(Separator, "load", lambda *_: separator)
    write(tmp_path / "manifest.csv", questions)
    out = tmp_path / "out"
    stems = f"truth={tmp_path}"
    arguments = ["--manifest", str(tmp_path / "manifest.csv"), "--methods", "contrast", "--stems", stems, "-o", str(out)]
    assert bench.main(arguments) == 0
    page = (out / "results.md").read_text(encoding="utf-8")
    assert page.strip() in capsys.readouterr().out
    assert "hf download laion/clap-htsat-unfused" in page
    with (out / "results.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 4 * len(questions)
    assert {row["separator"] for row in table} == {"mixture", "gaussian oracle mask", "gaussian contrast", "truth"}
    perfect = next(row for row in table if row["separator"] == "truth")
    assert float(perfect["si_sdr"]) == 200
    assert (out / "gains.png").stat().st_size > 1000
    sample = out / "samples" / questions[0].id
    assert {file.name for file in sample.iterdir()} == {
        "mixture.wav",
        "target.wav",
        "truth.wav",
        "gaussian contrast.wav",
        "gaussian oracle mask.wav",
        "spectrograms.png",
    }
    assert not [each for each in out.iterdir() if each.name.startswith(".")]


def test_the_command_line_makes_mixtures_out_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], separator: Separator
) -> None:
    monkeypatch.setattr(Separator, "load", lambda *_: separator)
    arguments = ["--audio", str(CLIPS), "--count", "1", "--seconds", "1", "--methods", "mixture", "--samples", "0"]
    assert bench.main([*arguments, "-o", str(tmp_path / "out")]) == 0
    assert "gaussian mixture could answer none" in capsys.readouterr().out  # it follows numbers only
    assert (tmp_path / "out" / "mixes" / "manifest.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "ave"], "is no name with a folder"),
        (["--data", "avi=."], "no recipe for avi"),
        (["--audio", str(CLIPS), "--methods", "joynt", "--count", "1"], 'called "joynt"'),
        (["--manifest", "gone.csv"], "cannot be read"),
        (["--manifest", "a", "--audio", "b"], "not allowed with"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path: Path, arguments: list[str], said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        bench.main([*arguments, "-o", str(tmp_path / "out")])
    assert said in caught.value.what
