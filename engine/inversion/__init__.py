"""Inversions, by name. To add one: one file, and one line here."""

from engine.inversion.base import Inversion
from engine.inversion.ddim import DDIM
from engine.inversion.ddpm import DDPM

INVERSIONS: dict[str, Inversion] = {inversion.name: inversion for inversion in (DDPM(), DDIM())}
