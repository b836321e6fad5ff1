"""How close stems come to the truth: every method on the same mixes, between the floor and the oracle."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import torch

from engine.audio.metrics import si_sdr
from engine.methods import METHODS
from engine.request import Request
from engine.research.bench.tables import mean, median, percent, table
from engine.research.bench.windows import Asker, Sound
from engine.research.pocket_training.heldout import Mix
from engine.separation import OutputOptions, Separator

ORACLE, FLOOR = "oracle mask", "mixture"
UNFITTED = "unfitted"
"""A method's masks as ratios, where it fits them to the spectrogram's bins."""
CASES = ("one prompt", "both prompts", "a wrong prompt")
STRENGTHS = (0.0, 0.5, 1.0)
CG_STEPS = 10
"""Of the solver behind BSS Eval: equal to the direct one within 1e-4 dB, and it does not fight over threads."""
BETTER_DB = 0.01
"""A gain above this counts: the mixture itself, masked with ones, differs from itself by rounding."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What was measured on one world's mixes, in their order.

    gains: SI-SDR above the mixture's towards the first part, by method and case; at_strength: the same by method and
    strength, with one prompt. energies_db: of the stem of a wrong prompt against the mix, by method. ratios: SDR, SIR and SAR
    of the first part with both prompts, by method; empty without fast_bss_eval.
    """

    names: list[str]
    wrong: list[str]
    gains: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    at_strength: dict[tuple[str, float], list[float]] = field(default_factory=lambda: defaultdict(list))
    energies_db: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ratios: dict[str, list[tuple[float, ...]]] = field(default_factory=lambda: defaultdict(list))


def measure(asker: Asker, mixes: list[Mix], prompts: list[str], done: Callable[[], None]) -> Scores:
    """Every method, the mixture and the oracle on every mix."""
    rng = np.random.default_rng(0)
    wrong = [str(rng.choice([prompt for prompt in prompts if prompt not in mix.names])) for mix in mixes]
    scores = Scores([mix.names[0] for mix in mixes], wrong)
    for mix, elsewhere in zip(mixes, wrong, strict=True):
        whole = mix.parts.sum(0)
        floor = si_sdr(whole, mix.parts[0])

        def gain(stem: Sound, truth: Sound = mix.parts[0], floor: float = floor) -> float:
            return si_sdr(stem, truth) - floor

        ideal = asker.ideal(mix.parts)
        for case, masks in (("one prompt", ideal[:1]), ("both prompts", ideal)):
            scores.gains[ORACLE, case].append(gain(asker.stems(whole, masks)[0]))
        scores.ratios[ORACLE] += _ratios(mix.parts, asker.stems(whole, ideal))
        for name, method in METHODS.items():
            one, fitting = asker.ask(method, mix.names[:1], whole).masks, asker.fitting(method, mix.names)
            named = asker.ask(method, mix.names, whole, complete=True).masks
            both = asker.stems(whole, named, 1.0, fitting)
            other = asker.stems(whole, asker.ask(method, [elsewhere], whole).masks, 1.0, fitting)[0]
            for case, stem in zip(CASES, (asker.stems(whole, one, 1.0, fitting)[0], both[0], other), strict=True):
                scores.gains[name, case].append(gain(stem))
            if fitting:
                for case, masks in zip(CASES, (one, named), strict=False):
                    scores.gains[f"{name} {UNFITTED}", case].append(gain(asker.stems(whole, masks)[0]))
            scores.energies_db[name].append(_energy_db(other) - _energy_db(whole))
            scores.ratios[name] += _ratios(mix.parts, both)
            for strength in STRENGTHS:
                masks, power = one, strength
                if not method.strength_in_mask and 0 < strength < 1:
                    masks, power = asker.ask(method, mix.names[:1], whole, strength=strength).masks, 1.0
                scores.at_strength[name, strength].append(gain(asker.stems(whole, masks, power, fitting)[0]))
        done()
    return scores


def told(scores: Scores) -> str:
    """The tables of one world."""
    methods = [*METHODS, ORACLE]
    rows = []
    for name, case in product([told for each in methods for told in (each, f"{each} {UNFITTED}")], CASES):
        if gains := scores.gains.get((name, case)):
            rows.append((f"{name}, {case}", mean(gains), median(gains), percent([gain > BETTER_DB for gain in gains])))
    by_source = []
    for source in sorted(set(scores.names)):
        where = [index for index, name in enumerate(scores.names) if name == source]
        cells = [mean([scores.gains[name, "one prompt"][index] for index in where]) for name in methods]
        by_source.append((source, str(len(where)), *cells))
    strengths = [(name, *(mean(scores.at_strength[name, each]) for each in STRENGTHS)) for name in METHODS]
    tables = [
        "SI-SDR gain over the mixture, dB, towards the first of the two sounds",
        table(("method", "mean", "median", "better in"), rows),
        "By source, one prompt: mean gain, dB",
        table(("source", "mixes", *methods), by_source),
        "By strength, one prompt: mean gain, dB",
        table(("method", *(f"strength {each:g}" for each in STRENGTHS)), strengths),
    ]
    if scores.ratios[ORACLE]:
        ratios = [(name, *(mean(list(column)) for column in zip(*scores.ratios[name], strict=True))) for name in methods]
        tables += ["Both prompts, as BSS Eval counts: means, dB", table(("method", "SDR", "SIR", "SAR"), ratios)]
    return "\n\n".join(tables)


def through_files(separator: Separator, mixes: list[Mix], scores: Scores) -> str:
    """The same figure from files, written and read back, for the first mixes and the model's own method."""
    rows = []
    with TemporaryDirectory() as folder:
        for index, mix in enumerate(mixes):
            path, whole = Path(folder) / f"{index}.wav", mix.parts.sum(0)
            soundfile.write(path, whole, separator.backbone.rate, subtype="FLOAT")
            sidecar = separator.separate(path, Request.of(mix.names[:1]), OutputOptions(Path(folder) / "out"))
            stem = soundfile.read(sidecar["stems"][0]["path"])[0]
            direct = scores.gains[sidecar["method"], "one prompt"][index]
            found = si_sdr(stem, mix.parts[0]) - si_sdr(whole, mix.parts[0])
            chain = f"{found:.2f}" if sidecar["stems"][0]["found"] else "silenced"
            rows.append((f"{mix.names[0]}, out of {' + '.join(mix.names)}", f"{direct:.2f}", chain))
    return table(("gain, dB", "direct", "through files"), rows)


def _energy_db(sound: Sound) -> float:
    return float(10 * np.log10(max(float(np.square(sound, dtype=np.float64).sum()), 1e-20)))


def _ratios(parts: Sound, stems: Sound) -> list[tuple[float, ...]]:
    """SDR, SIR, SAR of the first stem, without permutation; nothing where the package is missing."""
    try:
        from fast_bss_eval import bss_eval_sources
    except ImportError:
        return []
    true, told = (torch.from_numpy(each.astype(np.float64)) for each in (parts, stems))  # its NumPy side fails with NumPy 2
    return [tuple(float(ratio[0]) for ratio in bss_eval_sources(true, told, compute_permutation=False, use_cg_iter=CG_STEPS))]
