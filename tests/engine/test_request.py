"""What is asked: the settings that only some methods have, and how presets and options set them."""

from typing import Any

import pytest

import presets
from engine.commands.separate import parser
from engine.commands.separation_options import resolve
from engine.methods import METHODS
from engine.methods.base import MethodOptions, resolve_options
from engine.request import METHOD_OPTIONS, Request
from host_bridge.errors import BadRequest
from host_bridge.spool.schema import SETTINGS


@pytest.mark.parametrize("bad", [{"renew": 1.1}, {"rounds": 0}, {"draws": 65}, {"guidance": -1.0}, {"guidance": float("nan")}])
def test_a_dial_out_of_range_is_refused_by_name(bad: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=f"{next(iter(bad)).capitalize()} of .* out of range"):
        Request.of(["drums"], **bad)


@pytest.mark.parametrize(("prompts", "unlike"), [(["drums"], ""), (["drums", "bass"], "speech")])
def test_stems_are_no_rivals_of_nobody(prompts: list[str], unlike: str) -> None:
    with pytest.raises(BadRequest, match="under each other's prompts"):
        Request.of(prompts, unlike=unlike, unlike_others=True)


def test_a_models_words_are_prompts_inversion_prompt_null_and_rivals() -> None:
    assert Request.of(["drums", "bass"], unlike="speech").words == ["drums", "bass", "speech", ""]
    three = Request.of(["drums", "bass", "flute"], unlike_others=True).words
    assert three == ["drums", "bass", "flute", "", "", "bass, flute", "drums, flute", "drums, bass"]


def test_a_method_has_its_own_values_until_they_are_turned() -> None:
    assert resolve_options(METHODS["dgmo"], Request.of(["drums"])) == MethodOptions(rounds=2)
    assert resolve_options(METHODS["dgmo"], Request.of(["drums"], rounds=1, guidance=0.0)) == MethodOptions(
        rounds=1, guidance=0.0
    )
    assert resolve_options(METHODS["contrast"], Request.of(["drums"])) == MethodOptions()


def test_every_dial_may_be_set_in_a_request_file() -> None:
    assert {*METHOD_OPTIONS, "unlike_others"} <= SETTINGS.keys()
    for name, (low, high, _) in METHOD_OPTIONS.items():
        assert SETTINGS[name].fits(low)
        assert SETTINGS[name].fits(high)
        assert not SETTINGS[name].fits(high + 1)


def request(*words: str) -> Request:
    return resolve(parser().parse_args(["song.wav", *words]))[0]


def test_every_dial_has_an_option() -> None:
    asked = request(
        "-p",
        "a",
        "-p",
        "b",
        "--not-others",
        "--fresh-noise",
        "0.4",
        "--iterations",
        "3",
        "--num-inversions",
        "2",
        "--guidance",
        "5",
    )
    assert asked == Request.of(["a", "b"], unlike_others=True, renew=0.4, rounds=3, draws=2, guidance=5.0)


def test_the_papers_way_is_a_preset_and_an_option_goes_before_it() -> None:
    told = request("-p", "drums", "--preset", "dgmo-released")
    expected: dict[str, Any] = {
        "method": "dgmo",
        "mode": "ddim",
        "steps": 100,
        "depth": 1.0,
        "guidance": 5.0,
        "draws": 4,
        "rounds": 3,
    }
    assert told == Request.of(["drums"], **expected)
    paper = request("-p", "drums", "--preset", "dgmo-paper", "--mode", "ddpm", "--iterations", "1")
    assert (paper.mode, paper.rounds, paper.depth, paper.steps) == ("ddpm", 1, 0.7, 25)


def test_a_preset_that_is_a_way_of_working_names_no_sound() -> None:
    assert presets.load("dgmo-paper").prompts == ()
    with pytest.raises(BadRequest, match="No prompt was given"):
        request("--preset", "dgmo-paper")
