"""The host's half of a separation: tapes and the user's own sound, block by block, become stems and their rest."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.audio import LOWEST_HZ, Source, resampled
from engine.backbones.base import Backbone
from engine.fit import Fit
from engine.listening import Heard, method_for
from engine.methods.base import exponents, guidances, settle
from engine.request import Request
from engine.windows import Layout, Tape
from host_bridge.bwf import Writer, time_reference
from host_bridge.vocabulary import Progress, Samples

SPAN = 1024
"""Frames that a model's own voice is rendered in at once."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where everything goes, one path per prompt; `highlights` and `generative` are empty unless asked for."""

    stems: list[Path]
    rest: Path
    highlights: list[Path]
    generative: list[Path]


def origin(source: Source) -> Samples:
    """Where the region lies on its timeline: its place in the file, plus the file's own place where it names one."""
    return Samples((time_reference(source.path) or 0) + source.start)


def write_stems(
    heard: Heard,
    backbone: Backbone,
    source: Source,
    request: Request,
    outputs: Outputs,
    gain_db: float,
    progress: Progress,
) -> None:
    """The faithful view: each stem is the region under its mask, and the rest is the region less all stems.

    The rest is taken from the stems as they are written, in float64, so stems and rest add up to the region; where stems below
    full strength overlap, it holds the overlap with its sign turned. What lies below `LOWEST_HZ`, an offset above all, is no
    sound of any stem: at full strength the rest has all of it, at 0 each stem is still the mix. A highlight is the region with
    its stem raised by `gain_db`. Nothing is normalised.
    """
    fit, method = Fit(backbone.grid, backbone.rate, source.rate), method_for(request, backbone)
    powers, guided = exponents(method, request), guidances(method, request)
    present = torch.tensor([verdict.found for verdict in heard.verdicts])
    raised = 10 ** (gain_db / 20) - 1
    inaudible = (fit.frequencies < LOWEST_HZ)[:, None]
    lowest = 1 - torch.tensor(request.strengths, dtype=torch.float64)[:, None, None, None]
    with ExitStack() as stack:
        start = origin(source)

        def written(path: Path) -> Writer:
            return stack.enter_context(Writer(path, source.rate, source.channels, start, path.stem))

        stems, rest = [written(path) for path in outputs.stems], written(outputs.rest)
        highlights = [written(path) for path in outputs.highlights]
        for position, around in source.blocks(fit.block, fit.context):
            progress(position / source.length, "writing")
            count = len(around) - 2 * fit.context
            hops = -(-count // fit.hop)
            whole = _continued(np.pad(around, ((0, hops * fit.hop - count), (0, 0))), source, position - fit.context)
            spectrum, masks = fit.spectrum(whole), fit.masks(heard.masks, position, hops + 3)
            if masks.shape[1] != source.channels:
                masks = masks.mean(1, keepdim=True)  # a region of other channels than the model's: one mask for all
            if method.refine is None:
                bins = fit.bins(settle(masks, powers, present, guided))
            else:

                def fitting(done: float, before: int = position, block: int = count) -> None:
                    progress((before + done * block) / source.length, "fitting")

                found = method.refine(request, spectrum.abs(), masks, fit.spread, fitting)
                bins = settle(found, powers, present, guided)
            bins = torch.where(inaudible, bins * lowest, bins)
            parts = fit.sound(spectrum, bins)[:, :count].astype(np.float32)
            mix = around[fit.context : fit.context + count]
            rest.write(mix - parts.sum(0, dtype=np.float64))
            for writer, part in zip(stems, parts, strict=True):
                writer.write(part)
            for writer, part in zip(highlights, parts, strict=False):
                writer.write(mix + raised * part)


def _continued(around: NDArray[np.float64], source: Source, first: int) -> NDArray[np.float64]:
    """A block whose first sample is number `first` of the region: where the region does not reach, with the region's offset
    instead of zeros, so that the offset makes no step at its edges."""
    places = first + np.arange(len(around))
    outside = (places < 0) | (places >= source.length)
    return np.where(outside[:, None], source.mean, around)


def write_generative(
    heard: Heard, tape: Tape, backbone: Backbone, source: Source, outputs: Outputs, progress: Progress
) -> None:
    """The generative view: each stem in the model's own voice, at the region's rate, channels and exact length."""
    for slot, (path, verdict) in enumerate(zip(outputs.generative, heard.verdicts, strict=True)):
        with Writer(path, source.rate, source.channels, origin(source), path.stem) as writer:
            left = int(source.length)
            voice = _voice(tape, slot, backbone)
            for piece in resampled(voice, backbone.rate, source.rate, backbone.channels):
                progress(1 - left / source.length, "rendering")
                sound = piece[:left] * verdict.found
                alike = backbone.channels == source.channels
                writer.write(sound if alike else np.repeat(sound.mean(1, keepdims=True), source.channels, 1))
                left -= len(sound)
            writer.write(np.zeros((left, source.channels), np.float32))


def _voice(tape: Tape, slot: int, backbone: Backbone) -> Iterator[NDArray[np.float32]]:
    """One stem rendered span by span with cross-fades, in pieces (n, channels) at the backbone's rate."""
    hop, layout = backbone.grid.hop, Layout(tape.layout.frames, SPAN)
    held = np.zeros((SPAN * hop, backbone.channels), np.float32)
    starts = layout.starts
    for start, following, fade in zip(starts, [*starts[1:], starts[-1] + SPAN], layout.fades(), strict=True):
        features = torch.from_numpy(tape.read(start, start + SPAN - 1)[slot : slot + 1]).to(backbone.device)
        sound = backbone.render(features)[0].T.cpu().numpy()
        held += sound * np.repeat(fade, hop)[:, None]
        ready = (following - start) * hop
        yield held[:ready]
        held = np.concatenate([held[ready:], np.zeros((ready, backbone.channels), np.float32)])
