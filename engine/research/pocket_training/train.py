"""The training loop: batch after batch of labelled windows through the denoiser, until the time is up."""

import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.backbones.base import add_noise
from engine.backbones.mel import HOP, RATE
from engine.backbones.pocket.codec import PatchCodec
from engine.backbones.pocket.network import FRAMES, MELS, PROMPT_WIDTH, SCHEDULE
from engine.backbones.schedules import TRAINING_STEPS
from engine.research.pocket_training.bank import Bank
from host_bridge.types import Progress

WARM_UP, LOWEST = 150, 0.02
"""Steps after each start in which the learning rate rises; its share of the peak at the very end."""
AVERAGE = 0.998
"""What the published average of the weights keeps per step."""
LOG_EVERY, SAVE_EVERY = 50, 500
"""Steps."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run is made of: minutes in all, windows per step, the peak of the learning rate, a seed.

    `fall` is the share of the time in which the learning rate falls: it is worth more than the hours before it.
    """

    minutes: float
    batch: int
    peak: float
    seed: int
    fall: float = 0.5


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Batch number i of a bank, the same whenever and in whichever process it is drawn."""

    def __init__(self, bank: Bank, recipe: Recipe) -> None:
        self.bank, self.recipe = bank, recipe

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Log-mel (B, 1, 256, 64) and labels (B, sources)."""
        return self.bank.batch(np.random.default_rng([self.recipe.seed, number]), self.recipe.batch)


def draw_steps(count: int, generator: torch.Generator) -> Tensor:
    """Noise steps (count,): half of them uniform, half around the middle, where separation is decided."""
    middle = (TRAINING_STEPS * torch.sigmoid(torch.randn(count, generator=generator) + 0.4)).long().clamp(0, TRAINING_STEPS - 1)
    anywhere = torch.randint(0, TRAINING_STEPS, (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.5, anywhere, middle)


def pace(done: float, since_start: int, fall: float) -> float:
    """The learning rate as a share of its peak: a short rise after each start, flat, then straight down to LOWEST."""
    return min(1.0, (since_start + 1) / WARM_UP) * (1.0 if done < 1 - fall else max(LOWEST, (1 - done) / fall))


class Training:
    """The network, its average, its optimiser and how far they are: all that a resumed run needs."""

    def __init__(self, sources: list[str], codec: PatchCodec, recipe: Recipe, network: Any, device: torch.device) -> None:
        """Around `network`, a fresh `unet()`; the same seed gives the same prompt vectors."""
        self.sources, self.recipe, self.device = sources, recipe, device
        self.codec = PatchCodec(codec.mean.to(device), codec.std.to(device))
        self.network = network.to(device)
        if device.type == "cpu":
            self.network.set_attn_processor(AttnProcessor())  # torch's fused attention takes a third of a step backwards here
        vectors = torch.randn(len(sources), PROMPT_WIDTH, generator=torch.Generator().manual_seed(recipe.seed))
        self.vectors = torch.nn.Parameter(vectors.to(device))
        self.parameters = [*self.network.parameters(), self.vectors]
        self.average, self.average_vectors = copy.deepcopy(self.network), self.vectors.detach().clone()
        self.optimiser = torch.optim.AdamW(self.parameters, lr=recipe.peak, weight_decay=1e-3, betas=(0.9, 0.99), fused=True)
        self.number, self.spent_s = 0, 0.0

    def begin_from(self, folder: Path) -> None:
        """Takes over the weights of a published checkpoint, for a fine-tune; its sources must be ours."""
        tensors = {name: tensor.float().to(self.device) for name, tensor in load_file(folder / "pocket.safetensors").items()}
        self.vectors.data.copy_(tensors.pop("vectors"))
        self.codec = PatchCodec(tensors.pop("codec.mean"), tensors.pop("codec.std"))
        self.network.load_state_dict(tensors)
        self.average, self.average_vectors = copy.deepcopy(self.network), self.vectors.detach().clone()

    def step(self, mel: Tensor, labels: Tensor, share: float) -> float:
        """One step at `share` of the peak learning rate -> the loss. Its noise depends on the seed and the step's number."""
        generator = torch.Generator().manual_seed(hash((self.recipe.seed, self.number)) % 2**63)
        clean = self.codec.encode(mel.to(self.device))
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        steps = draw_steps(len(clean), generator).to(self.device)
        labels = labels.to(self.device)
        prompts = labels @ self.vectors / labels.sum(1, keepdim=True).clamp_min(1).sqrt()
        x = add_noise(clean, SCHEDULE.alpha_bar(steps).float(), noise)
        with torch.autocast(self.device.type, torch.bfloat16):
            told = self.network(x, steps, encoder_hidden_states=None, class_labels=prompts).sample
        loss = (told.float() - noise).square().mean()
        for group in self.optimiser.param_groups:
            group["lr"] = self.recipe.peak * share
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.number += 1
        keep = min(AVERAGE, (1 + self.number) / (10 + self.number))
        with torch.no_grad():
            torch._foreach_lerp_([*self.average.parameters()], [*self.network.parameters()], 1 - keep)
            self.average_vectors.lerp_(self.vectors, 1 - keep)
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Writes state.pt, to go on from, and publishes the average as pocket.safetensors and pocket.json."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "vectors": self.vectors.detach(),
            "average_vectors": self.average_vectors,
            "optimiser": self.optimiser.state_dict(),
            "codec": (self.codec.mean, self.codec.std),
            "number": self.number,
            "spent_s": self.spent_s,
        }
        torch.save(state, folder / "state.pt.new")
        (folder / "state.pt.new").replace(folder / "state.pt")
        tensors = {**self.average.state_dict(), "vectors": self.average_vectors}
        tensors |= {"codec.mean": self.codec.mean, "codec.std": self.codec.std}
        halves = {name: tensor.detach().half().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(halves, folder / "pocket.safetensors.new")
        (folder / "pocket.safetensors.new").replace(folder / "pocket.safetensors")
        known = {"sources": self.sources, "rate": RATE, "hop": HOP, "mels": MELS, "frames": FRAMES}
        (folder / "pocket.json").write_text(json.dumps(known, indent=1), encoding="utf-8")

    def resume(self, folder: Path) -> None:
        """Goes on exactly where `save` was called."""
        state = torch.load(folder / "state.pt", weights_only=True, map_location=self.device)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.vectors.data.copy_(state["vectors"])
        self.average_vectors.copy_(state["average_vectors"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.codec = PatchCodec(*state["codec"])
        self.number, self.spent_s = state["number"], state["spent_s"]


def run(training: Training, bank: Bank, folder: Path, workers: int, progress: Progress) -> None:
    """Trains until the recipe's minutes are spent, those before a resumption included; saves now and then and at the end.

    `workers` processes prepare the windows. `progress` may raise `CancelledMessage`; what was saved last is then the result.
    """
    recipe, first, start_s, losses = training.recipe, training.number, time.monotonic() - training.spent_s, list[float]()
    numbers = range(first, len(Batches(bank, recipe)))
    loader = DataLoader(Batches(bank, recipe), None, sampler=numbers, num_workers=workers)
    for mel, labels in loader:
        training.spent_s = time.monotonic() - start_s
        done = training.spent_s / 60 / recipe.minutes
        if done >= 1:
            break
        share = pace(done, training.number - first, recipe.fall)
        losses.append(training.step(mel, labels, share))
        if training.number % LOG_EVERY == 0:
            loss = np.mean(losses[-4 * LOG_EVERY :])
            progress(done, f"step {training.number}  loss {loss:.4f}  learning rate {recipe.peak * share:.1e}")
        if training.number % SAVE_EVERY == 0:
            training.save(folder)
    training.save(folder)
