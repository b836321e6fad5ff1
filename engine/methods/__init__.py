"""Separation methods, by name. To add one: one file, and one line here."""

from engine.methods.base import Method
from engine.methods.contrast import Contrast
from engine.methods.dgmo import DGMO
from engine.methods.joint import Joint
from engine.methods.mixture import Mixture
from engine.methods.nmf import NMF
from engine.methods.zerosep import ZeroSep

METHODS: dict[str, Method] = {method.name: method for method in (Joint(), ZeroSep(), DGMO(), Contrast(), NMF(), Mixture())}
