"""Sample by sample: no gap, no click, no wrong gain, whatever is switched while it plays."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from host_bridge.errors import BadAudio
from ui.models.mixing import SILENT_DB, Part, Scene, Strip
from ui.models.player import FADE_S, QUIET_DB, Player
from ui.models.reading import File

Write = Callable[..., File]
RATE = 48_000
FADE = round(RATE * FADE_S)
BLOCK = 1000
T = np.arange(4 * RATE) / RATE
BASS = (0.3 * np.stack([np.sin(2 * np.pi * 100 * T), np.cos(2 * np.pi * 100 * T)], 1)).astype(np.float32)
KEYS = (0.2 * np.stack([np.sin(2 * np.pi * 440 * T), np.sin(2 * np.pi * 550 * T)], 1)).astype(np.float32)
HISS = (0.1 * np.random.default_rng(3).uniform(-1, 1, BASS.shape)).astype(np.float32)
MIX = BASS + KEYS + HISS
STEEPEST = 0.06
"""No two neighbouring samples of the tones differ by more: 0.3 * 2 pi 100 / 48000 and 0.2 * 2 pi 550 / 48000, and fades."""


@pytest.fixture
def scene(written: Write) -> Scene:
    parts = (Part("bass", written(BASS)), Part("keys", written(KEYS)))
    return Scene(written(MIX), parts, chosen="bass")


@pytest.fixture
def tones(written: Write) -> Scene:
    """Without the hiss, so that a click is a step that no tone makes."""
    return Scene(written(BASS + KEYS), (Part("bass", written(BASS)), Part("keys", written(KEYS))), chosen="bass")


def heard(player: Player, frames: int, block: int = BLOCK) -> NDArray[np.float32]:
    return np.concatenate([player.render(min(block, frames - at)) for at in range(0, frames, block)])


def started(scene: Scene, at: int = 0) -> Player:
    """A player that plays, its start faded in already."""
    player = Player(scene)
    player.seek(at)
    player.play()
    player.render(BLOCK)
    return player


def steps(sound: NDArray[np.float32]) -> float:
    return float(np.abs(np.diff(sound, axis=0)).max())


@pytest.mark.parametrize(
    ("view", "chosen", "expected"),
    [
        ("mix", "bass", MIX),
        ("stem", "bass", BASS),
        ("stem", "keys", KEYS),
        ("rest", "", MIX - BASS - KEYS),
        ("highlight", "keys", MIX + np.float32(10 ** (6 / 20) - 1) * KEYS),
    ],
)
def test_each_way_to_listen_is_its_sum(scene: Scene, view: str, chosen: str, expected: NDArray[np.float32]) -> None:
    at = scene.heard(view, chosen).at(5000, 3000)  # type: ignore[arg-type]
    np.testing.assert_allclose(at, expected[5000:8000], atol=2e-7)


def test_the_mix_is_heard_bit_for_bit_and_its_stems_are_not_even_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in scene.parts:
        monkeypatch.setattr(part.sound, "read", lambda *_: pytest.fail("a stem was read"))
    player = started(scene)
    np.testing.assert_array_equal(heard(player, 50_000, 333), MIX[BLOCK : BLOCK + 50_000])


@pytest.mark.parametrize(
    ("bass", "keys", "rest", "gains"),
    [
        (Strip(), Strip(), Strip(), (1, 1, 1)),
        (Strip(muted=True), Strip(), Strip(), (0, 1, 1)),
        (Strip(solo=True), Strip(), Strip(), (1, 0, 0)),
        (Strip(solo=True), Strip(solo=True, gain_db=-6), Strip(), (1, 10 ** (-6 / 20), 0)),
        (Strip(solo=True, muted=True), Strip(), Strip(), (0, 0, 0)),
        (Strip(gain_db=6), Strip(gain_db=SILENT_DB), Strip(muted=True), (10 ** (6 / 20), 0, 0)),
        (Strip(), Strip(), Strip(solo=True), (0, 0, 1)),
    ],
)
def test_solo_mute_and_faders(scene: Scene, bass: Strip, keys: Strip, rest: Strip, gains: tuple[float, ...]) -> None:
    mixer = scene.heard("mixer").with_strip("bass", bass).with_strip("keys", keys).with_strip("", rest)
    assert mixer.gains == pytest.approx(gains)
    expected = gains[0] * BASS + gains[1] * KEYS + gains[2] * (MIX - BASS - KEYS)
    np.testing.assert_allclose(mixer.at(100, 500), expected[100:600], atol=3e-7)


def test_the_volume_is_of_everything(scene: Scene) -> None:
    np.testing.assert_allclose(scene.with_gain(-20).at(0, 100), 0.1 * MIX[:100], rtol=1e-6)
    assert not scene.with_gain(SILENT_DB).at(0, 100).any()


def test_before_it_is_started_it_is_silent_and_stands_still(scene: Scene) -> None:
    player = Player(scene)
    assert not heard(player, 5000).any()
    assert (player.position, player.playing) == (0, False)


@pytest.mark.parametrize("block", [64, 100, 480, 1024, 5000])
def test_the_way_one_listens_changes_at_the_same_position_without_a_click(tones: Scene, block: int) -> None:
    player = started(tones)
    sounds = [heard(player, 5000, block)]
    for view, chosen in (("stem", "bass"), ("rest", ""), ("highlight", "keys"), ("stem", "keys"), ("mix", "")):
        player.show(tones.heard(view, chosen))  # type: ignore[arg-type]
        sounds.append(heard(player, 5000, block))
    whole = np.concatenate(sounds)
    assert steps(whole) < STEEPEST
    assert player.position == BLOCK + len(whole)
    at = BLOCK + 5000 + FADE  # behind the first fade the stem alone, exactly where it would have been
    np.testing.assert_allclose(whole[5000 + FADE : 10_000], BASS[at : at + 5000 - FADE], atol=2e-7)
    np.testing.assert_array_equal(whole[-5000 + FADE :], (BASS + KEYS)[player.position - 5000 + FADE : player.position])


def test_a_change_is_a_straight_line_between_the_two(scene: Scene) -> None:
    player = started(scene)
    player.show(scene.heard("stem", "keys"))
    share = (np.arange(FADE) + 1)[:, None] / (FADE + 1)
    expected = share * KEYS[BLOCK : BLOCK + FADE] + (1 - share) * MIX[BLOCK : BLOCK + FADE]
    np.testing.assert_allclose(player.render(BLOCK)[:FADE], expected, atol=2e-7)


def test_start_and_stop_are_faded(tones: Scene) -> None:
    player = Player(tones)
    player.seek(10_007)
    silent = heard(player, 2000)
    player.play()
    playing = heard(player, 5000)
    player.stop()
    whole = np.concatenate([silent, playing, heard(player, 5000)])
    assert steps(whole) < STEEPEST
    assert not whole[:2000].any()
    assert not whole[7000 + FADE :].any()
    assert (player.position, player.playing) == (15_007, False)


def test_a_jump_is_faded_and_lands_where_it_was_aimed(tones: Scene) -> None:
    player = started(tones)
    before = heard(player, 5000)
    player.seek(100_003)
    after = heard(player, 5000)
    assert steps(np.concatenate([before, after])) < STEEPEST
    mix = (BASS + KEYS)[100_003:105_003]
    np.testing.assert_array_equal(after[FADE:], mix[FADE:])
    assert player.position == 105_003


def test_a_jump_goes_nowhere_outside(scene: Scene) -> None:
    player = Player(scene)
    player.seek(-5)
    assert player.position == 0
    player.seek(10**9)
    assert player.position == len(MIX) - 1


def test_a_stem_that_was_rendered_anew_is_swapped_in_without_a_click(tones: Scene, written: Write) -> None:
    stem = tones.heard("stem", "bass")
    player = started(stem)
    before = heard(player, 5000)
    fresh = Scene(tones.mix, (Part("bass", written(0.5 * BASS), 0.5), tones.parts[1]), chosen="bass").heard("stem")
    player.show(fresh)
    after = heard(player, 5000)
    assert steps(np.concatenate([before, after])) < STEEPEST
    at = BLOCK + 5000 + FADE
    np.testing.assert_array_equal(after[FADE:], 0.5 * BASS[at : at + 5000 - FADE])


def test_what_is_turned_many_times_between_two_blocks_is_heard_as_it_was_left(tones: Scene) -> None:
    player = started(tones)
    sounds = []
    for turn in range(60):  # a fader that is dragged
        for part in range(5):
            player.show(tones.heard("highlight", "bass", -0.1 * (5 * turn + part)))
        sounds.append(player.render(200))  # shorter than a fade
    whole = np.concatenate([*sounds, heard(player, 5000)])
    assert steps(whole) < STEEPEST
    end = player.position
    expected = KEYS[end - 1000 : end] + 10 ** (-29.9 / 20) * BASS[end - 1000 : end]
    np.testing.assert_allclose(whole[-1000:], expected, atol=1e-6)


@pytest.mark.parametrize(("start", "end"), [(20_000, 31_111), (0, 9_999), (100, 20_000)])
@pytest.mark.parametrize("block", [333, 1024, 30_000])
def test_a_loop_comes_round_to_the_sample_without_a_click(tones: Scene, start: int, end: int, block: int) -> None:
    player = started(tones, max(start, BLOCK))
    player.loop(start, end)
    first = heard(player, end - player.position, block)
    assert player.position == start
    again, once_more = heard(player, end - start, block), heard(player, end - start, block)
    assert steps(np.concatenate([first, again, once_more])) < STEEPEST
    np.testing.assert_array_equal(again, once_more)
    mix = (BASS + KEYS)[start:end]
    np.testing.assert_array_equal(again[FADE:-FADE], mix[FADE:-FADE])
    if start >= FADE:  # what comes before it is faded in over its end, so its beginning is whole
        np.testing.assert_array_equal(again[:FADE], mix[:FADE])


def test_a_loop_shorter_than_a_fade_still_has_no_click(tones: Scene) -> None:
    player = started(tones, 10_000)
    player.loop(11_100, 11_500)
    assert steps(heard(player, 5000, 123)) < STEEPEST
    assert 11_100 <= player.position < 11_500


def test_behind_a_loop_it_plays_on_and_without_one_too(tones: Scene) -> None:
    player = started(tones, 30_000)
    player.loop(10_000, 20_000)
    heard(player, 5000)
    assert player.position == 36_000
    player.seek(19_000)
    heard(player, 2000)
    assert player.position == 11_000
    player.loop(None)
    heard(player, 10_000)
    assert player.position == 21_000
    for none in ((7, 8), (9, 7), (len(MIX), len(MIX) + 500)):
        player.loop(*none)
        heard(player, 1000)
    assert player.position == 24_000


def test_the_end_is_faded_and_the_next_start_is_from_the_beginning(tones: Scene) -> None:
    player = started(tones, len(MIX) - 10_000)
    whole = heard(player, 12_000)
    assert steps(whole) < STEEPEST
    assert not whole[9_000:].any()
    assert (player.position, player.playing) == (0, False)
    player.play()
    heard(player, 1000)
    assert (player.position, player.playing) == (1000, True)


def test_a_file_that_cannot_be_read_any_more_stops_it_and_another_can_be_heard(scene: Scene, written: Write) -> None:
    gone = File(written(MIX).path, held=False)
    player = started(Scene(gone))
    gone.path.unlink()
    player.seek(100_000)
    with pytest.raises(BadAudio, match="does not exist"):
        player.render(BLOCK)
    assert not player.playing
    assert not heard(player, BLOCK).any()
    player.show(scene)
    player.play()
    np.testing.assert_array_equal(heard(player, 2 * BLOCK)[FADE:], MIX[100_000 + FADE : 100_000 + 2 * BLOCK])


def test_a_loop_ends_where_the_mix_does(tones: Scene) -> None:
    player = started(tones, len(MIX) - 3000)
    player.loop(len(MIX) - 3000, len(MIX) + 50_000)
    heard(player, 2500)
    assert player.position == len(MIX) - 3000 + 500
    assert player.playing


def test_the_meters_show_peaks_that_fall_slowly_and_what_was_too_loud(written: Write) -> None:
    sine = np.sin(2 * np.pi * 1000 * T).astype(np.float32)
    player = started(Scene(written(np.stack([0.5 * sine, 1.5 * sine], 1))))
    heard(player, 2 * RATE)
    left, right = player.levels
    assert left.peak_db == pytest.approx(-6.02, abs=0.1)
    assert left.rms_db == pytest.approx(-9.03, abs=0.1)
    assert (left.over, right.over) == (False, True)
    player.stop()
    heard(player, RATE // 2)
    assert player.levels[0].peak_db == pytest.approx(-16, abs=0.5)
    assert player.levels[1].over
    player.clear_overs()
    heard(player, 20 * RATE)
    assert player.levels[1] == player.levels[0]
    assert player.levels[0].peak_db == QUIET_DB


def test_dials_may_be_turned_by_one_thread_while_another_renders(tones: Scene) -> None:
    player = started(tones)
    player.loop(0, len(MIX))
    ended = threading.Event()

    def turn() -> None:
        ways: Iterator[Scene] = iter([tones.heard("stem", "bass"), tones.heard("rest"), tones.heard("mix")] * 200)
        for number, way in enumerate(ways):
            player.show(way)
            player.seek((number * 997) % len(MIX))
        ended.set()

    thread = threading.Thread(target=turn)
    thread.start()
    sounds: list[NDArray[np.float32]] = []
    while not ended.is_set() or len(sounds) < 50:
        sounds.append(player.render(256))
    thread.join()
    assert steps(np.concatenate(sounds)) < STEEPEST
