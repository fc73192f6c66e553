"""Every metric that a suite can name, and the way to find one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.api import Kind
from harness.errors import unknown
from harness.metrics import labels, recall, text_answers
from harness.metrics.canary_metrics import MEMORISATION
from harness.metrics.further import FURTHER, WRITTEN, words_at_most
from harness.metrics.metric import Metric

_CHOSEN: frozenset[Kind] = frozenset({"classification", "multiple_choice", "preference"})
_LABELLED: frozenset[Kind] = frozenset({"classification"})
_ASKED: frozenset[Kind] = frozenset({"qa", "generation", "multiple_choice", "classification"})
_ALL: frozenset[Kind] = _ASKED | _CHOSEN

_SQUAD = "Rajpurkar et al. 2016 (arXiv:1606.05250), v1.1 evaluation script"
_MACRO = "Sokolova & Lapalme 2009; classes that occur in references or answers, as scikit-learn averages"
_MANNING = "Manning, Raghavan & Schütze 2008, chapter 8"


def get(name: str, *, where: str = "") -> Metric:
    """Find a metric by name; `recall@K` and `words_at_most@N` exist for every whole number of 1 or more.

    Args:
        name: as a suite writes it.
        where: the file it was written in, for the error.

    Raises:
        HarnessError: there is no such metric.
    """
    if name in METRICS:
        return METRICS[name]
    if match := re.fullmatch(r"(recall|words_at_most)@([1-9]\d{0,5})", name):
        make = {"recall": _recall, "words_at_most": words_at_most}[match[1]]
        return make(int(match[2]))
    raise unknown("metric", name, METRICS, where=where)


def _recall(k: int) -> Metric:
    passages = "first passage" if k == 1 else f"first {k} passages"
    return Metric(
        name=f"recall@{k}",
        summary=f"share of the passages that hold the answer which are among the {passages} retrieved",
        kinds=_ASKED,
        statistics=recall.recall_at(k),
        defined=recall.retrieved,
        source=_MANNING,
    )


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "share of items answered correctly", _CHOSEN, labels.correct, binary=True),
        Metric(
            name="macro_f1",
            summary="mean over classes of the harmonic mean of precision and recall: rare classes count fully",
            kinds=_LABELLED,
            statistics=labels.class_counts,
            combine=labels.macro_f1,
            source=_MACRO,
        ),
        Metric(
            name="micro_f1",
            summary="F1 over all classes at once; equals accuracy where every answer could be parsed",
            kinds=_LABELLED,
            statistics=labels.pooled_counts,
            combine=labels.micro_f1,
            source=_MACRO,
        ),
        Metric(
            name="macro_precision",
            summary="mean over classes of the share of answers with that label which are right",
            kinds=_LABELLED,
            statistics=labels.class_counts,
            combine=labels.macro_precision,
            source=_MACRO,
        ),
        Metric(
            name="macro_recall",
            summary="mean over classes of the share of that class's items which are found",
            kinds=_LABELLED,
            statistics=labels.class_counts,
            combine=labels.macro_recall,
            source=_MACRO,
        ),
        Metric(
            "exact_match",
            "share of answers that equal a reference after normalising",
            WRITTEN,
            text_answers.exact_match,
            binary=True,
            source=_SQUAD,
        ),
        Metric(
            "token_f1",
            "mean overlap of the answer's words with the closest reference's",
            WRITTEN,
            text_answers.token_f1,
            source=_SQUAD,
        ),
        Metric(
            "contains",
            "share of outputs that hold a reference as whole words, after normalising",
            WRITTEN,
            text_answers.contains,
            binary=True,
        ),
        _recall(1),
        _recall(3),
        _recall(5),
        Metric(
            name="mrr",
            summary="mean of 1 / rank of the first retrieved passage that holds the answer",
            kinds=_ASKED,
            statistics=recall.reciprocal_rank,
            defined=recall.retrieved,
            source="Voorhees 1999 (TREC-8)",
        ),
        Metric(
            name="cited",
            summary="share of the answers that stand, as whole words, in a passage that was sent",
            kinds=frozenset({"qa", "multiple_choice"}),
            statistics=recall.supported,
            defined=recall.citable,
            binary=True,
        ),
        Metric("parsed", "share of outputs that an answer could be read from", _ALL, labels.parsed, binary=True),
        *FURTHER,
        *MEMORISATION,
    )
}
