"""Which sounds are in a mix? Prompts to ask for, the likeliest first: by a tagger where one is here, else by the model itself.

A model that separates can also say what it hears: asked about the same noise under every prompt it knows, it tells the noise
best under the prompts of what is there. How well alone says little, since some prompts always do well or badly on some mixes;
so each prompt is held against all the others at the same noise.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from engine.audio import source as audio
from engine.audio.chunks import ChunkLayout, cut_chunks
from engine.backbones.base import Backbone
from engine.backbones.batching import BatchedModel, Cost
from engine.methods.base import PRESENCE_DRAWS, PRESENCE_LEVELS, Estimate, Method, WindowBatch, presence_cost, probe
from engine.methods.onepass import OnePass
from engine.pipeline.inference import WindowRunner
from engine.pipeline.masking import MaskProjector
from engine.request import Request
from engine.separators.base import trained
from host_bridge.errors import BadModel, BadRequest
from host_bridge.types import Hertz, Progress, quietly

LIKELY, POSSIBLE = 1.5, 1.0
"""Standard deviations above all prompts from which on a sound is likely there, or may be. Set on 96 held-out mixes of two among
pocket's fifteen sounds, and measured on 96 others: of those called likely 87 % (soundfont) and 62 % (recordings) were there, of
those called likely or possible 47 and 40 %; of the sounds that were there 35 and 38 % were called likely, 57 and 53 % one."""

LIKELY_DB, POSSIBLE_DB = -3.0, -8.0
"""Level of a trained separator's stem in its mixture, in its surest window, from which on a sound is likely or maybe there."""

MOST_WINDOWS = 16
"""Of longer files so many windows are heard, spread evenly."""
TAGGER = "MIT/ast-finetuned-audioset-10-10-0.4593"
TAGGED = 0.1
"""Probability from which on a tagger's label is suggested."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A prompt, and how likely its sound is there: of a model standard deviations, of a trained separator the level of its stem
    in dB, of a tagger a probability."""

    prompt: str
    score: float
    verdict: str
    """"likely", "possible" or "unlikely"."""


class Relative:
    """A method that separates nothing: it says of each prompt how far it stands out among all prompts (K, B)."""

    name = "suggest"
    strength_in_mask = False
    options: ClassVar[Mapping[str, float]] = {}
    refine = None

    def estimate(self, batch: WindowBatch) -> Estimate:
        """For each height of noise: standard deviations above the mean of all prompts; averaged over the heights."""
        scores = torch.stack([_standing(probe(batch, (height,), PRESENCE_DRAWS).scores) for height in PRESENCE_LEVELS])
        features = batch.features.expand(len(batch.request.prompts), *batch.features.shape)
        return Estimate(torch.ones_like(features), features, scores.mean(0))

    def cost(self, request: Request, backbone: Backbone) -> Cost:  # noqa: ARG002 - the same for every model
        """The question whether a sound is there, at all heights."""
        return presence_cost(request)


def pooled(scores: Tensor) -> Tensor:
    """`Relative`'s scores (K, B) of a region -> (K,): each prompt as in its surest window, held against the others again."""
    return _standing(scores.amax(1))


def _standing(scores: Tensor) -> Tensor:
    """Scores (K, ...) brought to mean 0 and deviation 1 over the prompts."""
    return (scores - scores.mean(0)) / scores.std(0, correction=0).clamp_min(1e-12)


@torch.no_grad()
def by_model(
    backbone: Backbone, vocabulary: Sequence[str], source: audio.AudioSource, progress: Progress = quietly
) -> list[Suggestion]:
    """Every prompt of a vocabulary, the likeliest first: each as in its surest window, then held against the others again.

    Raises BadRequest for fewer than three prompts, which have nothing to stand out from; Cancelled through `progress`.
    """
    if len(vocabulary) < 3:
        raise BadRequest("Fewer than three prompts cannot be held against each other.", "Name more sounds with -p.")
    request, hop = Request.of(vocabulary), backbone.grid.hop
    method: Method = OnePass(backbone.name) if trained(backbone) else Relative()
    layout = ChunkLayout(MaskProjector(backbone.grid, backbone.rate, source.rate).frames(source.length), backbone.window // hop)
    chosen = _spread(len(layout.starts))
    passes = BatchedModel(backbone, progress, method.cost(request, backbone) * len(chosen))
    listener = WindowRunner(backbone, method, request, None, passes, backbone.embed(request.words))
    windows = cut_chunks((piece[:, None] for piece in audio.mono_blocks(source, backbone.rate)), layout, hop)
    scores = [
        listener.answer(torch.from_numpy(window[None]), index).presence
        for index, window in enumerate(windows)
        if index in chosen
    ]
    heard = torch.cat([score for score in scores if score is not None], 1)
    if not heard.shape[1]:
        return [Suggestion(prompt, 0.0, "unlikely") for prompt in vocabulary]  # silence holds nothing
    if trained(backbone):
        return _sorted(vocabulary, heard.amax(1).tolist(), POSSIBLE_DB, LIKELY_DB)
    return _sorted(vocabulary, pooled(heard).tolist(), POSSIBLE, LIKELY)


@torch.no_grad()
def by_tagger(folder: Path, source: audio.AudioSource, progress: Progress = quietly) -> list[Suggestion]:
    """Every label of an audio tagger (an AST of transformers), the likeliest first: its surest window counts.

    Raises BadModel where the folder holds none; Cancelled through `progress`.
    """
    from transformers import ASTFeatureExtractor, ASTForAudioClassification

    try:
        model = ASTForAudioClassification.from_pretrained(folder, local_files_only=True).eval()
        with warnings.catch_warnings():  # of the lowest of its 128 bands some lie between two bins, as its authors had them
            warnings.filterwarnings("ignore", "At least one mel filter has all zero values")
            extractor = ASTFeatureExtractor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        what = f"{folder} holds no audio tagger that can be loaded."
        raise BadModel(what, f"Fetch one: `hf download {TAGGER}`, and give its folder with --tagger.") from error
    rate = Hertz(extractor.sampling_rate)
    size = round(extractor.max_length * 0.01 * rate)  # its frames are 10 ms apart
    pieces, surest = list(_pieces(source, rate, size)), torch.zeros(model.config.num_labels)
    for index, piece in enumerate(pieces):
        progress(index / len(pieces), "listening")
        told: Any = model(**extractor(piece, sampling_rate=rate, return_tensors="pt"))
        surest = torch.maximum(surest, told.logits[0].sigmoid())
    labels = [model.config.id2label[index].lower() for index in range(len(surest))]
    return _sorted(labels, surest.tolist(), TAGGED, 0.5)


def _pieces(source: audio.AudioSource, rate: Hertz, size: int) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    """Stretches of the region at a rate, the last one shorter; of a long one evenly spread ones."""
    count = -(-source.length * rate // (source.rate * size))
    chosen, held, index = _spread(int(count)), np.zeros(0, np.float32), 0
    sound = audio.mono_blocks(source, rate)
    while len(held) or index == 0:
        while len(held) < size and (more := next(iter(islice(sound, 1)), None)) is not None:
            held = np.concatenate([held, more])
        if index in chosen and len(held):
            yield held[:size]
        held, index = held[size:], index + 1


def _spread(count: int) -> set[int]:
    """At most MOST_WINDOWS of so many windows."""
    return set(np.linspace(0, count - 1, min(count, MOST_WINDOWS)).round().astype(int).tolist())


def _sorted(prompts: Sequence[str], scores: Sequence[float], possible: float, likely: float) -> list[Suggestion]:
    words = [("unlikely", "possible", "likely")[(score >= possible) + (score >= likely)] for score in scores]
    told = [Suggestion(*each) for each in zip(prompts, scores, words, strict=True)]
    return sorted(told, key=lambda suggestion: -suggestion.score)
