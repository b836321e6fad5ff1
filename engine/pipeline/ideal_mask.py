"""Ideal ratio mask (oracle): the best mask on a backbone's bands, computed from the true stems; an upper bound for every
method."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.audio.chunks import ChunkLayout, OverlapAddFile
from engine.audio.source import AudioSource, mono_blocks
from engine.backbones.base import Backbone
from engine.backbones.batching import Cost
from engine.pipeline.inference import ModelOutput
from engine.pipeline.masking import MaskProjector
from engine.pipeline.presence import Verdict
from engine.pipeline.rendering import Outputs, write_stems
from engine.request import Request
from host_bridge.types import quietly


def ideal_masks(backbone: Backbone, parts: Tensor) -> Tensor:
    """(K, B, channels, N) true stems -> masks (K, B, C, T, M): each stem's magnitude as a share of the sum's, at most 1."""
    mixture = backbone.magnitude(backbone.analyse(parts.sum(0)))
    magnitudes = torch.stack([backbone.magnitude(backbone.analyse(part)) for part in parts])
    return (magnitudes / mixture.clamp_min(1e-12)).clamp(0, 1)


@torch.no_grad()
def write_ideal(
    backbone: Backbone, mix: AudioSource, truths: Sequence[AudioSource], request: Request, folder: Path
) -> list[Path]:
    """What a perfect estimate would give for a mix whose true stems are files: one file per truth, in `folder`."""
    hop = backbone.grid.hop
    frames = MaskProjector(backbone.grid, backbone.rate, mix.rate).frames(mix.length)
    layout = ChunkLayout(frames, frames)
    sounds = [np.concatenate([*mono_blocks(truth, backbone.rate)]) for truth in truths]
    parts = torch.from_numpy(np.stack([np.pad(sound, (0, frames * hop - len(sound))) for sound in sounds]))
    masks = ideal_masks(backbone, parts[:, None, None].expand(-1, -1, backbone.channels, -1).to(backbone.device))
    tape = OverlapAddFile(folder / "ideal", layout, len(truths), backbone.channels, backbone.grid.bands)
    tape.append(masks[:, 0].cpu().numpy())
    told = ModelOutput(tape, None, [Verdict(found=True, doubtful=False)] * len(truths), Cost())
    outputs = Outputs([folder / f"ideal {index}.wav" for index in range(len(truths))], folder / "ideal rest.wav", [], [])
    write_stems(told, backbone, mix, request, outputs, 0.0, quietly)
    return outputs.stems
