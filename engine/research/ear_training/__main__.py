"""Training the ear: python -m engine.research.ear_training --sounds FOLDER --takes FOLDER --out FOLDER [--resume]."""

import argparse
import json
import sys
from pathlib import Path

import torch

from engine.research.ear_training.bank import TakeBank
from engine.research.ear_training.parts import SOURCES
from engine.research.ear_training.prepare import prepare
from engine.research.ear_training.processing import OtherRecordings
from engine.research.ear_training.train import EarRecipe, EarTraining, run
from engine.research.ear_training.validation import load
from host_bridge.errors import ZeroStemError


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m engine.research.ear_training", description=__doc__)
    parser.add_argument("--sounds", type=Path, metavar="FOLDER", help="recorded libraries and voices (README.md, Layout)")
    parser.add_argument("--takes", type=Path, required=True, metavar="FOLDER", help="what is rendered goes here and is kept")
    parser.add_argument(
        "--seconds", type=float, default=240, help="rendered of each source in each world (default %(default)s)"
    )
    parser.add_argument("--as-rendered", action="store_true", help="take what is in --takes and render nothing")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="state, weights and log")
    parser.add_argument("--minutes", type=float, default=600, help="of this sitting (default %(default)s)")
    parser.add_argument("--resume", action="store_true", help="go on where the run in --out was saved last")
    parser.add_argument(
        "--cool", action="store_true", help="let the rate fall to nothing in these minutes and publish; the state stays"
    )
    parser.add_argument("--begin-from", type=Path, metavar="FOLDER", help="weights to begin from: ear.safetensors and ear.json")
    parser.add_argument("--batch", type=int, default=16, help="questions per step (default %(default)s)")
    parser.add_argument("--rate", type=float, default=3e-4, help="learning rate (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    return parser


def say(line: str) -> None:
    """One line about what was rendered."""
    sys.stderr.write(f"{line}\n")


def main(words: list[str] | None = None) -> None:
    """Train for one sitting. Raises ZeroStemError where the folders do not hold what is asked for."""
    asked = arguments().parse_args(words)
    torch.set_num_threads(1)
    if (asked.out / "state.pt").exists() != (asked.resume or asked.cool):
        there = (asked.out / "state.pt").exists()
        raise ZeroStemError(f"There is {'already a' if there else 'no'} run in {asked.out}.", "Add or leave out --resume.")
    asked.out.mkdir(parents=True, exist_ok=True)
    if not asked.as_rendered:
        prepare(asked.takes, asked.sounds, asked.seconds, asked.seed, say)
    recipe = EarRecipe(asked.minutes, asked.batch, asked.rate, asked.seed)
    training = EarTraining(list(SOURCES), recipe)
    if asked.resume or asked.cool:
        training.resume(asked.out)
    elif asked.begin_from:
        known = json.loads((asked.begin_from / "ear.json").read_text(encoding="utf-8"))["sources"]
        training.begin_from(asked.begin_from / "ear.safetensors", known)
    folder = asked.out / "cooled" if asked.cool else asked.out
    folder.mkdir(exist_ok=True)
    bank = TakeBank(asked.takes, SOURCES, OtherRecordings(asked.seed))
    run(training, bank, folder, load(asked.takes / "validation.pt"), fall=asked.cool)


if __name__ == "__main__":
    try:
        main()
    except ZeroStemError as error:
        sys.exit(f"{error.what} {error.todo}")
