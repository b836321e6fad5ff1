"""Pocket's training: composer, kits, augmentations, bank and loop, all without a soundfont but for the last tests."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.backbones.mel import RATE
from engine.backbones.pocket.codec import PatchCodec
from engine.backbones.pocket.model import Pocket
from engine.backbones.pocket.network import FRAMES, MELS, unet
from engine.backbones.pocket.training import heldout, kits, patches, rooms, soundfonts, speech, worlds
from engine.backbones.pocket.training.__main__ import main
from engine.backbones.pocket.training.bank import CLUTTER, Bank, Takes
from engine.backbones.pocket.training.composer import OTHERS, PARTS, Note, Part, take
from engine.backbones.pocket.training.kits import Stroke
from engine.backbones.pocket.training.rooms import LONGEST, WINDOW, Elsewhere, Odds
from engine.backbones.pocket.training.soundfonts import Soundfont
from engine.backbones.pocket.training.train import LOWEST, Batches, Recipe, Training, draw_steps, pace, run
from engine.backbones.pocket.vocabulary import SOURCES
from host_bridge.errors import ZeroStemError

pytestmark = pytest.mark.slow

TONES = {"low": 200, "middle": 600, "high": 3000, "top": 5000}
"""Sources of a made-up world and what they sound like, in Hz."""
NAMES, CLUTTER_HZ = tuple(TONES), 1300
UNCHANGED = Odds(pitch=0, colour=0, band=0, room=0, squeeze=0, drive=0, noise=0)
RECIPE = Recipe(minutes=60, batch=2, peak=1e-3, seed=5)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small lose more to threads that wait for each other than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tone(hertz: float, seconds: float = 5) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    wave = np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return (12000 * wave).astype(np.int16)


def played(hertz: float) -> rooms.Sound:
    return np.asarray(tone(hertz)[:LONGEST] / 32768, dtype=np.float32)


def bank(odds: Odds = UNCHANGED) -> Bank:
    takes = {name: [Takes(tone(hertz), 1)] for name, hertz in {**TONES, CLUTTER: CLUTTER_HZ}.items()}
    return Bank(takes, NAMES, Elsewhere(0, odds, rooms=2))


def training() -> Training:
    torch.manual_seed(1)
    codec = PatchCodec(torch.zeros(1, 32, 1, 1), torch.ones(1, 32, 1, 1))
    return Training(list(NAMES), codec, RECIPE, unet((32, 32, 32)), torch.device("cpu"))


# The composer


@pytest.mark.parametrize("name", [*PARTS, "clutter"])
def test_a_take_is_sorted_and_stays_in_the_range_of_its_part(name: str) -> None:
    part = PARTS.get(name, OTHERS)
    for seed in range(20):
        notes = take(np.random.default_rng(seed), part, 3)
        assert notes == sorted(notes)
        for note in notes:
            assert note.start_s >= 0
            assert note.length_s > 0
            assert part.low <= note.pitch <= part.high
            assert 1 <= note.velocity <= 127


def test_the_same_seed_composes_the_same_take_and_another_seed_another() -> None:
    once, again, other = (take(np.random.default_rng(seed), PARTS["piano"], 4) for seed in (3, 3, 4))
    assert once == again
    assert once != other


def test_the_parts_and_speech_are_the_vocabulary_in_its_order() -> None:
    assert (*PARTS, "speech") == SOURCES


def test_every_drum_that_the_composer_plays_has_a_role_in_every_kit() -> None:
    pitches = {note.pitch for seed in range(30) for note in take(np.random.default_rng(seed), PARTS["drums"], 2)}
    assert pitches <= {pitch for known, _ in kits.ROLES.values() for pitch in known}


# Kits, patches, speech


@pytest.mark.parametrize(
    ("name", "role"),
    [("Pearl Kick", "kick"), ("Snare Jazz", "snare"), ("Closed HH", "hat"), ("crash16inch", "crash"), ("Tom Low", "tom")],
)
def test_instruments_of_a_kit_are_known_by_their_names(name: str, role: str) -> None:
    assert kits.role(name) == role


def test_a_louder_note_takes_the_louder_stroke() -> None:
    soft, loud = (Stroke(np.full(10, level, np.float32), up_to) for level, up_to in ((0.1, 64), (0.5, 127)))
    kit = {"kick": [[soft, loud]]}
    quiet = kits.play(np.random.default_rng(0), kit, [Note(0, 0.1, 36, 60)])
    hard = kits.play(np.random.default_rng(0), kit, [Note(0, 0.1, 36, 127)])
    assert quiet[0] == pytest.approx(0.1 * (60 / 127) ** 1.5)
    assert hard[0] == pytest.approx(0.5)


def test_a_kit_that_is_not_installed_is_an_error_that_names_its_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kits, "KITS", tmp_path)
    with pytest.raises(ZeroStemError, match="apt-get install hydrogen-drumkits"):
        kits.load("VariBreaks")


def test_a_kit_is_read_from_its_folder_with_layers_and_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "kit").mkdir()
    soundfile.write(tmp_path / "kit/a.wav", np.full(100, 0.5), RATE)
    layered = "<instrument><name>Kick</name><layer><filename>a.wav</filename><max>0.5</max></layer></instrument>"
    plain = "<instrument><name>Snare</name><filename>a.wav</filename></instrument><instrument><name>none</name></instrument>"
    (tmp_path / "kit/drumkit.xml").write_text(f'<drumkit_info xmlns="http://hydrogen">{layered}{plain}</drumkit_info>')
    monkeypatch.setattr(kits, "KITS", tmp_path)
    kit = kits.load("kit")
    assert set(kit) == {"kick", "snare"}
    assert kit["kick"][0][0].up_to == 63.5
    assert len(kit["snare"][0][0].sound) == 100


def test_numbers_of_midi_files_take_seven_bits_a_byte() -> None:
    assert [patches.variable_length(n) for n in (0, 127, 128, 0x3FFF)] == [b"\x00", b"\x7f", b"\x81\x00", b"\xff\x7f"]


def test_a_midi_file_holds_its_notes_in_order_and_its_true_length() -> None:
    midi = patches.midi_file([Note(0.5, 0.5, 60, 100), Note(0, 1, 64, 90)], channel=0, program=40)
    assert midi.startswith(b"MThd\x00\x00\x00\x06\x00\x00\x00\x01")
    assert int.from_bytes(midi[18:22], "big") == len(midi) - 22
    assert midi[22:25] == b"\x00\xc0\x28"
    assert midi.index(bytes([0x90, 64, 90])) < midi.index(bytes([0x90, 60, 100])) < midi.index(bytes([0x80, 60, 0]))


def test_no_held_out_speaker_is_trained_on() -> None:
    assert not {each.folder for each in speech.PEOPLE} & {each.folder for each in speech.HELD_OUT}
    assert not set(heldout.LANGUAGES) & set(speech.LANGUAGES)
    assert not set(heldout.VOICES) & set(speech.VOICES)


def test_no_held_out_soundfont_is_trained_on() -> None:
    assert soundfonts.HELD_OUT.file not in {each.file for each in soundfonts.TRAINING}


def test_speech_prompts_that_are_not_installed_are_an_error_that_names_their_package(tmp_path: Path) -> None:
    with pytest.raises(ZeroStemError, match="apt-get install some-voice"):
        speech.prompts(np.random.default_rng(0), speech.Speaker(tmp_path, "*.ogg", "some-voice", "MIT"))


# Rooms


@pytest.mark.parametrize("change", ["pitch", "colour", "band", "room", "squeeze", "drive"])
def test_every_change_keeps_the_length_and_is_finite(change: str) -> None:
    odds = replace(UNCHANGED, **{change: 1.0})
    elsewhere, sound = Elsewhere(0, odds, rooms=3), played(440)
    for seed in range(5):
        changed = elsewhere(np.random.default_rng(seed), sound)
        assert changed.shape == (WINDOW,)
        assert changed.dtype == np.float32
        assert np.isfinite(changed).all()
        assert 0.01 < np.sqrt((changed**2).mean()) / 0.26 < 20


def test_without_any_change_a_sound_stays_itself() -> None:
    sound = played(440)
    same = Elsewhere(0, UNCHANGED)(np.random.default_rng(0), sound)
    assert same == pytest.approx(sound[rooms.BEFORE : rooms.SPAN], abs=1e-5)


def test_pitch_shifts_stay_within_three_semitones() -> None:
    elsewhere, sound = Elsewhere(0, Odds(1, 0, 0, 0, 0, 0, 0)), played(1000)
    heard = []
    for seed in range(20):
        spectrum = np.abs(np.fft.rfft(elsewhere(np.random.default_rng(seed), sound) * np.hanning(WINDOW)))
        heard.append(float(np.argmax(spectrum)) * RATE / WINDOW)
    assert 1000 * 2 ** (-3.1 / 12) < min(heard) < 920
    assert 1080 < max(heard) < 1000 * 2 ** (3.1 / 12)


def test_silence_goes_through_every_change_and_stays_silent() -> None:
    elsewhere = Elsewhere(0, Odds(1, 1, 1, 1, 1, 1, 1), rooms=2)
    assert not elsewhere(np.random.default_rng(0), np.zeros(LONGEST, np.float32)).any()


def test_background_noise_has_unit_level() -> None:
    for seed in range(8):
        assert np.sqrt((rooms.noise(np.random.default_rng(seed), WINDOW) ** 2).mean()) == pytest.approx(1, abs=1e-3)


# The bank


def test_a_crop_has_unit_level() -> None:
    assert np.sqrt((bank().crop(np.random.default_rng(0), "low") ** 2).mean()) == pytest.approx(1, abs=1e-3)


def test_windows_are_labelled_with_what_they_hold_or_not_at_all() -> None:
    several = 0
    for seed in range(60):
        sound, label = bank().window(np.random.default_rng(seed))
        spectrum = np.abs(np.fft.rfft(sound))
        loud = {name for name, hertz in TONES.items() if spectrum[round(hertz * WINDOW / RATE)] > 10}
        assert not label or set(label) == loud
        several += len(label) > 1
        assert -40 < 20 * np.log10(np.sqrt((sound**2).mean())) < -12
    assert several > 2


def test_clutter_is_never_heard_under_a_label() -> None:
    heard = 0
    for seed in range(120):
        sound, label = bank().window(np.random.default_rng(seed))
        there = np.abs(np.fft.rfft(sound))[round(CLUTTER_HZ * WINDOW / RATE)] > 10
        heard += there
        assert not (label and there)
    assert heard > 0


def test_a_world_of_weight_zero_is_never_drawn() -> None:
    takes = {"low": [Takes(tone(200), 0), Takes(tone(400), 1)]}
    crop = Bank(takes, ["low"], Elsewhere(0, UNCHANGED)).crop(np.random.default_rng(0), "low")
    assert np.argmax(np.abs(np.fft.rfft(crop))) == round(400 * WINDOW / RATE)


def test_a_batch_depends_on_its_number_alone() -> None:
    batches = Batches(bank(Odds()), RECIPE)
    first, again, other = batches[3], Batches(bank(Odds()), RECIPE)[3], batches[4]
    assert first[0].shape == (2, 1, FRAMES, MELS)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_rendered_worlds_are_kept_and_the_same_again(tmp_path: Path) -> None:
    def play(rng: np.random.Generator) -> list[np.ndarray[tuple[int], np.dtype[np.float32]]]:
        return [rng.standard_normal(LONGEST).astype(np.float32)]

    world = worlds.World("low", "made up", 1, play)
    for folder in ("a", "b"):
        worlds.render(world, tmp_path / folder, seed=2)
    first, again = (np.load(world.file(tmp_path / folder)) for folder in ("a", "b"))
    assert first.dtype == np.int16
    assert np.abs(first).max() == pytest.approx(0.9 * 32767, abs=2)
    assert np.array_equal(first, again)


def test_no_two_worlds_share_a_file() -> None:
    files = [world.file(Path()) for world in worlds.worlds(60)]
    assert len(files) == len(set(files))
    assert {file.parent.name for file in files} == {*SOURCES, "clutter"}


def test_all_packages_that_are_not_installed_are_named_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(soundfonts, "SOUNDS", tmp_path)
    monkeypatch.setattr(worlds, "which", lambda _program: None)
    with pytest.raises(ZeroStemError, match=r"apt-get install libfluidsynth3 .*denemo-data .*espeak-ng .*fluid-soundfont-gm"):
        worlds.prepare(tmp_path, 1, 0, lambda _done, _stage: None, workers=1)


# The loop


def test_noise_steps_lie_in_the_schedule_and_crowd_the_middle() -> None:
    steps = draw_steps(4000, torch.Generator().manual_seed(0))
    assert int(steps.min()) >= 0
    assert int(steps.max()) < 1000
    assert float(((steps > 250) & (steps < 850)).float().mean()) > 0.63


def test_the_learning_rate_rises_after_every_start_and_falls_at_the_end() -> None:
    assert pace(0.1, 0, 0.5) < 0.01
    assert pace(0.1, 500, 0.5) == 1
    assert pace(0.75, 500, 0.5) == 0.5
    assert pace(1, 500, 0.5) == LOWEST


def test_a_resumed_run_goes_on_exactly_where_it_stopped(tmp_path: Path) -> None:
    first, second = (Batches(bank(), RECIPE)[number] for number in range(2))
    straight = training()
    straight.step(*first, 0.5)
    straight.save(tmp_path)
    resumed = training()
    resumed.resume(tmp_path)
    assert resumed.number == 1
    assert resumed.step(*second, 0.5) == straight.step(*second, 0.5)
    for ours, theirs in zip(resumed.parameters, straight.parameters, strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(resumed.average_vectors, straight.average_vectors)


def test_a_fine_tune_begins_from_the_published_weights(tmp_path: Path) -> None:
    first = training()
    first.step(*Batches(bank(), RECIPE)[0], 1)
    first.save(tmp_path)
    fine = training()
    fine.begin_from(tmp_path)
    assert torch.equal(fine.vectors, first.average_vectors.half().float())


def test_the_loop_ends_with_its_time_and_publishes(tmp_path: Path) -> None:
    short = Recipe(minutes=0.01, batch=2, peak=1e-3, seed=0)
    torch.manual_seed(0)
    codec = PatchCodec(torch.zeros(1, 32, 1, 1), torch.ones(1, 32, 1, 1))
    small = Training(list(NAMES), codec, short, unet((32, 32, 32)), torch.device("cpu"))
    run(small, bank(), tmp_path, 0, lambda _done, _line: None)
    assert small.number > 0
    assert {file.name for file in tmp_path.iterdir()} == {"state.pt", "pocket.safetensors", "pocket.json"}


def test_what_training_publishes_is_what_the_backbone_reads(tmp_path: Path) -> None:
    codec = PatchCodec(torch.zeros(1, 32, 1, 1), torch.ones(1, 32, 1, 1))
    Training(list(SOURCES), codec, RECIPE, unet(), torch.device("cpu")).save(tmp_path)
    assert Pocket(torch.device("cpu"), tmp_path).sources == list(SOURCES)


def test_a_run_is_not_begun_over_another_and_not_resumed_from_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroStemError, match="There is no run"):
        main(["--out", str(tmp_path), "--resume"])
    (tmp_path / "state.pt").touch()
    with pytest.raises(ZeroStemError, match="Add --resume"):
        main(["--out", str(tmp_path)])


# With the system's sounds


def test_a_soundfont_that_is_not_installed_is_an_error_that_names_its_package() -> None:
    with pytest.raises(ZeroStemError, match="apt-get install nothing-soundfont"):
        Soundfont("sf2/nothing.sf2", "nothing-soundfont", "MIT").path()


@pytest.mark.soundfont
@pytest.mark.needs("libfluidsynth.so.3", "the soundfont TimGM6mb")
def test_a_soundfont_plays_the_same_take_for_the_same_seed() -> None:
    pytest.importorskip("fluidsynth", reason="pyfluidsynth is not installed: pip install 'zerostem[train]'")
    player = soundfonts.Player(soundfonts.HELD_OUT)
    part = Part((0,), ("keys",), 40, 80)
    once, again = (soundfonts.render(player, np.random.default_rng(1), part, 1)[0] for _ in range(2))
    player.close()
    assert np.abs(once).max() > 0.01
    assert len(once) == len(again)
    assert np.abs(once).max() == pytest.approx(np.abs(again).max(), rel=0.2)


@pytest.mark.soundfont
@pytest.mark.needs("the samples of Sonic Pi")
def test_every_recording_of_the_held_out_table_is_there_and_sounds() -> None:
    for files in heldout.RECORDINGS.values():
        for file in files:
            assert np.abs(heldout.recording(heldout.SONIC_PI / f"{file}.flac")).max() == pytest.approx(1)
