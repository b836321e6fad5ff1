"""The embedded default: a small diffusion model of single sounds, trained by us, shipped with us, free for any use."""

from engine.backbones.pocket.model import Pocket

__all__ = ["Pocket"]
