"""Loss of a system that retrieves, split between retriever and reader by whether the right passage was found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from harness.compare.stats import intervals
from harness.compare.stats.sample import Sample, seed_part
from harness.compare.stats.uncertainty import Uncertainty, add_seed_variance
from harness.metrics import Items
from harness.metrics.metric import BoolArray, FloatArray, Metric
from harness.metrics.recall import retrieved
from harness.records.measurements import StoredModel

FEWEST = 5
"""Items with the right passage that a mean is made of."""


class Loss(StoredModel):
    """A loss in the unit of the score, with its 95 % interval."""

    value: float
    low: float
    high: float


class RetrievalSplit(StoredModel):
    """Shortfall of a system that retrieves, over all items whose right passage is known.

    Attributes:
        items: their number; found: share of them whose right passage was among those that the prompt had.
        missing: from their mean score to the best possible one; it is `retriever` and `reader` together.
        retriever: gained if the others scored as those with the right passage do; reader: missing even then.
    """

    items: int
    found: float
    missing: float
    retriever: Loss
    reader: Loss


def retrieval_split(by_seed: Mapping[int, Items], metric: Metric, best: float) -> RetrievalSplit | None:
    """Split the shortfall of one strategy.

    With x a score and f whether the right passage was found, the reader loses best - mean(x where f), and the retriever
    mean(x where f) - mean(x). The intervals are by linearisation (Binder 1983), with clustered errors, as they are of
    ratios of means, and the spread over seeds.

    Args:
        by_seed: answers to the task.
        metric: a mean of items.
        best: its best possible score.

    Returns:
        None for another metric, for a system that does not retrieve, and where fewer than `FEWEST` items have the
        right passage.
    """
    if not (metric.is_mean and math.isfinite(best)):
        return None
    known = [items.at(np.flatnonzero(retrieved(items)).tolist()) for items in by_seed.values()]
    sample = Sample.from_items(metric, known) if known and all(map(len, known)) else None
    if sample is None:
        return None
    found = np.array([_found(items, sample.ids) for items in known])
    if found.sum(axis=1).min() < FEWEST or sample.units < 2:
        return None
    scores = sample.scores[:, :, 0]
    with_passage = (found * scores).sum(axis=1) / found.sum(axis=1)
    weights = found / found.mean(axis=1, keepdims=True)
    gain = (weights * (scores - with_passage[:, None])).mean(axis=0)
    up = 1.0 if best >= sample.value else -1.0
    means = scores.mean(axis=1)
    return RetrievalSplit(
        items=sample.n,
        found=float(found.mean()),
        missing=up * (best - float(means.mean())),
        retriever=_loss(up * (with_passage - means), up * (gain - (sample.item_scores - sample.value)), sample),
        reader=_loss(up * (best - with_passage), -up * gain, sample),
    )


def missed(items: Items) -> list[int]:
    """Positions of the items whose right passage is known and was not among those of the prompt."""
    pairs = zip(items.passages, items.evidence, strict=True)
    return [i for i, (passages, evidence) in enumerate(pairs) if evidence and set(evidence).isdisjoint(passages)]


def _loss(by_seed: FloatArray, influence: FloatArray, sample: Sample) -> Loss:
    """Interval of the mean loss over seeds.

    Args:
        by_seed: the loss of each seed.
        influence: of each item on their mean [n].
        sample: the scores, for their clusters.
    """
    value = float(by_seed.mean())
    error, df = intervals.standard_error(influence, sample.clusters)
    half = intervals.t_multiplier(df) * error
    spread = Uncertainty(value, value - half, value + half, error, df, 1.0, "t", "t")
    if half <= 0:  # everything was found, or scored alike: no spread, and no certainty either
        reach = sample.metric.bounds[1] - sample.metric.bounds[0]
        low, high = intervals.flat_interval(value, sample.units, (-reach, reach))
        spread = replace(spread, low=low, high=high, error=(high - low) / 4, kind="flat")
    spread = add_seed_variance(spread, [seed_part(by_seed)])
    return Loss(value=value, low=spread.low, high=spread.high)


def _found(items: Items, ids: Sequence[str]) -> BoolArray:
    """Mask of the items, in the order of `ids`, with a passage that holds the answer."""
    missing = {items.ids[i] for i in missed(items)}
    return np.array([name not in missing for name in ids], dtype=bool)
