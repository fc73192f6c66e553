"""The list of metrics, retrieval metrics, and planning how many items are needed."""

import math

import numpy as np
import pytest

from harness import metrics
from harness.errors import HarnessError
from harness.metrics.items import Items
from harness.metrics.statistical_power import detectable_difference, items_to_detect, paired_sd, two_digits
from harness.records.record import Row


def test_every_metric_is_listed_under_its_own_name():
    assert all(
        name == metric.name and metric.summary and metric.kinds for name, metric in metrics.builtin_metrics().items()
    )


def test_a_misspelt_metric_gets_a_near_match():
    with pytest.raises(HarnessError, match=r"unknown metric 'acuracy' in suite.toml: did you mean 'accuracy'\?"):
        metrics.get("acuracy", where="suite.toml")


@pytest.mark.parametrize("name", ["recall@0", "recall@", "recall@-1", "recall@1.5", "recall"])
def test_recall_needs_a_whole_number_of_passages(name):
    with pytest.raises(HarnessError):
        metrics.get(name)


def retrieval(*found_and_wanted):
    rows = [
        Row(task="t", id=str(i), references=("x",), passages=passages, evidence=evidence)
        for i, (passages, evidence) in enumerate(found_and_wanted)
    ]
    return Items.from_rows(rows)


def test_retrieval_metrics_count_evidence_by_rank():
    items = retrieval((("p", "q"), ("q",)), (("p", "q"), ("p", "z")), ((), ("p",)))
    assert metrics.get("recall@1").value(items) == pytest.approx((0 + 0.5 + 0) / 3)
    assert metrics.get("recall@2").value(items) == pytest.approx((1 + 0.5 + 0) / 3)
    assert metrics.get("mrr").value(items) == pytest.approx((1 / 2 + 1 + 0) / 3)


def test_items_without_known_evidence_are_left_out_of_retrieval_metrics():
    assert metrics.get("recall@1").value(retrieval((("p",), ("p",)), (("p",), ()))) == 1


def test_retrieval_metrics_are_unknown_for_a_system_that_retrieves_nothing():
    assert metrics.get("mrr").value(retrieval(((), ("p",)))) is None
    assert metrics.get("recall@5").value(retrieval((("p",), ()))) is None


def test_no_items_give_no_value():
    assert metrics.get("accuracy").value(Items.from_rows([])) is None


def test_a_binary_metric_scores_each_item_0_or_1():
    rows = [
        Row(task="t", id=str(i), references=("a",), answer=a, output=a or "") for i, a in enumerate(["a", None, "b"])
    ]
    for metric in metrics.builtin_metrics().values():
        if metric.binary:
            assert set(np.unique(metric.statistics(Items.from_rows(rows)))) <= {0.0, 1.0}
            assert metric.is_mean


def test_the_planned_n_detects_the_difference_it_was_planned_for():
    sd = paired_sd(0.5, 0.5)
    assert sd == pytest.approx(math.sqrt(0.25))
    n = math.ceil(items_to_detect(0.05, detectable_difference(sd, 1), 1))
    assert detectable_difference(sd, n) <= 0.05 < detectable_difference(sd, n - 1)
    assert items_to_detect(0.05, 0.1, 100) == items_to_detect(-0.05, 0.1, 100) == pytest.approx(400)
    assert items_to_detect(0.0, 0.1, 100) == math.inf
    assert detectable_difference(1.0, 100) == pytest.approx(0.28, abs=0.001)


@pytest.mark.parametrize(("count", "rounded"), [(7, 7), (99, 99), (388, 390), (3_587, 3_600), (125_001, 130_000)])
def test_a_number_of_items_is_given_with_two_digits(count, rounded):
    assert two_digits(count) == rounded


def test_planning_refuses_what_has_no_answer():
    with pytest.raises(HarnessError):
        detectable_difference(0.5, 0)
