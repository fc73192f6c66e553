"""Metrics of open answers that need no judge: BLEU and chrF by sacreBLEU, from sums over the items.

Both are of the corpus: n-gram counts are added up over the items before precision and recall are formed, so that an
interval resamples the counts. Values are sacreBLEU's over 100.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from harness.errors import HarnessError
from harness.metrics.items import Items
from harness.metrics.metric import TEXT_KINDS, FloatArray, Metric

ORDER = 4
"""Longest n-gram of BLEU, in words."""
BETA = 2
"""Weight of recall in chrF."""


def bleu_counts(items: Items) -> FloatArray:
    """Matches and n-grams of each order, length of the output and of the nearest reference: [n, 2·4 + 2]."""

    def count(output: str, references: tuple[str, ...]) -> list[float]:
        scored = _scorer("BLEU").sentence_score(output, list(references))
        return [*scored.counts, *scored.totals, scored.sys_len, scored.ref_len]

    return _rows(items, count)


def bleu(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """BLEU of summed counts, in [0, 1], with sacreBLEU's exponential smoothing; sums [..., 10] → [...]."""
    matches, totals = sums[..., :ORDER], sums[..., ORDER : 2 * ORDER]
    length, reference = sums[..., -2], sums[..., -1]
    misses = np.cumsum((matches == 0) & (totals > 0), axis=-1)
    smoothed = np.where(matches > 0, matches, 0.5**misses)
    defined = (totals > 0).all(axis=-1) & (matches > 0).any(axis=-1)
    logs = np.log(smoothed / np.where(totals > 0, totals, 1)).mean(axis=-1)
    brevity = np.minimum(0.0, 1 - reference / np.where(length > 0, length, 1))
    return np.where(defined, np.exp(logs + brevity), 0.0)


def chrf_counts(items: Items) -> FloatArray:
    """Character n-grams of output, of the best reference and common ones, orders 1 to 6: [n, 3·6]."""

    def count(output: str, references: tuple[str, ...]) -> list[float]:
        streams = [[reference] for reference in references]
        return _scorer("CHRF")._extract_corpus_statistics([output], streams)[0]  # noqa: SLF001 - no public name

    return _rows(items, count)


def chrf(sums: FloatArray, _count: FloatArray) -> FloatArray:
    """F of the mean precision and recall over orders that both sides have, in [0, 1]; sums [..., 18] → [...]."""
    written, reference, common = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    defined = (written > 0) & (reference > 0)
    orders = np.maximum(1, defined.sum(axis=-1))
    precision, recall = (
        np.where(defined, common / np.where(total > 0, total, 1), 0).sum(axis=-1) / orders
        for total in (written, reference)
    )
    below = BETA**2 * precision + recall
    return np.where(below > 0, (1 + BETA**2) * precision * recall / np.where(below > 0, below, 1), 0.0)


def _rows(items: Items, count: Callable[[str, tuple[str, ...]], list[float]]) -> FloatArray:
    pairs = zip(items.outputs, items.references, strict=True)
    return np.array([count(output, references) for output, references in pairs], dtype=np.float64)


@cache
def _scorer(name: str) -> Any:
    try:
        import sacrebleu.metrics  # noqa: PLC0415 - of an extra
    except ImportError as error:
        raise HarnessError(
            f"the metric {name.lower()!r} needs sacrebleu: pip install 'adaptbench[translation]'."
        ) from error
    return getattr(sacrebleu.metrics, name)()


METRICS = (
    Metric(
        "bleu",
        "geometric mean of the precisions of 1 to 4 words, with a penalty for short outputs, over all items at once",
        TEXT_KINDS,
        bleu_counts,
        bleu,
        source="Papineni et al. 2002 (ACL P02-1040), by sacreBLEU (Post 2018, arXiv:1804.08771) with its 13a tokenizer",
    ),
    Metric(
        "chrf",
        "F2 of character n-grams of 1 to 6, over all items at once: for any language",
        TEXT_KINDS,
        chrf_counts,
        chrf,
        source="Popović 2015 (ACL W15-3049), chrF2 of sacreBLEU (Post 2018, arXiv:1804.08771)",
    ),
)
