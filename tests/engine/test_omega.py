"""The study of omega: its figures are what they say, and it runs and draws on a tiny set."""

from pathlib import Path

import numpy as np
import pytest

from engine.backbones.gaussian import Gaussian
from engine.backbones.pocket.training.heldout import Mix
from engine.bench import omega
from engine.bench.windows import Asker

pytestmark = pytest.mark.slow

PARTS = np.random.default_rng(0).standard_normal((2, 20_000))


def test_the_figures_of_a_stem_are_what_went_into_it() -> None:
    dirt = np.random.default_rng(1).standard_normal(20_000)
    stem = PARTS[0] + 0.1 * PARTS[1] + 0.01 * dirt
    gain, interference, artefacts, energy = omega.figures(stem, PARTS, PARTS.sum(0))
    assert gain == pytest.approx(20, abs=0.3)
    assert interference == pytest.approx(-20, abs=0.3)
    assert artefacts == pytest.approx(-40, abs=0.3)
    assert energy == pytest.approx(-3, abs=0.3)


def test_the_mixture_is_where_every_omega_begins(tmp_path: Path) -> None:
    parts = (0.1 * PARTS).astype(np.float32)
    study = omega.measure(Asker(Gaussian(), steps=3), [Mix(("-0.4", "1"), parts)], lambda: None)
    for name in omega.COMPARED:
        assert study[name, "gain", 0.0][0] == pytest.approx(0, abs=1e-3)
        assert study[name, "energy", 0.0][0] == pytest.approx(0, abs=1e-3)
        energies = [study[name, "energy", each][0] for each in omega.OMEGAS]
        assert energies == sorted(energies, reverse=True), "a prompt below the mixture takes away the more, the stronger"
    assert omega.told(study).count("\n") > 8
    omega.draw({"noise": study}, tmp_path / "omega.png")
    assert (tmp_path / "omega.png").read_bytes()[:4] == b"\x89PNG"
