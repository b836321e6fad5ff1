"""Ways up the noise: to add one, write one file and name it here."""

from engine.inversion.base import Inversion
from engine.inversion.ddim import DDIM
from engine.inversion.ddpm import DDPM

INVERSIONS: dict[str, Inversion] = {inversion.name: inversion for inversion in (DDPM(), DDIM())}
