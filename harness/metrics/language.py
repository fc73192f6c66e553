"""Language-modelling metrics: bits per byte and perplexity per word of held-out text.

Both are ratios of sums over the texts, so that a text counts by its length. Neither depends on the tokenizer, so that
models with different ones can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf

import numpy as np

from harness.api import Kind
from harness.metrics.items import Items
from harness.metrics.metric import BoolArray, FloatArray, Metric
from harness.metrics.words import count_words


def bits_and_bytes(items: Items) -> FloatArray:
    """Negative log2-likelihood of each text, bits, and its UTF-8 bytes: [n, 2]."""
    return _against(items, lambda text: len(text.encode()), 1 / math.log(2))


def nats_and_words(items: Items) -> FloatArray:
    """Negative log-likelihood of each text, nats, and its words (`words.count_words`): [n, 2]."""
    return _against(items, count_words, 1.0)


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


_KINDS: frozenset[Kind] = frozenset({"language_modelling"})

METRICS = (
    Metric(
        "bits_per_byte",
        "bits that the model needs for a byte of held-out text: the lower, the less surprised it is",
        _KINDS,
        bits_and_bytes,
        ratio,
        unit="bits per byte",
        higher_is_better=False,
        bounds=(0.0, inf),
        defined=scored,
        source="Gao et al. 2020 (arXiv:2101.00027), section 3.1",
    ),
    Metric(
        "word_perplexity",
        "perplexity of held-out text for each word between white space (each character where there is none), "
        "whatever the tokenizer",
        _KINDS,
        nats_and_words,
        exponential_ratio,
        unit="perplexity",
        higher_is_better=False,
        bounds=(1.0, inf),
        defined=scored,
        source="Jelinek et al. 1977; by words as lm-evaluation-harness counts them, or by characters",
    ),
)
