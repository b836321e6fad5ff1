"""Ratings of a stem against the truth: known distortions give known figures."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.research.bench.ratings import rate, truth
from host_bridge.errors import BadAudio

RATE = 16_000


def sound(seed: int, seconds: float = 1.0, channels: int = 1) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels))


def saved(path: Path, samples: np.ndarray[tuple[int, ...], np.dtype[np.float64]], frequency: int = RATE) -> Path:
    soundfile.write(path, samples, frequency, subtype="FLOAT")
    return path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    one, other = sound(1), sound(2)
    return saved(tmp_path / "mix.wav", one + other), saved(tmp_path / "target.wav", one)


def test_the_mixture_gains_nothing(pair: tuple[Path, Path]) -> None:
    told = rate(pair[0], truth(*pair))
    assert told["si_sdr"] == pytest.approx(0, abs=0.3)
    assert {name: told[name] for name in told if name.endswith("_gain")} == {
        name: 0.0 for name in told if name.endswith("_gain")
    }
    assert told["silenced"] == 0


def test_a_known_share_of_the_other_sound_gives_its_ratio(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    stem = saved(tmp_path / "stem.wav", sound(1) + 0.1 * sound(2))
    told = rate(stem, truth(*pair))
    assert told["si_sdr"] == pytest.approx(20, abs=0.3)
    assert told["si_sdr_gain"] == pytest.approx(20, abs=0.3)
    pytest.importorskip("fast_bss_eval")
    assert told["sir"] == pytest.approx(20, abs=0.5)
    assert told["sdr_gain"] == pytest.approx(20, abs=0.7)
    assert told["sar"] > 40  # nothing was added that is in neither


def test_silence_for_a_sound_that_is_there_is_counted(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    told = rate(saved(tmp_path / "stem.wav", np.zeros((RATE, 1))), truth(*pair))
    assert (told["silenced"], told["si_sdr"]) == (1, -200)


@pytest.mark.parametrize(("gain", "energy"), [(0.1, -20.0), (0.0, -200.0)])
def test_a_stem_of_what_is_not_there_is_told_by_its_energy(
    tmp_path: Path, pair: tuple[Path, Path], gain: float, energy: float
) -> None:
    told = rate(saved(tmp_path / "stem.wav", gain * soundfile.read(pair[0])[0]), truth(pair[0], None))
    assert set(told) == {"energy"}
    assert told["energy"] <= energy + 1e-3 if energy == -200 else told["energy"] == pytest.approx(energy, abs=1e-3)


def test_another_rate_length_or_number_of_channels_is_brought_to_the_mixtures(tmp_path: Path) -> None:
    at = np.arange(2 * RATE)[:, None] / (2 * RATE)
    tone = 0.2 * np.sin(2 * np.pi * np.array([[440.0]]) * at)
    both = np.repeat(tone, 2, 1)
    mix, target = (
        saved(tmp_path / "mix.wav", both + sound(3, 2, 2)[: len(both)], 2 * RATE),
        saved(tmp_path / "t.wav", both, 2 * RATE),
    )
    stem = saved(tmp_path / "stem.wav", tone[::2][:-100], RATE)  # mono, half the rate, and a little short
    assert rate(stem, truth(mix, target))["si_sdr"] > 15


def test_a_target_that_does_not_lie_under_its_mixture_is_refused(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    for other in (sound(1, 0.9), sound(1, 1.0, 2)):
        with pytest.raises(BadAudio, match="another rate, length or number of channels"):
            truth(pair[0], saved(tmp_path / "other.wav", other))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(BadAudio, match="cannot be read"):
        truth(pair[0], tmp_path / "text.wav")
