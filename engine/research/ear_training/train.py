"""The loop: batch after batch of questions, a rate that is held for as long as training goes on, and averaged weights.

A sitting ends with what was saved last and the next one goes on exactly there. `cool` lets the rate fall to nothing in a copy.
"""

import copy
import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.backbones import pocket
from engine.research.ear_training.bank import ASKED, Batch, TakeBank
from engine.separators.ear import bands
from engine.separators.ear.network import EarNetwork

FLOOR, ABSENT_FLOOR = 1e-3, 1e-2
"""Of error to target: nothing is gained below -30 dB, nor below -20 dB of the mixture where the word is not there."""
ABSENT = 0.1
"""Weight of questions about what is not there."""
TREBLE = 0.3
"""Share of the loss in which bands count by their frequency, so that the air above the body is heard too."""
WARM_UP = 150
"""Steps in which the rate rises, at the very beginning only: the optimiser's moments are kept between sittings."""
LOG_EVERY, SAVE_EVERY = 20, 100
HORIZON = 1000
"""Steps that the average remembers."""


@dataclass(frozen=True, slots=True)
class EarRecipe:
    """Minutes of this sitting, questions per step, the learning rate, a seed."""

    minutes: float
    batch: int = 16
    rate: float = 3e-4
    seed: int = 0


class EarBatches(Dataset[Batch]):
    """Batch number i of a bank, the same whenever and in whichever process it is drawn."""

    def __init__(self, bank: TakeBank, recipe: EarRecipe) -> None:
        self.bank, self.recipe = bank, recipe

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> Batch:
        """One batch."""
        torch.set_num_threads(1)
        return self.bank.batch(np.random.default_rng([self.recipe.seed, number]), self.recipe.batch)


def balance(device: torch.device) -> Tensor:
    """(K,) weights of the bands for the treble's share: as the centre, 1 at 1 kHz, held beyond 150 Hz and 8 kHz."""
    centres = torch.tensor(bands.edges()[1:-1], dtype=torch.float32, device=device)
    return (centres / 1000).clamp(0.15, 8) ** 1.5


def errors(logits: Tensor, batch: Batch, weights: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Energies (B,) of the error, of the target and of the mixture; with weights (K,) for the bands."""
    mask = logits.sigmoid()
    above = torch.nn.functional.pad(mask[:, :, 1:], (0, 1))
    asked = len(mask) // len(batch.own)
    own, beside = batch.own.repeat_interleave(asked, 0), batch.next.repeat_interleave(asked, 0)
    error = own * mask.square() + 2 * beside * mask * above - 2 * batch.shared * mask + batch.target
    mixture = own + 2 * beside
    each = (error, batch.target, mixture)
    if weights is not None:
        each = (error * weights, batch.target * weights, mixture * weights)
    return each[0].sum((1, 2)).clamp_min(0), each[1].sum((1, 2)), each[2].sum((1, 2))


def loss_of(logits: Tensor, batch: Batch, treble: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The loss, and in dB (B,): error to target (to the mixture where the target is absent); which are present."""
    total, decibels, present = torch.zeros(()), None, None
    for share, weights in ((1 - TREBLE, None), (TREBLE, treble)):
        error, target, mixture = errors(logits, batch, weights)
        if present is None:
            present = target > 1e-6 * mixture
        there = 10 * torch.log10(error / target.clamp_min(1e-12) + FLOOR)
        gone = ABSENT * 10 * torch.log10(error / mixture.clamp_min(1e-12) + ABSENT_FLOOR)
        total = total + share * torch.where(present, there, gone).mean()
        if decibels is None:
            decibels = torch.where(present, 10 * torch.log10(error / target.clamp_min(1e-12) + 1e-9), gone / ABSENT).detach()
    assert decibels is not None
    assert present is not None
    return total, decibels, present


def before(batch: Batch) -> Tensor:
    """(B,) dB: what the mixture itself leaves as error to the target."""
    error, target, _ = errors(torch.full_like(batch.shared, 30.0), batch)
    return 10 * torch.log10((error / target.clamp_min(1e-12)).clamp_min(1e-9))


class EarTraining:
    """Network, average, optimiser and how far they are."""

    def __init__(self, sources: list[str], recipe: EarRecipe) -> None:
        from diffusers.models.attention_processor import AttnProcessor

        torch.manual_seed(recipe.seed)
        self.sources, self.recipe = sources, recipe
        self.ear = EarNetwork(len(sources))
        self.ear.net.set_attn_processor(AttnProcessor())  # torch's fused attention is slow backwards on CPUs
        self.ear = self.ear.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.ear)
        self.optimiser = torch.optim.AdamW(
            self.ear.parameters(), lr=recipe.rate, weight_decay=1e-3, betas=(0.9, 0.99), fused=True
        )
        self.number, self.spent_s, self.windows = 0, 0.0, 0
        self.treble = balance(torch.device("cpu"))

    def begin_from(self, weights: Path, known: list[str]) -> None:
        """Takes over published weights; words that they do not know begin at random."""
        tensors = {name: tensor.float() for name, tensor in load_file(weights).items()}
        codec = load_file(Path(pocket.__file__).parent / "pocket.safetensors")
        tensors = {"mean": codec["codec.mean"].float(), "std": codec["codec.std"].float(), **tensors}
        old = tensors.pop("vectors")
        vectors = self.ear.vectors.detach().clone()
        for row, source in enumerate(self.sources):
            if source in known:
                vectors[row] = old[known.index(source)]
        state = {
            name if name in ("mean", "std") or name.startswith("net.") else f"net.{name}": t for name, t in tensors.items()
        }
        self.ear.load_state_dict({**state, "vectors": vectors})
        self.average.load_state_dict(self.ear.state_dict())

    def step(self, batch: Batch, share: float = 1.0) -> tuple[float, Tensor, Tensor]:
        """One step at a share of the learning rate -> loss, dB of each question, which are about something present."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.rate * share
        mel = batch.mel.repeat_interleave(ASKED, 0)
        loss, decibels, present = loss_of(self.ear(mel, self.ear.told(batch.labels)), batch, self.treble)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.ear.parameters(), 2.0)
        self.optimiser.step()
        self.number += 1
        self.windows += len(decibels)
        keep = min(1 - 1 / HORIZON, (1 + self.number) / (10 + self.number))
        with torch.no_grad():
            torch._foreach_lerp_([*self.average.parameters()], [*self.ear.parameters()], 1 - keep)
        return float(loss.detach()), decibels, present

    def save(self, folder: Path) -> None:
        """Writes state.pt, to go on from, and publishes the average."""
        state = {
            "sources": self.sources,
            "ear": self.ear.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "number": self.number,
            "windows": self.windows,
            "spent_s": self.spent_s,
        }
        torch.save(state, folder / "state.pt.new")
        (folder / "state.pt.new").replace(folder / "state.pt")
        self.publish(folder)

    def publish(self, folder: Path) -> None:
        """Writes the average as ear.safetensors (half precision) and ear.json."""
        tensors = {name: t.detach().half().contiguous() for name, t in self.average.state_dict().items()}
        save_file(tensors, folder / "ear.safetensors.new")
        (folder / "ear.safetensors.new").replace(folder / "ear.safetensors")
        facts = {"sources": self.sources, "steps": self.number, "windows": self.windows, "hours": round(self.spent_s / 3600, 2)}
        (folder / "ear.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")

    def resume(self, folder: Path) -> None:
        """Goes on exactly where `save` was called. New words at the end of `sources` begin at random."""
        state = torch.load(folder / "state.pt", weights_only=True)
        known, more = state["sources"], len(self.sources) - len(state["sources"])
        assert self.sources[: len(known)] == known, "sources are only ever added, at the end"
        for part in ("ear", "average"):
            vectors = state[part]["vectors"]
            state[part]["vectors"] = torch.cat([vectors, self.ear.vectors.detach()[len(vectors) :]])
        if more:
            place = [name for name, _ in self.ear.named_parameters()].index("vectors")
            for key in ("exp_avg", "exp_avg_sq"):
                moments = state["optimiser"]["state"][place][key]
                state["optimiser"]["state"][place][key] = torch.cat([moments, moments.new_zeros(more, moments.shape[1])])
        self.ear.load_state_dict(state["ear"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.number, self.windows, self.spent_s = state["number"], state["windows"], state["spent_s"]


def judged(ear: EarNetwork, sets: dict[str, list[Batch]]) -> dict[str, tuple[float, float, int]]:
    """Per validation set: mean gain in dB of what is there, dB of what is not, number of questions."""
    found = {}
    for name, batches in sets.items():
        gains, gone = [], []
        for batch in batches:
            with torch.no_grad():
                logits = ear(batch.mel.repeat_interleave(len(batch.shared) // len(batch.own), 0), ear.told(batch.labels))
                _, decibels, present = loss_of(logits, batch, balance(torch.device("cpu")))
            gains += (before(batch) - decibels)[present].tolist()
            gone += decibels[~present].tolist()
        found[name] = (float(np.mean(gains or [np.nan])), float(np.mean(gone or [np.nan])), len(gains))
    return found


def run(
    training: EarTraining,
    bank: TakeBank,
    folder: Path,
    validation: dict[str, list[Batch]],
    judge_s: float = 1800,
    fall: bool = False,
) -> None:
    """Trains for the recipe's minutes or until SIGTERM or SIGINT, then saves.

    With `fall` the rate goes down to nothing over these minutes, and only the average is published: the state stays as it was.
    """
    stopping = list[int]()
    for each in (signal.SIGTERM, signal.SIGINT):  # the step at work is finished first, so that what is saved is whole
        signal.signal(each, lambda number, _: stopping.append(number))
    recipe, first, earlier_s, start_s = training.recipe, training.number, training.spent_s, time.process_time()
    wall_s, judged_s, recent = time.monotonic(), 0.0, list[tuple[float, float, float, float]]()
    loader = DataLoader(EarBatches(bank, recipe), None, sampler=range(first, 2**31), num_workers=1, prefetch_factor=2)
    with (folder / "train.log").open("a", encoding="utf-8") as log:

        def say(line: str) -> None:
            log.write(f"{time.strftime('%m-%d %H:%M:%S')} {line}\n")
            log.flush()

        def judge() -> None:
            if validation:
                figures = judged(training.average.eval(), validation)
                rows = (
                    f"{name} {gain:+.2f} dB, absent {gone:.1f} dB ({count})" for name, (gain, gone, count) in figures.items()
                )
                say(f"held out, step {training.number}, {training.windows} windows: {'; '.join(rows)}")

        say(f"start at step {first}, {bank.hours:.1f} hours of sound, {len(bank.songs)} songs, {recipe}")
        judge()
        for batch in loader:
            passed = time.monotonic() - wall_s
            done = passed / 60 / recipe.minutes
            if done >= 1 or stopping:
                break
            share = min(1.0, (training.number + 1) / WARM_UP) * ((1 - done) if fall else 1.0)
            loss, decibels, present = training.step(batch, share)
            training.spent_s = earlier_s + time.process_time() - start_s
            there = decibels[present]
            gain = (before(batch)[present] - there).mean()
            recent.append((loss, float(there.mean()), float(gain), float(decibels[~present].mean())))
            if training.number % LOG_EVERY == 0:
                mean = np.nanmean(np.array(recent[-200:]), 0)
                pace = (training.number - first) * recipe.batch / passed
                say(
                    f"step {training.number} {training.spent_s / 3600:.2f} CPU h loss {mean[0]:.3f} error {mean[1]:.2f} dB "
                    f"gain {mean[2]:.2f} dB absent {mean[3]:.1f} dB rate {recipe.rate * share:.1e} {pace:.1f} windows/s"
                )
            if training.number % SAVE_EVERY == 0 and not fall:
                training.save(folder)
            if passed - judged_s > judge_s:
                judged_s = passed
                judge()
        if stopping:
            say("stopped")
        (training.publish if fall else training.save)(folder)
        judge()
