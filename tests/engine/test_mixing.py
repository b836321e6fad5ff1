"""Mixtures out of clips, and out of data sets in the layouts that they are published in (made of noise here)."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.bench import manifest, mixing, recipes
from engine.bench.mixing import Rules
from host_bridge.errors import BadRequest

pytestmark = pytest.mark.slow

CLIPS = Path(__file__).parent / "clips"
"""Three of ESC-50's clips, all CC0: see CREDITS.tsv beside them."""
RULES = Rules(count=3, seconds=1.5, rate=16_000)


def noise(path: Path, seconds: float = 1.0, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.name.encode())
    sound = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * 16_000), channels))
    soundfile.write(path, sound, 16_000)
    return path


def rms_db(path: Path) -> float:
    return float(10 * np.log10(np.square(soundfile.read(path)[0]).mean()))


def test_classes_are_folders_and_their_names_are_prompts() -> None:
    assert list(mixing.classes(CLIPS)) == ["dog bark", "person sneeze", "rooster"]


@pytest.mark.parametrize("folder", ["", "rooster", "nowhere"])
def test_fewer_than_two_classes_are_refused(tmp_path: Path, folder: str) -> None:
    with pytest.raises(BadRequest):
        mixing.classes(CLIPS / folder if folder else tmp_path)


def test_a_mixture_is_the_sum_of_its_targets_and_as_long_as_was_asked(tmp_path: Path) -> None:
    questions = mixing.pairs(mixing.classes(CLIPS), RULES, tmp_path)
    there = [question for question in questions if question.target]
    assert len(there) == 2 * RULES.count
    for one, other in zip(there[::2], there[1::2], strict=True):
        assert one.target
        assert other.target
        assert one.prompt != other.prompt
        mix, rate = soundfile.read(one.mixture)
        assert (len(mix), rate) == (24_000, 16_000)
        np.testing.assert_allclose(mix, soundfile.read(one.target)[0] + soundfile.read(other.target)[0], atol=1e-6)
        assert rms_db(one.target) == pytest.approx(rms_db(other.target), abs=0.01)
        assert np.abs(mix).max() <= mixing.LOUDEST + 1e-6


def test_levels_are_drawn_between_both_ends(tmp_path: Path) -> None:
    questions = mixing.pairs(mixing.classes(CLIPS), replace(RULES, snr_db=6.0, absent=False, count=5), tmp_path)
    levels = [rms_db(question.target) for question in questions if question.target]
    apart = np.subtract(levels[::2], levels[1::2])
    assert 1 < np.abs(apart).max() <= 6


def test_every_mixture_is_also_asked_for_a_sound_that_it_lacks(tmp_path: Path) -> None:
    questions = mixing.pairs(mixing.classes(CLIPS), RULES, tmp_path)
    absent = [question for question in questions if question.target is None]
    assert len(absent) == RULES.count
    for question in absent:
        beside = {each.prompt for each in questions if each.mixture == question.mixture and each.target}
        assert question.prompt not in beside


def test_the_manifest_beside_the_mixtures_says_what_was_returned_and_a_seed_repeats_it(tmp_path: Path) -> None:
    first = mixing.pairs(mixing.classes(CLIPS), RULES, tmp_path / "a")
    assert manifest.read(tmp_path / "a" / "manifest.csv") == first
    again = mixing.pairs(mixing.classes(CLIPS), RULES, tmp_path / "b")
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(soundfile.read(one.mixture)[0], soundfile.read(other.mixture)[0])


def test_prompts_that_begin_alike_or_hold_odd_characters_get_files_and_ids_of_their_own(tmp_path: Path) -> None:
    long = "a very long caption about somebody who does something " * 2
    parts = {f"{long} and a dog": np.full(100, 0.1), f"{long} & rain/snow?": np.full(100, 0.2)}
    questions = [*mixing.written(tmp_path, "one", parts, 16_000), mixing.absent("one", tmp_path / "one.wav", "R&B: drums")]
    manifest.write(tmp_path / "manifest.csv", questions)
    assert manifest.read(tmp_path / "manifest.csv") == questions
    assert len({question.target for question in questions}) == 3


def test_short_clips_fill_a_long_file(tmp_path: Path) -> None:
    (question, *_) = mixing.pairs(mixing.classes(CLIPS), replace(RULES, seconds=20.0, count=1), tmp_path)
    assert soundfile.info(question.mixture).duration == 20


def test_silent_clips_are_told(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "silence.wav", np.zeros(16_000), 16_000)
    with pytest.raises(BadRequest, match="are silent"):
        mixing.pairs(mixing.classes(tmp_path), RULES, tmp_path / "out")


@pytest.mark.parametrize("layout", ["davis", "own"])
def test_ave_is_read_by_either_list_and_each_clip_gets_a_partner_of_another_class(tmp_path: Path, layout: str) -> None:
    data = tmp_path / "AVE"
    rows = [("aaaaaaaaaaa", "Bark"), ("-bbbbbbbbbb", "Male speech, man speaking"), ("ccccccccccc", "Frying (food)")]
    for name, _ in rows:
        noise(data / "audio" / f"{name}.wav", channels=2)
    rows.append(("not_here_00", "Bark"))
    if layout == "davis":
        text = "".join(f'{name}.wav,{name}.mp4,12,"{category}"\n' for name, category in rows)
        (data / "test.csv").write_text(text)
    else:
        (data / "testSet.txt").write_text("".join(f"{category}&{name}&good&0&10\n" for name, category in rows))
    questions = recipes.RECIPES["ave"](data, replace(RULES, count=10), tmp_path / "out")
    assert [question.prompt for question in questions[::2]] == ["bark", "male speech", "frying"]
    assert all(one.prompt != other.prompt for one, other in zip(questions[::2], questions[1::2], strict=True))
    assert manifest.read(tmp_path / "out" / "manifest.csv") == questions


def test_audiocaps_asks_by_its_captions_and_finds_files_with_or_without_a_y(tmp_path: Path) -> None:
    data = tmp_path / "audiocaps"
    noise(data / "test" / "Yaaaaaaaaaaa.wav")
    noise(data / "test" / "bbbbbbbbbbb.wav")
    lines = ["audiocap_id,youtube_id,start_time,caption", "1,aaaaaaaaaaa,30,A dog barks"]
    lines += ["2,bbbbbbbbbbb,10,Rain falls", "3,bbbbbbbbbbb,10,It pours", "4,ccccccccccc,10,Not here"]
    (data / "test.csv").write_text("\n".join(lines))
    questions = recipes.RECIPES["audiocaps"](data, RULES, tmp_path / "out")
    assert [question.prompt for question in questions] == ["A dog barks", "Rain falls", "Rain falls", "A dog barks"]


def test_music_is_a_folder_for_each_instrument(tmp_path: Path) -> None:
    for instrument in ("cello", "acoustic_guitar"):
        noise(tmp_path / "MUSIC" / instrument / "solo.wav", seconds=11)
    questions = recipes.RECIPES["music"](tmp_path / "MUSIC", replace(RULES, count=1), tmp_path / "out")
    assert {question.prompt for question in questions} == {"cello", "acoustic guitar"}
    assert soundfile.info(questions[0].mixture).duration == recipes.CLIP_S


def test_musdb_is_asked_as_it_is(tmp_path: Path) -> None:
    song = tmp_path / "musdb18hq" / "test" / "A Band - A Song"
    for name in ("mixture", "vocals", "drums", "bass", "other"):
        noise(song / f"{name}.wav", channels=2)
    questions = recipes.RECIPES["musdb18-hq"](tmp_path / "musdb18hq", RULES, tmp_path / "out")
    assert [(question.prompt, question.target) for question in questions] == [
        ("singing voice", song / "vocals.wav"),
        ("drums", song / "drums.wav"),
        ("bass", song / "bass.wav"),
    ]
    assert {question.mixture for question in questions} == {song / "mixture.wav"}


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_an_empty_folder_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest):
        recipes.RECIPES[name](tmp_path, RULES, tmp_path / "out")


def test_the_page_on_data_sets_tells_every_recipe_and_every_column() -> None:
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    assert told == {*recipes.RECIPES, *manifest.COLUMNS}
