"""Which token comes next: the likeliest, or one drawn by a generator that each sequence has to itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from harness.api import Sampling

ChooseToken = Callable[[Tensor, Sequence[int]], Tensor]
"""Takes logits [rows, vocabulary] and each row's place in its group; gives the next token of each: int64 [rows]."""


class TokenChooser:
    """Chooses the next token of each sequence: the likeliest, or one drawn by the sequence's own generator."""

    def __init__(self, sampling: Sampling | None, prompts: Sequence[list[int]]) -> None:
        self.sampling = sampling
        self.generators = [random.Random(f"{sampling.seed} {prompt}") for prompt in prompts] if sampling else []

    def for_sequences(self, indices: Sequence[int]) -> ChooseToken:
        """Return what chooses for some of the sequences: (logits [rows, vocabulary], their places) → int64 [rows]."""

        def choose(scores: Tensor, places: Sequence[int]) -> Tensor:
            if self.sampling is None:
                return scores.argmax(-1)
            drawn = [self.generators[indices[place]].random() for place in places]
            return draw_tokens(scores, torch.tensor(drawn, dtype=torch.float64, device=scores.device), self.sampling)

        return choose


def draw_tokens(scores: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:
    """Draw one token a row by inverting the cumulative distribution.

    Args:
        scores: logits [rows, vocabulary].
        uniform: float64 [rows], in [0, 1).
        sampling: temperature and nucleus.

    Returns:
        int64 [rows].
    """
    probabilities = (scores.double() / sampling.temperature).softmax(-1)
    if sampling.top_p < 1:
        ordered, token_ids = probabilities.sort(descending=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        probabilities = probabilities.masked_fill(torch.zeros_like(outside).scatter(-1, token_ids, outside), 0.0)
    cumulative = probabilities.cumsum(-1)
    thresholds = (uniform * cumulative[:, -1])[:, None]
    return torch.searchsorted(cumulative, thresholds, right=True)[:, 0].clamp(max=scores.shape[-1] - 1)


class SampledTokenProcessor(LogitsProcessor):
    """Leaves the token that was drawn as the only one, so that the model's greedy search takes it."""

    def __init__(self, choose_token: ChooseToken) -> None:
        self.choose = choose_token

    def __call__(self, input_ids: Any, scores: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits with all but one at minus infinity: [1, vocabulary]."""
        del input_ids  # the logits say what can follow
        chosen = self.choose(scores, [0])
        return torch.full_like(scores, float("-inf")).scatter(-1, chosen[:, None], 0.0)
