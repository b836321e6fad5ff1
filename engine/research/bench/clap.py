"""Figures in CLAP's embedding space: FAD, CLAP-A, CLAP-T and LPAPS, as ZeroSep reports them, on transformers' ClapModel.

CLAP is a network that puts sounds and sentences into one space (Wu et al. 2023). ZeroSep uses LAION's 630k-audioset-best;
its transformers form is laion/clap-htsat-unfused or -fused, so figures of different checkpoints do not compare, nor do those
of different numbers of files: always read them beside the mixture's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.research.bench.mixing import clip
from host_bridge.errors import BadModel

RATE = 48_000
LONGEST_S = 10.0

Vectors = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Clap:
    """A ClapModel with its feature extractor and tokenizer."""

    model: Any
    extractor: Any
    tokenizer: Any

    @classmethod
    def load(cls, folder: Path) -> "Clap":
        """From a folder or a snapshot of the hub's cache; no network is asked. Raises BadModel where it is none."""
        from transformers import AutoTokenizer, ClapFeatureExtractor, ClapModel

        try:
            model = ClapModel.from_pretrained(folder, local_files_only=True).eval()
            extractor = ClapFeatureExtractor.from_pretrained(folder, local_files_only=True)
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            what = f"{folder} holds no CLAP that can be loaded."
            raise BadModel(what, "Fetch one: `hf download laion/clap-htsat-unfused`, and give its folder.") from error
        return cls(model, extractor, tokenizer)

    @torch.no_grad()
    def of_sounds(self, files: Sequence[Path]) -> Vectors:
        """One unit vector (512,) for each file: the first 10 s of its mean channel at 48 kHz. Shape (files, 512)."""
        vectors = []
        for file in files:
            answer = self.model.get_audio_features(**self._heard(file))
            vectors.append(_unit(getattr(answer, "pooler_output", answer)))
        return torch.cat(vectors).double().numpy()

    @torch.no_grad()
    def of_words(self, prompts: Sequence[str]) -> Vectors:
        """One unit vector for each prompt, one at a time so that no padding counts. Shape (prompts, 512)."""
        vectors = []
        for prompt in prompts:
            answer = self.model.get_text_features(**self.tokenizer(prompt, return_tensors="pt"))
            vectors.append(_unit(getattr(answer, "pooler_output", answer)))
        return torch.cat(vectors).double().numpy()

    @torch.no_grad()
    def patches(self, file: Path) -> list[Tensor]:
        """What each stage of the audio network makes of a file: (1, channels, frequencies, times) each, input first."""
        heard = self._heard(file)
        told = self.model.audio_model(**heard, output_hidden_states=True)
        return [each for each in told.hidden_states if each.dim() == 4]

    def _heard(self, file: Path) -> dict[str, Tensor]:
        sound = clip(file, RATE, length_s=LONGEST_S)
        told = self.extractor(sound, sampling_rate=RATE, return_tensors="pt")
        return {key: value for key, value in told.items() if key in ("input_features", "is_longer")}


def frechet(one: Vectors, other: Vectors) -> float:
    """Frechet distance between two sets of vectors (n, d), as Gaussians: |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)).

    Without a square root over all of it. Covariances divide by n - 1. The trace of (C1 C2)^(1/2) is the sum of the square roots
    of the eigenvalues of C1^(1/2) C2 C1^(1/2), which is symmetric; negative ones are rounding. Source: Dowson and Landau 1982.
    Raises ValueError for fewer than two vectors.
    """
    if min(len(one), len(other)) < 2:
        raise ValueError("a covariance needs two vectors")
    means = one.mean(0) - other.mean(0)
    first, second = np.atleast_2d(np.cov(one, rowvar=False)), np.atleast_2d(np.cov(other, rowvar=False))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    return float(means @ means + np.trace(first) + np.trace(second) - 2 * shared)


def fad(clap: Clap, stems: Sequence[Path], targets: Sequence[Path]) -> float:
    """Frechet Audio Distance (Kilgour et al. 2018) between all stems and all targets, one vector for each file.

    It compares two crowds, not pairs; with few files it is mostly bias, so compare it only at equal numbers.
    """
    return frechet(clap.of_sounds(stems), clap.of_sounds(targets))


def clap_a(clap: Clap, stems: Sequence[Path], targets: Sequence[Path]) -> list[float]:
    """CLAP-A: the cosine between the embedding of each stem and that of its target; 1 is alike."""
    return [float(value) for value in (clap.of_sounds(stems) * clap.of_sounds(targets)).sum(1)]


def clap_t(clap: Clap, stems: Sequence[Path], prompts: Sequence[str]) -> list[float]:
    """CLAP-T: the cosine between the embedding of each stem and that of its prompt, as the prompt was given."""
    return [float(value) for value in (clap.of_sounds(stems) * clap.of_words(prompts)).sum(1)]


def lpaps(clap: Clap, stems: Sequence[Path], targets: Sequence[Path]) -> list[float]:
    """LPAPS: how far apart stem and target lie inside CLAP's audio network, 0 for equal sounds (Manor and Michaeli 2024).

    At each stage of the network the channels of every patch are brought to unit length, their squared differences are summed
    over the channels and averaged over the patches, and the stages are added: LPIPS (Zhang et al. 2018) without learnt weights.
    Both files are resampled to 48 kHz first, which the code behind ZeroSep's figures leaves out: do not compare with those.
    """
    return [_patchwise(clap.patches(stem), clap.patches(target)) for stem, target in zip(stems, targets, strict=True)]


def _patchwise(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    stages = zip(one, other, strict=True)
    return float(sum((_unit(a) - _unit(b)).square().sum(1).mean() for a, b in stages))


def _unit(vectors: Tensor) -> Tensor:
    """Channels (the second axis) at unit length; what is zero stays so."""
    return torch.nn.functional.normalize(vectors.float(), dim=1, eps=1e-10)
