"""Training the ear: the loss is what it says it is, a run goes on exactly, and players play what they were given."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from engine.research.ear_training import parts, processing, songs, train, validation, worlds
from engine.research.ear_training.bank import Batch, MixtureOdds, TakeBank, spread
from engine.research.ear_training.parts import ALSO, FAMILIES, PARTS, PIECES, SOURCES, Tune, related
from engine.research.ear_training.players import Amplified, Kit, Library, Section, fifths, parse
from engine.research.ear_training.processing import LONGEST, OtherRecordings, heavy
from engine.research.pocket_training.composer import Note
from engine.separators.ear import bands

RATE = bands.RATE


def tone(hertz: float, seconds: float, level: float = 0.3) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time) * np.exp(-time)).astype(np.float32)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sounds folder of one piano with two dynamics and one kit."""
    folder = tmp_path_factory.mktemp("sounds") / "instruments"
    for midi in (48, 60, 72):
        for dynamic, level in (("p", 0.05), ("f", 0.5)):
            file = folder / "piano" / "grand" / f"sustain_{midi:03d}_{dynamic}.ogg"
            file.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(file, tone(440 * 2 ** ((midi - 69) / 12), 1.5, level), RATE)
    for name, hertz in (("kick", 60), ("snare", 300), ("hihat", 6000), ("tom", 120)):
        file = folder / "drums" / "kit" / f"{name}_x_1.ogg"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, tone(hertz, 0.3), RATE)
    rows = ["source\tlibrary\tfolder\tkind", "piano\tgrand\tpiano/grand\tnotes", "drums\tkit\tdrums/kit\thits"]
    (folder / "MANIFEST.tsv").write_text("\n".join(rows) + "\n")
    return folder.parent


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes of every source: noise of its own colour; drums on four tracks; and one song."""
    folder, rng = tmp_path_factory.mktemp("takes"), np.random.default_rng(0)
    for number, source in enumerate([*PARTS, "vocals", "speech"]):
        tracks = len(PIECES) if source == "drums" else 1
        noise = rng.standard_normal((tracks, LONGEST + 5000)).astype(np.float32)
        worlds.keep(folder / source / "w.npy", [0.1 * np.cumsum(noise, 1) * 0.01 if number % 2 else 0.1 * noise])
        worlds.index(folder, {f"{source}/w.npy": 1.0})
    song = (rng.standard_normal((LONGEST + 5000, 3)) * 3000).astype(np.int16)
    songs.keep(folder / "songs", 0, song, [("piano", 0, 1), ("bass", 1, 2), ("vocals", 2, 3)])
    return folder


@pytest.fixture
def bank(takes: Path) -> TakeBank:
    return TakeBank(takes, SOURCES, OtherRecordings(0, 4))


def test_the_error_of_a_mask_is_that_on_the_spectrogram_itself() -> None:
    rng = np.random.default_rng(0)
    mixes = torch.tensor(rng.standard_normal((1, bands.WINDOW)), dtype=torch.float32) * 0.05
    targets = 0.5 * mixes[:, None] + 0.01 * torch.randn(1, 2, bands.WINDOW, generator=torch.Generator().manual_seed(0))
    batch = Batch.made(mixes, targets, torch.zeros(2, len(SOURCES)))
    logits = torch.randn(2, bands.FRAMES, bands.BANDS, generator=torch.Generator().manual_seed(1))
    error, target, mixture = train.errors(logits, batch)
    masks = (logits.sigmoid() @ spread().T).transpose(1, 2)
    mixed, wanted = bands.spectrum(mixes), bands.spectrum(targets[0])
    torch.testing.assert_close(error, (masks * mixed - wanted).abs().square().sum((1, 2)), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(target, wanted.abs().square().sum((1, 2)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(mixture, mixed.abs().square().sum((1, 2)).expand(2), rtol=1e-3, atol=1e-4)


def test_the_mixture_itself_gains_nothing(bank: TakeBank) -> None:
    batch = bank.batch(np.random.default_rng(0), 4)
    treble = train.balance(torch.device("cpu"))
    _, decibels, present = train.loss_of(torch.full_like(batch.shared, 30.0), batch, treble)
    torch.testing.assert_close(train.before(batch)[present], decibels[present], atol=1e-3, rtol=0)


def test_what_is_absent_weighs_little_and_is_floored(bank: TakeBank) -> None:
    batch = bank.batch(np.random.default_rng(0), 4)
    batch.target.zero_()
    batch.shared.zero_()
    treble = train.balance(torch.device("cpu"))
    silent, loud = (train.loss_of(torch.full_like(batch.shared, logit), batch, treble)[0] for logit in (-30.0, 30.0))
    assert float(silent) == pytest.approx(-20 * train.ABSENT, abs=0.01)
    assert float(loud) == pytest.approx(0, abs=0.01)


def test_batches_depend_on_their_number_only(bank: TakeBank) -> None:
    batches = train.EarBatches(bank, train.EarRecipe(1, batch=4))
    first, again, other = batches[7], batches[7], batches[8]
    torch.testing.assert_close(first.mel, again.mel, rtol=0, atol=0)
    torch.testing.assert_close(first.target, again.target, rtol=0, atol=0)
    assert (first.mel - other.mel).abs().max() > 0.1


def test_a_run_that_is_resumed_goes_on_exactly(bank: TakeBank, tmp_path: Path) -> None:
    recipe = train.EarRecipe(1, batch=2)
    batches = train.EarBatches(bank, recipe)
    through = train.EarTraining(list(SOURCES), recipe)
    for number in range(2):
        through.step(batches[number])
    through.save(tmp_path)
    through.step(batches[2])
    again = train.EarTraining(list(SOURCES), recipe)
    again.resume(tmp_path)
    assert again.number == 2
    again.step(batches[2])
    for ours, theirs in zip(through.ear.parameters(), again.ear.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    for ours, theirs in zip(through.average.parameters(), again.average.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    published = json.loads((tmp_path / "ear.json").read_text())
    assert published["sources"] == list(SOURCES)


def test_words_are_added_without_losing_what_was_learned(bank: TakeBank, tmp_path: Path) -> None:
    recipe = train.EarRecipe(1, batch=2)
    first = train.EarTraining(list(SOURCES), recipe)
    first.step(train.EarBatches(bank, recipe)[0])
    first.save(tmp_path)
    more = train.EarTraining([*SOURCES, "theremin"], recipe)
    more.resume(tmp_path)
    torch.testing.assert_close(more.ear.vectors[: len(SOURCES)], first.ear.vectors, rtol=0, atol=0)
    assert len(more.average.vectors) == len(SOURCES) + 1
    batch = copy.copy(train.EarBatches(bank, recipe)[1])
    batch.labels = torch.nn.functional.pad(batch.labels, (0, 1))
    more.step(batch)


def test_questions_ask_for_what_is_there_or_for_what_nothing_there_could_be_called(takes: Path) -> None:
    bank = TakeBank(takes, SOURCES, OtherRecordings(0, 4), MixtureOdds(absent=0.5))
    rng = np.random.default_rng(0)
    for _ in range(12):
        there = bank.strangers(rng)
        names = [name for name, _ in there]
        question = bank.question(rng, there, np.ones(bands.WINDOW, np.float32))
        words = [SOURCES[index] for index in question.words]
        called = {word for name in names for word in (name, *(other for other, _ in ALSO.get(name, ())))}
        if question.target.any():
            assert set(words) <= called | set(PIECES)
        else:
            assert all(word not in related(name) for word in words for name in names)


def test_a_mixture_is_at_the_level_that_the_network_hears(bank: TakeBank) -> None:
    for seed in range(4):
        mix, questions = bank.mixture(np.random.default_rng(seed))
        assert np.sqrt((mix**2).mean()) == pytest.approx(10 ** (-25 / 20), rel=1e-3)
        assert len(questions) == 2
        assert all(np.isfinite(question.target).all() for question in questions)


def test_pieces_of_a_kit_add_up_to_it(bank: TakeBank) -> None:
    crop = bank.crop(np.random.default_rng(0), "drums")
    assert crop.shape == (len(PIECES), bands.WINDOW)
    assert np.sqrt((crop.sum(0) ** 2).mean()) == pytest.approx(1, rel=1e-3)


def test_what_is_not_linear_is_one_gain_for_all_tracks() -> None:
    rng = np.random.default_rng(0)
    sound = rng.standard_normal((4, bands.WINDOW)).astype(np.float32)
    for gain in (processing.compression(rng, sound), processing.saturation(rng, sound)):
        assert gain.shape == (bands.WINDOW,)
        assert (gain > 0).all()
        np.testing.assert_allclose((sound * gain).sum(0), sound.sum(0) * gain, atol=1e-4)


@pytest.mark.parametrize("seed", range(8))
def test_heavy_effects_leave_sound_that_is_finite(seed: int) -> None:
    sound = np.stack([tone(220, 3), tone(440, 3)])
    made = heavy(np.random.default_rng(seed), sound)
    assert made.shape[0] == 2
    assert np.isfinite(made).all()
    assert np.abs(made).max() > 1e-3


# Players


def test_a_library_plays_the_note_that_was_asked_for(sounds: Path) -> None:
    library = Library(sounds / "instruments/piano/grand")
    for pitch in (60, 63):
        played = library.perform(np.random.default_rng(1), [Note(0.5, 1.0, pitch, 100)])[0]
        assert np.abs(played[: int(0.45 * RATE)]).max() < 1e-3
        heard = np.abs(np.fft.rfft(played[RATE // 2 : RATE // 2 + RATE // 2]))
        hertz = np.argmax(heard) * 2
        assert 12 * np.log2(hertz / 440) + 69 == pytest.approx(pitch, abs=0.3)


def test_louder_notes_are_louder(sounds: Path) -> None:
    library = Library(sounds / "instruments/piano/grand")
    loud, soft = (library.perform(np.random.default_rng(1), [Note(0, 1, 60, v)])[0] for v in (120, 30))
    assert np.abs(loud).max() > 2 * np.abs(soft).max()


def test_a_kit_puts_every_piece_on_its_own_track(sounds: Path) -> None:
    kit = Kit(sounds / "instruments/drums/kit")
    played = kit.perform(
        np.random.default_rng(0),
        [Note(0, 0.1, 36, 100), Note(0.5, 0.1, 38, 100), Note(1, 0.1, 42, 100), Note(1.5, 0.1, 45, 100)],
    )
    onsets = [int(np.argmax(np.abs(track) > 0.01)) / RATE for track in played]
    assert onsets == pytest.approx([0, 0.5, 1.0, 1.5], abs=0.01)


def test_sections_and_amplifiers_play_whatever_their_players_do(sounds: Path) -> None:
    library, notes = Library(sounds / "instruments/piano/grand"), [Note(0, 1, 60, 100), Note(1, 1, 64, 90)]
    rng = np.random.default_rng(0)
    for player in (Section([library, library]), Amplified(library, riffs=1.0, gain=1.0)):
        sound = player.perform(rng, notes)
        assert sound.shape[0] == 1
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() > 0.01


def test_riffs_are_roots_with_fifths_and_octaves() -> None:
    riff = fifths(np.random.default_rng(3), [Note(0, 1, 64, 100), Note(0.01, 1, 67, 100), Note(1, 1, 52, 100)])
    assert {note.pitch for note in riff if note.start_s == 0} <= {40, 47, 52}
    assert {note.start_s for note in riff} == {0, 1}


def test_names_of_files_say_what_was_played() -> None:
    assert parse("pluck_060_v3") == ("pluck", 60)
    assert parse("kick_loud_x_2") == ("kick_loud", None)
    assert parse("strange") == ("strange", None)


def test_every_library_of_the_manifest_is_a_world(sounds: Path) -> None:
    found = {(world.source, world.name) for world in worlds.recorded(sounds, 4)}
    assert {("piano", "real-grand"), ("drums", "real-kit")} <= found
    world = next(world for world in worlds.recorded(sounds, 4) if world.source == "piano")
    takes = worlds.takes(world, np.random.default_rng(0), processed=0)
    assert sum(take.shape[1] for take in takes) >= 4 * RATE
    assert all(np.abs(take).max() == pytest.approx(0.7, rel=1e-3) for take in takes)


def test_libraries_find_their_words() -> None:
    assert worlds.label("strings", "karoryfer-bigcat-cello") == "cello"
    assert worlds.label("strings", "vsco2-violin-section") == "strings"
    assert worlds.label("strings", "vsco2-violin") == "violin"
    assert worlds.label("bass", "karoryfer-ergo-upright") == "double bass"
    assert worlds.label("piano", "vsco2-upright") == "piano"
    assert worlds.label("plucked", "raikar-sitar") == "sitar"
    assert worlds.label("woodwind", "vsco2-oboe") == worlds.CLUTTER


# Songs


def test_a_song_has_one_beat_and_different_parts(sounds: Path) -> None:
    stage = songs.Bandstand([*worlds.recorded(sounds, 0)], [])
    song, labels = stage.song(np.random.default_rng(0), 4)
    assert song.dtype == np.int16
    assert labels
    assert labels[-1][2] == song.shape[1]
    names = [name for name, _, _ in labels]
    assert len(set(names)) == len(names)


def test_a_band_has_nobody_twice_and_nobody_of_the_same_family() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        band = songs.lineup(rng, {*PARTS, "vocals"})
        assert 2 <= len(band) <= 7
        for one in band:
            assert not any(other in related(one) for other in band if other != one)


def test_players_of_one_tune_share_its_grid() -> None:
    tune = Tune(0.5, 0, (0, 2, 4, 5, 7, 9, 11), (0, 3, 4, 0))
    bass = parts.play(np.random.default_rng(0), PARTS["bass"], tune, 4)
    assert all(abs(note.start_s * 4 - round(note.start_s * 4)) < 1e-6 for note in bass)
    assert all(note.start_s < 4 * tune.bar_s for note in bass)


def test_every_word_of_a_family_is_a_source() -> None:
    assert {name for family in FAMILIES for name in family} <= set(SOURCES)
    assert len(set(SOURCES)) == len(SOURCES)
    assert {*ALSO, *(other for others in ALSO.values() for other, _ in others)} <= set(SOURCES)


def test_validation_is_kept_and_learns_new_words(tmp_path: Path, bank: TakeBank) -> None:
    batch = bank.batch(np.random.default_rng(0), 4)
    batch.labels = batch.labels[:, :5]
    validation.save({"pairs": [batch]}, tmp_path / "v.pt")
    back = validation.load(tmp_path / "v.pt")["pairs"][0]
    assert back.labels.shape == (4, len(SOURCES))
    torch.testing.assert_close(back.target, batch.target)
    assert validation.load(tmp_path / "none.pt") == {}


def test_sung_speech_sings_the_notes_of_its_tune() -> None:
    pyworld = pytest.importorskip("pyworld")
    from engine.research.ear_training import sung

    time = np.arange(4 * RATE) / RATE
    buzz = np.sign(np.sin(2 * np.pi * np.cumsum(120 + 5 * np.sin(2 * np.pi * time)) / RATE))
    syllables = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, 1) + 0.02
    voice = sung.analyse(0.3 * buzz * syllables, RATE)
    assert voice is not None
    tune = Tune(0.5, 0, (0, 2, 4, 5, 7, 9, 11), (0, 3, 4, 0))
    song = sung.sing(voice, np.random.default_rng(0), tune, longest=4)
    pitch, _ = pyworld.harvest(song.astype(np.float64), RATE)
    cents = 1200 * np.log2(pitch[pitch > 0] / 440)
    classes = np.round(cents / 100 + 9) % 12
    assert np.isin(classes, tune.scale).mean() > 0.7
