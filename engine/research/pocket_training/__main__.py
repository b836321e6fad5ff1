"""From soundfonts to a checkpoint in one command: python -m engine.research.pocket_training --out FOLDER."""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from engine.backbones.pocket.codec import PatchCodec
from engine.backbones.pocket.network import unet
from engine.backbones.pocket.vocabulary import SOURCES
from engine.research.pocket_training import worlds
from engine.research.pocket_training.bank import Bank
from engine.research.pocket_training.rooms import Elsewhere
from engine.research.pocket_training.train import Recipe, Training, run
from host_bridge.errors import ZeroStemError

FITTED_ON = 384
"""Windows that the codec's statistics come from."""
BATCH = {"cpu": 32, "cuda": 512}
PEAK = {"cpu": 6e-4, "cuda": 1.5e-3}
"""Windows per step and learning rate, by device."""
FINE_TUNE = 0.5
"""Peak learning rate of a fine-tune, as a share of that from scratch."""


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m engine.research.pocket_training", description=__doc__)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="rendered takes, state and checkpoint go here"
    )
    parser.add_argument("--minutes", type=float, default=180, help="of training, resumed runs included (default %(default)s)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--resume", action="store_true", help="go on with the run in FOLDER")
    parser.add_argument(
        "--begin-from", type=Path, metavar="FOLDER", help="fine-tune this checkpoint instead of a fresh network"
    )
    parser.add_argument("--batch", type=int, help="windows per step (default: 32, on CUDA 512)")
    parser.add_argument(
        "--seconds", type=float, default=1800, help="rendered per source in the largest worlds (default %(default)s)"
    )
    parser.add_argument("--workers", type=int, help="processes that prepare data (default: 1, on CUDA all cores but one)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(words: list[str] | None = None) -> None:
    """Render what is missing, train, publish. Raises ZeroStemError where sounds or programs are not installed."""
    asked = arguments().parse_args(words)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if asked.device == "auto" else asked.device
    cores = os.cpu_count() or 1
    workers = asked.workers if asked.workers is not None else cores - 1 if device == "cuda" else 1
    peak = PEAK[device] * (FINE_TUNE if asked.begin_from else 1)
    recipe = Recipe(asked.minutes, asked.batch or BATCH[device], peak, asked.seed)
    state = asked.out / "state.pt"
    if state.exists() != asked.resume:
        what = f"There is {'already a' if state.exists() else 'no'} run in {asked.out}."
        raise ZeroStemError(
            what, "Choose another folder or leave --resume out." if asked.resume else "Add --resume to go on with it."
        )
    asked.out.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars, (asked.out / "train.log").open("a", encoding="utf-8") as log:
        bar = bars.add_task("rendering", total=1.0)

        def report(done: float, line: str) -> None:
            bars.update(bar, completed=done, description=line)
            log.write(f"{100 * done:5.1f} %  {line}\n")
            log.flush()

        takes = worlds.prepare(asked.out / "takes", asked.seconds, asked.seed, report, cores)
        bank = Bank(takes, SOURCES, Elsewhere(asked.seed))
        log.write(f"{worlds.length_s(takes) / 3600:.1f} hours of sound; {recipe}\n")
        bars.reset(bar, total=1.0, description="listening")
        codec = PatchCodec.fit(bank.batch(np.random.default_rng(asked.seed), FITTED_ON)[0])
        torch.manual_seed(asked.seed)
        training = Training(list(SOURCES), codec, recipe, unet(), torch.device(device))
        if asked.resume:
            training.resume(asked.out)
        elif asked.begin_from:
            training.begin_from(asked.begin_from)
        run(training, bank, asked.out, workers, report)


if __name__ == "__main__":
    try:
        main()
    except ZeroStemError as error:
        sys.exit(f"{error.what} {error.todo}")
