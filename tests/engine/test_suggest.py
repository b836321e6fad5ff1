"""Suggestions: what is in a mix stands out among all prompts, of a model and of a tagger, on the command line too."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine import suggest as suggesting
from engine.audio.source import AudioSource, mono_blocks, open_source
from engine.backbones.gaussian import Gaussian
from engine.commands import suggest
from engine.pipeline.cache import DiskCache
from engine.research.bench.presence import Told
from engine.research.bench.suggestions import Suggested, measure, told
from engine.research.bench.windows import Asker
from engine.research.pocket_training.heldout import Mix
from engine.separation import Separator
from engine.suggest import Suggestion
from host_bridge.errors import BadModel, BadRequest, Cancelled
from host_bridge.types import Hertz

pytestmark = pytest.mark.slow

RATE = 16_000


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    sound = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE)
    soundfile.write(tmp_path / "mix.wav", sound, RATE)
    return tmp_path / "mix.wav"


def vocabulary_around(source: AudioSource) -> tuple[Gaussian, str, list[str]]:
    """A model whose prompts are means, the mean that this sound has, and others farther and farther from it."""
    model = Gaussian()
    sound = torch.from_numpy(soundfile.read(source.path, dtype="float32")[0])[None, None, : model.window]
    sound = torch.nn.functional.pad(sound, (0, model.window - sound.shape[-1]))
    mean = float(model.encode(model.analyse(sound * model.gain(sound)[:, None, None])).mean())
    return model, f"{mean:.3f}", [f"{mean + offset:.3f}" for offset in (3.0, -3.0, 0.0, 6.0, -6.0)]


def test_what_is_there_stands_out(mix: Path) -> None:
    source = open_source(mix, length_s=2.0)
    model, there, vocabulary = vocabulary_around(source)
    told = suggesting.by_model(model, vocabulary, source)
    assert {suggestion.prompt for suggestion in told} == set(vocabulary)
    assert told[0].prompt == there
    assert [suggestion.score for suggestion in told] == sorted((each.score for each in told), reverse=True)
    assert sum(suggestion.score for suggestion in told) == pytest.approx(0, abs=1e-4)  # each is held against all


def test_silence_holds_nothing(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    told = suggesting.by_model(Gaussian(), ["1", "2", "3"], open_source(tmp_path / "silence.wav"))
    assert {(suggestion.score, suggestion.verdict) for suggestion in told} == {(0.0, "unlikely")}


def test_a_long_file_is_heard_in_some_places_spread_over_it() -> None:
    assert suggesting._spread(3) == {0, 1, 2}
    chosen = sorted(suggesting._spread(1000))
    assert len(chosen) == suggesting.MOST_WINDOWS
    assert (chosen[0], chosen[-1]) == (0, 999)


def test_fewer_than_three_prompts_have_nothing_to_stand_out_from(mix: Path) -> None:
    with pytest.raises(BadRequest, match="Fewer than three"):
        suggesting.by_model(Gaussian(), ["1", "2"], open_source(mix))


def test_it_can_be_stopped(mix: Path) -> None:
    def stop(*_: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        suggesting.by_model(Gaussian(), ["1", "2", "3"], open_source(mix), stop)


def test_verdicts_go_by_two_scores() -> None:
    told = suggesting._sorted(["a", "b", "c"], [0.1, 2.0, 1.2], suggesting.POSSIBLE, suggesting.LIKELY)
    assert told == [Suggestion("b", 2.0, "likely"), Suggestion("c", 1.2, "possible"), Suggestion("a", 0.1, "unlikely")]


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random AST that always says "Rain"."""
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("tagger")
    labels = {0: "Dog", 1: "Rain", 2: "Speech"}
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    shape |= {"max_length": 128, "num_mel_bins": 32}
    model = ASTForAudioClassification(ASTConfig(**shape, id2label=labels, label2id={word: n for n, word in labels.items()}))
    with torch.no_grad():
        model.classifier.dense.weight.mul_(0)
        model.classifier.dense.bias.copy_(torch.tensor([-9.0, 3.0, -1.5]))
    model.save_pretrained(made)
    ASTFeatureExtractor(max_length=128, num_mel_bins=32).save_pretrained(made)
    return made


def test_a_tagger_suggests_its_labels_with_their_probabilities(mix: Path, tagger: Path) -> None:
    stages: list[str] = []
    told = suggesting.by_tagger(tagger, open_source(mix), lambda _done, said: stages.append(said))
    assert [(each.prompt, each.verdict) for each in told] == [("rain", "likely"), ("speech", "possible"), ("dog", "unlikely")]
    assert told[0].score == pytest.approx(torch.tensor(3.0).sigmoid().item(), abs=1e-5)
    assert len(stages) == 4  # windows of 1.28 s in 4 s


def test_pieces_are_all_of_a_short_region(mix: Path) -> None:
    pieces = [*suggesting._pieces(open_source(mix), Hertz(RATE), 20_000)]
    whole = np.concatenate(pieces)
    np.testing.assert_array_equal(whole, np.concatenate([*mono_blocks(open_source(mix), Hertz(RATE))]))
    assert np.corrcoef(whole, soundfile.read(mix, dtype="float32")[0])[0, 1] > 0.98  # all but what lies below 20 Hz
    assert [len(piece) for piece in pieces] == [20_000, 20_000, 20_000, 4000]


def test_a_folder_without_a_tagger_is_told(tmp_path: Path, mix: Path) -> None:
    with pytest.raises(BadModel, match="holds no audio tagger"):
        suggesting.by_tagger(tmp_path, open_source(mix))


def test_the_command_line_prints_a_table_or_json(mix: Path, tagger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert suggest.main([str(mix), "--tagger", str(tagger)]) == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()[:2]] == ["rain", "speech"]
    assert "dog" not in told
    assert suggest.main([str(mix), "--tagger", str(tagger), "--json"]) == 0
    assert [each["prompt"] for each in json.loads(capsys.readouterr().out)["suggestions"]] == ["rain", "speech", "dog"]


def test_a_model_that_follows_any_text_wants_prompts_to_choose_from(
    tmp_path: Path, mix: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Separator, "load", lambda *_: Separator(Gaussian(), DiskCache(tmp_path / "shelf")))
    assert suggest.main([str(mix), "--length", "1", "-p", "1", "-p", "2", "-p", "-3", "--all"]) == 0
    assert "pocket was asked" in capsys.readouterr().out
    with pytest.raises(BadModel, match="not on this machine"):
        suggest.main([str(mix), "-n", "audioldm-s-full-v2"])


def test_the_embedded_model_offers_its_vocabulary() -> None:
    assert {"drums", "speech"} <= set(suggest._vocabulary("pocket"))


def test_the_bench_counts_what_was_called_likely_among_what_was_there() -> None:
    there = np.array([[True, True, False], [True, False, False]])
    scores = np.array([[2.0, 1.1, 1.6], [0.0, -1.0, -1.0]])
    asked = Told(["a", "b", "c"], there, scores[::-1], there, ~there)
    page = told({"these": Suggested(there, scores)}, {"these": asked})
    row = [cell.strip() for cell in page.splitlines()[-1].strip("|").split("|")]
    assert row == ["these", f"{asked.auc:.2f}", "0.78", "50 %", "33 %", "67 %", "67 %"]


def test_the_bench_asks_as_the_command_does() -> None:
    sound = 0.1 * np.random.default_rng(0).standard_normal((2, 2 * RATE)).astype(np.float32)
    found = measure(Asker(Gaussian()), [Mix(("1", "2"), sound)], ["1", "2", "3"], lambda: None)
    assert found.there.tolist() == [[True, True, False]]
    assert found.scores.sum() == pytest.approx(0, abs=1e-4)
