"""Choice of the next token: greedy, or by temperature and top-p sampling with one generator a sequence."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from harness.api import Sampling
from harness.decoding.finite import require_finite_maxima

ChooseToken = Callable[[Tensor, Sequence[int]], Tensor]
"""Takes logits [rows, vocabulary] and each row's index in its group; returns the next token of each: int64 [rows]."""


class TokenChooser:
    """Chooses the next token of each sequence, greedily or by the sequence's own generator."""

    def __init__(self, sampling: Sampling | None, prompts: Sequence[list[int]]) -> None:
        self.sampling = sampling
        self.generators = [random.Random(f"{sampling.seed} {prompt}") for prompt in prompts] if sampling else []

    def for_sequences(self, indices: Sequence[int]) -> ChooseToken:
        """Return the function that chooses for a group of the sequences; it refuses logits that are no numbers."""

        def choose(logits: Tensor, rows: Sequence[int]) -> Tensor:
            require_finite_maxima(logits)
            if self.sampling is None:
                return logits.argmax(-1)
            uniform = [self.generators[indices[row]].random() for row in rows]
            return draw_tokens(logits, torch.tensor(uniform, dtype=torch.float64, device=logits.device), self.sampling)

        return choose


def draw_tokens(logits: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Draw one token a row by inverting the cumulative distribution.

    Args:
        logits: [rows, vocabulary].
        uniform: float64 [rows], in [0, 1).
        sampling: temperature and top-p.

    Returns:
        int64 [rows].
    """
    probabilities = (logits.double() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        ordered, token_ids = probabilities.sort(descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = probabilities.masked_fill(torch.zeros_like(outside).scatter(-1, token_ids, outside), 0.0)
    cumulative = probabilities.cumsum(-1)
    thresholds = (uniform * cumulative[:, -1])[:, None]
    return torch.searchsorted(cumulative, thresholds, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


class ChosenTokenProcessor(LogitsProcessor):
    """Leaves only the chosen token, so that the greedy search of ``generate`` takes it."""

    def __init__(self, choose_token: ChooseToken) -> None:
        self.choose_token = choose_token

    def __call__(self, input_ids: Any, scores: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits with all but one at minus infinity: [1, vocabulary]."""
        del input_ids
        next_ids = self.choose_token(scores, [0])
        return torch.full_like(scores, float("-inf")).scatter(-1, next_ids[:, None], 0.0)
