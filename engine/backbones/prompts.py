"""Prompts on their way into a text encoder: one by one, none cut off, and padded so that they can share a batch."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from host_bridge.errors import BadRequest

PADDING = 64
"""Word vectors come in multiples of this many: the null prompt's then look the same whatever prompts it is embedded with,
and an inversion under it is found again."""


def as_list(prompts: Sequence[str]) -> list[str]:
    """A bare string is one prompt; the public code takes it for a list of letters."""
    return [prompts] if isinstance(prompts, str) else list(prompts)


def refuse_long(prompt: str, used: int, most: int, name: str) -> None:
    """Raise BadRequest for a prompt of more tokens than a text encoder takes in; the public codes drop the rest in silence."""
    if used > most:
        raise BadRequest(f'The prompt "{prompt[:40]}..." is too long for {name}.', "Say it in a sentence.")


def encode_alone(tokenizer: Any, encoder: Any, prompt: str, most: int, name: str) -> Tensor:
    """A T5 encoder's word vectors (1, L, width) of one prompt, by itself: padding would leak into what follows it."""
    tokens = tokenizer([prompt], return_tensors="pt", verbose=False)
    refuse_long(prompt, tokens["input_ids"].shape[1], most, name)
    vectors: Tensor = encoder(**tokens.to(encoder.device)).last_hidden_state
    return vectors


def pad_rows(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Word vectors (1, L, width) of each prompt -> (K, L', width) with zeros behind, and the mask (K, L') of what counts."""
    longest = max(row.shape[1] for row in rows)
    length = -(-longest // PADDING) * PADDING
    words = rows[0].new_zeros(len(rows), length, rows[0].shape[2])
    mask = torch.zeros(len(rows), length, dtype=torch.bool, device=words.device)
    for index, row in enumerate(rows):
        words[index, : row.shape[1]] = row[0]
        mask[index, : row.shape[1]] = True
    return words, mask
