"""A region in, stems out: the whole chain on files, what scripts rely on, and what it survives."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from engine.audio import metrics
from engine.audio import source as audio
from engine.backbones.pocket import Pocket
from engine.inversion import INVERSIONS
from engine.methods import METHODS, joint
from engine.pipeline import algorithm
from engine.pipeline.cache import DiskCache
from engine.pipeline.inference import GROUP_BYTES, windows_per_group
from engine.request import Request
from engine.separation import OutputOptions, Separator, separate
from host_bridge.errors import BadModel, BadRequest, Cancelled, CannotWrite
from host_bridge.sound.wav import Writer, time_reference
from host_bridge.types import Hertz, Samples

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pocket() -> Pocket:
    return Pocket(torch.device("cpu"))


@pytest.fixture
def separator(pocket: Pocket, tmp_path: Path) -> Separator:
    return Separator(pocket, DiskCache(tmp_path / "cache"))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """4 s of stereo: notes on the left, hits on the right."""
    rng, t = np.random.default_rng(0), np.arange(4 * 44_100) / 44_100
    notes = 0.2 * np.sin(2 * np.pi * 220 * t) * np.exp(-2 * (t % 1))
    hits = 0.2 * rng.normal(size=len(t)) * np.exp(-30 * (t % 0.5))
    path = tmp_path / "song.wav"
    soundfile.write(path, np.stack([notes + 0.3 * hits, hits + 0.3 * notes], 1), 44_100, subtype="FLOAT")
    return path


def run(
    separator: Separator, song: Path, *prompts: str, output_options: OutputOptions | None = None, **settings: Any
) -> dict[str, Any]:
    request = Request.of(prompts or ["drums"], **{"steps": 2, **settings})
    return separator.separate(song, request, output_options or OutputOptions())


def test_the_results_lie_where_scripts_look_for_them(separator: Separator, song: Path) -> None:
    told = run(separator, song, "drums", "piano", generative=True, output_options=OutputOptions(gain_db=6))
    names = sorted(path.name for path in (song.parent / "song stems").iterdir())
    kinds = [f"song - {prompt}{kind}.wav" for prompt in ("drums", "piano") for kind in ("", " (generative)", " (highlight)")]
    assert names == sorted([*kinds, "song - rest.wav", "song.json"])
    assert json.loads((song.parent / "song stems" / "song.json").read_text(encoding="utf-8")) == told
    for stem in told["stems"]:
        assert all(Path(stem[key]).is_file() for key in ("path", "generative", "highlight"))


def test_the_sidecar_says_what_was_asked_done_and_measured(separator: Separator, song: Path) -> None:
    told = run(separator, song, "drums", strength=0.7, seed=9, output_options=OutputOptions(start_s=1, length_s=2))
    assert told["schema"] == "zerostem-sidecar/1"
    assert told["input"] == {
        "path": str(song), "sha256": metrics.sha256(song), "rate": 44_100, "channels": 2, "samples": 4 * 44_100,
    }  # fmt: skip
    assert told["model"] == {
        "name": "pocket", "licence": "MIT", "trained_to_separate": False, "fingerprint": separator.backbone.fingerprint,
    }  # fmt: skip
    assert told["algorithm"] == algorithm.version(separator.backbone, METHODS["joint"], INVERSIONS["ddpm"])
    assert (told["method"], told["mode"], told["steps"], told["seed"]) == ("joint", "ddpm", 2, 9)
    assert told["region"] == {"start": 44_100, "length": 88_200}
    (stem,) = told["stems"]
    assert stem["prompt"] == "drums"
    assert stem["strength"] == 0.7
    assert isinstance(stem["found"], bool)
    assert stem["peak_dbfs"] == pytest.approx(metrics.peak_dbfs(Path(stem["path"])), abs=0.01)
    assert told["null_dbfs"] <= -120
    assert told["lag_samples"] == 0
    assert told["network_passes"] > 0
    assert told["seconds"] > 0


def test_stems_and_rest_are_the_region_and_nothing_else(separator: Separator, song: Path) -> None:
    told = run(separator, song, "drums", "piano", output_options=OutputOptions(start_s=0.5, length_s=1.25))
    region = soundfile.read(song, start=22_050, frames=round(1.25 * 44_100))[0]
    files = [*(stem["path"] for stem in told["stems"]), told["rest"]]
    total = np.sum([soundfile.read(file)[0] for file in files], 0)
    assert total.shape == region.shape
    assert np.abs(total - region).max() < 1e-6


def test_a_stem_that_is_late_or_wrong_shows_in_the_measurements(separator: Separator, song: Path, tmp_path: Path) -> None:
    told = run(separator, song, "drums")
    source, stem, rest = audio.open_source(song), Path(told["stems"][0]["path"]), Path(told["rest"])
    sound, rate = soundfile.read(stem)
    for broken, lag, null in ((np.roll(sound, 1, 0), 1, None), (sound + 1e-5, 0, -100)):
        soundfile.write(tmp_path / "broken.wav", broken, rate, subtype="FLOAT")
        assert metrics.lag_samples(source, tmp_path / "broken.wav") == lag
        measured = metrics.null_dbfs(source, [tmp_path / "broken.wav", rest])
        assert measured == pytest.approx(null, abs=0.5) if null else measured > -100


@pytest.mark.parametrize("method", ["joint", "zerosep", "contrast"])
def test_strength_zero_gives_back_the_mix(separator: Separator, song: Path, method: str) -> None:
    told = run(separator, song, "drums", strength=0, method=method)
    assert metrics.null_dbfs(audio.open_source(song), [Path(told["stems"][0]["path"])]) < -60


@pytest.mark.parametrize("method", ["joint", "zerosep", "contrast"])
def test_each_fader_stands_alone_and_the_rest_takes_what_is_left(
    separator: Separator, song: Path, tmp_path: Path, method: str
) -> None:
    def stems(*strengths: float) -> dict[str, NDArray[np.float64]]:
        out = tmp_path / " ".join(map(str, strengths))
        request = Request.of(["drums", "bass"], strengths, method=method, steps=3)
        told = separator.separate(song, request, OutputOptions(out=out))
        assert told["null_dbfs"] < -120
        paths = {"rest": told["rest"]} | {stem["prompt"]: stem["path"] for stem in told["stems"]}
        return {name: soundfile.read(path)[0] for name, path in paths.items()}

    mix, full = soundfile.read(song)[0], stems(1.0, 1.0)
    drums_alone, both_at_zero = stems(1.0, 0.0), stems(0.0, 0.0)
    np.testing.assert_allclose(drums_alone["drums"], full["drums"], atol=1e-6)
    np.testing.assert_allclose(drums_alone["bass"], mix, atol=1e-5)
    np.testing.assert_allclose(drums_alone["rest"], -full["drums"], atol=1e-5)
    for name, sign in (("drums", 1), ("bass", 1), ("rest", -1)):
        np.testing.assert_allclose(both_at_zero[name], sign * mix, atol=1e-5)


def test_an_idea_that_changes_a_method_is_heard_at_once(
    separator: Separator, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = run(separator, song, output_options=OutputOptions(tmp_path / "before"))
    assert run(separator, song, output_options=OutputOptions(tmp_path / "same"))["network_passes"] == 0
    monkeypatch.setattr(joint, "POWER", 4.0)
    after = run(separator, song, output_options=OutputOptions(tmp_path / "after"))
    assert after["network_passes"] > 0
    assert after["files"] != before["files"]
    assert after["algorithm"] != before["algorithm"]
    fresh = Separator(separator.backbone, DiskCache(tmp_path / "another cache"))
    assert run(fresh, song, output_options=OutputOptions(tmp_path / "fresh"))["files"] == after["files"]


def test_a_highlight_is_the_mix_with_its_stem_raised(separator: Separator, song: Path) -> None:
    told = run(separator, song, "drums", output_options=OutputOptions(gain_db=6))
    (stem,) = told["stems"]
    mix, sound, highlight = (soundfile.read(path)[0] for path in (song, stem["path"], stem["highlight"]))
    np.testing.assert_allclose(highlight, mix + (10 ** (6 / 20) - 1) * sound, atol=1e-6)


def test_the_same_seed_makes_the_same_file_and_another_seed_another(separator: Separator, song: Path, tmp_path: Path) -> None:
    hashes = [
        run(separator, song, "drums", seed=seed, output_options=OutputOptions(out=tmp_path / str(turn)))["files"][
            "song - drums.wav"
        ]
        for turn, seed in enumerate([1, 1, 2])
    ]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize(("method", "again"), [("joint", 0), ("contrast", 0), ("zerosep", 2 * 2 * 4)])
def test_a_new_strength_asks_the_model_no_more_than_it_must(separator: Separator, song: Path, method: str, again: int) -> None:
    first = run(separator, song, "drums", steps=4, method=method)
    softer = run(separator, song, "drums", steps=4, method=method, strength=0.5)
    assert first["network_passes"] > 0
    assert softer["network_passes"] == again, "zerosep comes down anew, under both branches"
    assert softer["stems"][0]["peak_dbfs"] != first["stems"][0]["peak_dbfs"]


def test_another_prompt_on_the_same_region_does_not_climb_again(separator: Separator, song: Path) -> None:
    first = run(separator, song, "drums", steps=4)["network_passes"]
    other = run(separator, song, "piano", steps=4)["network_passes"]
    windows = 2
    assert first - other == windows * 4


def test_what_comes_from_the_cache_is_what_was_computed(separator: Separator, song: Path, tmp_path: Path) -> None:
    first = run(separator, song, "drums", "piano", steps=4, output_options=OutputOptions(out=tmp_path / "first"))
    again = run(separator, song, "drums", "piano", steps=4, output_options=OutputOptions(out=tmp_path / "again"))
    assert (first["network_passes"] > 0, again["network_passes"]) == (True, 0)
    assert first["files"] == again["files"]


def test_a_stem_lands_where_its_mix_came_from(separator: Separator, tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    with Writer(path, Hertz(48_000), 1, Samples(172_800_123)) as writer:
        writer.write(0.1 * np.random.default_rng(0).normal(size=(48_000, 1)))
    told = run(separator, path, "drums", output_options=OutputOptions(start_s=0.25))
    assert time_reference(Path(told["stems"][0]["path"])) == 172_800_123 + 12_000
    assert told["time_reference"] == 172_800_123 + 12_000


def test_cancelling_leaves_nothing_behind(separator: Separator, song: Path, tmp_path: Path) -> None:
    for stage in ("separating", "writing", "measuring"):

        def stop(done: float, said: str, at: str = stage) -> None:
            if said == at:
                raise Cancelled

        with pytest.raises(Cancelled):
            separator.separate(song, Request.of(["drums"], steps=2), OutputOptions(out=tmp_path / "out"), stop)
        assert not (tmp_path / "out").exists()


def test_progress_rises_from_nothing_to_done(separator: Separator, song: Path) -> None:
    seen: list[float] = []
    separator.separate(
        song, Request.of(["drums"], steps=3, generative=True), OutputOptions(), lambda done, _: seen.append(done)
    )
    assert seen[0] == 0
    assert seen[-1] == 1
    assert len(seen) > 8
    assert all(0 <= done <= 1 for done in seen)


def test_a_file_that_we_did_not_write_is_never_overwritten(separator: Separator, song: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "song - drums.wav").write_bytes(b"somebody's own take")
    with pytest.raises(CannotWrite, match="in the way"):
        run(separator, song, "drums", output_options=OutputOptions(out=tmp_path / "out"))
    assert (tmp_path / "out" / "song - drums.wav").read_bytes() == b"somebody's own take"


def test_our_own_results_are_replaced_unless_somebody_edited_them(separator: Separator, song: Path) -> None:
    run(separator, song, "drums")
    told = run(separator, song, "drums", strength=0.5)
    sound, rate = soundfile.read(told["stems"][0]["path"])
    soundfile.write(told["stems"][0]["path"], sound * 0.9, rate, subtype="FLOAT")
    with pytest.raises(CannotWrite, match="in the way"):
        run(separator, song, "drums")


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"method": "magic"}, "method"),
        ({"mode": "ddpn"}, "mode"),
        ({"steps": 0}, "steps"),
        ({"steps": 501}, "steps"),
        ({"unlike": "didgeridoo"}, "didgeridoo"),
    ],
)
def test_what_the_model_cannot_follow_is_refused_before_anything_is_read(
    separator: Separator, settings: dict[str, Any], what: str
) -> None:
    with pytest.raises(BadRequest, match=what):
        run(separator, Path("never read"), "drums", **settings)


def test_from_python_one_call_is_enough(song: Path, tmp_path: Path) -> None:
    told = separate(song, "drums", 0.8, device="cpu", out=tmp_path / "here", steps=2, length_s=1.0)
    assert Path(told["stems"][0]["path"]) == tmp_path / "here" / "song - drums.wav"
    assert told["stems"][0]["strength"] == 0.8


def test_a_generative_stem_has_the_regions_form(separator: Separator, song: Path) -> None:
    told = run(separator, song, "drums", generative=True, steps=4)
    sound, rate = soundfile.read(told["stems"][0]["generative"])
    assert (sound.shape, rate) == ((4 * 44_100, 2), 44_100)
    mix = soundfile.read(song)[0]
    assert 0.02 < np.sqrt(np.mean(sound**2) / np.mean(mix**2)) < 3, "its level is the mix's, not the model's"


PEAK = """
import resource, sys, torch
from pathlib import Path
from engine.backbones.pocket import Pocket
from engine.pipeline.cache import DiskCache
from engine.request import Request
from engine.separation import OutputOptions, Separator
separator = Separator(Pocket(torch.device("cpu")), DiskCache(Path(sys.argv[2])))
separator.separate(Path(sys.argv[1]), Request.of(["drums"], method="mixture"), OutputOptions())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_length_of_the_file(tmp_path: Path) -> None:
    peaks_mib = []
    short, long = 12, 36  # both take several groups of windows, with one being read and one being written beside them
    for minutes in (short, long):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", 8000, 1, "PCM_16") as file:
            for second in range(minutes * 60):
                file.write(0.1 * np.random.default_rng(second).normal(size=8000))
        command: list[str | Path] = [sys.executable, "-c", PEAK, path, tmp_path / "cache"]
        # glibc: what is large goes back to the system at once, so that what it keeps for later is not counted
        environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": str(1 << 18)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        peaks_mib.append(int(done.stdout))
    longer_as_float64_mib = (long - short) * 60 * 8000 * 8 / 2**20
    assert peaks_mib[1] - peaks_mib[0] < longer_as_float64_mib / 2, peaks_mib


def test_a_model_that_cannot_fit_is_refused_before_it_takes_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.execution.device.free_memory", lambda _device: 1_000_000)
    with pytest.raises(BadModel, match=r"pocket takes 0.0 GB at least, and cpu has 0.0 GB free"):
        Separator.load(on="cpu")


@pytest.mark.parametrize("steps", [1, 4, 25, 200])
@pytest.mark.parametrize("prompts", [1, 2, 8])
def test_a_group_of_windows_is_bounded_whatever_is_asked_of_it(separator: Separator, steps: int, prompts: int) -> None:
    request = Request.of([str(number) for number in range(prompts)], steps=steps)
    latent = 4 * separator.backbone.encode(torch.zeros(1, 1, 256, 64)).numel()
    windows = windows_per_group(request, separator.backbone, latent)
    asked = max(steps, 8 * (prompts + 1))  # the climb's items, or the question's
    assert 0.2 * GROUP_BYTES < 8 * windows * asked * latent <= GROUP_BYTES
