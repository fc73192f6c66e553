"""Metrics of how likely a model finds a text as it stands: bits a byte, and perplexity a word.

Both are ratios of sums over the texts, so that a long text counts as much as its length. Neither depends on a
tokenizer, so that models with different ones can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from harness.metrics.items import Items
from harness.metrics.metric import BoolArray, FloatArray


def bits_and_bytes(items: Items) -> FloatArray:
    """Bits that a model needs for each text, and the text's UTF-8 bytes: [n, 2]."""
    return _against(items, lambda text: len(text.encode()), 1 / math.log(2))


def nats_and_words(items: Items) -> FloatArray:
    """Nats that a model needs for each text, and the text's words between white space: [n, 2]."""
    return _against(items, lambda text: len(text.split()), 1.0)


def ratio(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """First sum over the second, sums [..., 2] → [...]."""
    return sums[..., 0] / sums[..., 1]


def exponential_ratio(sums: FloatArray, count: FloatArray) -> FloatArray:
    """Exponential of the first sum over the second, sums [..., 2] → [...]."""
    return np.exp(ratio(sums, count))


def scored(items: Items) -> BoolArray:
    """Mask [n] of the items whose choices a model scored."""
    return np.array([bool(scores) for scores in items.choice_scores], dtype=bool)


def _against(items: Items, length: Callable[[str], int], unit: float) -> FloatArray:
    pairs = zip(items.choice_scores, items.choices, strict=True)
    return np.array([(-scores[0] * unit, length(texts[0])) if scores else (0.0, 0.0) for scores, texts in pairs])
