"""Money: every amount is a measurement times a price, totals are linear, and break-even is where totals meet."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.api import EndpointInfo
from harness.compare.cost.breakeven import break_even, fieller
from harness.compare.cost.money import CostPart, Money, Usage, make_usage, updates_per_month
from harness.compare.cost.prices import load_prices
from harness.compare.cost.pricing import Economics, make_economics
from harness.compare.report.comparison import compare
from harness.errors import HarnessError
from harness.records.measurements import LabelCalibration, Span
from tests.compare.builders import HERE, HERE_MODEL, completed, pattern

VCPU = load_prices().price("vcpu").usd
QUICK = settings(max_examples=60, deadline=None)
LORA = ({"step": "lora"},)
RAG = ({"step": "rag", "k": 1},)


def rows_of(*stored, economics=None):
    return {row.strategy: row for row in compare(stored, economics=economics).suites[0].tasks[0].rows}


def trial(strategy, steps=(), spans=(), **changes):
    stored = completed("qa", strategy, pattern(0.5), **changes)
    planned = stored.record.trial.model_copy(update={"steps": steps})
    fields = {"trial": planned, **({"spans": spans} if spans else {})}
    return type(stored)(stored.record.model_copy(update=fields), stored.items, stored.train_evaluation)


def part(usd, *, half=None, name="answering"):
    low, high = (None, None) if half is None else (usd - half, usd + half)
    return CostPart(what=name, quantity=usd, low=low, high=high, unit="hour", price_usd=1.0, price="x")


def money(fixed, request, monthly=0.0, update=0.0, half=None):
    return Money(
        fixed=(part(fixed, half=half, name="training"),),
        per_request=(part(request, half=None if half is None else half / 1000),),
        per_month=(part(monthly).model_copy(update={"spreads": False}),),
        per_update=(part(update, half=half, name="training"),),
    )


def test_serving_is_the_seconds_of_an_item_times_the_price_of_the_machines_cores():
    row = rows_of(completed("qa", "zero_shot", pattern(0.5), seconds=9))["zero_shot"]
    assert row.money.per_1000_usd == pytest.approx(1000 * 9 / 200 / 3600 * HERE.cores * VCPU)
    (served,) = row.money.per_request
    assert (served.unit, served.price) == ("vCPU-hour", "vcpu")


def test_what_an_earlier_trial_made_is_charged_to_every_chain_that_uses_it():
    spans = (Span(phase="adapt", step="lora", wall_s=360, reused=True), Span(phase="predict", wall_s=2))
    row = rows_of(trial("lora", LORA, spans, trained=9))["lora"]
    training = next(part for part in row.money.fixed if part.what == "training")
    assert training.usd == pytest.approx(0.1 * HERE.cores * VCPU)


def test_labels_are_a_part_of_their_own_that_can_be_left_out():
    stored = trial("lora", LORA, trained=9)
    info = stored.record.tasks[0].model_copy(update={"sizes": {"train": 80, "test": 200}})
    stored = type(stored)(stored.record.model_copy(update={"tasks": (info,)}), stored.items)
    (labels,) = [part for part in rows_of(stored)["lora"].money.fixed if part.what == "labels"]
    assert (labels.quantity, labels.price) == (80, "label")
    without = rows_of(stored, economics=make_economics(labels=False))["lora"].money
    assert "labels" not in {part.what for part in without.fixed}


def calibrated(strategy, steps=(), source="validation", **changes):
    stored = trial(strategy, steps, **changes)
    calibration = LabelCalibration(source=source, inputs=50, prior=(), shares=(), share_labels=80)
    sizes = {"train": 80, "validation": 60, "test": 200}
    info = stored.record.tasks[0].model_copy(update={"sizes": sizes, "calibration": calibration})
    return type(stored)(stored.record.model_copy(update={"tasks": (info,)}), stored.items)


@pytest.mark.parametrize(
    ("stored", "labels"),
    [
        (calibrated("lora", LORA, trained=9, curves=({"step": 1.0, "validation_loss": 0.5},)), 80 + 60),
        (calibrated("zero_shot", ({"step": "zero_shot"},)), 80 + 50),
        (calibrated("zero_shot", ({"step": "zero_shot"},), source="content-free"), 80),
    ],
    ids=["validation", "calibration", "content-free"],
)
def test_validation_items_and_inputs_of_calibrations_are_charged_as_labels(stored, labels):
    (part,) = [part for part in compare([stored]).suites[0].tasks[0].rows[0].money.fixed if part.what == "labels"]
    assert part.quantity == labels


def test_exemplars_need_only_the_labels_that_the_prompt_shows():
    stored = trial("few_shot(k=4)", ({"step": "few_shot", "k": 4},))
    info = stored.record.tasks[0].model_copy(update={"sizes": {"train": 80, "test": 200}})
    stored = type(stored)(stored.record.model_copy(update={"tasks": (info,)}), stored.items)
    assert rows_of(stored)["few_shot(k=4)"].traits.labels == 4


def test_an_index_is_made_again_alone_and_weights_are_trained_again():
    spans = (
        Span(phase="index", step="rag", wall_s=10),
        Span(phase="adapt", step="lora", wall_s=60),
        Span(phase="predict", wall_s=2),
    )
    rows = rows_of(trial("rag+lora", (*RAG, *LORA), spans, trained=9), trial("lora", LORA, trained=9))
    assert [part.what for part in rows["rag+lora"].money.per_update] == ["indexing"]
    assert [part.what for part in rows["lora"].money.per_update] == ["training"]


def test_seeds_give_an_interval_and_one_seed_gives_none():
    several = [completed("qa", "lora", pattern(0.5), seed=s, trained=9, seconds=2.0 + s) for s in range(3)]
    low, high = rows_of(*several)["lora"].money.per_1000_bounds_usd
    value = rows_of(*several)["lora"].money.per_1000_usd
    assert low < value < high
    assert high - value == pytest.approx(1000 / 200 / 3600 * HERE.cores * VCPU * 4.302653 / math.sqrt(3), rel=1e-4)
    assert rows_of(several[0])["lora"].money.per_1000_bounds_usd is None


def test_a_known_gpu_is_priced_by_the_hour_and_an_unknown_one_is_said_to_have_no_price():
    h100 = HERE.model_copy(update={"gpu": "NVIDIA H100 80GB HBM3"})
    row = rows_of(completed("qa", "zero_shot", pattern(0.5), seconds=9, environment=h100))["zero_shot"]
    assert row.money.per_1000_usd == pytest.approx(1000 * 9 / 200 / 3600 * load_prices().price("h100-sxm").usd)
    other = completed("qa", "zero_shot", pattern(0.5), environment=HERE.model_copy(update={"gpu": "Nova 9"}))
    task = compare([other]).suites[0].tasks[0]
    assert task.rows[0].money is None
    assert any("Nova 9" in warning.text and "--prices FILE" in warning.text for warning in task.warnings)


@pytest.mark.parametrize(
    ("gpu", "hardware"), [("Nova 9", "l4"), (None, "l4"), (None, "m7g.large"), ("NVIDIA L4", "vcpu")]
)
def test_seconds_of_one_machine_are_not_priced_as_those_of_another(gpu, hardware):
    other = completed("qa", "zero_shot", pattern(0.5), environment=HERE.model_copy(update={"gpu": gpu}))
    with pytest.raises(HarnessError, match=f"--hardware {hardware}: these seconds were measured on "):
        compare([other], economics=make_economics(hardware=hardware))


@pytest.mark.parametrize(
    ("gpu", "hardware"), [("NVIDIA H100 80GB HBM3", "h100-aws"), ("NVIDIA L4", "l4"), (None, "vcpu")]
)
def test_a_machine_can_be_priced_by_another_seller(gpu, hardware):
    stored = completed("qa", "zero_shot", pattern(0.5), environment=HERE.model_copy(update={"gpu": gpu}))
    priced = compare([stored], economics=make_economics(hardware=hardware)).suites[0].tasks[0].rows[0]
    assert priced.money.per_request[0].price == hardware


def test_an_endpoint_is_paid_by_the_token():
    asked = EndpointInfo(host="api.openai.com", away=True, model="gpt-4o-mini")
    info = HERE_MODEL.model_copy(update={"name": "openai:gpt-4o-mini", "endpoint": asked})
    here = info.model_copy(update={"endpoint": None})  # a folder of that name costs time, not tokens
    stored = [completed("qa", "zero_shot", pattern(0.5), model=model.name, model_info=model) for model in (info, here)]
    assert {part.what for part in rows_of(stored[1])["zero_shot"].money.per_request} == {"answering"}
    row = rows_of(stored[0])["zero_shot"]
    assert {part.what for part in row.money.per_request} == {"tokens read", "tokens written"}
    assert row.money.per_1000_usd == pytest.approx(1000 * (3000 * 0.15 + 200 * 0.60) / 200 / 1e6)


def test_a_model_elsewhere_without_a_price_costs_what_nobody_knows():
    asked = EndpointInfo(host="api.openai.com", away=True, model="new")
    info = HERE_MODEL.model_copy(update={"name": "openai:new", "endpoint": asked})
    assert (
        rows_of(completed("qa", "zero_shot", pattern(0.5), model=info.name, model_info=info))["zero_shot"].money is None
    )


def test_every_price_that_a_figure_uses_is_told_with_its_source():
    comparison = compare([completed("qa", "lora", pattern(0.5), trained=9)])
    assert {price.name for price in comparison.assumed.prices} == {"vcpu", "storage"}
    assert all(price.source for price in comparison.assumed.prices)


@given(volume=st.floats(0, 1e7), months=st.floats(0.1, 60), often=st.floats(0, 30))
@QUICK
def test_totals_are_linear_in_the_volume(volume, months, often):
    costs = money(3.0, 1e-4, monthly=0.2, update=0.5)
    totals = [costs.total_usd(Usage(requests_per_month=n, months=months, updates_per_month=often)) for n in (0, volume)]
    twice = costs.total_usd(Usage(requests_per_month=2 * volume, months=months, updates_per_month=often))
    assert twice - totals[1] == pytest.approx(totals[1] - totals[0], abs=1e-6)
    assert totals[0] == pytest.approx(costs.standing_usd(Usage(months=months, updates_per_month=often)))


amounts = st.floats(0.001, 1000)


@given(fixed=st.tuples(amounts, amounts), each=st.tuples(amounts, amounts), often=st.floats(0, 10))
@QUICK
def test_at_break_even_both_cost_the_same_and_on_either_side_the_named_one_less(fixed, each, often):
    first, second = (money(f, e / 1e4, update=f / 7, half=1e-9) for f, e in zip(fixed, each, strict=True))
    usage = Usage(months=6, updates_per_month=often)
    crossing = break_even(first, second, usage)
    if crossing.note:
        assert crossing.requests is crossing.cheaper_below is crossing.cheaper_above is None
        return
    if crossing.requests is None:
        for n in (0, 1e6):
            totals = [cost.total_usd(usage.model_copy(update={"requests_per_month": n})) for cost in (first, second)]
            cheaper = crossing.cheaper_below if n == 0 else crossing.cheaper_above
            assert cheaper is None or totals[cheaper] <= totals[1 - cheaper] * (1 + 1e-9)
        return
    at = usage.model_copy(update={"requests_per_month": crossing.per_month})
    assert first.total_usd(at) == pytest.approx(second.total_usd(at), rel=1e-6)
    for share, cheaper in ((0.5, crossing.cheaper_below), (2.0, crossing.cheaper_above)):
        shifted = usage.model_copy(update={"requests_per_month": share * crossing.per_month})
        pair = (first, second)
        assert pair[cheaper].total_usd(shifted) <= pair[1 - cheaper].total_usd(shifted) * (1 + 1e-9)


def test_nobody_is_called_cheaper_by_single_timings():
    sure = break_even(money(10, 0.001, half=0.1), money(1, 0.002, half=0.1))
    assert sure.low < sure.requests < sure.high
    for other in (money(1, 0.002), money(1, 0.0005)):  # one that crosses, and one that is lower at any volume
        once = break_even(money(10, 0.001), other)
        assert (once.requests, once.cheaper_below, once.cheaper_above) == (None, None, None)
        assert "measured once" in once.note
    assert money(1, 0.001, half=0.1).costs_less_than(money(10, 0.002, half=0.1))
    assert not money(1, 0.001).costs_less_than(money(10, 0.002))


def test_nobody_is_called_cheaper_by_less_than_runs_in_one_sitting_differ():
    crossing = break_even(money(10, 0.001, half=1.0), money(1, 0.0015, half=1.0))
    assert (crossing.requests, crossing.cheaper_above) == (None, None)
    assert "what a request costs differs by less than runs in one sitting do" in crossing.note
    assert not money(1, 0.001, half=5.0).costs_less_than(money(3, 0.001, half=5.0))


def test_fieller_covers_the_ratio_as_often_as_it_says():
    import numpy as np

    rng = np.random.default_rng(5)
    top, bottom = rng.normal(6, 1, 4000), rng.normal(8, 1, 4000)
    intervals = [fieller(a, b, 1.959964, 1.959964) for a, b in zip(top, bottom, strict=True)]
    inside = [ends is None or ends[0] <= 6 / 8 <= ends[1] for ends in intervals]
    assert 0.935 <= float(np.mean(inside)) <= 0.965


@pytest.mark.parametrize(("text", "often"), [("7d", 4.348), ("1w", 4.348), ("24h", 30.44), ("1m", 1.0), (None, None)])
def test_how_often_facts_change_is_read_as_a_rate(text, often):
    rate = updates_per_month(text)
    assert rate == (None if often is None else pytest.approx(often, rel=1e-3))


@pytest.mark.parametrize("text", ["7", "d7", "0d", "-1d", "7y", ""])
def test_an_interval_that_is_none_is_refused(text):
    with pytest.raises(HarnessError, match="such as 7d"):
        updates_per_month(text)


def test_a_strategy_that_is_no_longer_installed_is_told_by_what_it_did():
    spans = (Span(phase="index", wall_s=1), Span(phase="predict", wall_s=2))
    traits = rows_of(trial("gone", ({"step": "gone"},), spans))["gone"].traits
    assert traits.searches_corpus
    assert traits.labels is None


def test_the_defaults_are_a_hundred_thousand_requests_a_month_for_a_year_without_updates():
    assert Economics().usage == Usage(requests_per_month=100_000, months=12, updates_per_month=0)
    assert make_economics().usage == make_usage() == Usage()


def test_a_usage_is_named_field_by_field():
    usage = make_usage(months=6, update_every="1m")
    assert usage == Usage(requests_per_month=100_000, months=6, updates_per_month=1)
    assert make_economics(usage, labels=False).usage is usage
    with pytest.raises(HarnessError, match="longer than 0 months"):
        make_usage(months=0)
    with pytest.raises(HarnessError, match="such as 7d"):
        make_usage(update_every="soon")


def test_seeds_on_unlike_hardware_are_each_paid_at_their_own_price():
    l4 = HERE.model_copy(update={"gpu": "NVIDIA L4"})
    costs = rows_of(
        completed("qa", "lora", pattern(0.5), trained=9, seconds=9),
        completed("qa", "lora", pattern(0.5), trained=9, seconds=3, seed=1, environment=l4),
    )["lora"].money
    per_item = (9 * HERE.cores * VCPU + 3 * load_prices().price("l4").usd) / 2 / 200 / 3600
    assert costs.per_1000_usd == pytest.approx(1000 * per_item)
