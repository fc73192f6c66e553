"""Few-shot prompting of the real model helps with labels, and does not answer with one label whatever is asked."""

from collections import Counter

import pytest

pytestmark = pytest.mark.e2e

MARGIN = 0.05
"""Accuracy may be lower than without exemplars by this much: 120 items give a standard error of 0.04."""


@pytest.fixture(scope="module")
def rows(harness):
    from harness.store.results_store import Store

    sizes = ("--limit", "test=120", "--limit", "train=64", "--limit", "validation=8")
    strategies = ("--strategy", "zero_shot", "--strategy", "few_shot", "--strategy", "few_shot(choose=random)")
    harness("run", "quickstart", "--task", "sentiment", *sizes, *strategies)
    return {
        stored.record.trial.strategy: stored.rows() for stored in Store(harness.folder / "results").load("quickstart")
    }


@pytest.mark.parametrize("strategy", ["few_shot", "few_shot(choose=random)"])
def test_exemplars_do_not_collapse_to_one_label(rows, strategy):
    target = [row for row in rows[strategy] if row.role == "target"]
    assert len(target) == 120
    counts = Counter(row.answer for row in target)
    assert max(counts.values()) / len(target) <= 0.85, counts


@pytest.mark.parametrize("strategy", ["few_shot", "few_shot(choose=random)"])
def test_exemplars_do_not_hurt(rows, strategy):
    assert accuracy(rows[strategy]) >= accuracy(rows["zero_shot"]) - MARGIN


def accuracy(task_rows):
    target = [row for row in task_rows if row.role == "target"]
    return sum(row.answer in row.references for row in target) / len(target)
