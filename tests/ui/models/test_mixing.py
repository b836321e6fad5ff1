"""A finished job becomes something to listen to, also where it covers a part of what is open, or wrote no stems."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ui.models.mixing import ListeningMix, listening_mix
from ui.models.reading import SoundFile
from ui.models.results import Result

Write = Callable[..., SoundFile]
GENERATOR = np.random.default_rng(4)
MIX = GENERATOR.uniform(-0.5, 0.5, (20_000, 2)).astype(np.float32)
STEM = GENERATOR.uniform(-0.5, 0.5, (20_000, 2)).astype(np.float32)


def told(stems: Mapping[str, Path | None], rest: Path | None) -> Result:
    rows: list[dict[str, Any]] = [
        {"prompt": prompt, "strength": 0.8, "path": path and str(path)} for prompt, path in stems.items()
    ]
    return Result.of({"stems": rows, "rest": rest and str(rest)})


def test_the_stems_of_a_whole_mix_lie_where_it_does(written: Write) -> None:
    scene = listening_mix(written(MIX), told({"drums": written(STEM).path}, None))
    assert (scene.chosen, scene.parts[0].strength, scene.view) == ("drums", 0.8, "mix")
    np.testing.assert_array_equal(scene.heard("stem").at(100, 500), STEM[100:600])


def test_the_stems_of_a_part_lie_within_the_whole_and_leave_the_rest_of_it_alone(written: Write) -> None:
    scene = listening_mix(written(MIX), told({"drums": written(STEM[:5000]).path}, None), offset=7000)
    stem, rest = scene.heard("stem").at(0, 20_000), scene.heard("rest").at(0, 20_000)
    np.testing.assert_array_equal(stem[7000:12_000], STEM[:5000])
    assert not stem[:7000].any()
    assert not stem[12_000:].any()
    np.testing.assert_allclose(stem + rest, MIX, atol=2e-7)


def test_where_only_the_rest_was_written_the_stem_is_what_was_taken_out(written: Write) -> None:
    rest = written(MIX[3000:8000] / 4).path
    scene = listening_mix(written(MIX), told({"lead": None, "backing": None}, rest), offset=3000)
    assert [part.prompt for part in scene.parts] == ["lead, backing"]
    np.testing.assert_allclose(scene.heard("rest").at(3000, 5000), MIX[3000:8000] / 4, atol=2e-7)
    np.testing.assert_allclose(scene.heard("stem").at(3000, 5000), MIX[3000:8000] * 0.75, atol=2e-7)
    np.testing.assert_array_equal(scene.heard("rest").at(0, 3000), MIX[:3000])


def test_before_there_is_a_result_there_is_the_mix(written: Write) -> None:
    scene = ListeningMix(written(MIX))
    np.testing.assert_array_equal(scene.at(0, 100), MIX[:100])
    np.testing.assert_array_equal(scene.heard("highlight", "drums").at(0, 100), MIX[:100])
    assert not scene.heard("stem", "drums").at(0, 100).any()
