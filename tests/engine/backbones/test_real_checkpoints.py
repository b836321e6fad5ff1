"""What only trained networks know, asked of every checkpoint that is on this machine: is all of it read as it was meant?"""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.backbones import BACKBONES, load
from engine.backbones.base import Backbone, add_noise
from engine.models import catalogue

pytestmark = pytest.mark.slow

FETCHED = [key for key in BACKBONES if any(each.backbone == key and each.hub for each in catalogue.CATALOGUE.values())]
HEIGHTS, LIMIT = (0.3, 0.5), 0.6
"""Where the noise is asked about, and how much of the error of the best answer that needs no network may be left."""


def shares(model: Backbone) -> list[float]:
    """How far off a model tells the noise in a chord that is struck twice a second, against answers that need no network:
    there is none, and all of it is."""
    time = torch.arange(model.window) / model.rate
    chord = torch.stack([torch.sin(2 * torch.pi * hertz * time) for hertz in (220.0, 277.2, 329.6)]).sum(0)
    sound = (chord * (1 - (2 * time) % 1)).expand(1, model.channels, -1)
    latent = model.encode(model.analyse(sound * model.gain(sound)[:, None, None]))
    drawn = torch.randn(latent.shape, generator=torch.Generator().manual_seed(0))
    words = model.embed(["piano"])
    found = []
    for height in HEIGHTS:
        level = torch.tensor([model.schedule.level(height)])
        alpha = model.schedule.alpha_bar(level)
        x = add_noise(latent, alpha, drawn)
        answers = (model.noise(x, level, words), torch.zeros_like(x), (1 - float(alpha)) ** 0.5 * x)
        told, *simple = (float((answer - drawn).square().mean()) for answer in answers)
        found.append(told / min(simple))
    return found


@pytest.mark.hub
@pytest.mark.parametrize("key", FETCHED)
def test_real_checkpoints_tell_noise_from_sound(key: str) -> None:
    """A wrong scale, schedule, prediction type or level would show."""
    family = [each for each in catalogue.CATALOGUE.values() if each.backbone == key]
    here = [folder for each in family if each.hub and (folder := catalogue.folder_of(each.hub))]
    if not here:
        pytest.skip(f"no checkpoint of {key} is on this machine: `zerostem models fetch {family[0].name}`")
    for folder in here:
        assert max(shares(load(key, torch.device("cpu"), folder))) < LIMIT, folder


@pytest.mark.parametrize("key", FETCHED)
def test_a_network_that_has_learned_nothing_is_found_out(key: str, tiny: Callable[[str], Path]) -> None:
    assert min(shares(load(key, torch.device("cpu"), tiny(key)))) > LIMIT


def test_a_network_that_knows_its_sound_passes() -> None:
    assert max(shares(load("pocket", torch.device("cpu")))) < LIMIT / 2
