"""Order within a tie: the simplest first, unless another is clearly cheaper; costs only by firm timings."""

import pytest

from harness.compare.cost.money import CostPart, Money, Usage
from harness.compare.cost.resource_types import Cost, Latency, Quantile
from harness.compare.prose.names import Names
from harness.compare.prose.tie_sentences import why_first
from harness.compare.stats.estimates import Estimate
from harness.compare.table.result import StrategyResult
from harness.compare.table.tie_order import costs_less, lacks, systems, tie_order
from harness.compare.trials.traits import Traits

ADAPTER, FULL = {"changes_weights": True, "trained_share": 0.01}, {"changes_weights": True, "trained_share": 1.0}


def row(name, usd_request=1e-4, *, half=1e-6, items=200, median_s=None, one_seed=False, **traits):
    """A tied row whose requests cost so much, with bounds, at 100,000 requests a month."""
    low, high = (None, None) if half is None else (usd_request - half, usd_request + half)
    part = CostPart(what="answering", quantity=usd_request, low=low, high=high, unit="USD", price_usd=1.0, price="vcpu")
    latency = Latency(requests=60, wall=(Quantile(share=0.5, value_s=median_s),)) if median_s else None
    return StrategyResult(
        strategy=name,
        model="m",
        status="completed",
        scores={"accuracy": Estimate(value=0.8, low=0.7, high=0.9, n=items, method="t")},
        money=Money(per_request=(part,), usage=Usage()),
        cost=Cost(phases={}, total_s=1, items_per_s=1.0, latency=latency),
        traits=Traits(**traits),
        one_seed=one_seed,
    )


def names(*rows):
    return [each.strategy for each in tie_order(rows)]


def test_no_weights_come_before_an_index_an_adapter_and_full_tuning():
    rows = [
        row("full", **FULL),
        row("lora+rag", searches_corpus=True, **ADAPTER),
        row("lora", **ADAPTER),
        row("rag", searches_corpus=True),
        row("few_shot", uses_examples=True),
        row("zero_shot"),
        row("majority", constant=True),
    ]
    assert names(*rows) == ["majority", "zero_shot", "few_shot", "rag", "lora", "lora+rag", "full"]
    assert lacks(rows[4], rows[:4]) == ["no training", "no index"]
    assert lacks(rows[2], rows[:1]) == ["no full tuning"]


def test_of_the_same_kind_the_cheaper_comes_first_and_at_like_costs_the_one_with_more_seeds():
    assert names(row("a", 2e-4), row("b", 1e-4)) == ["b", "a"]
    assert names(row("a", 1e-4, one_seed=True), row("b", 1.2e-4)) == ["b", "a"]


def test_rows_with_the_same_answers_are_one_system_the_first_of_them():
    first, other, twin = row("a"), row("b"), row("c").model_copy(update={"same_as": "a"})
    assert [each.strategy for each in systems([first, other, twin])] == ["a", "b"]
    assert [each.strategy for each in systems([twin, other, first])] == ["c", "b"]


def test_one_that_is_clearly_cheaper_comes_before_the_simpler_and_it_is_said():
    rows = [row("few_shot", 5e-4), row("lora", 1e-4, **ADAPTER)]
    assert names(*rows) == ["lora", "few_shot"]
    said = why_first(tie_order(rows), Names(rows))
    assert said == "clearly cheaper than the simpler `few_shot` (10 against 50 USD a month)"


@pytest.mark.parametrize(
    "more",
    [{"half": None}, {"half": 5e-4}, {"items": 99}, {"median_s": 0.5}],
    ids=["timed once", "wide", "few items", "batches slower than requests"],
)
def test_no_ratio_of_costs_rests_on_weak_timings(more):
    cheap, dear = row("lora", 1e-4, **ADAPTER), row("few_shot", 5e-4, **more)
    assert not costs_less(cheap, dear)
    assert names(cheap, dear) == ["few_shot", "lora"]


def test_cents_are_no_reason_to_train():
    assert names(row("few_shot", 5e-6), row("lora", 1e-6, **ADAPTER)) == ["few_shot", "lora"]
