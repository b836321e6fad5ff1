"""`python -m engine.diffdmx`: train the small experiment, or take the vocals out of a file with a checkpoint."""

import argparse
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from engine.diffdmx import checkpoint, experiment
from engine.diffdmx.network import DiffDMX
from engine.diffdmx.sampling import CORNER_HZ, ETA, STEPS, vocals
from engine.diffdmx.training import train
from host_bridge.arguments import Parser
from host_bridge.cli import safely


def main(argv: list[str]) -> int:
    """`train FOLDER --steps N`, or `separate FOLDER IN OUT`."""
    made = Parser(prog="python -m engine.diffdmx", description=__doc__.splitlines()[0])
    commands = made.add_subparsers(dest="command", required=True)
    learning = commands.add_parser("train", help="the small experiment of README.md")
    learning.add_argument("folder", type=Path)
    learning.add_argument("--steps", type=int, default=500)
    working = commands.add_parser("separate", help="the vocals of a file, as float32 WAV at the file's rate and length")
    working.add_argument("folder", type=Path, help="where the checkpoint lies")
    working.add_argument("input", type=Path)
    working.add_argument("output", type=Path)
    working.add_argument("--steps", type=int, default=STEPS)
    working.add_argument("--eta", type=float, default=ETA, help="0 adds no refinement noise")
    working.add_argument("--corner", type=float, default=CORNER_HZ, metavar="HZ", help="of the refinement noise")
    options = made.parse_args(argv)
    return _train(options.folder, options.steps) if options.command == "train" else _separate(options)


def _train(folder: Path, steps: int) -> int:
    torch.manual_seed(0)
    model = DiffDMX(experiment.SMALL)
    print(f"{sum(each.numel() for each in model.parameters()):,} parameters", flush=True)
    judges, heard = experiment.takes(held_out=True), experiment.takes(held_out=False)

    def tell(step: int) -> None:
        gains = experiment.judged(model.eval(), *judges, count=16, steps=20)
        words = ", ".join(f"{name} {np.mean(each):.2f}" for name, each in gains.items())
        print(f"step {step}: gain over the mixture, dB: {words}", flush=True)
        model.train()

    def report(step: int, gone: float, three: tuple[float, ...]) -> None:
        print(f"step {step} ({gone:.0%}): v {three[0]:.4f}, bottleneck {three[1]:.4f}, decoder {three[2]:.4f}", flush=True)

    tell(0)
    train(model, *heard, steps=steps, batch=4, report=report)
    tell(steps)
    checkpoint.save(model, folder, "espeak-ng voices among FluidR3 instruments; see engine/diffdmx/README.md")
    return 0


def _separate(options: argparse.Namespace) -> int:
    model = checkpoint.load(options.folder, torch.device("cpu"))
    sound, rate = soundfile.read(options.input, dtype="float32", always_2d=True)
    heard = soxr.resample(sound, rate, model.sizes.rate)
    fold = heard if heard.shape[1] == model.sizes.channels else np.repeat(heard.mean(1)[:, None], model.sizes.channels, 1)
    said = vocals(model, torch.from_numpy(fold.T.copy()), steps=options.steps, eta=options.eta, corner_hz=options.corner)
    back = soxr.resample(said.T.numpy(), model.sizes.rate, rate)
    back = np.pad(back, ((0, max(0, len(sound) - len(back))), (0, 0)))[: len(sound)]
    soundfile.write(options.output, back, rate, subtype="FLOAT")
    return 0


if __name__ == "__main__":
    sys.exit(safely(main, sys.argv[1:]))
