"""Percentiles of requests and their bounds, and rates without warm-up."""

import numpy as np
import pytest
from scipy.stats import quantile_test
from statsmodels.stats.proportion import proportion_confint

from harness.compare.cost import resources
from harness.compare.cost.latency import quantiles, summarise_latency
from harness.compare.report.comparison import compare
from harness.records.measurements import Forecast, Held, Request, Serving, Span
from tests.compare.builders import completed, pattern


def request(wall_s, number=0, *, out=4, **changes):
    fields = {"id": str(number), "wall_s": wall_s, "first_token_s": wall_s / 2, "tokens_in": 100, "tokens_out": out}
    return Request(**{**fields, "prefill_s": 0.1, "decode_s": 0.2, "decode_tokens": out, **changes})


def serving(walls, **changes):
    fields = {"requests": tuple(request(wall, n) for n, wall in enumerate(walls)), "warm_up": 2}
    return Serving(**{**fields, **changes})


@pytest.mark.parametrize(
    ("n", "shares"),
    [
        (4, []),
        (5, [0.5]),
        (9, [0.5]),
        (10, [0.5, 0.9]),
        (20, [0.5, 0.9, 0.95]),
        (299, [0.5, 0.9, 0.95]),
        (300, [0.5, 0.9, 0.95, 0.99]),
    ],
)
def test_a_percentile_is_reported_from_enough_requests_on(n, shares):
    assert [quantile.share for quantile in quantiles(range(1, n + 1))] == shares


def test_few_requests_do_not_bound_a_percentile():
    (median,) = quantiles([3.0, 1.0, 2.0, 5.0, 4.0])  # all on one side of it: 2 * (1/2)^5 = 6 % > 5 %
    assert (median.value_s, median.low_s, median.high_s) == (3.0, None, None)
    (median,) = quantiles([3.0, 1.0, 2.0, 5.0, 4.0, 6.0])  # 2 * (1/2)^6 = 3 %
    assert (median.value_s, median.low_s, median.high_s) == (3.5, 1.0, 6.0)
    *_, p95 = quantiles(range(1, 21))  # 0.95^20 = 36 % have none above it
    assert p95.high_s is None
    assert p95.low_s == 17


@pytest.mark.parametrize("n", [6, 17, 40, 120, 300])
def test_intervals_are_those_that_scipy_inverts_its_quantile_test_to(n):
    times = np.random.default_rng(n).exponential(size=n)
    for quantile in quantiles(times):
        expected = quantile_test(times, p=quantile.share).confidence_interval(0.95)
        assert quantile.low_s == (None if np.isnan(expected.low) else pytest.approx(expected.low))
        assert quantile.high_s == (None if np.isnan(expected.high) else pytest.approx(expected.high))


def test_intervals_cover_the_true_percentile():
    draws = np.random.default_rng(0).lognormal(size=(1500, 24))
    truth = {0.5: 1.0, 0.9: float(np.exp(1.2815515655)), 0.95: float(np.exp(1.6448536270))}
    covered = dict.fromkeys(truth, 0)
    for row in draws:
        for quantile in quantiles(row):
            above = quantile.low_s is None or quantile.low_s <= truth[quantile.share]
            covered[quantile.share] += above and (quantile.high_s is None or truth[quantile.share] <= quantile.high_s)
    assert all(hits / len(draws) >= 0.94 for hits in covered.values())


def test_the_value_is_right_in_the_median():
    draws = np.random.default_rng(1).exponential(size=(3000, 20))
    medians = [quantiles(row)[0].value_s for row in draws]
    assert np.mean(np.array(medians) < np.log(2)) == pytest.approx(0.5, abs=0.03)


def test_rates_are_tokens_over_seconds_of_requests_alone():
    latency = summarise_latency([serving([0.3, 0.5, 0.4]), serving([0.4, 0.4])])
    assert latency.requests == 5
    assert (latency.prefill_tokens_per_s, latency.decode_tokens_per_s) == (pytest.approx(1000), pytest.approx(20))
    assert latency.output_tokens == 4
    assert latency.wall[0].value_s == 0.4
    assert latency.first_token[0].value_s == 0.2
    assert latency.in_time is None


def test_requests_that_wait_together_tell_no_rate_of_one_alone():
    latency = summarise_latency([serving([0.3] * 6, arrival_rate=3.0)])
    assert (latency.arrival_rate, latency.prefill_tokens_per_s, latency.decode_tokens_per_s) == (3.0, None, None)


def test_scored_choices_have_no_first_token_and_write_nothing():
    scored = {"first_token_s": None, "tokens_out": 0, "decode_s": 0.0, "decode_tokens": 0}
    latency = summarise_latency([Serving(requests=tuple(request(0.2, n, **scored) for n in range(6)))])
    assert (latency.first_token, latency.decode_tokens_per_s, latency.output_tokens) == ((), None, None)
    assert latency.prefill_tokens_per_s == pytest.approx(1000)


def test_the_share_in_time_has_wilson_s_interval():
    latency = summarise_latency([serving([0.1] * 17 + [0.9] * 3, latency_target_s=0.5)])
    low, high = proportion_confint(17, 20, method="wilson")
    assert latency.in_time.value == 0.85
    assert (latency.in_time.low, latency.in_time.high) == (pytest.approx(low), pytest.approx(high))


def test_seeds_whose_requests_came_in_different_ways_are_not_put_together():
    assert summarise_latency([serving([0.1] * 6), serving([0.1] * 6, arrival_rate=2.0)]) is None
    assert summarise_latency([]) is None


def test_what_only_measures_is_no_part_of_the_cost():
    spans = (
        Span(phase="load", wall_s=1, host_peak_bytes=5, energy_j=1),
        Span(
            phase="predict",
            wall_s=4,
            host_peak_bytes=7,
            tokens_in=3000,
            tokens_out=200,
            prefill_s=1.5,
            decode_s=2,
            decode_tokens=180,
            energy_j=8,
        ),
        Span(phase="serve", wall_s=8, host_peak_bytes=6, energy_j=16),
        Span(phase="check", wall_s=9, host_peak_bytes=90, energy_j=32),
    )
    memory, forecast = Held(weights_bytes=3), Forecast(phases_s={"load": 1.0})
    record = completed("qa", "zero_shot", pattern(0.5), spans=spans, held=memory, forecast=forecast).record
    cost = resources.trial_cost(record, 200)
    assert (cost.total_s, cost.host_peak_bytes, cost.energy_j) == (5, 7, 9)
    assert cost.phases["check"].host_peak_bytes == 90
    assert (cost.prefill_tokens_per_s, cost.decode_tokens_per_s) == (2000, 90)
    assert (cost.held, cost.forecast) == (memory, forecast)
    older = resources.trial_cost(completed("qa", "zero_shot", pattern(0.5)).record, 200)
    assert (older.prefill_tokens_per_s, older.energy_j, older.latency, older.held) == (None, None, None, None)


def rows_with(outputs):
    """A table whose rows write so many tokens a request."""
    trials = [
        completed(
            "qa",
            name,
            pattern(0.5),
            serving=Serving(requests=tuple(request(0.4, n, out=out) for n in range(6))),
        )
        for name, out in outputs.items()
    ]
    (task,) = compare(trials).suites[0].tasks
    return task


def test_outputs_too_short_to_compare_seconds_by_are_flagged_by_name():
    verdict = rows_with({"zero_shot": 12, "lora": 5, "rag": 7}).verdict
    (sentence,) = (text for text in verdict if "Outputs less than half" in text)
    assert "`lora` 5.0 against 12.0" in sentence
    assert "(mean tokens)" in sentence
    assert "rag" not in sentence


def test_nothing_is_flagged_where_nothing_is_written_or_no_baseline_was_asked():
    for outputs in ({"zero_shot": 0, "lora": 0}, {"lora": 2, "rag": 12}, {"zero_shot": 12, "lora": 6}):
        assert not any("Output less" in text for text in rows_with(outputs).verdict)


def test_a_target_that_was_named_is_told_with_its_interval():
    trials = [
        completed("qa", name, pattern(0.5), serving=serving([wall] * 20, latency_target_s=0.5))
        for name, wall in (("zero_shot", 0.1), ("rag", 0.9))
    ]
    (task,) = compare(trials).suites[0].tasks
    (sentence,) = (text for text in task.verdict if "Requests within" in text)
    assert sentence.startswith("Requests within 0.5 s (one at a time): ")
    assert sentence.endswith("`zero_shot` 1.00 [0.84, 1.00] and `rag` 0.00 [0.00, 0.16].")
